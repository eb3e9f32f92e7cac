"""The player's process: card, ring and reader. It loads nothing heavy and never a model."""

import contextlib
import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from appliance.errors import CardError, RingError
from appliance.folders import cache_folder
from appliance.health.liveness import Advance, Lasting, PlayerSeen, player_verdict, should_sound
from appliance.health.watchdog import Watchdog
from appliance.stream import factory, mixer
from appliance.stream.card import Card, open_card, refresh
from appliance.stream.layout import Word
from appliance.stream.ledger import tell_plan
from appliance.stream.porter import porter_of
from appliance.stream.reader import Reader
from appliance.stream.realtime import settle
from appliance.stream.ring import Ring, claim, create, open_ring
from appliance.stream.state import State

__all__ = ["Wish", "run"]

_RETRY_S: Final = 1.0
# PortAudio was seen to hang for ever: no write takes so long, nor does the look for a card.
_HANGS_S: Final = 4.0
_OPENING_HANGS_S: Final = 15.0
_CHECK_EVERY_S: Final = 0.25


@dataclass(frozen=True)
class Wish:
    """What to play on and when, as in the settings.

    Attributes
    ----------
    names : tuple of str
        Of cards, preferred first.
    rate, channels : int
        Wished for.
    reserve_s : float
        Sound to be kept ready.
    hours : dict or None
        The opening hours as their table gives them in JSON; None: always open.
    """

    names: tuple[str, ...] = ()
    rate: int = 48_000
    channels: int = 2
    reserve_s: float = 20.0
    hours: dict[str, Any] | None = None

    @classmethod
    def read(cls, path: Path, say: Callable[[str], None]) -> "Wish":
        """Read what `appliance.service.handover` left; where that cannot be, say so and play at the defaults."""
        try:
            told = json.loads(path.read_bytes())
            names = tuple(map(str, told["names"]))
            hours = told.get("hours")
            return cls(names, int(told["rate"]), int(told["channels"]), float(told["reserve_s"]), hours)
        except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
            say(f"{path} does not tell what to play on ({type(error).__name__}); playing on the system's card.")
            return cls()


def run(
    wish: Wish,
    folder: Path,
    stop: threading.Event,
    say: Callable[[str], None],
    watchdog: Watchdog,
    open_device: Callable[[Sequence[str], int, int, float], Card] = open_card,
) -> None:
    """Play until told to stop, on whatever card there is, and wait while there is none.

    Parameters
    ----------
    wish : Wish
    folder : Path
        Where the ring is or is to be.
    stop : threading.Event
        The sound then fades out.
    say : callable
        Is given sentences for whoever is watching.
    watchdog : Watchdog
    open_device : callable
        As `open_card`; a test gives another.

    Raises
    ------
    RingError
        If another player runs in the folder, or there is no room for a ring.
    """
    lock = claim(folder, "player")
    settle(say)
    player = _Player(wish, folder, say, watchdog, open_device)
    try:
        player.prepare()
        while not (stop.is_set() or watchdog.orphaned):
            player.play(stop)
        watchdog.stopping()
    finally:
        player.close()
        os.close(lock)


class _Player:
    """Goes from card to card."""

    def __init__(
        self,
        wish: Wish,
        folder: Path,
        say: Callable[[str], None],
        watchdog: Watchdog,
        open_device: Callable[[Sequence[str], int, int, float], Card],
    ) -> None:
        self._wish = wish
        self._folder = folder
        self._say = say
        self._said = ""
        self._watchdog = watchdog
        self._open_device = open_device
        self._ring: Ring | None = None
        self._card: Card | None = None
        self._absent_since = time.monotonic()
        self._start_ns = time.monotonic_ns()
        self._hang = _Hang(say)
        self._health = _Health(watchdog)
        self._porter = porter_of(wish.hours, say)

    def prepare(self) -> None:
        """Find a card and a ring of its format."""
        self._porter.start()
        self._open()
        if self._card is None:
            self._ring_of(self._wish.rate, self._wish.channels)
        self._watchdog.ready()

    def play(self, stop: threading.Event) -> None:
        """Play on a card until it is lost; without one, wait a little and look again."""
        if self._card is None:
            self._state(State.WAITING_FOR_CARD)
            self._health.look(False, True, 0.0, False, 0)
            stop.wait(_RETRY_S)
            if not stop.is_set():
                self._open(again=True)
            return
        try:
            self._play_on(self._card, stop)
        except CardError as error:
            self._lose(error)

    def close(self) -> None:
        """Let the card go."""
        self._porter.close()
        if self._card is not None:
            with self._hang.within(_HANGS_S):
                self._card.close()
            self._card = None
        self._hang.close()

    def _play_on(self, card: Card, stop: threading.Event) -> None:
        ring = self._ring_of(card.rate, card.channels)
        ring.device.write(card.name.encode()[:200])
        reader = Reader(
            ring,
            card,
            lambda: factory.load(cache_folder() / "factory", card.rate, card.channels),
            plan=lambda: self._porter.plan,
        )
        with self._hang.within(_OPENING_HANGS_S):
            card.start()
        with self._hang.within(_HANGS_S):
            while not reader.silent:
                if stop.is_set() or self._watchdog.orphaned:
                    reader.fade_out()
                try:
                    sounds = reader.turn()
                except RingError as error:
                    self._tell(f"{error} It is made anew.")
                    self._ring = self._create(card.rate, card.channels)
                    reader.move(self._ring)
                    continue
                self._hang.beat()
                consumed = self._ring_words(Word.CONSUMED)
                self._health.look(True, sounds, reader.wanted_gain, reader.closed, consumed)

    def _open(self, again: bool = False) -> None:
        waited_s = time.monotonic() - self._absent_since
        try:
            with self._hang.within(_OPENING_HANGS_S):
                if again:
                    refresh()
                wish = self._wish
                self._card = self._open_device(wish.names, wish.rate, wish.channels, waited_s)
        except CardError as error:
            self._tell(f"{error} Looking again every second.")
            return
        card = self._card
        if card.remark:
            self._say(card.remark)
        self._tell(f"Playing on {card.name} at {card.rate} Hz, {card.channels} channel{'s' * (card.channels > 1)}.")
        if card.alsa_card is not None:
            # It asks another program, which may take its time.
            threading.Thread(target=self._set_mixer, args=(card.alsa_card,), daemon=True).start()

    def _set_mixer(self, number: int) -> None:
        for sentence in mixer.set_up(number):
            self._say(sentence)

    def _lose(self, error: CardError) -> None:
        self._tell(f"{error} Looking again every second.")
        self._absent_since = time.monotonic()
        if self._ring is not None:
            self._ring.words[Word.CARDS_LOST] += 1
        card, self._card = self._card, None
        if card is not None:
            with self._hang.within(_HANGS_S):
                card.close()

    def _ring_of(self, rate: int, channels: int) -> Ring:
        """Give the ring of this format: the one that there is, or a new one."""
        if self._ring is None:
            self._ring = _found(self._folder)
        ring = self._ring
        if ring is None or (ring.rate, ring.channels, ring.reserve_s) != (rate, channels, self._wish.reserve_s):
            self._ring = ring = self._create(rate, channels)
        return ring

    def _create(self, rate: int, channels: int) -> Ring:
        return create(self._folder, rate, channels, self._wish.reserve_s)

    def _ring_words(self, word: Word) -> int:
        return 0 if self._ring is None else int(self._ring.words[word])

    def _state(self, state: State) -> None:
        if self._ring is not None:
            tell_plan(self._ring.words, self._porter.plan)
            self._ring.words[Word.STATE] = state
            self._ring.words[Word.PLAYER_PID] = os.getpid()
            self._ring.words[Word.PLAYER_START_NS] = self._start_ns
            self._ring.words[Word.PLAYER_BEAT_NS] = time.monotonic_ns()

    def _tell(self, sentence: str) -> None:
        """Say what was not said just before."""
        if sentence != self._said:
            self._said = sentence
            self._say(sentence)
            self._watchdog.status(sentence)


def _found(folder: Path) -> Ring | None:
    try:
        return open_ring(folder, writable=True)
    except RingError:
        # Torn, foreign or from before the machine started: another takes its place.
        return None


class _Health:
    """Tells the watchdog that all is well, while it is."""

    def __init__(self, watchdog: Watchdog) -> None:
        self._watchdog = watchdog
        self._consumed = Advance(time.monotonic)
        self._silent = Lasting(time.monotonic)
        self._looked_s = 0.0

    def look(self, card_open: bool, sounds: bool, volume: float, closed: bool, consumed: int) -> None:
        """Take in a block; several times a second is often enough."""
        expected = should_sound(volume=volume, closed_hours=closed, fading_out=False)
        silent_s = self._silent.seen(expected and not sounds)
        now_s = time.monotonic()
        if now_s - self._looked_s < _CHECK_EVERY_S:
            return
        self._looked_s = now_s
        seen = PlayerSeen(card_open, self._consumed.seen(consumed), expected, silent_s)
        verdict = player_verdict(seen)
        if verdict.healthy:
            self._watchdog.alive()
        self._watchdog.status(verdict.reason)


class _Hang:
    """Ends the process where a call into PortAudio does not come back: nothing else helps then.

    The supervisor starts another, which finds the ring as it was left.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._limit_s = 0.0
        self._since_s = 0.0
        self._closed = threading.Event()
        threading.Thread(target=self._watch, name="hang", daemon=True).start()

    @contextlib.contextmanager
    def within(self, limit_s: float) -> Iterator[None]:
        """Give what is inside, between two `beat`, so long."""
        before = self._limit_s
        self.beat()
        self._limit_s = limit_s
        try:
            yield
        finally:
            self.beat()
            self._limit_s = before

    def beat(self) -> None:
        """It is not hanging now."""
        self._since_s = time.monotonic()

    def close(self) -> None:
        """Watch no more."""
        self._closed.set()

    def _watch(self) -> None:
        while not self._closed.wait(_CHECK_EVERY_S):
            if self._limit_s and time.monotonic() - self._since_s > self._limit_s:
                self._say("The sound card does not answer any more; the player ends, to be started again.")
                os._exit(1)
