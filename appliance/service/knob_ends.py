"""The real ends of knobs, learned by turning them: few turn from exactly 0 to exactly 1."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from appliance.errors import LatentError
from appliance.names import LONGEST_NAME, are_ends
from appliance.service.kept import Kept

__all__ = ["Calibration", "CalibrationFile"]

_MOST_CONTROLS: Final = 500
# Twice of what the most controls take.
_MOST_BYTES: Final = 1 << 18


def _ends(ends: tuple[float, float]) -> tuple[float, float]:
    """Pass on the ends of a way. Raises ValueError if they are none."""
    low, high = ends
    if not are_ends(low, high):
        raise ValueError(f"the ends of a control lie in 0..1, at least 0.05 apart, not {low:g} and {high:g}")
    return ends


_Name = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]


class CalibrationFile(BaseModel):
    """What ``calibration.json`` holds."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    ends: Annotated[
        dict[_Name, Annotated[tuple[float, float], AfterValidator(_ends)]], Field(max_length=_MOST_CONTROLS)
    ] = {}


class Calibration:
    """The learned ends of controls by name, in ``calibration.json``; any thread may use them.

    Parameters
    ----------
    folder : Path
        Made where it is missing.
    say : callable
        Told in one sentence of what cannot be read.
    """

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        self._kept = Kept(folder / "calibration.json", CalibrationFile(), _MOST_BYTES, say)

    def get(self, name: str) -> tuple[float, float] | None:
        """Give the ends of a control, 0..1 of what it could be; None if they were not learned."""
        return self._kept.get().ends.get(name)

    def learn(self, name: str, low: float, high: float) -> None:
        """Keep the ends of a control.

        Raises
        ------
        ValueError
            If they do not lie in 0..1, at least 0.05 apart, or the name is none.
        LatentError
            If there are too many, or the disk refuses; all stays as it was.
        """

        def add(file: CalibrationFile) -> CalibrationFile:
            if name not in file.ends and len(file.ends) >= _MOST_CONTROLS:
                raise LatentError(
                    f"The ends of {_MOST_CONTROLS} controls are known, and no more fit: forget one first."
                )
            return CalibrationFile(ends=file.ends | {name: (low, high)})

        self._kept.change(add)

    def forget(self, name: str) -> None:
        """Forget what was learned of a control, if anything was. Raises LatentError if the disk refuses."""
        if name in self._kept.get().ends:
            self._kept.change(
                lambda file: CalibrationFile(ends={each: ends for each, ends in file.ends.items() if each != name})
            )
