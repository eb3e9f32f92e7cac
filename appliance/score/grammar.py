"""The grammar: the order in which a piece visits its five sounds."""

import numpy as np

__all__ = ["RULES", "SOUNDS", "expand"]

SOUNDS = "ABCDE"

RULES: dict[str, tuple[str, ...]] = {
    "S": ("XYXZ", "XYZZ", "XZYZ", "YXYZ", "YXZY", "YZXZ", "YZYZ", "ZXYZ", "ZXZY", "ZYXZ"),
    "X": ("AABBAABB", "ABABAB"),
    "Y": ("CDCD", "CCDD"),
    "Z": ("E", "EE"),
}


def expand(rng: np.random.Generator) -> str:
    """Expand ``S`` until only the letters A to E are left; each symbol's alternative is chosen once per piece.

    In the seed text's example both Y of a pattern follow the same rule, so a section that comes back is
    recognised: ``XZYZ`` may give ``ABABABECCDDE``.
    """
    chosen = {symbol: options[int(rng.integers(len(options)))] for symbol, options in RULES.items()}
    return "".join(chosen.get(symbol, symbol) for symbol in chosen["S"])
