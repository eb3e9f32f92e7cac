"""The desk: takes what all sources tell, and says where everything that they move stands.

It has no threads and no clock of its own: whoever owns it tells it the time, and an hour passes in no time.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from appliance.controls.channel import Channel, channel_of, conditioner_of, ends_of
from appliance.controls.mapping import Ends
from appliance.controls.presence import Presence
from appliance.controls.source import Event, Position, Press, Step
from appliance.controls.standing import Slot, Standing
from appliance.mood import STEERED
from appliance.wiring.room import PresenceSettings
from appliance.wiring.tables import AnyControl, Combine

__all__ = ["Action", "Desk"]

_PRESSED: Final = 0.5
# What sends nothing on release presses anew with the same message; nearer ones repeat what is held.
_ANEW_S: Final = 0.3
# What moves by itself and was in trouble is followed so slowly, for so long.
_RETURN_S: Final = 2.0
_RETURNS_S: Final = 10.0
# Until then a sensor that has told nothing is not taken for broken.
_READ_WITHIN_S: Final = 5.0


@dataclass(frozen=True)
class Action:
    """What a press asks for: next, keep, never, rest, or scene or save with the name of a scene."""

    does: str
    scene: str


class Desk:
    """All controls together.

    Parameters
    ----------
    controls : mapping
        By name.
    combine : mapping
        How several that move the same go together: the one touched last (and so where it is not named), their sum, or
        the highest.
    presence : PresenceSettings or None
    standing : mapping
        Where everything stands to begin with; what is not named rests.
    now_s : float
        Seconds that only go forward.
    goes_on : bool
        Whether what stands was there before: then knobs move nothing until they are turned.
    awake : float
        How far the room is from dimmed, 0, to awake, 1, to begin with.

    Attributes
    ----------
    touched_s : float
        When a hand, or what is followed at once, last moved anything.
    """

    def __init__(
        self,
        controls: Mapping[str, AnyControl],
        combine: Mapping[str, Combine],
        presence: PresenceSettings | None,
        standing: Mapping[str, float],
        now_s: float,
        goes_on: bool = False,
        awake: float = 1.0,
    ) -> None:
        self.channels = {name: channel_of(name, control, goes_on) for name, control in controls.items()}
        self.touched_s = -math.inf
        self._standing = Standing(combine, standing)
        self._sensors = () if presence is None else presence.sensors
        self._away = {} if presence is None else presence.away
        self._presence = None if presence is None else Presence(presence, now_s if awake > 0.0 else -math.inf, awake)
        self._handled = False
        self._now_s = now_s
        self._read_by_s = now_s + _READ_WITHIN_S

    # --- what comes in

    def take(self, name: str, events: Sequence[Event], now_s: float) -> list[Action]:
        """Take what a source told, which is well then; gives what its presses ask for."""
        channel = self.channels[name]
        actions: list[Action] = []
        if channel.conditioner is None:
            channel.trouble = None
        for event in events:
            if isinstance(event, Press):
                self._touch(channel, now_s)
                actions += _asked(channel) if channel.tells_presses else []
            elif isinstance(event, Step):
                self._step(channel, event, now_s)
            else:
                actions += self._position(channel, event, now_s)
        return actions

    def fail(self, name: str, trouble: str, now_s: float) -> None:
        """Note that a source is in trouble: what it moved glides to its neutral value."""
        channel = self.channels[name]
        # What it told before says nothing about what it will tell.
        channel.conditioner = conditioner_of(channel.control)
        self._fail(channel, trouble, now_s)

    def set(self, values: Mapping[str, float], now_s: float, morph_s: float = 0.0) -> None:
        """Set some quantities, as from the control socket or a scene; knobs take over from there without a jump."""
        for name, value in values.items():
            self._standing.set(name, value, now_s, morph_s)
        for channel in self.channels.values():
            if channel.control.moves in values:
                channel.owed = False
                if not channel.drifts:
                    channel.output = channel.wanted
        self.touched_s = now_s
        self._handled = True

    def calibrate(self, name: str, ends: Ends | None) -> None:
        """Use other ends for a control; None for the usual ones. What it moves stays until it is turned."""
        channel, ends = self.channels[name], ends_of(self.channels[name].control, ends)
        channel.strange = channel.strange or ends != channel.ends
        channel.ends = ends

    # --- what comes out

    def turn(self, now_s: float) -> None:
        """Let time pass: glides, morphs, retreats and presence go on."""
        passed_s, self._now_s = max(now_s - self._now_s, 0.0), now_s
        self._standing.advance(now_s)
        for channel in self.channels.values():
            self._follow(channel, passed_s)
        if self._presence is not None:
            sensors = [self.channels[name] for name in self._sensors]
            ways = [None if each.way is None else each.on(each.way) for each in sensors]
            # At first nothing may have been read yet.
            if self._handled or any(way is not None for way in ways) or now_s >= self._read_by_s:
                self._presence.see(ways, self._handled, now_s)
            self._presence.turn(now_s, passed_s)
        self._handled = False

    def values(self) -> dict[str, float]:
        """Where everything stands now, within its range, dimmed if nobody is there."""
        awake, values = self.awake, self.standing()
        if awake < 1.0:
            for name, away in self._away.items():
                # It is never louder for being empty.
                there = min(away, values[name]) if name == "volume" else away
                values[name] = there + (values[name] - there) * awake
        return values

    def standing(self) -> dict[str, float]:
        """The same, as if somebody were there: what a scene keeps."""
        return {name: self._standing.of(name) for name in STEERED}

    @property
    def awake(self) -> float:
        """How far the room is from dimmed, 0, to awake, 1."""
        return 1.0 if self._presence is None else self._presence.awake

    @property
    def moving(self) -> bool:
        """Whether something glides by itself."""
        return self._standing.moving or any(each.output != each.wanted for each in self.channels.values())

    def moves_now(self, channel: Channel) -> bool:
        """Whether a control has a say in what it moves at this moment."""
        slot = self._slot(channel)
        return slot is not None and self._standing.owner(slot) == channel.name

    # --- how

    def _slot(self, channel: Channel) -> Slot | None:
        moves = channel.control.moves
        return None if moves is None else self._standing.slot(moves, channel.name)

    def _position(self, channel: Channel, event: Position, now_s: float) -> list[Action]:
        channel.raw = value = event.value
        if channel.conditioner is not None:
            settled = channel.conditioner.feed(value, event.at_s)
            if channel.conditioner.trouble is not None:
                self._fail(channel, channel.conditioner.trouble, now_s)
                return []
            channel.trouble = None
            if settled is None:
                return []
            value = settled
        way, before = channel.ends.of(value), channel.way
        told_s, channel.told_s = channel.told_s, event.at_s
        known = before is not None and not channel.strange
        if known or channel.told_by_touch:
            presses = _presses(channel, before, way, anew=event.at_s - told_s >= _ANEW_S)
            if way != before or presses:
                self._touch(channel, now_s)
        else:
            presses = False
        channel.way, channel.strange = way, False
        if channel.span is not None and not known:
            self._sight(channel, channel.span.value(way), now_s)
        elif channel.span is not None and way != before:
            self._want(channel, channel.span.value(way))
        return _asked(channel) if presses else []

    def _sight(self, channel: Channel, wanted: float, now_s: float) -> None:
        """Let a control be seen that was not seen before, or had trouble: it moves only what is its own."""
        slot = self._slot(channel)
        assert slot is not None
        began_at_end = channel.conditioner is not None and channel.conditioner.began_at_end
        owed = channel.owed and not began_at_end and self._standing.owner(slot) in (None, channel.name)
        self._standing.stay(slot, channel.name)
        channel.wanted = channel.output = wanted
        if owed and channel.by_itself:
            # Nobody will turn it to where the room has gone meanwhile, so the room goes where it is.
            channel.output = self._standing.from_rest(slot)
            self._standing.place(slot, channel.name, channel.output)
            channel.leaving = abs(wanted - channel.output)
            channel.slow_until_s = now_s + _RETURNS_S if channel.seen else now_s
        elif owed:
            self._standing.place(slot, channel.name, wanted)
        else:
            self._standing.here(slot, wanted)
        channel.seen, channel.owed = True, False

    def _want(self, channel: Channel, wanted: float) -> None:
        """Let a control stand for another value."""
        assert channel.output is not None
        channel.wanted, channel.leaving = wanted, abs(wanted - channel.output)
        if not self._glide_s(channel):
            self._put(channel, wanted)

    def _step(self, channel: Channel, event: Step, now_s: float) -> None:
        """Move what an encoder moves from wherever that stands: it has no place of its own."""
        self._touch(channel, now_s)
        slot, span = self._slot(channel), channel.span
        if slot is None or span is None:
            return
        gliding = channel.output is not None and channel.output != channel.wanted
        here = channel.wanted if gliding and channel.wanted is not None else self._standing.here(slot)
        way = channel.way
        if way is None or span.value(way) != here:
            way = span.way(here)
        channel.output = channel.output if gliding else span.value(way)
        channel.way = channel.raw = min(max(way + event.by, 0.0), 1.0)
        self._want(channel, span.value(channel.way))

    def _put(self, channel: Channel, output: float) -> None:
        """Let what a control has been followed to be heard."""
        slot, before = self._slot(channel), channel.output
        channel.output = output
        if slot is not None and channel.span is not None and before is not None:
            self._standing.put(slot, channel.name, before, output, channel.span, channel.drifts)

    def _glide_s(self, channel: Channel) -> float:
        return max(channel.glide_s, _RETURN_S) if self._now_s < channel.slow_until_s else channel.glide_s

    def _follow(self, channel: Channel, passed_s: float) -> None:
        """Glide towards what a control stands for, as long for a long way as for a short one."""
        if channel.output is None or channel.wanted is None or channel.output == channel.wanted:
            return
        left, glide_s = channel.wanted - channel.output, self._glide_s(channel)
        step = math.inf if not glide_s else channel.leaving * passed_s / glide_s
        self._put(channel, channel.wanted if abs(left) <= step else channel.output + math.copysign(step, left))

    def _fail(self, channel: Channel, trouble: str, now_s: float) -> None:
        slot, control = self._slot(channel), channel.control
        if channel.trouble is None and slot is not None:
            neutral = STEERED[slot[0]].rest if control.neutral is None else control.neutral
            if self._standing.retreat(slot, channel.name, neutral, now_s):
                channel.owed = channel.by_itself
        channel.trouble = trouble
        channel.way = channel.wanted = channel.output = None
        channel.strange = True

    def _touch(self, channel: Channel, now_s: float) -> None:
        if not channel.drifts:
            self._handled = True
        if not (channel.drifts and channel.glide_s):
            self.touched_s = now_s


def _presses(channel: Channel, before: float | None, way: float, anew: bool) -> bool:
    """Whether a position is a press: it rises through its middle, or comes anew from what never tells a release."""
    if channel.tells_presses or channel.on(way) < _PRESSED:
        return False
    if before is None or channel.on(before) < _PRESSED:
        return True
    return channel.told_by_touch and channel.control.moves is None and way == before and anew


def _asked(channel: Channel) -> list[Action]:
    """What a press of a control asks for."""
    does = channel.control.does
    if does is None:
        return []
    action, _, scene = does.partition(" ")
    return [Action(action, scene.strip())]
