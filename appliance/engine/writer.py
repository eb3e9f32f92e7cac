"""The writer: keeps the reserve full, and when the mood moves, makes the near future again.

One thread turns it; hands reach it from any thread.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from appliance.engine.chain import Chain, recover, started
from appliance.engine.cursor import Cursor
from appliance.engine.instrument import Instrument
from appliance.engine.log import Log, Turn
from appliance.engine.observing import Observing
from appliance.engine.saved import Saved
from appliance.engine.timeline import Timeline
from appliance.errors import RingError
from appliance.health.liveness import EngineSeen
from appliance.mood import Mood
from appliance.score.piece import Piece
from appliance.score.taste import Taste
from appliance.stream.fades import LANE_FADE_S
from appliance.stream.inlet import Inlet
from appliance.stream.state import Gains, State

__all__ = ["Change", "Writer"]

# While a hand moves, more would only be thrown away.
_MOVING_RESERVE_S: Final = 3.0
_MOVING_S: Final = 1.0
# A turn is published once so much of it lies ready beyond the fade, more than what the player takes for running dry.
_HEAD_START_S: Final = 0.6
_HEAL_EVERY_S: Final = 0.5
_REST_LUFS: Final = -120.0
# The score is told when the room closes or opens once that is so near; the cards' clocks may stray from ours by less
# than the next meanwhile, and what is nearer than the last is not touched any more.
_EDGE_AHEAD_S: Final = 4800.0
_EDGE_STRAYS_S: Final = 3.0
_EDGE_NEAR_S: Final = 10.0


@dataclass(frozen=True)
class _Hands:
    """Where the hands are, and when they came there."""

    mood: Mood
    moved_ns: int


@dataclass(frozen=True)
class Change:
    """Another model to play: its instrument, the piece to begin with and the mood it was composed for, and a fade."""

    instrument: Instrument
    piece: Piece
    mood: Mood
    fade_s: float


class Writer:
    """Fills a ring from a timeline.

    Parameters
    ----------
    inlet : Inlet
    timeline : Timeline
        Of the ring's rate and channels.
    log : Log
    clock_ns : callable
        CLOCK_MONOTONIC in nanoseconds.

    Attributes
    ----------
    news : threading.Event
        Set when a hand has moved; the thread that turns may wait for it.
    log : Log
    """

    def __init__(
        self,
        inlet: Inlet,
        timeline: Timeline,
        log: Log,
        clock_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.news = threading.Event()
        self.log = log
        self._inlet = inlet
        self._timeline = timeline
        self._reserve = round(inlet.ring.reserve_s * timeline.rate)
        self._clock_ns = clock_ns
        self._chains: dict[int, Chain] = {}
        self._lane = 0
        self._hands = _Hands(Mood(), 0)
        self._hasten = False
        self._taste = timeline.taste
        self._change: Change | None = None
        self._unlogged = False
        self._gains: Gains | None = None
        self._observing = Observing(timeline.rate, timeline.channels, self._seconds)
        self._pending = False
        self._refusals = inlet.refusals
        self._healed_ns = 0
        self._healed_frame = -1

    # --- hands, from any thread

    @property
    def mood(self) -> Mood:
        """Where the hands are."""
        return self._hands.mood

    def move(self, mood: Mood) -> None:
        """Let the music glide to another mood; it is heard within a moment."""
        self._hands = _Hands(mood, self._clock_ns())
        self.news.set()

    def next_piece(self) -> None:
        """Let the next piece begin."""
        self._hasten = True
        self.news.set()

    def adopt(self, taste: Taste) -> None:
        """Let the music be played to another taste; what was banned and sounds is gone within a moment."""
        self._taste = taste
        self.news.set()

    def change(self, change: Change) -> None:
        """Let the music glide over to another model, with what was kept and banned in that.

        Raises
        ------
        ValueError
            While it still glides.
        """
        if self.changing:
            raise ValueError("one model after the other")
        self._taste = change.instrument.space.taste
        self._change = change
        self.news.set()

    @property
    def instrument(self) -> Instrument:
        """What plays, or is being glided over to."""
        change = self._change
        return self._timeline.instrument if change is None else change.instrument

    @property
    def changing(self) -> bool:
        """Whether the model before is still heard, or will be."""
        return self._change is not None or len(self._timeline.models) > 1

    @property
    def turning(self) -> bool:
        """Whether a turn waits to be taken by the player, who does so within a moment unless the room is closed."""
        return self._inlet.turning and self._inlet.state != State.CLOSED

    def log_until_now(self) -> bytes:
        """Give the log of all that was handed to the card."""
        return self.log.to_json(self._inlet.read)

    @property
    def seen(self) -> EngineSeen:
        """What the engine observes of itself."""
        return self._observing.seen

    # --- the thread that turns

    def begin(self, beginning: Callable[[], Saved]) -> bool:
        """Go on where an engine ended before, or else begin.

        Parameters
        ----------
        beginning : callable
            Gives cursor and mood to begin with; asked only where nothing goes on.

        Returns
        -------
        bool
            Whether it goes on.
        """
        lane, inlet = self._inlet.lane, self._inlet
        told = Gains.unpack(inlet.ring.gains.read()) or Gains()
        there = inlet.ring.lane(lane)
        plausible = there.begin <= there.end and 0 <= there.end - inlet.read <= inlet.ring.shape.lane_frames
        chain = recover(inlet.ring, lane, self._timeline) if plausible else None
        resumed = chain is not None
        if chain is None:
            saved = beginning()
            self._hands = _Hands(saved.mood, 0)
            inlet.withdraw()
            self._lane = inlet.lane
            self._start(saved.cursor, inlet.fill_frames if plausible else 0)
        else:
            self._hands = _Hands(replace(chain.mood, volume=told.volume), 0)
            self._lane, self._chains[lane] = lane, chain
            self._pending = inlet.turning
            if not self._pending:
                self._log_from(chain, inlet.read)
        self._tell_gains()
        return resumed

    def place(self) -> Saved:
        """Give the place in the music that is heard now."""
        chain = self._chains[self._lane]
        return Saved(chain.at(self._inlet.read), self._hands.mood, chain.base)

    def sounding(self, shifted: bool = True) -> tuple[bytes, ...]:
        """Give the latents of what is heard now, the loudest first, each float32 (32,); none in a rest.

        They say where in the timbre space it is, whatever its transposition. Unless ``shifted``, the shift along the
        axes by hand is taken out again.
        """
        return self._chains[self._lane].sounding(self._inlet.read, self._timeline, shifted)

    def turn(self) -> bool:
        """Do the most urgent thing there is to do.

        Returns
        -------
        bool
            False: nothing; wait for `news`, or a little.

        Raises
        ------
        ModelError
            If the model gives sound that is not finite.
        RingError
            If the ring is no longer ours, or another took its place.
        """
        self._inlet.check()
        self._inlet.beat()
        self._follow_player()
        did = self._answer() or self._fill()
        self._observing.turn(self._full)
        return did

    def _answer(self) -> bool:
        """Turn if a hand moved, a place was kept or banned, the player refuses what it finds, or closing is near."""
        hands, chain = self._hands, self._chains[self._lane]
        self._tell_gains()
        if self._inlet.turning:
            return False
        if self._change is not None:
            if self._change.instrument is not self._timeline.instrument:
                self._timeline.bring(self._change.instrument)
            if chain.cursors[chain.end].model != self._timeline.model:
                # What begins is a new piece already.
                self._hasten = False
                self._turn(_timbre(hands.mood), 0, hasten=False)
                return True
        if self._taste is not self._timeline.taste:
            self._timeline.adopt(self._taste)
        moved = _timbre(hands.mood) != chain.mood or chain.taste != self._timeline.taste
        if self._hasten or moved or self._edge(chain) != chain.edge:
            hasten, self._hasten = self._hasten, False
            self._turn(_timbre(hands.mood), hands.moved_ns, hasten)
            return True
        return self._heal(chain)

    def _edge(self, chain: Chain) -> int | None:
        """Where the room closes or opens next: as the chain has it, unless the player knows better."""
        read, rate, edge, known = self._inlet.read, self._timeline.rate, self._inlet.edge_frame, chain.edge
        if edge is not None and edge - read > _EDGE_AHEAD_S * rate:
            edge = None
        if known is None:
            return edge
        same = known < read if edge is None else abs(edge - known) <= _EDGE_STRAYS_S * rate
        return known if same or 0 <= known - read <= _EDGE_NEAR_S * rate else edge

    def _heal(self, chain: Chain) -> bool:
        """Make again what the player refuses: somebody scribbled on it. Refused again, it is left out."""
        inlet, now_ns = self._inlet, self._clock_ns()
        refused = inlet.state != State.PLAYING and inlet.refusals != self._refusals
        if not refused or now_ns - self._healed_ns <= _HEAL_EVERY_S * 1e9:
            return False
        again = inlet.read == self._healed_frame
        self._refusals, self._healed_ns, self._healed_frame = inlet.refusals, now_ns, inlet.read
        following = chain.at(inlet.read + self._timeline.hop_frames)
        if again and following.hop > chain.at(inlet.read).hop:
            self._publish(started(following, chain.mood, inlet.turn_frame(), self._timeline), inlet.turn_frame(), 0)
        else:
            self._turn(chain.mood, 0, hasten=False)
        return True

    @property
    def _full(self) -> bool:
        """Whether another hop would be more than is wanted now."""
        moving = self._clock_ns() - self._hands.moved_ns < _MOVING_S * 1e9
        wanted = min(self._reserve, round(_MOVING_RESERVE_S * self._timeline.rate)) if moving else self._reserve
        return self._inlet.fill_frames + self._timeline.hop_frames > max(wanted, 2 * self._timeline.hop_frames)

    def _fill(self) -> bool:
        """Make a hop if there is need of it."""
        if self._full:
            return False
        self._make(self._lane, self._chains[self._lane], 0)
        return True

    def _make(self, lane: int, chain: Chain, skip: int) -> None:
        """Make a chain's next hop and append what comes after its first ``skip`` frames."""
        timeline, begin = self._timeline, chain.end
        cursor, hop = timeline.step(chain.cursors[begin], chain.mood)
        expected_lufs = timeline.expected_lufs(cursor)
        first = len(cursor.trail) < 2
        highest_lufs = self._observing.hop(hop, expected_lufs, first)
        end = begin + timeline.hop_frames
        chain.cursors[end] = cursor
        self._inlet.save(lane, chain.saves([end]))
        # A clip that is faded in from nothing is softer than announced, so nothing is announced.
        lowest_lufs = _REST_LUFS if first else expected_lufs
        self._inlet.append(lane, hop[skip:], (lowest_lufs, max(expected_lufs, highest_lufs)))
        chain.end = end
        if lane == self._lane and not self._pending:
            self.log.follow(cursor)

    def _turn(self, mood: Mood, origin_ns: int, hasten: bool) -> None:
        """Make the future anew in the idle lane, as soon as it can be heard, and publish it."""
        inlet, timeline, old = self._inlet, self._timeline, self._chains[self._lane]
        frame = min(inlet.turn_frame(), old.end)
        begin = old.base + (frame - old.base) // timeline.hop_frames * timeline.hop_frames
        before = old.reach(begin - timeline.hop_frames, timeline)
        cursors = {} if before is None else {begin - timeline.hop_frames: before}
        # The clip that began a hop earlier still sounds, and is to glide too.
        cursor = old.at(begin) if before is None else timeline.advance(before, mood)
        edge = self._edge(old)
        until = None if edge is None else (edge - old.base) // timeline.hop_frames
        # One that has passed is none.
        cursor = replace(cursor, until=None if until is None or until <= cursor.hop else until)
        if cursor.model != timeline.model and self._change is not None:
            change = self._change
            cursor = timeline.change(cursor, change.piece, change.mood, max(1, round(change.fade_s / timeline.hop_s)))
        cursors[begin] = timeline.hasten(cursor, mood) if hasten else cursor
        self._publish(Chain(old.base, mood, cursors, begin, timeline.taste, edge=edge), frame, origin_ns)

    def _start(self, cursor: Cursor, fill: int) -> None:
        """Begin a chain: over what still sounds, or where the player stands."""
        inlet, mood, lane = self._inlet, _timbre(self._hands.mood), self._lane
        if fill < round((LANE_FADE_S + _HEAD_START_S) * self._timeline.rate):
            chain = started(cursor, mood, inlet.read, self._timeline)
            inlet.open_lane(lane, chain.end)
            inlet.save(lane, chain.saves(chain.cursors))
            self._chains[lane] = chain
            self._log_from(chain, chain.end)
            return
        # Its first clip rises from nothing, which over what sounds would be a hole.
        chain = started(self._timeline.advance(cursor, mood), mood, inlet.turn_frame(), self._timeline)
        self._publish(chain, chain.end, 0)

    def _publish(self, chain: Chain, frame: int, origin_ns: int) -> None:
        """Make the beginning of a chain in the idle lane, from a frame on, and let the player go over to it."""
        inlet, lane = self._inlet, 1 - self._lane
        enough = frame + round((LANE_FADE_S + _HEAD_START_S) * self._timeline.rate)
        inlet.open_lane(lane, frame)
        inlet.save(lane, chain.saves(chain.cursors))
        self._make(lane, chain, frame - chain.end)
        while chain.end < enough:
            self._make(lane, chain, 0)
        inlet.publish(lane, frame, origin_ns)
        self._chains[lane] = chain
        self._lane = lane
        self._pending = True

    def _follow_player(self) -> None:
        """See which turns the player has taken, and whether it went back to the other lane by itself."""
        inlet = self._inlet
        if self._pending and not inlet.turning:
            self._pending = False
            self._log_from(self._chains[self._lane], inlet.taken_frame, inlet.taken_faded)
        if inlet.lane != self._lane:
            if inlet.lane not in self._chains:
                raise RingError("The player plays what this engine did not make.")
            self._lane = inlet.lane
            self._log_from(self._chains[self._lane], inlet.taken_frame, inlet.taken_faded)
        if inlet.end(self._lane) != self._chains[self._lane].end:
            raise RingError("The ring was written to by somebody else.")
        oldest = inlet.read - 3 * self._timeline.hop_frames
        for lane, chain in self._chains.items():
            # What is gone on from stays, should the player be ahead of it.
            chain.forget_before(min(oldest, chain.end) if lane == self._lane else oldest)
        self._leave_behind()

    def _leave_behind(self) -> None:
        """Drop the model before once nobody can go back to it any more, and log from where it is not heard."""
        inlet, timeline, chain = self._inlet, self._timeline, self._chains[self._lane]
        if self._unlogged and not self._pending:
            heard = chain.at(inlet.read)
            if heard.models == {timeline.model} and inlet.read >= chain.pure:
                self._log_from(chain, chain.base + heard.hop * timeline.hop_frames)
        if timeline.models == {timeline.model}:
            return
        needed = frozenset().union(*(c.models for each in self._chains.values() for c in each.cursors.values()))
        if needed == {timeline.model}:
            timeline.drop(timeline.models - needed)
            self._change = None

    def _log_from(self, chain: Chain, frame: int, faded: bool = False) -> None:
        """Note that from this frame on the sound is this chain's."""
        cursor, timeline = chain.at(frame), self._timeline
        # A log knows one model: where two are heard there is none.
        self._unlogged = cursor.models != {timeline.model} or frame < chain.pure
        if self._unlogged or not self.log.is_of(cursor.model, chain.taste):
            self.log.renew(timeline.model, timeline.bounds, chain.taste)
        if self._unlogged:
            return
        self.log.add(Turn(frame, chain.base, cursor, chain.mood, faded))
        for at in sorted(chain.cursors):
            if at > frame:
                self.log.follow(chain.cursors[at])

    def _tell_gains(self) -> None:
        gains = Gains(volume=self._hands.mood.volume)
        if gains != self._gains:
            self._gains = gains
            self._inlet.ring.gains.write(gains.pack())

    def _seconds(self) -> float:
        return self._clock_ns() * 1e-9


def _timbre(mood: Mood) -> Mood:
    """Leave out what is the player's to do."""
    return replace(mood, volume=1.0)
