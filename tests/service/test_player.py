"""The player outlives its card, its ring and whoever scribbles on it; here with a card that only pretends."""

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from appliance.errors import CardError, RingError
from appliance.health.watchdog import Watchdog
from appliance.service import player as player_module
from appliance.service.player import Wish, run
from appliance.stream.card import FakeCard
from appliance.stream.layout import GRID_FRAMES, Shape, Word
from appliance.stream.ring import claim, create, open_ring, put, ring_path
from appliance.stream.state import Gains, State
from appliance.stream.trust import Trust
from appliance.wiring.hours import HoursSettings

RATE = 48_000
WISH = Wish((), RATE, 2, 10.0)
# So much faster than a real card does time pass.
FASTER = 8.0


class Supervisor:
    """The other end of a watchdog."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.orphaned = False

    def send(self, word: str) -> None:
        self.words.append(word)


class Machine:
    """A machine with or without a card, and the player that runs on it in a thread."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.wish = WISH
        self.format = (RATE, 2)
        self.there = True
        self.cards: list[FakeCard] = []
        self.supervisor = Supervisor()
        self.stop = threading.Event()
        self.said: list[str] = []
        self.error: BaseException | None = None
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _open(self, names: Sequence[str], rate: int, channels: int, waited_s: float) -> FakeCard:
        if not self.there:
            raise CardError("There is no sound card; plug one in.")
        self.cards.append(FakeCard(*self.format, lambda seconds: time.sleep(seconds / FASTER), keep_s=2.0))
        return self.cards[-1]

    def _run(self) -> None:
        try:
            run(self.wish, self.folder, self.stop, self.said.append, Watchdog(self.supervisor), self._open)
        except BaseException as error:
            self.error = error

    def start(self) -> "Machine":
        self.thread.start()
        return self

    def end(self) -> None:
        self.stop.set()
        self.thread.join(20.0)
        assert not self.thread.is_alive()

    def word(self, word: Word) -> int:
        return int(open_ring(self.folder, writable=False).words[word])

    def is_in(self, state: State) -> bool:
        try:
            return self.word(Word.STATE) == state
        except RingError:
            # There is none yet.
            return False

    def fill(self, seconds: float) -> None:
        """Be the engine: put noise into the lane that plays."""
        ring = open_ring(self.folder, writable=True)
        frames = round(seconds * ring.rate) // GRID_FRAMES * GRID_FRAMES
        noise = np.random.default_rng(1).normal(0.0, 0.07, (frames, ring.channels)).astype(np.float32)
        lane = ring.words[Word.PLAYING] & 1
        end = max(ring.words[Word.END_0 + lane], ring.words[Word.READ])
        ring.grids[:] = -20.0
        put(ring.lanes[lane], end, noise)
        ring.words[Word.END_0 + lane] = end + frames


def until(holds: Callable[[], object], seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.01)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    # What is good for the player's process would be bad for that of the tests.
    monkeypatch.setattr(player_module, "settle", lambda say: None)
    monkeypatch.setattr(player_module, "refresh", lambda: None)
    monkeypatch.setattr(player_module, "_RETRY_S", 0.02)
    monkeypatch.setattr(player_module, "_HANGS_S", 300.0)
    monkeypatch.setattr(player_module, "_OPENING_HANGS_S", 300.0)
    folder = tmp_path / "run"
    folder.mkdir()
    machine = Machine(folder)
    yield machine
    if machine.thread.ident is not None:
        machine.end()


def playing(machine: Machine) -> Machine:
    machine.start()
    until(lambda: machine.is_in(State.STARTING) and machine.cards)
    machine.fill(9.0)
    until(lambda: machine.is_in(State.PLAYING))
    return machine


# --- cards


def test_it_waits_for_a_card_and_says_so(machine: Machine) -> None:
    machine.there = False
    machine.start()
    until(lambda: machine.is_in(State.WAITING_FOR_CARD))
    until(lambda: machine.supervisor.words.count("WATCHDOG=1") >= 2)
    assert "READY=1" in machine.supervisor.words
    assert [each for each in machine.said if "no sound card" in each] == [
        "There is no sound card; plug one in. Looking again every second."
    ]
    beat = machine.word(Word.PLAYER_BEAT_NS)
    until(lambda: machine.word(Word.PLAYER_BEAT_NS) > beat)
    assert machine.word(Word.CONSUMED) == machine.word(Word.CARDS_LOST) == 0
    machine.there = True
    until(lambda: machine.is_in(State.STARTING))
    machine.fill(4.0)
    until(lambda: machine.is_in(State.PLAYING))
    assert any(each.startswith("Playing on fake at 48000 Hz") for each in machine.said)
    assert machine.word(Word.CARDS_LOST) == 0


def test_a_card_that_vanishes_and_comes_back_sounds_again(machine: Machine) -> None:
    playing(machine)
    machine.there = False
    machine.cards[0].vanish()
    until(lambda: machine.is_in(State.WAITING_FOR_CARD))
    assert machine.cards[0].closed
    read = machine.word(Word.READ)
    machine.there = True
    until(lambda: len(machine.cards) == 2 and machine.word(Word.READ) > read)
    until(lambda: np.abs(machine.cards[1].frames).max(initial=0.0) > 0.1)
    assert machine.word(Word.CARDS_LOST) == 1
    assert machine.cards[1].blocks[0].shape[1] == 2


@pytest.mark.parametrize("form", [(44_100, 2), (48_000, 1)])
def test_a_card_of_another_format_gets_a_ring_of_its_own(machine: Machine, form: tuple[int, int]) -> None:
    playing(machine)
    generation = open_ring(machine.folder, writable=False).shape.generation
    machine.format = form
    machine.cards[0].vanish()
    until(lambda: open_ring(machine.folder, writable=False).shape.generation != generation)
    until(lambda: len(machine.cards) == 2 and machine.is_in(State.STARTING))
    ring = open_ring(machine.folder, writable=False)
    assert (ring.rate, ring.channels) == form
    machine.fill(4.0)
    until(lambda: machine.is_in(State.PLAYING))


def test_told_to_stop_it_fades_out_and_lets_the_card_go(machine: Machine) -> None:
    playing(machine)
    card = machine.cards[0]
    until(lambda: card.taken_frames > 1.5 * RATE)
    machine.end()
    assert machine.error is None
    assert card.closed
    assert not card.frames[-1].any()
    fade = np.sqrt(np.square(card.frames[-RATE:].reshape(100, -1)).mean(axis=1))
    assert fade[0] > 0.05
    assert fade[-1] < 0.001
    assert machine.supervisor.words[-1] == "STOPPING=1"


def test_where_nobody_supervises_any_more_it_ends(machine: Machine) -> None:
    playing(machine)
    machine.supervisor.orphaned = True
    machine.thread.join(15.0)
    assert not machine.thread.is_alive()
    assert machine.cards[0].closed
    assert not machine.cards[0].frames[-1].any()


def test_there_is_one_player_in_a_folder(machine: Machine) -> None:
    lock = claim(machine.folder, "player")
    with pytest.raises(RingError, match="Another player runs already"):
        run(WISH, machine.folder, machine.stop, machine.said.append, Watchdog(machine.supervisor), machine._open)
    assert machine.cards == []
    assert not ring_path(machine.folder).exists()
    os.close(lock)


# --- rings


def whole(folder: Path) -> bytes:
    ring = create(folder, RATE, 2, WISH.reserve_s)
    return ring.path.read_bytes()


@pytest.mark.parametrize("found", ["torn", "foreign", "stale", "short", "empty"])
def test_what_is_no_ring_is_replaced_and_never_cut_short(machine: Machine, found: str) -> None:
    path = ring_path(machine.folder)
    data = whole(machine.folder)
    shape = Shape.unpack(data)
    assert shape is not None
    path.unlink()
    other_boot = Shape(**{**vars(shape), "boot": b"another boot ...".ljust(16)[:16]}).pack()
    head = {
        "torn": data[:40] + b"\x00" * 8 + data[48:],
        "foreign": b"RIFF" + data[4:],
        "stale": other_boot + data[len(other_boot) :],
        "short": data[: len(data) // 2],
        "empty": b"",
    }[found]
    path.write_bytes(head)
    with path.open("rb") as old:
        playing(machine)
        assert os.fstat(old.fileno()).st_ino != path.stat().st_ino
        assert os.fstat(old.fileno()).st_size == len(head)
        assert old.read() == head
    assert path.stat().st_size == len(data)


def test_a_ring_of_this_format_is_gone_on_with(machine: Machine) -> None:
    whole(machine.folder)
    inode = ring_path(machine.folder).stat().st_ino
    playing(machine)
    assert ring_path(machine.folder).stat().st_ino == inode


@pytest.mark.parametrize("harm", ["header", "words", "replaced"])
def test_a_ring_that_is_harmed_is_left_without_a_silence(machine: Machine, harm: str) -> None:
    playing(machine)
    # A hold needs some seconds of history.
    until(lambda: machine.word(Word.READ) > 5.0 * RATE)
    ring = open_ring(machine.folder, writable=True)
    card = machine.cards[0]
    if harm == "header":
        ring._static[8:24] = b"\xff" * 16
    elif harm == "replaced":
        create(machine.folder, RATE, 2, WISH.reserve_s)
    while ring.current():
        # The player may just have been about to write it, too.
        ring.words[Word.READ] += 77 * (harm == "words")
        time.sleep(0.001)
    until(lambda: machine.is_in(State.HOLDING))
    taken = card.taken_frames
    until(lambda: card.taken_frames > taken + RATE)
    sound = card.frames
    level = np.sqrt(np.square(sound[: len(sound) // 480 * 480].reshape(-1, 960)).mean(axis=1))
    assert level.min() > 0.02
    assert any("made anew" in each for each in machine.said)
    assert len(machine.cards) == 1
    now = open_ring(machine.folder, writable=False)
    assert now.intact()
    assert now.words[Word.HISTORY_END] > 0
    machine.fill(4.0)
    until(lambda: machine.is_in(State.PLAYING))


def test_the_gain_of_before_holds_in_a_ring_that_was_made_anew(machine: Machine) -> None:
    playing(machine)
    ring = open_ring(machine.folder, writable=True)
    told = Gains(volume=0.25).pack()
    ring.gains.write(told)
    until(lambda: machine.word(Word.READ) > 2 * RATE)
    ring._static[8:24] = b"\xff" * 16
    until(lambda: not ring.current())
    until(lambda: open_ring(machine.folder, writable=False).gains.read() == told)


# --- opening hours


def told_hours(*minutes: tuple[int, int]) -> dict[str, object]:
    """Open between so many minutes from now, each on the machine's clock."""
    now = datetime.now(UTC).replace(second=0)
    texts = ["-".join(f"{now + timedelta(minutes=minute):%H:%M}" for minute in pair) for pair in minutes]
    return HoursSettings(days={"mon-sun": texts}, time_zone="UTC").model_dump(mode="json")  # type: ignore[arg-type]


def test_closed_hours_are_healthy_silence(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Trust, "look", lambda self, wall_s, now_s: True)
    machine.wish = replace(WISH, hours=told_hours((120, 180)))
    machine.start()
    until(lambda: machine.is_in(State.CLOSED))
    machine.fill(9.0)
    card = machine.cards[0]
    until(lambda: card.taken_frames > 3 * RATE and machine.supervisor.words.count("WATCHDOG=1") >= 2)
    assert not card.frames.any()
    assert machine.word(Word.READ) == 0
    assert any(each.startswith("The room is closed until ") for each in machine.said)
    assert "STATUS=silent as it should be" in machine.supervisor.words
    machine.end()
    assert machine.error is None


def test_a_night_of_silence_is_no_alarm_in_the_morning(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    trusted = [True]
    monkeypatch.setattr(Trust, "look", lambda self, wall_s, now_s: trusted[0])
    monkeypatch.setattr("appliance.stream.porter._LOOK_EVERY_S", 0.02)
    monkeypatch.setattr("appliance.health.liveness.SILENT_S", 1.0)
    machine.wish = replace(WISH, hours=told_hours((120, 180)))
    machine.start()
    until(lambda: machine.is_in(State.CLOSED))
    card = machine.cards[0]
    until(lambda: card.taken_frames > 3.0 * FASTER * RATE)
    trusted[0] = False
    until(lambda: not machine.is_in(State.CLOSED))
    # There is no engine, and the seconds of the night do not count.
    taken = card.taken_frames
    until(lambda: card.taken_frames > taken + 0.5 * FASTER * RATE)
    assert not [word for word in machine.supervisor.words if "digital silence" in word]


def test_hours_that_cannot_be_read_leave_it_open(machine: Machine) -> None:
    machine.wish = replace(WISH, hours={"days": "always"})
    playing(machine)
    assert [each for each in machine.said if "opening hours" in each]
