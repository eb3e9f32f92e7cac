"""A day is counted from what the ring tells, whatever becomes of ring, keeper and clock."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from appliance.health.tally import Tally, today
from appliance.stream.layout import BLOCK_FRAMES, Word
from appliance.stream.ring import Ring, create
from appliance.stream.sign import Rule
from appliance.stream.snapshot import snapshot
from appliance.stream.state import Gains, State

HOUR = timedelta(hours=1)
S = 1_000_000_000
RATE = 48_000
MORNING = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


class Box:
    """A machine with two clocks and a ring, as a player and an engine leave it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now_ns = 1000 * S
        self.wall = MORNING
        self.ring: Ring | None = None
        self.ended: list[object] = []
        self.tally = self.keeper()

    def keeper(self) -> Tally:
        self.tally = Tally(self.folder, lambda: self.now_ns, lambda: self.wall)
        return self.tally

    def plug_in(self) -> None:
        self.ring = create(self.folder, RATE, 2, 2.0)
        self.ring.gains.write(Gains().pack())
        self.ring.words[Word.STATE] = State.PLAYING
        self.ring.words[Word.ENGINE_PID], self.ring.words[Word.PLAYER_PID] = 100, 200
        self.ring.reals[Word.LOUDNESS] = -20.0

    def count(self, **words: int) -> None:
        for name, more in words.items():
            word = Word[name.upper()]
            self.ring.words[word] = (self.ring.words[word] + more) % (1 << 64)

    def look(self) -> None:
        ended = self.tally.look(None if self.ring is None else snapshot(self.ring, self.now_ns))
        self.ended += [ended] if ended else []

    def live(self, seconds: float, share: float = 1.0, every_s: float = 1.0) -> None:
        """Let time pass, of which the card takes a share of sound."""
        for _ in range(round(seconds / every_s)):
            self.now_ns += round(every_s * S)
            self.wall += timedelta(seconds=every_s)
            if self.ring is not None:
                self.count(consumed=round(share * every_s * RATE))
            self.look()

    @property
    def day(self):
        return self.tally.day


@pytest.fixture
def box(tmp_path: Path) -> Box:
    made = Box(tmp_path)
    made.look()
    made.plug_in()
    return made


def test_what_the_card_takes_has_sounded(box: Box) -> None:
    box.live(100.0)
    assert (box.day.sounded_s, box.day.observed_s, box.day.open_s) == (pytest.approx(100.0), 100.0, 100.0)
    box.live(50.0, share=0.0)
    assert (box.day.sounded_s, box.day.open_s) == (pytest.approx(100.0), 150.0)


def test_without_a_ring_nothing_sounds(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.live(60.0)
    assert (box.day.sounded_s, box.day.open_s) == (0.0, 59.0)


def test_a_hold_is_sound_and_want_of_it_is_not(box: Box) -> None:
    box.live(10.0)
    box.count(holds=1, held=3 * RATE, underruns=90 * BLOCK_FRAMES)
    box.live(10.0)
    silent_s = 90 * BLOCK_FRAMES / RATE
    assert (box.day.holds, box.day.held_s) == (1, pytest.approx(3.0))
    assert box.day.silent_s == pytest.approx(silent_s)
    assert box.day.sounded_s == pytest.approx(20.0 - silent_s)


def test_a_volume_of_nothing_is_neither_sound_nor_missing(box: Box) -> None:
    box.live(10.0)
    box.ring.gains.write(Gains(volume=0.0).pack())
    box.live(10.0)
    assert (box.day.hushed_s, box.day.sounded_s, box.day.open_s) == (
        pytest.approx(10.0),
        pytest.approx(10.0),
        pytest.approx(10.0),
    )


@pytest.mark.parametrize("state", [State.CLOSED, State.WAITING_FOR_CARD])
def test_closed_hours_are_neither_sound_nor_missing(box: Box, state: State) -> None:
    """Also where the card goes off with the light."""
    box.live(10.0)
    for _ in range(100):
        box.now_ns += S
        box.wall += timedelta(seconds=1)
        box.count(consumed=RATE * (state == State.CLOSED))
        closed = replace(snapshot(box.ring, box.now_ns), state=state, rule=Rule.CLOSED, change=box.wall + HOUR)
        box.tally.look(closed)
    box.live(10.0)
    assert (box.day.closed_s, box.day.observed_s) == (100.0, 120.0)
    assert (box.day.sounded_s, box.day.open_s) == (pytest.approx(20.0), 20.0)


def test_a_player_that_died_at_night_does_not_keep_the_room_closed(box: Box) -> None:
    opens = box.wall + timedelta(seconds=40)
    for _ in range(100):
        box.now_ns += S
        box.wall += timedelta(seconds=1)
        box.tally.look(replace(snapshot(box.ring, box.now_ns), state=State.CLOSED, rule=Rule.CLOSED, change=opens))
    assert (box.day.closed_s, box.day.open_s, box.day.sounded_s) == (39.0, 61.0, 0.0)


def test_each_new_process_is_counted_and_the_first_is_none(box: Box) -> None:
    box.live(5.0)
    for pid in (101, 101, 102):
        box.ring.words[Word.ENGINE_PID] = pid
        box.live(1.0)
    box.ring.words[Word.PLAYER_PID] = 0
    box.live(1.0)
    box.ring.words[Word.PLAYER_PID] = 201
    box.count(cards_lost=2)
    box.live(1.0)
    assert (box.day.engine_restarts, box.day.player_restarts, box.day.cards_lost) == (2, 1, 2)


def test_another_ring_begins_its_counts_anew(box: Box) -> None:
    box.count(holds=5)
    box.live(10.0)
    box.plug_in()
    box.count(holds=1)
    box.live(10.0)
    assert (box.day.holds, box.day.sounded_s) == (6, pytest.approx(20.0))


@pytest.mark.parametrize("word", ["CONSUMED", "UNDERRUNS", "HELD"])
def test_counts_that_cannot_be_are_not_believed(box: Box, word: str) -> None:
    box.live(10.0)
    box.ring.words[Word[word]] = (1 << 64) - 1
    box.live(10.0)
    box.ring.words[Word[word]] = 1 << 40
    box.live(1.0)
    assert box.day.sounded_s <= box.day.open_s + 1e-6


def test_loudness_is_of_what_sounded(box: Box) -> None:
    box.live(10.0)
    box.ring.reals[Word.LOUDNESS] = -14.0
    box.live(10.0)
    box.ring.reals[Word.LOUDNESS] = -2.0
    box.live(10.0, share=0.0)
    assert box.day.loudest_lufs == -14.0
    assert box.day.mean_lufs == pytest.approx(-16.04, abs=0.01)


def test_a_day_ends_at_midnight(box: Box) -> None:
    box.live(13 * 3600.0, every_s=60.0)
    box.live(7200.0, every_s=60.0)
    assert [day.label for day in box.ended] == ["2026-11-22"]
    assert box.ended[0].sounded_s == pytest.approx(14 * 3600.0, abs=120.0)
    assert (box.day.label, box.day.observed_s) == ("2026-11-23", pytest.approx(3600.0, abs=120.0))


@pytest.mark.parametrize("year", [1970, 2031, 2024])
def test_a_clock_that_is_set_ends_no_day(box: Box, year: int) -> None:
    box.live(3600.0, every_s=60.0)
    box.wall = box.wall.replace(year=year)
    box.live(3600.0, every_s=60.0)
    assert box.ended == []
    assert box.day.label == ("2031-11-22" if year == 2031 else "")
    assert box.day.sounded_s == pytest.approx(7200.0)


def test_without_a_clock_a_day_has_24_hours(box: Box) -> None:
    box.wall = datetime(1970, 1, 1, 23, 0, tzinfo=UTC)
    box.live(49 * 3600.0, every_s=60.0)
    assert [day.label for day in box.ended] == ["", ""]
    assert [day.observed_s for day in box.ended] == [pytest.approx(86_400.0, abs=61.0)] * 2


def test_a_clock_that_leaps_to_and_fro_ends_a_day_once_in_24_hours(box: Box) -> None:
    for turn in range(3 * 24 * 60):
        box.wall = (MORNING if turn % 2 else datetime(1971, 1, 1, tzinfo=UTC)) + timedelta(minutes=turn)
        box.live(60.0, every_s=60.0)
    assert len(box.ended) <= 3


def test_a_clock_that_is_slowed_at_midnight_ends_one_day(box: Box) -> None:
    box.wall = datetime(2026, 11, 22, 23, 59, 58, tzinfo=UTC)
    box.look()
    box.live(4.0)
    box.wall -= timedelta(seconds=8)
    box.live(60.0)
    assert [day.label for day in box.ended] == ["2026-11-22"]
    assert box.day.label == "2026-11-23"


def test_a_keeper_that_was_killed_goes_on_with_the_day(box: Box) -> None:
    box.live(100.0)
    box.tally.save()
    box.keeper()
    box.now_ns += 50 * S
    box.wall += timedelta(seconds=50)
    box.count(consumed=50 * RATE, holds=1)
    box.ring.words[Word.ENGINE_PID] = 101
    box.look()
    assert (box.day.observed_s, box.day.sounded_s) == (150.0, pytest.approx(150.0))
    assert (box.day.holds, box.day.engine_restarts) == (1, 1)


def test_while_it_was_stopped_nothing_is_missing(box: Box) -> None:
    box.live(100.0)
    box.tally.save(stopped=True)
    assert today(box.folder, box.now_ns) is None
    box.now_ns += 5000 * S
    box.wall += timedelta(seconds=5000)
    box.keeper()
    box.plug_in()
    box.live(100.0)
    assert (box.day.open_s, box.day.sounded_s) == (200.0, pytest.approx(200.0))


def test_others_are_told_while_somebody_counts(box: Box) -> None:
    assert today(box.folder, box.now_ns) is None
    box.live(100.0)
    box.tally.save()
    assert today(box.folder, box.now_ns + 170 * S) == box.day
    assert today(box.folder, box.now_ns + 190 * S) is None
    assert today(box.folder, box.now_ns - S) is None


@pytest.mark.parametrize(
    "scribble",
    [b"", b"{", b"[]", b"[" * 9000, b"\xff", b'{"boot": 1}', b"null", b'{"boot": null, "day": {}, "stopped": 1}'],
)
def test_a_file_that_is_none_of_ours_is_passed_over(box: Box, scribble: bytes) -> None:
    (box.folder / "today").write_bytes(scribble)
    assert today(box.folder, box.now_ns) is None
    box.keeper()
    box.look()
    assert box.day.observed_s == 0.0


@pytest.mark.parametrize(
    ("key", "value"), [("boot", "00"), ("day", {}), ("counts", 7), ("at_ns", "soon"), ("pids", [])]
)
def test_what_another_start_of_the_machine_counted_is_passed_over(box: Box, key: str, value: object) -> None:
    box.live(10.0)
    box.tally.save()
    told = json.loads((box.folder / "today").read_text())
    (box.folder / "today").write_text(json.dumps(told | {key: value}))
    assert box.keeper().day.observed_s == 0.0


def test_a_folder_that_cannot_be_written_is_borne(box: Box) -> None:
    box.tally._path = box.folder / "absent" / "today"
    box.live(10.0)
    box.tally.save()
    assert box.day.observed_s == 10.0
