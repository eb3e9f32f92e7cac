import os
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from appliance.errors import RingError
from appliance.service import build
from appliance.service.bench import latency as bench_latency
from appliance.service.bench import measure as bench
from appliance.service.bench.figures import FIGURES, Figure, table
from appliance.service.bench.heard import WINDOW_S, first_change
from appliance.service.bench.latency import Turn, pair
from appliance.service.bench.measure import Report, in_turns, measure, pinned, realtime
from appliance.service.bench.memory import resident, share_mb
from appliance.service.bench.player import Pace, RecordingCard, record_type
from appliance.settings import Settings
from appliance.stream.layout import BLOCK_FRAMES

RATE = 48_000
KEYS = {figure.key for figure in FIGURES}


class SlowTimeline:
    """Takes so much processor time for each hop of a second."""

    hop_s = 1.0

    def __init__(self, spend_s):
        self.spend_s = spend_s

    def start(self, seed, mood):
        return 0

    def step(self, cursor, mood):
        until_s = time.process_time() + self.spend_s
        while time.process_time() < until_s:
            pass
        return cursor + 1, None


def test_a_slower_engine_shows_a_smaller_factor(monkeypatch):
    factors = []
    for spend_s in (0.0005, 0.005):
        monkeypatch.setattr(build, "build_timeline", lambda *_, spend_s=spend_s: SlowTimeline(spend_s))
        factors.append(bench.engine(8.0)())
    assert factors[0] > 2.0 * factors[1] > 0.0


def test_the_slow_end_is_below_the_middle(monkeypatch):
    speeds = iter([100.0] * 15 + [10.0] * 5)
    monkeypatch.setattr(bench, "engine", lambda seconds: lambda: next(speeds))
    monkeypatch.setattr(bench, "bare_ffts", lambda seconds: lambda: 400.0)
    values = realtime(640.0)
    assert values["realtime_factor_p50"] == 100.0
    assert values["realtime_factor_p95"] == 10.0
    assert values["ratio_to_bare_ffts"] == 0.25
    assert set(values) <= KEYS


def test_all_take_turns():
    order = []
    contestants = {name: lambda name=name: order.append(name) or len(order) for name in ("a", "b")}
    assert in_turns(contestants, 3) == {"a": [1, 3, 5], "b": [2, 4, 6]}


def test_bare_ffts_have_a_speed():
    assert bench.bare_ffts(4.0)() > 0.0


def test_the_core_is_given_back():
    allowed = os.sched_getaffinity(0)

    def fail():
        with pinned() as core:
            assert os.sched_getaffinity(0) == {core} <= allowed
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert os.sched_getaffinity(0) == allowed


@pytest.mark.parametrize(
    ("at_least", "value", "verdict"),
    [
        (False, 9.5, "ok"),
        (False, 10.0, "ok"),
        (False, 12.5, "short by 2.5 ms"),
        (True, 12.5, "ok"),
        (True, 9.5, "short by 0.5 ms"),
        (True, None, "not measured"),
    ],
)
def test_a_figure_is_held_against_its_bar(at_least, value, verdict):
    assert Figure("some_ms", "ms", "", 10.0, at_least).verdict(value) == verdict


def test_what_was_not_promised_or_not_there_is_no_failure():
    assert Figure("some_ms", "ms", "").verdict(3.0) == ""
    assert Figure("some_ms", "ms", "", 10.0, optional=True).verdict(None) == ""


def test_the_table_has_a_line_for_each_figure():
    lines = table(dict.fromkeys(KEYS, 150.0)).splitlines()
    assert [line.split()[0] for line in lines[1:]] == [figure.key for figure in FIGURES]
    assert len(KEYS) == len(FIGURES)


@pytest.fixture(scope="module")
def sound():
    """Two seconds of noise that falls by 6 dB an octave, (n, 2) float32."""
    lines = np.fft.rfft(np.random.default_rng(3).standard_normal((2 * RATE, 2)), axis=0)
    hz = np.fft.rfftfreq(2 * RATE, 1.0 / RATE)[:, np.newaxis]
    return np.fft.irfft(lines / np.maximum(hz, 100.0), axis=0).astype(np.float32)


def tone(sound, hz, level_db):
    """A tone at a level relative to the whole sound, (n, 1) float32."""
    wave = np.sin(2.0 * np.pi * hz * np.arange(len(sound)) / RATE)[:, np.newaxis]
    return np.float32(np.sqrt(2.0 * np.mean(sound**2)) * 10.0 ** (level_db / 20.0)) * wave.astype(np.float32)


def test_what_stays_the_same_is_no_change(sound):
    assert first_change(sound, sound, RATE) is None
    assert first_change(np.zeros_like(sound), np.zeros_like(sound), RATE) is None
    assert first_change(sound[:1000], -sound[:1000], RATE) is None


@pytest.mark.parametrize("begin", [20_000, 43_210])
def test_a_change_is_found_within_a_window_of_where_it_begins(sound, begin):
    louder = sound.copy()
    louder[begin:] += tone(sound, 440.0, 0.0)[begin:]
    found = first_change(louder, sound, RATE)
    assert found is not None
    assert begin < found <= begin + WINDOW_S * RATE + RATE // 100
    assert first_change(sound, louder, RATE) == found


def test_what_is_too_small_or_masked_is_no_change(sound):
    begin = 20_000
    a_little, masked = sound.copy(), sound.copy()
    a_little[begin:] *= np.float32(10.0 ** (0.8 / 20.0))
    masked[begin:] += tone(sound, 9_000.0, -60.0)[begin:]
    assert first_change(a_little, sound, RATE) is None
    assert first_change(masked, sound, RATE) is None
    a_little[begin:] *= np.float32(10.0 ** (0.4 / 20.0))
    assert first_change(a_little, sound, RATE) is not None


SMAPS = """\
7f00-7f10 r-xp 00000000 fe:00 12 {file}
Size:  100 kB
Rss:  {rss} kB
Anonymous:  {anonymous} kB
7f10-7f20 rw-p 00000000 00:00 0
Rss:  {own} kB
Anonymous:  {own} kB
7f20-7f30 rw-s 00000000 00:01 9 /run/a room/ring
Rss:  400 kB
Anonymous:  0 kB
"""


def test_memory_is_shared_between_the_two_alone():
    engine = resident(SMAPS.format(file="/lib/python", rss=300, anonymous=20, own=1000))
    player = resident(SMAPS.format(file="/lib/python", rss=100, anonymous=0, own=50))
    # All its own, what it has of the file less half of what the other has too, half of the ring.
    assert share_mb(engine, player) == pytest.approx((1020 + 280 - 50 + 200) * 1.024e-3)
    assert share_mb(engine, player, but="/run/a room/ring") == pytest.approx((1020 + 280 - 50) * 1.024e-3)
    assert share_mb(engine, resident("")) == pytest.approx((1020 + 280 + 400) * 1.024e-3)


def test_the_fake_card_keeps_time_and_begins_anew_when_it_ran_dry():
    now_s, slept = [100.0], []

    def sleep(seconds):
        slept.append(seconds)
        now_s[0] += seconds

    pace = Pace(lambda: now_s[0], sleep)
    pace(0.010)
    now_s[0] += 0.003
    pace(0.010)
    now_s[0] += 0.5
    pace(0.010)
    assert slept == pytest.approx([0.010, 0.007, 0.010])


def test_the_fake_card_writes_down_what_it_took(tmp_path):
    card = RecordingCard(RATE, 2, tmp_path / "record")
    block = np.random.default_rng(1).standard_normal((BLOCK_FRAMES, 2)).astype(np.float32)
    card.start()
    before_ns = time.monotonic_ns()
    card.write(block)
    card.write(-block)
    card.close()
    card.close()
    taken = np.fromfile(tmp_path / "record", record_type(2))
    assert np.array_equal(taken["frames"], [block, -block])
    assert before_ns <= taken["at_ns"][0] < taken["at_ns"][1] <= time.monotonic_ns()


@pytest.fixture
def runtime(tmp_path, monkeypatch):
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    return tmp_path


def test_a_turn_is_heard_and_one_that_changes_nothing_is_not(runtime):
    with pair() as (running, begun_ns):
        start = running.began(begun_ns)
        heard = running.turn("pitch", 0.8, 0.25)
        again = running.turn("pitch", 0.8, 0.75)
        engine, player = running.memory()
        footing = running.footing()
        card = running.card
    assert 0.0 < start.ring_ms < start.first_hop_ms < start.first_sound_ms
    assert heard.heard_ms is not None
    assert 0.0 < heard.heard_ms < 1500.0
    assert heard.ring_ms is not None
    assert again == Turn("pitch", 0.8, None, None)
    for memory in (engine, player):
        assert 10.0 < memory.pss_without_ring_mb < memory.pss_mb < memory.peak_rss_mb
    assert player.pss_mb < engine.pss_mb
    assert all(isinstance(allowed, bool) for allowed in footing.values())
    assert (card["latency_ms"] is None) == bool(card["why"])
    assert list(runtime.iterdir()) == []


def test_an_engine_that_ends_is_told_with_its_last_words(runtime, monkeypatch):
    quits = [sys.executable, "-c", "import sys; sys.exit('There is no model.')"]
    waits = [sys.executable, "-c", "import time; time.sleep(60)"]
    monkeypatch.setattr(bench_latency, "_commands", lambda: {"engine": quits, "player": waits})
    with pair() as (running, begun_ns), pytest.raises(RingError) as caught:
        running.began(begun_ns)
    assert str(caught.value) == "The engine ended while it was measured (There is no model)."
    assert not any(Path(f"/proc/{process.pid}").exists() for process in running._processes.values())


def test_what_cannot_be_measured_does_not_keep_the_rest_from_it(monkeypatch):
    def no_pair(devices):
        raise RingError("There is no room.")

    monkeypatch.setattr(bench, "pair", no_pair)
    monkeypatch.setattr(bench, "realtime", lambda seconds: {"realtime_factor_p50": seconds})
    report = measure(Settings(), 32.0, lambda _: None)
    assert report.problems == ["There is no room."]
    assert report.values["realtime_factor_p50"] == 32.0
    assert report.values["engine_pss_mb"] is None
    assert set(report.values) == KEYS
    assert report.machine["cores"] >= 1


def test_a_turn_that_nobody_hears_leaves_no_figure_for_all():
    heard, unheard = Turn("pitch", 0.8, 80.0, 60.0), Turn("nature", 1.0, None, 66.0)
    report = Report(turns=[heard, unheard], card={"latency_ms": 50.0})
    values = bench._answers(report)
    assert values.get("knob_to_card_worst_ms") is None
    assert values["ring_answer_worst_ms"] == 66.0
    assert report.problems == ["Nothing was heard of 1 of 2 turns: nature=1."]
    report = Report(turns=[heard, heard], card={"latency_ms": 50.0})
    assert bench._answers(report)["knob_to_sound_worst_ms"] == 130.0
    assert report.problems == []
