"""What `latent bench` measures: the names, units and bars of its figures, and how they are shown."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

__all__ = ["FIGURES", "Figure", "keys", "table"]

_NOT_MEASURED: Final = "not measured"


@dataclass(frozen=True)
class Figure:
    """One figure.

    Attributes
    ----------
    key : str
        In ``--json``; ends with the unit unless it is a ratio.
    unit : str
        As the table shows it.
    meaning : str
    bar : float or None
        What was promised, if anything: at most so much, or at least.
    at_least : bool
    optional : bool
        A machine may lack what it takes, and is none the worse.
    """

    key: str
    unit: str
    meaning: str
    bar: float | None = None
    at_least: bool = False
    optional: bool = False

    def promise(self) -> str:
        """Say what was promised; empty where nothing was."""
        return "" if self.bar is None else f"{'>=' if self.at_least else '<='} {self.bar:g}"

    def verdict(self, value: float | None) -> str:
        """Say how a value stands to the bar; empty where there is none."""
        if value is None:
            return "" if self.optional else _NOT_MEASURED
        if self.bar is None:
            return ""
        beyond = self.bar - value if self.at_least else value - self.bar
        return "ok" if beyond <= 0.0 else f"short by {_rounded(beyond)} {self.unit}"


FIGURES: Final = (
    Figure("realtime_factor_p50", "x", "seconds of sound per processor second, half of the windows", 1000.0, True),
    Figure("realtime_factor_p95", "x", "the slow end: 95 % of the windows are at least that fast"),
    Figure("bare_ffts_realtime_factor_p50", "x", "nothing but the inverse FFTs of the same sound"),
    Figure("ratio_to_bare_ffts", "x", "the engine's speed over theirs, taken in turns"),
    Figure("start_to_ring_p50_ms", "ms", "from the start of both processes until the player has made the ring"),
    Figure("start_to_first_hop_p50_ms", "ms", "until the engine has published its first sound"),
    Figure("start_to_first_sound_p50_ms", "ms", "until the card has taken a sample above -60 dBFS"),
    Figure("start_to_first_sound_worst_ms", "ms", "the slowest of the starts", 2000.0),
    Figure("knob_to_card_p50_ms", "ms", "from the request until the card has taken a 1/3-octave change of 1 dB"),
    Figure("knob_to_card_worst_ms", "ms", "the slowest of the turns; the card itself may take 120 more", 180.0),
    Figure("card_latency_ms", "ms", "what this machine's card says that it adds", 120.0, optional=True),
    Figure("knob_to_sound_worst_ms", "ms", "the slowest turn and the card together", 300.0, optional=True),
    Figure("ring_answer_p50_ms", "ms", "what the player notes itself: to the middle of its fade, without the card"),
    Figure("ring_answer_worst_ms", "ms", "the slowest of those"),
    Figure("engine_pss_mb", "MB", "memory of the engine, its half of the ring included", 150.0),
    Figure("engine_pss_without_ring_mb", "MB", "the same without the ring"),
    Figure("engine_peak_rss_mb", "MB", "the most that it had, shared or not"),
    Figure("player_pss_without_ring_mb", "MB", "memory of the player without the ring", 60.0),
    Figure("player_peak_rss_mb", "MB", "the most that it had, shared or not"),
    Figure("ring_mb", "MB", "the ring's file"),
)


def keys() -> str:
    """Document the keys, one a line."""
    return "\n".join(f"  {figure.key:31}{figure.meaning}" for figure in FIGURES)


def table(values: Mapping[str, float | None]) -> str:
    """Show the figures beside what was promised."""
    rows = [f"{'figure':32}{'measured':>10}   promised"]
    for figure in FIGURES:
        value = values.get(figure.key)
        shown = "-" if value is None else f"{_rounded(value)} {figure.unit}"
        verdict = figure.verdict(value)
        rows.append(f"{figure.key:32}{shown:>10}   {figure.promise():<9}{verdict}".rstrip())
    return "\n".join(rows)


def _rounded(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100.0 else f"{value:.3g}"
