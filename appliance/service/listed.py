"""A control as the control socket tells it."""

from typing import Any

from appliance.controls.channel import Channel

__all__ = ["listed"]


def listed(
    channel: Channel, learned: tuple[float, float] | None, age_s: float | None, touched: bool, room: float | None
) -> dict[str, Any]:
    """Give a control as the control socket tells it.

    Parameters
    ----------
    channel : Channel
    learned : pair of float or None
        Its ends, if they were learned.
    age_s : float or None
        How long ago it was heard, if it was.
    touched : bool
        Whether it has a say in what it moves.
    room : float or None
        Where the room stands in what it moves.
    """
    low, high = (None, None) if learned is None else learned
    return {
        "name": channel.name,
        "source": channel.control.source,
        "moves": channel.control.moves,
        "does": channel.control.does,
        "raw": channel.raw,
        "mapped": channel.output,
        "room": room,
        "low": low,
        "high": high,
        "trouble": channel.trouble,
        "age_s": age_s,
        "touched": touched,
        "waits": channel.waits,
    }
