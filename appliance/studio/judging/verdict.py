"""The bars that a model must pass, its numbers beside them, and everything as JSON."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from appliance.studio.judging.judgement import Judgement

__all__ = [
    "HELD_OUT_PEAKS_DB",
    "HELD_OUT_SHARE",
    "INT8_OFF_DB",
    "LEAST_ACTIVE",
    "PRIOR_PEAKS_DB",
    "RECORDINGS_PEAKS_DB",
    "RECORDINGS_SHARE",
    "UNUSABLE_SHARE",
    "Score",
    "as_dict",
    "scores",
]

HELD_OUT_SHARE, RECORDINGS_SHARE = 0.75, 0.95
LEAST_ACTIVE = 28
INT8_OFF_DB = 0.5
HELD_OUT_PEAKS_DB, RECORDINGS_PEAKS_DB, PRIOR_PEAKS_DB = 4.0, 8.0, 6.0
UNUSABLE_SHARE = 0.02


@dataclass(frozen=True)
class Score:
    """A number beside its bar: at most that, or at least."""

    name: str
    value: float
    bar: float
    unit: str
    at_least: bool = False

    @property
    def passed(self) -> bool:
        return self.value >= self.bar if self.at_least else self.value <= self.bar

    @property
    def wanted(self) -> str:
        """The bar in words."""
        return f"{'at least' if self.at_least else 'at most'} {self.told(self.bar)}"

    def told(self, value: float) -> str:
        """A value as one says it: dimensions are whole, percentages have a sign."""
        if self.at_least:
            return f"{value:.0f}"
        return f"{value:.1f} %" if self.unit == "%" else f"{value:.2f} {self.unit}".strip()

    def __str__(self) -> str:
        return f"{self.name}: {self.told(self.value)}, should be {self.wanted}, {'passed' if self.passed else 'missed'}"


def scores(judgement: Judgement) -> tuple[Score, ...]:
    """The numbers that decide, in the order of the report; those not measured are left out."""
    found = []
    held, heard = judgement.parts.get("held_out"), judgement.parts.get("recordings")
    if held:
        found.append(Score("Held-out error, over that of PCA-32", held.share, HELD_OUT_SHARE, ""))
    if heard:
        found.append(Score("Recordings from elsewhere, the same", heard.share, RECORDINGS_SHARE, ""))
    found.append(Score("Active dimensions", sum(judgement.latents.active), LEAST_ACTIVE, "", at_least=True))
    if held:
        found.append(Score("Peaks of held-out sounds, off by", held.peaks_off_db, HELD_OUT_PEAKS_DB, "dB"))
    if heard:
        found.append(Score("Peaks of recordings, off by", heard.peaks_off_db, RECORDINGS_PEAKS_DB, "dB"))
    found.append(Score("Peaks of draws from the prior, off by", judgement.prior.peaks_off_db, PRIOR_PEAKS_DB, "dB"))
    # Where chance alone rejects more of the training data itself, the share says nothing of the model.
    if judgement.prior.own <= UNUSABLE_SHARE:
        share = 100.0 * judgement.prior.unusable
        found.append(Score("Draws from the prior of no use", share, 100.0 * UNUSABLE_SHARE, "%"))
    if judgement.precision:
        found.append(Score("int8 off float32 by", judgement.precision.off_db, INT8_OFF_DB, "dB"))
        found.append(
            Score(
                "Time of int8, over that of float32", judgement.precision.int8_us / judgement.precision.fp32_us, 1, ""
            )
        )
    return tuple(found)


def as_dict(judgement: Judgement) -> dict[str, Any]:
    """Everything but the sounds, ready for JSON: no NaN, no numpy; ``scores`` first."""
    rows = [{**asdict(score), "passed": score.passed} for score in scores(judgement)]
    rest = {field.name: getattr(judgement, field.name) for field in fields(judgement) if field.name != "examples"}
    return {"scores": _plain(rows), **{name: _plain(value) for name, value in rest.items()}}


def _plain(value: Any) -> Any:
    """Dataclasses to dicts, arrays to lists, numbers to five digits, what is not finite to None."""
    if hasattr(value, "__dataclass_fields__"):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_plain(item) for item in value]
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return float(f"{value:.5g}") if np.isfinite(value) else None
    return value if value is None else str(value)
