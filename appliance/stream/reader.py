"""From the ring to the card, whatever happens to whoever fills it: hold, fader and ceiling.

A turn of the reader plays one block. The next one lies checked in its hands already, so that it is never too late to
fade: into the hold if no fresh sound can follow, and back.
"""

import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt

from appliance.stream.card import Card
from appliance.stream.crossfade import Crossfade
from appliance.stream.fader import FADE_IN_S, Curtain, Fader
from appliance.stream.fades import LANE_FADE_S
from appliance.stream.keeper import Factory, Keeper
from appliance.stream.layout import BLOCK_FRAMES, Word
from appliance.stream.ledger import Ledger
from appliance.stream.outlet import DRY_S, Outlet
from appliance.stream.porter import Plan
from appliance.stream.ring import Ring
from appliance.stream.state import Gains, State

__all__ = ["CEILING", "Reader"]

Floats = npt.NDArray[np.float32]

CEILING: Final = float(10.0 ** (-1.0 / 20.0))

# Into the hold while fresh sound lasts; with none left it takes one block.
_LEAVE_S: Final = 0.25
# Back from it, slowly: both sounds are whole.
_RETURN_S: Final = 1.5
# So much must lie ready before fresh sound is gone back to, so that it does not come and go.
_READY_S: Final = 1.0
# What was refused is looked at again so often.
_PROBE_S: Final = 0.2
_ALWAYS: Final = Plan()


class Reader:
    """Plays a ring on a card; one thread.

    Parameters
    ----------
    ring : Ring
    card : Card
        Started, of the ring's rate and channels.
    factory : callable
        Gives what is played where there is no history to hold; see `Keeper`.
    clock_ns : callable
        CLOCK_MONOTONIC in nanoseconds.
    plan : callable
        Gives what the opening hours want; see `Porter`.

    Raises
    ------
    ValueError
        If the card is of another format.
    """

    def __init__(
        self,
        ring: Ring,
        card: Card,
        factory: Factory,
        clock_ns: Callable[[], int] = time.monotonic_ns,
        plan: Callable[[], Plan] = lambda: _ALWAYS,
    ) -> None:
        if (ring.rate, ring.channels) != (card.rate, card.channels):
            raise ValueError(f"a ring of {ring.rate} Hz x {ring.channels} is not for {card.rate} Hz x {card.channels}")
        self._ring = ring
        self._words = ring.words
        self._card = card
        self._clock_ns = clock_ns
        self._plan = plan
        self._ledger = Ledger(ring, clock_ns)
        self._outlet = Outlet(ring, self._ledger)
        self._next: Floats | None = None
        self._crossfade = Crossfade(ring.rate)
        self._keeper = Keeper(ring, self._ledger, factory)
        self._rested = 0
        self._sounded = False
        self._silence: Floats = np.zeros((BLOCK_FRAMES, ring.channels), dtype=np.float32)
        self._fader = Fader(ring.rate)
        self._gains = Gains()
        self._gains_count = -1
        self._answered = int(self._words[Word.TAKEN_FRAME])

    @property
    def silent(self) -> bool:
        """Whether a fade out has come to its end."""
        return self._fader.silent

    @property
    def closed(self) -> bool:
        """Whether the opening hours keep the room silent."""
        return self._fader.shut

    @property
    def wanted_gain(self) -> float:
        """Gain that the fader is at or on its way to while the room is open, 0..1."""
        return self._fader.wanted

    def fade_out(self) -> None:
        """Begin to fade to silence for good, which takes a second of turns."""
        self._fader.fade_out()

    def turn(self) -> bool:
        """Play a block of 512 frames.

        Returns
        -------
        bool
            Whether any sample of it was other than zero.

        Raises
        ------
        CardError
            If the card refuses it; it is counted as not played.
        RingError
            If somebody else has written to the ring: make another and `move` there.
        """
        self._ledger.check()
        plan, now_s = self._plan(), self._clock_ns() * 1e-9
        gain = self._gain(plan, now_s)
        if self._fader.shut and not plan.awake(now_s):
            return self._sleep(plan, now_s)
        if self._crossfade.resting:
            self._try_to_return()
        fresh = self._next
        if fresh is not None:
            self._next = self._fetch()
        sent = self._mix(fresh) * gain
        np.clip(sent, -CEILING, CEILING, out=sent)
        self._card.write(sent)
        self._account(fresh, sent)
        # While it falls silent nobody knows yet where it will come to stand.
        self._ledger.plan(plan, plan.edge_s(now_s) if plan.awake(now_s) else math.inf)
        return bool(sent.any())

    def move(self, ring: Ring) -> None:
        """Go over to another ring of the same format, with all that was heard, and hold until there is sound in it."""
        before, self._ring, self._words = self._ledger, ring, ring.words
        self._ledger = Ledger(ring, self._clock_ns)
        self._ledger.inherit(before)
        self._outlet = Outlet(ring, self._ledger)
        ring.gains.write(self._gains.pack())
        self._gains_count = ring.gains.count
        self._answered = 0
        self._keeper.move(ring, self._ledger)

    def _curtain(self, plan: Plan, now_s: float) -> Curtain:
        """What opening hours allow, and the keeper."""
        curtain = plan.curtain(now_s)
        return replace(curtain, ceiling=min(curtain.ceiling, self._ring.ceiling))

    def _sleep(self, plan: Plan, now_s: float) -> bool:
        """Play digital silence, and take nothing: whoever fills the ring has nothing to do until the room wakes."""
        self._card.write(self._silence)
        self._ledger.sent(self._silence, State.CLOSED)
        self._ledger.plan(plan, plan.edge_s(now_s))
        return False

    def _try_to_return(self) -> None:
        """While nothing fresh is heard: go back to it if there is enough again that is fit to be heard."""
        self._rested += BLOCK_FRAMES
        self._outlet.look(holding=True)
        probing = self._rested % round(_PROBE_S * self._ring.rate) < BLOCK_FRAMES
        if self._outlet.ready_frames < _READY_S * self._ring.rate or (self._outlet.refused and not probing):
            return
        self._next = self._outlet.pull()
        if self._next is not None:
            self._crossfade.come_back(_RETURN_S if self._keeper.sounding else FADE_IN_S)

    def _fetch(self) -> Floats | None:
        """Pull the block after the one that is played now, and see from it which way to go."""
        self._outlet.look(holding=False)
        following = self._outlet.pull()
        ready = self._outlet.ready_frames
        if following is None:
            self._leave()
        elif ready < DRY_S * self._ring.rate:
            self._leave(_LEAVE_S)
        elif self._crossfade.leaving and ready >= _READY_S * self._ring.rate:
            self._crossfade.come_back(_RETURN_S)
        return following

    def _leave(self, seconds: float = 0.0) -> None:
        """Go into the hold: while fresh sound lasts, or before this block is over."""
        if not self._crossfade.leaving:
            self._words[Word.HOLDS] += 1
            # On the way back the last hold is heard still, and goes on.
            if self._crossfade.fresh:
                self._keeper.begin()
        if seconds:
            self._crossfade.leave(seconds)
        else:
            self._crossfade.leave_within(BLOCK_FRAMES)

    def _mix(self, fresh: Floats | None) -> Floats:
        """Give what is to be heard, before the fader."""
        if fresh is None:
            return self._keeper.read()
        self._keeper.learn(fresh)
        if self._crossfade.fresh:
            return fresh
        into, away = self._crossfade.walk(BLOCK_FRAMES)
        return fresh * into + self._keeper.read() * away

    def _gain(self, plan: Plan, now_s: float) -> Floats | float:
        if self._ring.gains.count != self._gains_count:
            self._gains_count = self._ring.gains.count
            self._gains = Gains.unpack(self._ring.gains.read()) or self._gains
        self._fader.tell(self._gains, self._curtain(plan, now_s))
        return self._fader.gain(BLOCK_FRAMES)

    def _account(self, fresh: Floats | None, sent: Floats) -> None:
        """Write down what the card has taken."""
        if fresh is None:
            if self._keeper.sounding and not self._sounded:
                # Nothing fresh was heard before that this could have been begun from.
                self._words[Word.HOLDS] += 1
            if not self._keeper.patient:
                self._ledger.held(self._keeper.sounding)
        else:
            self._ledger.fresh(fresh)
            taken_frame = self._words[Word.TAKEN_FRAME]
            if taken_frame != self._answered and self._ledger.read > taken_frame:
                self._answer()
            if self._crossfade.resting:
                # It stands where the card stands: what is in hand will be pulled again.
                self._next = None
                self._outlet.position = self._ledger.read
        self._sounded = fresh is not None or self._keeper.sounding
        self._ledger.sent(sent, self._state())

    def _answer(self) -> None:
        """Write down how long a hand waited until the room answered: to the middle of the fade between the lanes."""
        self._answered = self._words[Word.TAKEN_FRAME]
        origin_ns = self._words[Word.ORIGIN_NS]
        # Behind a closed door nobody waited.
        if origin_ns and not self._fader.shut:
            wait_ns = self._clock_ns() - origin_ns + round((self._card.latency_s + LANE_FADE_S / 2.0) * 1e9)
            self._words[Word.ANSWER_NS] = max(0, wait_ns)

    def _state(self) -> State:
        if self._fader.shut:
            return State.CLOSED
        if not self._crossfade.resting:
            return State.PLAYING
        return State.HOLDING if self._keeper.sounding else State.STARTING
