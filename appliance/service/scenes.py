"""Scenes: how things stood, kept under a name, and to be gone back to."""

import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from appliance.errors import LatentError, UsageError
from appliance.mood import STEERED, Quantity
from appliance.names import LONGEST_NAME, hint, quoted, scene_name, sentence
from appliance.service.kept import Kept

__all__ = ["MOST_SCENES", "Scene", "Scenes", "ScenesFile"]

MOST_SCENES: Final = 200
_MOST_VALUES: Final = 64
# More than the most scenes with the most and longest names take.
_MOST_BYTES: Final = 4 << 20
_EXACT: Final = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)
_Name = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]


class Scene(BaseModel):
    """Where quantities and places stood, by name, and when: seconds since 1970 by a clock that may be wrong."""

    model_config = _EXACT

    saved_at: Annotated[float, Field(ge=0.0, le=1e11)]
    values: Annotated[dict[_Name, float], Field(max_length=_MOST_VALUES)]


class ScenesFile(BaseModel):
    """What ``scenes.json`` holds."""

    model_config = _EXACT

    scenes: Annotated[dict[_Name, Scene], Field(max_length=MOST_SCENES)] = {}


class Scenes:
    """The scenes of a box, in ``scenes.json``; any thread may use them.

    Parameters
    ----------
    folder : Path
        Made where it is missing.
    say : callable
        Told in one sentence of what cannot be read.
    clock : callable
        Seconds since 1970.
    """

    def __init__(self, folder: Path, say: Callable[[str], None], clock: Callable[[], float] = time.time) -> None:
        self._kept = Kept(folder / "scenes.json", ScenesFile(), _MOST_BYTES, say)
        self._clock = clock

    def save(self, name: str, values: Mapping[str, float]) -> bool:
        """Keep values under a name; gives whether they replaced others.

        Raises
        ------
        UsageError
            If a scene cannot be called so.
        LatentError
            If there are too many, or the disk refuses; the scenes stay as they were.
        """
        name = scene_name(name)
        scene = Scene(saved_at=self._clock(), values={each: float(values[each]) for each in _known(values)})
        replaced = False

        def add(file: ScenesFile) -> ScenesFile:
            nonlocal replaced
            replaced = name in file.scenes
            if not replaced and len(file.scenes) >= MOST_SCENES:
                raise LatentError(f"There are {MOST_SCENES} scenes, and no more fit: remove one first.")
            return ScenesFile(scenes=file.scenes | {name: scene})

        self._kept.change(add)
        return replaced

    def recall(self, name: str) -> dict[str, float]:
        """Give the values of a scene that are known today, brought into their ranges. Raises UsageError."""
        values = self._kept.get().scenes[self._checked(name)].values
        return {each: min(max(values[each], here.low), here.high) for each, here in _known(values).items()}

    def remove(self, name: str) -> None:
        """Forget a scene. Raises UsageError if there is none; LatentError if the disk refuses."""
        gone = self._checked(name)
        self._kept.change(
            lambda file: ScenesFile(scenes={each: scene for each, scene in file.scenes.items() if each != gone})
        )

    def names(self) -> tuple[str, ...]:
        """Give all names, in the order of the alphabet."""
        return tuple(sorted(self._kept.get().scenes))

    def listed(self) -> list[dict[str, object]]:
        """Give all scenes as the control socket tells them: ``name``, ``saved_at``, ``values``."""
        scenes = self._kept.get().scenes
        return [{"name": name, **scenes[name].model_dump()} for name in self.names()]

    def _checked(self, name: str) -> str:
        name = name.strip()
        if name not in self._kept.get().scenes:
            raise UsageError(sentence(f"there is no scene called {quoted(name)}{hint(name, self.names())}"))
        return name


def _known(values: Mapping[str, float]) -> dict[str, Quantity]:
    """Give what is known today of what is named and is a number, in the order of the contract."""
    return {name: each for name, each in STEERED.items() if math.isfinite(values.get(name, math.nan))}
