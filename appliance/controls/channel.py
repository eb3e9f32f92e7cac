"""A channel of the desk: one control, where it stands and what it stands for."""

import math
from dataclasses import dataclass
from typing import Final

from appliance.controls.conditioning import STILL, Conditioner
from appliance.controls.mapping import Ends, Span, span_of
from appliance.wiring.tables import Ads1115, AnyControl, Chip, Distance

__all__ = ["Channel", "channel_of", "conditioner_of", "ends_of"]

# Followed slowly unless the settings say otherwise: daylight flickers, and a day is long.
_GLIDES_S: Final = {"clock": 60.0, "light": 5.0, "sensor": 1.0}
# Of a way that is freed of noise, its ends are not quite reached.
_MARGIN: Final = STILL + 0.001


@dataclass
class Channel:
    """A control at the desk.

    Attributes
    ----------
    glide_s : float
        How slowly it is followed.
    raw : float or None
        As its source told it last, 0..1.
    way : float or None
        Conditioned and stretched to its ends.
    wanted, output : float or None
        What it stands for, and how far that has been followed, in the unit of what it moves.
    leaving : float
        How far that was to go when it was told last.
    trouble : str or None
        Half a sentence.
    seen, strange : bool
        Whether it was ever seen, and whether it was not since it began or had trouble.
    owed : bool
        Whether what it moves is to go where it stands as soon as that is seen.
    told_s, slow_until_s : float
        When it told its position last, and until when it is followed slowly because it had trouble.
    """

    name: str
    control: AnyControl
    span: Span | None
    ends: Ends
    conditioner: Conditioner | None
    glide_s: float
    owed: bool
    raw: float | None = None
    way: float | None = None
    wanted: float | None = None
    output: float | None = None
    leaving: float = 0.0
    trouble: str | None = None
    seen: bool = False
    strange: bool = True
    told_s: float = -math.inf
    slow_until_s: float = -math.inf

    @property
    def part(self) -> str:
        """What it is: the part on a converter's channel, else its source."""
        return _part(self.control)

    @property
    def drifts(self) -> bool:
        """Whether it moves without a hand."""
        return self.part in ("clock", "light", "sensor", "distance", "motion")

    @property
    def by_itself(self) -> bool:
        """Whether what it moves goes where it stands, without a hand on it."""
        return self.drifts or self.part in ("switch", "digital")

    @property
    def told_by_touch(self) -> bool:
        """Whether nothing is told of it until it is touched."""
        return self.part in ("osc", "midi")

    @property
    def tells_presses(self) -> bool:
        """Whether its source tells a press by itself; of all others it is the rise of their position."""
        return self.part in ("button", "touch", "encoder")

    @property
    def waits(self) -> bool:
        """Whether it stands at its end since all began, as a wire does that is not there, and moves nothing yet."""
        return self.conditioner is not None and self.raw is not None and self.way is None and self.trouble is None

    def on(self, way: float) -> float:
        """How far it is on at a place of its way: of a distance, how near somebody is."""
        return 1.0 - way if self.part == "distance" or self.control.invert else way


def channel_of(name: str, control: AnyControl, goes_on: bool) -> Channel:
    """Make the channel of a control of which nothing is known yet; `goes_on` where the room stands already."""
    glide_s = _GLIDES_S.get(_part(control), 0.0) if control.glide_s is None else control.glide_s
    span, ends, conditioner = span_of(control), ends_of(control, None), conditioner_of(control)
    channel = Channel(name, control, span, ends, conditioner, glide_s, owed=not goes_on)
    if channel.part in ("button", "touch"):
        # Released it moves nothing until it was pressed.
        channel.way, channel.strange, channel.seen, channel.owed = 0.0, False, True, False
        channel.wanted = channel.output = None if span is None else span.value(0.0)
    return channel


def conditioner_of(control: AnyControl) -> Conditioner | None:
    """What frees a control of noise; None for one that makes none."""
    return Conditioner(by_hand=_part(control) == "knob") if _is_noisy(control) else None


def ends_of(control: AnyControl, learned: Ends | None) -> Ends:
    """The ends of a control, which were learned or not."""
    ends = Ends() if learned is None else learned
    return Ends(ends.low + _MARGIN, ends.high - _MARGIN) if _is_noisy(control) else ends


def _is_noisy(control: AnyControl) -> bool:
    return isinstance(control, Chip | Ads1115 | Distance)


def _part(control: AnyControl) -> str:
    return control.part if isinstance(control, Chip | Ads1115) else control.source
