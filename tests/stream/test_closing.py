"""A player through closing, night and opening, with and without an engine, and with a clock that somebody moves."""

from pathlib import Path

import numpy as np
import pytest
from opening_hours import at, table
from stage import RATE, Stage, largest_step, longest_silence_s, tone

from appliance.stream.hours import Hours
from appliance.stream.layout import BLOCK_FRAMES, Word
from appliance.stream.porter import Porter
from appliance.stream.reader import CEILING
from appliance.stream.sign import Rule
from appliance.stream.state import Gains, State
from appliance.stream.trust import Trust

STEP = largest_step(tone(0, RATE))
# A Wednesday; it closes for half an hour.
CLOSES, OPENS = "2026-12-02T18:00", "2026-12-02T18:30"
TOLD = table(days={"mon-sun": ["10:00-18:00", "18:30-22:00"]}, wake_min=5.0)
YEAR_S = 365 * 86_400.0


class Gallery:
    """A stage whose porter looks at the clock every second of sound."""

    def __init__(self, folder: Path, begins_s: float, told: dict[str, object] = TOLD) -> None:
        self.stage = Stage(folder)
        self.ahead_s = begins_s - self.stage.now_ns * 1e-9
        self.trusted = True
        self.alive = True
        self.silent = 0
        trust = Trust(lambda: self.trusted, lambda: None, lambda: None)
        self.porter = Porter(Hours.of(told), lambda _: None, trust, lambda: self.wall_s, self._now_s)
        self.stage.plan = lambda: self.porter.plan
        self.stage.new_player()

    def _now_s(self) -> float:
        return self.stage.now_ns * 1e-9

    @property
    def wall_s(self) -> float:
        return self._now_s() + self.ahead_s

    def wait(self, seconds: float) -> np.ndarray:
        """Let time pass; what is heard meanwhile."""
        before = len(self.stage.card.blocks)
        for _ in range(round(seconds)):
            self.porter.look()
            self.stage.play(1.0, keep_full_s=3.0 if self.alive else 0.0)
        return np.concatenate(self.stage.card.blocks[before:])

    def wait_until(self, moment: str, more_s: float = 0.0) -> np.ndarray:
        heard = []
        while self.wall_s < at(moment) + more_s - 0.5:
            heard.append(self.wait(1.0))
        return np.concatenate(heard)

    def counts(self) -> tuple[int, ...]:
        return tuple(self.stage.word(word) for word in (Word.HOLDS, Word.HELD, Word.UNDERRUNS, Word.REFUSALS))

    @property
    def state(self) -> State:
        return State(self.stage.word(Word.STATE))


def level_db(sound: np.ndarray, at_s: float) -> float:
    """Of a tenth of a second, against that of the tone."""
    part = sound[round(at_s * RATE) :][: RATE // 10]
    return float(20.0 * np.log10(np.sqrt((part**2).mean()) / (0.2 / np.sqrt(2.0)) + 1e-12))


@pytest.fixture
def evening(tmp_path: Path) -> Gallery:
    """Two minutes before it closes; it has sounded for a while."""
    gallery = Gallery(tmp_path, at(CLOSES) - 120.0)
    gallery.wait(40.0)
    return gallery


def test_through_a_closing_a_night_and_an_opening(evening: Gallery) -> None:
    stage = evening.stage
    begins_s = evening.wall_s
    heard = evening.wait_until(CLOSES, more_s=-1.0)
    for ahead_s in (60.0, 45.0, 30.0, 15.0, 2.0):
        wanted = -20.0 * (60.0 - ahead_s) / 60.0
        assert level_db(heard, at(CLOSES) - begins_s - ahead_s) == pytest.approx(wanted, abs=0.3)
    heard = np.concatenate([heard, evening.wait_until(CLOSES, more_s=8.0)])
    assert largest_step(heard) <= 1.01 * STEP
    assert not heard[-2 * RATE :].any()
    assert (evening.state, stage.reader.closed) == (State.CLOSED, True)
    # All that is fresh stays where it is, while the card goes on taking silence.
    counts, read, consumed = evening.counts(), stage.word(Word.READ), stage.word(Word.CONSUMED)
    assert counts == (0, 0, 0, 0)
    assert stage.word(Word.EDGE_FRAME) == pytest.approx(read + 300 * RATE, abs=1)
    night = evening.wait(20 * 60.0)
    assert not night.any()
    assert (evening.state, evening.counts(), stage.word(Word.READ)) == (State.CLOSED, counts, read)
    assert stage.word(Word.CONSUMED) == consumed + len(night)
    assert stage.inlet.fill_frames >= 3.0 * RATE
    # It wakes before it opens, unheard.
    waking = evening.wait_until(OPENS, more_s=-1.0)
    assert not waking.any()
    assert stage.word(Word.READ) == pytest.approx(read + 300 * RATE, abs=1.1 * RATE)
    assert (evening.state, evening.counts()) == (State.CLOSED, counts)
    off_s = at(OPENS) - evening.wall_s
    opened = evening.wait(40.0)
    assert evening.state is State.PLAYING
    assert largest_step(opened) <= 1.01 * STEP
    levels = [level_db(opened, off_s + since_s) for since_s in range(32)]
    assert (np.diff(levels) > -0.01).all()
    assert levels[1] < -40.0
    assert levels[15] == pytest.approx(-6.0, abs=0.3)
    assert levels[31] == pytest.approx(0.0, abs=0.05)
    assert evening.counts() == counts


def test_the_ring_tells_by_what_it_is_open(evening: Gallery) -> None:
    words = evening.stage.ring.words
    assert (words[Word.RULE], words[Word.CHANGE_S]) == (Rule.OPEN, round(at(CLOSES)))
    assert words[Word.CHANGE_OFFSET_S] == 86_400 + 3600
    left_s = at(CLOSES) - evening.wall_s
    assert words[Word.EDGE_FRAME] - words[Word.READ] == pytest.approx(left_s * RATE, abs=2 * BLOCK_FRAMES)
    evening.wait_until(CLOSES, more_s=10.0)
    assert (words[Word.RULE], words[Word.CHANGE_S]) == (Rule.CLOSED, round(at(OPENS)))
    evening.trusted = False
    evening.ahead_s -= YEAR_S
    evening.wait(1.0)
    assert (words[Word.RULE], words[Word.CHANGE_S], words[Word.EDGE_FRAME]) == (Rule.UNTRUSTED, 0, 0)


def test_it_closes_and_opens_with_the_engine_dead(evening: Gallery) -> None:
    stage = evening.stage
    evening.alive = False
    evening.wait_until(CLOSES, more_s=-30.0)
    assert evening.state is State.HOLDING
    heard = evening.wait_until(CLOSES, more_s=8.0)
    assert level_db(heard, 15.0) == pytest.approx(-15.0, abs=3.0)
    assert not heard[-2 * RATE :].any()
    held = evening.counts()
    assert held[0] == 1
    evening.wait(20 * 60.0)
    assert evening.counts() == held
    evening.wait_until(OPENS, more_s=-1.0)
    opened = evening.wait(40.0)
    assert evening.state is State.HOLDING
    assert level_db(opened, 35.0) == pytest.approx(0.0, abs=3.0)
    assert longest_silence_s(opened[3 * RATE :]) < 0.001
    assert stage.word(Word.UNDERRUNS) == 0
    # Nor is it lost for a living one.
    evening.alive = True
    evening.wait(5.0)
    assert evening.state is State.PLAYING


def test_an_engine_that_turns_at_night_is_heard_when_it_wakes(evening: Gallery) -> None:
    stage = evening.stage
    evening.wait_until(CLOSES, more_s=10.0)
    stage.turn_to(4.0, lambda begin, end: tone(begin, end, 660.0), origin_ns=stage.now_ns)
    evening.wait(60.0)
    assert stage.inlet.turning
    evening.wait_until(OPENS, more_s=-200.0)
    assert not stage.inlet.turning
    # Nobody waited for that.
    assert stage.word(Word.ANSWER_NS) == 0
    evening.wait_until(OPENS, more_s=35.0)
    assert evening.counts() == (0, 0, 0, 0)


def test_a_player_that_is_started_at_night_is_silent_at_once(tmp_path: Path) -> None:
    gallery = Gallery(tmp_path, at(CLOSES) + 600.0)
    assert not gallery.wait(60.0).any()
    assert (gallery.state, gallery.counts()) == (State.CLOSED, (0, 0, 0, 0))
    gallery.stage.reader.fade_out()
    gallery.wait(2.0)
    assert gallery.stage.reader.silent
    # One that is started as it wakes begins to fill its ears.
    gallery = Gallery(tmp_path, at(OPENS) - 60.0)
    assert not gallery.wait(57.0).any()
    assert gallery.stage.word(Word.READ) > 50 * RATE
    assert gallery.wait(5.0).any()


@pytest.mark.parametrize("years", [-56.0, -3.0, 3.0, 12.0])
def test_a_clock_that_is_put_by_years_lets_it_sound_and_nothing_jumps(evening: Gallery, years: float) -> None:
    evening.wait_until(CLOSES, more_s=20.0)
    evening.trusted = False
    evening.ahead_s += years * YEAR_S
    opened = evening.wait(33.0)
    assert level_db(opened, 0.5) < -40.0
    assert level_db(opened, 32.0) == pytest.approx(0.0, abs=0.1)
    assert largest_step(opened) <= 1.01 * STEP
    assert evening.state is State.PLAYING
    # It is put right again: the room closes, and that does not jump either.
    evening.ahead_s -= years * YEAR_S
    evening.trusted = True
    closed = evening.wait(8.0)
    assert largest_step(closed) <= 1.01 * STEP
    assert not closed[-RATE:].any()
    assert evening.counts() == (0, 0, 0, 0)


def test_quiet_hours_keep_it_below_a_ceiling(tmp_path: Path) -> None:
    gallery = Gallery(tmp_path, at("2026-12-02T14:59"), table(quiet=["15:00-15:05"], quiet_db=-8.0))
    heard = gallery.wait_until("2026-12-02T15:00", more_s=20.0)
    assert level_db(heard, 58.0) == pytest.approx(0.0, abs=0.1)
    assert level_db(heard, 78.0) == pytest.approx(-8.0, abs=0.1)
    assert largest_step(heard) <= 1.01 * STEP
    gallery.stage.ring.gains.write(Gains(volume=0.9).pack())
    assert level_db(gallery.wait(3.0), 2.0) == pytest.approx(-8.0, abs=0.1)
    gallery.stage.ring.gains.write(Gains(volume=0.1).pack())
    assert level_db(gallery.wait(3.0), 2.0) == pytest.approx(-20.0, abs=0.1)
    gallery.stage.ring.gains.write(Gains().pack())
    gallery.wait_until("2026-12-02T15:05")
    assert level_db(gallery.wait(20.0), 18.0) == pytest.approx(0.0, abs=0.1)


def test_the_ceiling_holds_while_it_opens_and_closes(tmp_path: Path) -> None:
    gallery = Gallery(tmp_path, at(CLOSES) - 70.0)
    gallery.stage.sound = lambda begin, end: tone(begin, end, level=0.99)
    gallery.stage.inlet.append(0, gallery.stage.sound(0, 3 * RATE), (-3.0, -3.0))
    gallery.stage.play(2.0)
    assert np.abs(gallery.stage.heard).max() == pytest.approx(CEILING, abs=1e-6)
    gallery.wait_until(CLOSES, more_s=6.0)
    assert np.abs(gallery.stage.heard).max() == pytest.approx(CEILING, abs=1e-6)
