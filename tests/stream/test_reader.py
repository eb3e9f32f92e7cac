"""The player's end whatever the engine's end does: no hole, no click, nothing above the ceiling."""

from pathlib import Path

import numpy as np
import pytest
from stage import LUFS, RATE, Stage, largest_step, longest_silence_s, other_tone, tone

from appliance.errors import CardError, RingError
from appliance.stream.card import FakeCard
from appliance.stream.layout import BLOCK_FRAMES, Word
from appliance.stream.reader import CEILING, Reader
from appliance.stream.ring import create, open_ring
from appliance.stream.state import Gains, State

# A tone of 440 Hz steps by this much at the most; with another one in a cross-fade by a little more.
STEP = largest_step(tone(0, RATE))
BOTH = 1.5 * max(STEP, largest_step(other_tone(0, RATE)))


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def test_what_is_in_the_ring_is_what_is_heard(stage: Stage) -> None:
    stage.fill(3.0)
    stage.play(2.0)
    frames = len(stage.heard)
    heard, made = stage.heard[RATE:], tone(RATE, frames)
    assert np.array_equal(heard, made)
    assert stage.word(Word.READ) == stage.word(Word.CONSUMED) == frames
    assert stage.word(Word.STATE) == State.PLAYING
    assert (stage.word(Word.HOLDS), stage.word(Word.UNDERRUNS)) == (0, 0)
    assert abs(stage.ring.reals[Word.LOUDNESS] - LUFS) < 1.0


def test_it_fades_in_and_out(stage: Stage) -> None:
    stage.fill(4.0)
    stage.play(1.0)
    stage.reader.fade_out()
    turns = 0
    while not stage.reader.silent:
        stage.reader.turn()
        turns += 1
    assert turns * BLOCK_FRAMES / RATE == pytest.approx(1.0, abs=0.07)
    heard = stage.heard
    assert np.abs(heard[:80]).max() < 0.002
    assert not heard[-1].any()
    assert largest_step(heard) <= STEP


def test_when_the_engine_is_gone_the_room_goes_on_sounding(stage: Stage) -> None:
    for _ in range(30):
        stage.play(1.0, keep_full_s=3.0)
    stage.play(60.0)
    assert stage.word(Word.HOLDS) == 1
    assert stage.word(Word.STATE) == State.HOLDING
    assert stage.word(Word.UNDERRUNS) == 0
    assert longest_silence_s(stage.heard[RATE:]) < 0.001
    held = stage.heard[-50 * RATE :]
    levels = np.sqrt((held.reshape(-1, RATE, 2) ** 2).mean(axis=(1, 2)))
    assert levels.min() > 0.5 * levels.max()
    assert largest_step(held) < BOTH
    read = stage.word(Word.READ)
    # Fresh sound goes on where it stopped.
    stage.play(5.0, keep_full_s=3.0)
    assert stage.word(Word.STATE) == State.PLAYING
    assert stage.word(Word.READ) > read
    assert np.array_equal(stage.heard[-RATE:], tone(stage.word(Word.READ) - RATE, stage.word(Word.READ)))
    assert largest_step(stage.heard[-6 * RATE :]) < BOTH


def test_with_no_history_it_plays_the_factory_sound_after_a_while(tmp_path: Path) -> None:
    stage = Stage(tmp_path, factory=tone(0, 20 * RATE, 300.0))
    stage.play(5.0)
    assert not stage.heard.any()
    assert stage.word(Word.STATE) == State.STARTING
    stage.play(10.0)
    assert stage.word(Word.STATE) == State.HOLDING
    assert np.abs(stage.heard[-4 * RATE :]).max() == pytest.approx(0.2, abs=0.05)
    stage.play(5.0, keep_full_s=3.0)
    assert np.array_equal(stage.heard[-RATE:], tone(stage.word(Word.READ) - RATE, stage.word(Word.READ)))
    assert largest_step(stage.heard) < BOTH


def test_with_nothing_at_all_it_is_silent_and_says_so(stage: Stage) -> None:
    stage.play(10.0)
    assert not stage.heard.any()
    assert stage.word(Word.STATE) == State.STARTING
    assert stage.word(Word.UNDERRUNS) == pytest.approx(4.0 * RATE, abs=RATE / 10)


def test_a_turn_is_heard_at_its_frame(stage: Stage) -> None:
    stage.fill(4.0)
    stage.play(1.0)
    origin_ns = stage.now_ns - 30_000_000
    frame = stage.turn_to(3.0, other_tone, origin_ns=origin_ns)
    at_ns = stage.now_ns
    stage.play(1.0)
    read = stage.word(Word.READ)
    fade = round(0.05 * RATE)
    heard = stage.heard
    assert np.array_equal(heard[frame - 300 : frame], tone(frame - 300, frame))
    assert np.array_equal(heard[frame + fade : read], other_tone(frame + fade, read))
    assert not np.array_equal(heard[frame + 10 : frame + fade - 10], other_tone(frame + 10, frame + fade - 10))
    assert largest_step(heard) < BOTH
    assert (stage.word(Word.PLAYING), stage.word(Word.TAKEN_FRAME), stage.word(Word.REWINDS)) == (1, frame, 1)
    assert not stage.inlet.turning
    # The card took the frame one block after it was reached; it has 100 ms to go, and half of the fade.
    reached_ns = at_ns + (frame + BLOCK_FRAMES - (read - RATE // BLOCK_FRAMES * BLOCK_FRAMES)) / RATE * 1e9
    assert stage.word(Word.ANSWER_NS) == pytest.approx(reached_ns + 125_000_000 - origin_ns, abs=70_000_000)


def test_a_turn_that_comes_late_is_taken_late(stage: Stage) -> None:
    stage.fill(4.0)
    stage.play(1.0)
    frame = stage.word(Word.READ) - 3 * BLOCK_FRAMES
    stage.turn_to(3.0, other_tone, frame=frame)
    stage.play(1.0)
    taken = stage.word(Word.TAKEN_FRAME)
    assert taken > frame
    read = stage.word(Word.READ)
    assert np.array_equal(stage.heard[taken + 400 : read], other_tone(taken + 400, read))
    assert largest_step(stage.heard) < BOTH


def test_a_turn_with_too_little_in_it_waits(stage: Stage) -> None:
    stage.fill(4.0)
    stage.play(1.0)
    stage.turn_to(0.1, other_tone)
    stage.play(1.0)
    assert stage.inlet.turning
    assert stage.word(Word.PLAYING) == 0
    assert np.array_equal(stage.heard[RATE:], tone(RATE, len(stage.heard)))
    # Meanwhile the engine fills what it has published.
    assert stage.inlet.lane == 1
    stage.fill(2.0, sound=other_tone)
    stage.play(0.5)
    assert stage.word(Word.PLAYING) == 1


def test_a_new_lane_that_runs_dry_is_left_for_the_old_one(stage: Stage) -> None:
    stage.fill(5.0)
    stage.play(1.0)
    stage.turn_to(1.0, other_tone)
    stage.play(2.0)
    assert stage.word(Word.PLAYING) == 0
    read = stage.word(Word.READ)
    assert np.array_equal(stage.heard[-RATE // 4 :], tone(read - RATE // 4, read))
    assert stage.word(Word.HOLDS) == 0
    assert longest_silence_s(stage.heard[RATE:]) < 0.001
    assert largest_step(stage.heard) < BOTH
    assert stage.inlet.lane == 0


@pytest.mark.parametrize("kind", ["nan", "infinite", "noise", "silence", "faint", "loud"])
def test_what_cannot_be_ours_is_not_heard(stage: Stage, kind: str) -> None:
    for _ in range(12):
        stage.play(1.0, keep_full_s=3.0)
    rng = np.random.default_rng(1)
    lanes = stage.ring.lanes
    lanes[...] = {
        "nan": np.nan,
        "infinite": np.inf,
        "noise": rng.uniform(-1.0, 1.0, lanes.shape),
        "silence": 0.0,
        "faint": 1e-3 * rng.uniform(-1.0, 1.0, lanes.shape),
        "loud": 20.0 * lanes,
    }[kind]
    before = len(stage.heard)
    stage.play(3.0)
    heard = stage.heard[before - RATE :]
    assert np.isfinite(heard).all()
    assert np.abs(heard).max() < 0.3
    assert longest_silence_s(heard) < 0.001
    assert largest_step(heard) < BOTH
    assert stage.word(Word.REFUSALS) >= 1
    assert (stage.word(Word.BAD) > 0) == (kind in ("nan", "infinite"))
    assert stage.word(Word.STATE) == State.HOLDING
    # The engine makes it anew from where the player stands.
    stage.turn_to(3.0, tone)
    stage.play(5.0, keep_full_s=2.0)
    assert np.array_equal(stage.heard[-RATE:], tone(stage.word(Word.READ) - RATE, stage.word(Word.READ)))


def test_all_of_the_ring_filled_with_noise_while_it_holds(tmp_path: Path) -> None:
    stage = Stage(tmp_path, factory=tone(0, 20 * RATE, 300.0))
    for _ in range(20):
        stage.play(1.0, keep_full_s=3.0)
    stage.play(8.0)
    assert stage.word(Word.STATE) == State.HOLDING
    for region in (stage.ring.lanes, stage.ring.history, stage.ring.grids):
        region[...] = np.random.default_rng(2).uniform(-1.0, 1.0, region.shape)
    before = len(stage.heard)
    stage.play(20.0)
    heard = stage.heard[before - RATE :]
    assert np.abs(heard).max() < 0.35
    assert longest_silence_s(heard) < 0.001
    assert largest_step(heard) < BOTH


def test_a_rest_that_is_announced_is_no_alarm(stage: Stage) -> None:
    stage.fill(2.0)
    stage.inlet.append(0, np.zeros((RATE, 2), dtype=np.float32), (-120.0, -120.0))
    stage.fill(1.0)
    stage.play(3.0)
    assert (stage.word(Word.REFUSALS), stage.word(Word.HOLDS)) == (0, 0)
    assert longest_silence_s(stage.heard[RATE // 2 :]) == pytest.approx(1.0, abs=0.01)


def test_a_turn_out_of_a_rest_is_no_alarm(stage: Stage) -> None:
    """While the player goes over, what it hears may still be the rest that the other lane announced."""
    stage.fill(1.0)
    stage.inlet.append(0, np.zeros((3 * RATE, 2), dtype=np.float32), (-120.0, -120.0))
    stage.play(2.0)
    stage.turn_to(2.0, tone)
    stage.play(1.5)
    assert (stage.word(Word.REFUSALS), stage.word(Word.HOLDS)) == (0, 0)
    assert np.abs(stage.heard[-RATE // 4 :]).max() > 0.1


def test_nothing_passes_the_ceiling(stage: Stage) -> None:
    stage.sound = lambda begin, end: tone(begin, end, level=0.99)
    stage.inlet.append(0, stage.sound(0, 4 * RATE), (-3.0, -3.0))
    stage.play(2.0)
    assert np.abs(stage.heard).max() == pytest.approx(CEILING, abs=1e-6)
    assert pytest.approx(10 ** (-1 / 20)) == CEILING


def test_volume_glides(stage: Stage) -> None:
    stage.play(1.0, keep_full_s=3.0)
    stage.ring.gains.write(Gains(volume=0.25).pack())
    stage.play(1.0, keep_full_s=3.0)
    assert np.abs(stage.heard[-RATE // 2 :]).max() == pytest.approx(0.05, rel=0.01)
    assert largest_step(stage.heard) <= 1.05 * STEP
    assert stage.reader.wanted_gain == 0.25


def test_the_ceiling_is_not_passed_and_holds_without_an_engine(stage: Stage) -> None:
    stage.play(1.0, keep_full_s=3.0)
    stage.ring.ceiling = 0.25
    stage.play(12.0, keep_full_s=3.0)
    assert np.abs(stage.heard[-RATE // 2 :]).max() == pytest.approx(0.05, rel=0.01)
    assert largest_step(stage.heard) <= 1.05 * STEP
    # Below it a hand is free.
    stage.ring.gains.write(Gains(volume=0.1).pack())
    stage.play(1.0, keep_full_s=3.0)
    assert np.abs(stage.heard[-RATE // 2 :]).max() == pytest.approx(0.02, rel=0.01)


@pytest.mark.parametrize("scribble", [0.0, -1.0, 1e-300, 7.0, float("nan"), float("inf")])
def test_a_ceiling_that_is_none_changes_nothing(stage: Stage, scribble: float) -> None:
    stage.ring.ceiling = scribble
    stage.play(1.0, keep_full_s=3.0)
    assert np.abs(stage.heard[-800:]).max() == pytest.approx(0.2, rel=0.02)


def test_garbage_for_gains_changes_nothing(stage: Stage) -> None:
    stage.play(1.0, keep_full_s=3.0)
    stage.ring.gains.write(b"garbage")
    stage.play(1.0, keep_full_s=3.0)
    assert np.abs(stage.heard[-800:]).max() == pytest.approx(0.2, rel=0.02)


def test_a_player_that_was_killed_goes_on(stage: Stage) -> None:
    stage.fill(4.0)
    stage.play(2.0)
    stage.new_player()
    stage.play(1.0)
    read = stage.word(Word.READ)
    assert read == len(stage.heard)
    assert np.array_equal(stage.heard[-RATE // 4 :], tone(read - RATE // 4, read))


def test_a_player_that_was_killed_during_a_turn_goes_on(stage: Stage) -> None:
    stage.fill(4.0)
    stage.play(1.0)
    stage.turn_to(3.0, other_tone)
    while stage.word(Word.PLAYING) == 0:
        stage.reader.turn()
    stage.new_player()
    stage.play(1.0)
    read = stage.word(Word.READ)
    assert not stage.inlet.turning
    assert np.array_equal(stage.heard[-RATE // 4 :], other_tone(read - RATE // 4, read))


def test_a_card_that_refuses_loses_nothing(stage: Stage) -> None:
    stage.fill(4.0)
    stage.play(1.0)
    read = stage.word(Word.READ)
    stage.card.vanish()
    with pytest.raises(CardError):
        stage.play(1.0)
    assert stage.word(Word.READ) == read
    stage.card = FakeCard(RATE, 2)
    stage.card.start()
    stage.new_player()
    stage.play(1.0)
    faded_in = RATE // 2 + BLOCK_FRAMES
    assert np.array_equal(stage.heard[faded_in:], tone(read + faded_in, read + len(stage.heard)))


@pytest.mark.parametrize("damage", ["words", "header", "place"])
def test_a_ring_that_was_scribbled_on_is_left_without_a_hole(stage: Stage, tmp_path: Path, damage: str) -> None:
    for _ in range(10):
        stage.play(1.0, keep_full_s=3.0)
    if damage == "words":
        stage.ring.words[Word.READ] = 2**60
    elif damage == "header":
        with stage.ring.path.open("r+b") as file:
            file.write(b"something else")
    else:
        stage.ring.path.unlink()
    with pytest.raises(RingError, match="Somebody"):
        stage.play(5.0)
    stage.ring = create(tmp_path, RATE, 2, 4.0)
    stage.reader.move(open_ring(tmp_path, writable=True))
    stage.play(5.0)
    assert stage.word(Word.STATE) == State.HOLDING
    stage.new_engine()
    stage.inlet.open_lane(0, stage.inlet.read)
    stage.play(5.0, keep_full_s=2.0)
    assert stage.word(Word.STATE) == State.PLAYING
    heard = stage.heard[RATE:]
    assert longest_silence_s(heard) < 0.001
    assert largest_step(heard) < BOTH


def test_a_card_of_another_format_is_refused(stage: Stage) -> None:
    with pytest.raises(ValueError, match="is not for"):
        Reader(stage.ring, FakeCard(RATE, 1), lambda: None)


def test_the_monitor_has_what_was_sent(stage: Stage) -> None:
    stage.ring.gains.write(Gains(volume=0.5).pack())
    stage.play(3.0, keep_full_s=2.0)
    end = stage.word(Word.MONITOR_END)
    assert end == len(stage.heard)
    assert np.array_equal(stage.ring.monitor[:end], stage.heard)
    read = stage.word(Word.READ)
    assert np.array_equal(stage.ring.history[:read], tone(0, read))
    assert stage.word(Word.HISTORY_END) == read


def test_the_measure_of_silence_sees_one() -> None:
    frames = tone(1, RATE)
    frames[100:140] = 0.0
    assert longest_silence_s(frames) == pytest.approx(40 / RATE)


def test_the_factory_sound_and_a_piece_that_begins_softly_make_no_click(tmp_path: Path) -> None:
    def soft(begin: int, end: int) -> np.ndarray:
        return tone(begin, end) * np.minimum(np.arange(begin, end) / RATE, 1.0).astype(np.float32)[:, np.newaxis]

    stage = Stage(tmp_path, factory=tone(0, 20 * RATE, 300.0), sound=soft)
    stage.play(12.0)
    first = np.flatnonzero(stage.heard.any(axis=1))[0]
    assert np.abs(stage.heard[first : first + 80]).max() < 0.01
    stage.inlet.append(0, soft(0, RATE), (-120.0, LUFS))
    stage.play(6.0, keep_full_s=3.0)
    heard = stage.heard
    assert stage.word(Word.STATE) == State.PLAYING
    assert largest_step(heard) < BOTH
    assert longest_silence_s(heard[first:]) < 0.001
    levels = np.sqrt(
        (heard[first + RATE :][: len(heard[first + RATE :]) // 800 * 800].reshape(-1, 800, 2) ** 2).mean((1, 2))
    )
    assert levels.min() > 0.06


def test_fresh_sound_after_silence_begins_softly(stage: Stage) -> None:
    stage.play(9.0)
    stage.play(2.0, keep_full_s=3.0)
    heard = stage.heard
    first = np.flatnonzero(heard.any(axis=1))[0]
    assert np.abs(heard[first : first + 40]).max() < 0.02
    assert largest_step(heard) <= STEP


def test_noise_right_behind_a_turn_is_not_heard(stage: Stage) -> None:
    for _ in range(8):
        stage.play(1.0, keep_full_s=3.0)
    stage.turn_to(3.0, other_tone)
    stage.ring.lanes[1] = np.random.default_rng(4).uniform(-1.0, 1.0, stage.ring.lanes[1].shape)
    before = len(stage.heard)
    stage.play(3.0)
    assert stage.word(Word.REFUSALS) > 0
    assert np.abs(stage.heard[before:]).max() < 0.3
    assert largest_step(stage.heard) < BOTH
