"""Measuring this machine: how fast the engine is, how soon it answers, and what it takes."""

import contextlib
import importlib.metadata
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from appliance.errors import LatentError
from appliance.service.bench.figures import FIGURES
from appliance.service.bench.latency import Pair, Start, Turn, pair
from appliance.settings import Settings, SoundSettings

__all__ = ["RATE", "Contestant", "Report", "bare_ffts", "engine", "in_turns", "measure", "pinned"]

RATE: Final = 48_000
_CHANNELS: Final = 2
# What the engine decodes at a time, so that windows are alike; a piece is composed in few of them.
_WINDOW_S: Final = 32.0
_CLIP_FRAMES, _CLIPS = 96_000, 2
_STARTS: Final = 3
# Large steps of what acts on the voices and of what acts on the beds.
_TURNS: Final = (
    ("pitch", 0.8),
    ("nature", 1.0),
    ("pitch", -0.8),
    ("nature", 0.0),
    ("pitch", 0.8),
    ("nature", 1.0),
    ("pitch", -0.8),
    ("nature", 0.0),
)
_PACKAGES: Final = ("latent-appliance", "numpy", "scipy", "onnxruntime", "sounddevice")

# A contestant renders for a while and gives seconds of sound per second of processor.
Contestant = Callable[[], float]


@dataclass
class Report:
    """What was measured.

    Attributes
    ----------
    values : dict
        By the keys of `FIGURES`; None where it could not be measured.
    turns : list of Turn
    card, machine : dict
    problems : list of str
        Why something could not be measured, a sentence each.
    """

    values: dict[str, float | None] = field(default_factory=lambda: {figure.key: None for figure in FIGURES})
    turns: list[Turn] = field(default_factory=list)
    card: dict[str, Any] = field(default_factory=dict)
    machine: dict[str, Any] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Give it for JSON."""
        rest = {"card": self.card, "machine": self.machine, "problems": self.problems}
        return {**self.values, "turns": [asdict(turn) for turn in self.turns], **rest}


def measure(settings: Settings, seconds: float, tell: Callable[[str], None]) -> Report:
    """Measure everything, which takes about half a minute.

    Parameters
    ----------
    settings : Settings
        Of this machine; only the names of its cards matter.
    seconds : float
        Sound to render for the real-time factor.
    tell : callable
        Told in one sentence what is being measured.
    """
    report = Report(machine=_machine())
    # Processes first: what this one would load for the rest is shared with them, and would make them seem smaller.
    tell("Starting an engine and a player, three times, and turning knobs; nothing is heard.")
    with _noting(report):
        _latencies(settings.card.device, report)
    tell(f"Rendering {seconds:g} s of sound on one core.")
    with _noting(report):
        report.values |= realtime(seconds)
    return report


def realtime(seconds: float) -> dict[str, float | None]:
    """Render windows of 32 s on one core, in turns with as much of bare FFTs."""
    with pinned():
        speeds = in_turns(
            {"engine": engine(_WINDOW_S), "ffts": bare_ffts(_WINDOW_S)}, max(1, round(seconds / _WINDOW_S))
        )
    median, ffts = (statistics.median(speeds[name]) for name in ("engine", "ffts"))
    return {
        "realtime_factor_p50": median,
        "realtime_factor_p95": float(np.percentile(speeds["engine"], 5.0)),
        "bare_ffts_realtime_factor_p50": ffts,
        "ratio_to_bare_ffts": median / ffts,
    }


def engine(seconds: float) -> Contestant:
    """Get ready to render so many seconds a turn: score to master, with the shipped model and the built-in weather."""
    from appliance.mood import Mood
    from appliance.service.build import build_timeline
    from appliance.settings import BUILT_IN_BEDS

    timeline = build_timeline(None, RATE, _CHANNELS, BUILT_IN_BEDS, SoundSettings(), lambda _: None)
    mood = Mood()
    cursor = timeline.start(1, mood)
    hops = round(seconds / timeline.hop_s)

    def contestant() -> float:
        nonlocal cursor
        began = time.process_time()
        for _ in range(hops):
            cursor, _ = timeline.step(cursor, mood)
        return hops * timeline.hop_s / (time.process_time() - began)

    # The first hops also fill caches.
    contestant()
    return contestant


def bare_ffts(seconds: float) -> Contestant:
    """Get ready for nothing but the inverse FFTs: two clips for two channels at a time, each clip a second further."""
    from scipy import fft

    rng = np.random.default_rng(1)
    shape = (_CLIPS * _CHANNELS, _CLIP_FRAMES // 2 + 1)
    lines = (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(np.complex64)
    a_time_s = _CLIPS * _CLIP_FRAMES / 2 / RATE
    times = round(seconds / a_time_s)

    def contestant() -> float:
        began = time.process_time()
        for _ in range(times):
            fft.irfft(lines, n=_CLIP_FRAMES)
        return times * a_time_s / (time.process_time() - began)

    return contestant


def in_turns(contestants: Mapping[str, Contestant], rounds: int) -> dict[str, list[float]]:
    """Let each have its turn, several times round, so that a busy spell of the machine meets all of them."""
    speeds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, contestant in contestants.items():
            speeds[name].append(contestant())
    return speeds


@contextlib.contextmanager
def pinned() -> Iterator[int]:
    """Keep to one core for a while, and give its number."""
    allowed = os.sched_getaffinity(0)
    core = max(allowed)
    os.sched_setaffinity(0, {core})
    try:
        yield core
    finally:
        os.sched_setaffinity(0, allowed)


@contextlib.contextmanager
def _noting(report: Report) -> Iterator[None]:
    """Note why something could not be measured, and go on with the rest."""
    try:
        yield
    except LatentError as error:
        report.problems.append(str(error))
    except OSError as error:
        report.problems.append(f"The system refused what it takes ({error.strerror or error}).")


def _latencies(devices: tuple[str, ...], report: Report) -> None:
    starts: list[Start] = []
    for number in range(_STARTS):
        with pair(devices) as (running, begun_ns):
            starts.append(running.began(begun_ns))
            if number == _STARTS - 1:
                report.card = running.card
                report.machine |= running.footing()
                report.values |= _starts(starts)
                with _noting(report):
                    for place, (quantity, value) in enumerate(_TURNS):
                        report.turns.append(running.turn(quantity, value, place / len(_TURNS)))
                report.values |= _answers(report) | _memory(running)


def _starts(starts: list[Start]) -> dict[str, float | None]:
    return {
        "start_to_ring_p50_ms": statistics.median(start.ring_ms for start in starts),
        "start_to_first_hop_p50_ms": statistics.median(start.first_hop_ms for start in starts),
        "start_to_first_sound_p50_ms": statistics.median(start.first_sound_ms for start in starts),
        "start_to_first_sound_worst_ms": max(start.first_sound_ms for start in starts),
    }


def _answers(report: Report) -> dict[str, float | None]:
    """Sum up the turns; a turn that nobody hears leaves nothing to be said of all."""
    unheard = [f"{turn.quantity}={turn.value:g}" for turn in report.turns if turn.heard_ms is None]
    if unheard:
        how_many = f"{len(unheard)} of {len(report.turns)} turns"
        report.problems.append(f"Nothing was heard of {how_many}: {', '.join(unheard)}.")
    heard_ms = [turn.heard_ms for turn in report.turns if turn.heard_ms is not None]
    noted_ms = [turn.ring_ms for turn in report.turns if turn.ring_ms is not None]
    card_ms: float | None = report.card["latency_ms"]
    values: dict[str, float | None] = {"card_latency_ms": card_ms}
    if heard_ms and not unheard:
        values["knob_to_card_p50_ms"] = statistics.median(heard_ms)
        values["knob_to_card_worst_ms"] = max(heard_ms)
        values["knob_to_sound_worst_ms"] = None if card_ms is None else max(heard_ms) + card_ms
    if noted_ms:
        values["ring_answer_p50_ms"] = statistics.median(noted_ms)
        values["ring_answer_worst_ms"] = max(noted_ms)
    return values


def _memory(running: Pair) -> dict[str, float | None]:
    engine_memory, player_memory = running.memory()
    return {
        "engine_pss_mb": engine_memory.pss_mb,
        "engine_pss_without_ring_mb": engine_memory.pss_without_ring_mb,
        "engine_peak_rss_mb": engine_memory.peak_rss_mb,
        "player_pss_without_ring_mb": player_memory.pss_without_ring_mb,
        "player_peak_rss_mb": player_memory.peak_rss_mb,
        "ring_mb": running.ring.shape.offsets.end * 1e-6,
    }


def _machine() -> dict[str, Any]:
    versions = {name: importlib.metadata.version(name) for name in _PACKAGES}
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "kernel": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        **versions,
    }


def _processor() -> str:
    """Name the board where it says its name, as a Raspberry Pi does, else the processor."""
    with contextlib.suppress(OSError):
        return Path("/proc/device-tree/model").read_text(encoding="utf-8", errors="replace").strip("\0 \n")
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()
