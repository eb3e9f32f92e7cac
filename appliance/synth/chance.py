"""Random numbers by counter: the same for the same arguments, and far quicker than to seed a generator."""

__all__ = ["draw"]

_MASK = (1 << 64) - 1


def draw(seed: int, number: int, purpose: int) -> float:
    """Draw from 0..1: the finaliser of splitmix64 (Steele, Lea, Flood, 2014) on a weighted sum."""
    mixed = (seed * 0x9E3779B97F4A7C15 + number * 0xD1342543DE82EF95 + purpose * 0xA24BAED4963EE407) & _MASK
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = ((mixed ^ (mixed >> shift)) * factor) & _MASK
    return ((mixed ^ (mixed >> 31)) >> 11) * 2.0**-53
