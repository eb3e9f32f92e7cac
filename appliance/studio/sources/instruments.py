"""What a recipe plays on: instruments of soundfonts and of our own making, under one roof."""

import functools
from dataclasses import dataclass

import numpy as np

from appliance.errors import StudioError
from appliance.spectrum.codec import Floats
from appliance.studio.sources import programs, textures
from appliance.studio.sources.recipe import Recipe
from appliance.studio.sources.soundfont import Renderer

__all__ = ["Instrument", "instruments", "play"]

_TENTH = 10


@dataclass(frozen=True)
class Instrument:
    """One that may be played.

    Attributes
    ----------
    name, licence : str
    split : str
        Whether it is trained on, tuned on or held out.
    share : float
        Of all training clips; those of other splits have none.
    soundfont : str
        Path of its soundfont; empty for one of our own.
    family : str
        Of our own instruments.
    number : int
        Its program, or its patch.
    """

    name: str
    licence: str
    split: str
    share: float
    soundfont: str
    family: str
    number: int

    @property
    def harsh(self) -> bool:
        """Worth learning from, but no place to rest at."""
        return bool(self.soundfont) and self.number in programs.HARSH


def instruments(recipe: Recipe) -> tuple[Instrument, ...]:
    """All instruments of a recipe, in its order; the share of a source is divided evenly among those trained on.

    Raises
    ------
    StudioError
        If it asks for a program or a family that there is not.
    """
    unknown = [f"program {at}" for font in recipe.soundfonts for at in font.programs if at not in programs.NAMES]
    unknown += [family for source in recipe.textures for family in source.patches if family not in textures.FAMILIES]
    if unknown:
        raise StudioError(f"The recipe of '{recipe.name}' asks for {', '.join(unknown)}, which nothing plays; mend it.")
    found: list[Instrument] = []
    for font in recipe.soundfonts:
        some = [
            Instrument(
                f"{font.name}/{programs.NAMES[at]}", font.licence, programs.split(at), 0.0, str(font.file), "", at
            )
            for at in font.programs
        ]
        found += _shared(some, font.share)
    for source in recipe.textures:
        some = [
            Instrument(f"{family}/{patch}", source.licence, _split(patch), 0.0, "", family, patch)
            for family, count in source.patches.items()
            for patch in range(count)
        ]
        found += _shared(some, source.share)
    return tuple(found)


def play(instrument: Instrument, notes: tuple[int, ...], rng: np.random.Generator) -> Floats:
    """Two seconds of held notes, (88200, 2) float32 at 44,100 Hz; how loud is left to chance."""
    loudness = rng.uniform(45.0, 105.0)
    if not instrument.soundfont:
        return np.float32(10.0 ** ((loudness - 105.0) / 60.0)) * textures.render(
            instrument.family, instrument.number, notes, rng
        )
    # High notes are held back: they are what tires the ear over an afternoon.
    held = [(note, int(np.clip(rng.normal(loudness - 0.5 * max(0, note - 67), 8.0), 20, 120))) for note in notes]
    return _renderer(instrument.soundfont).play(instrument.number, held, wait_s=float(rng.uniform(1.2, 2.2)))


@functools.cache
def _renderer(soundfont: str) -> Renderer:
    """One for each soundfont and process: a compressed one takes seconds to open."""
    return Renderer(soundfont)


def _shared(some: list[Instrument], share: float) -> list[Instrument]:
    trained = sum(one.split == "train" for one in some)
    return [Instrument(**{**vars(one), "share": share / trained if one.split == "train" else 0.0}) for one in some]


def _split(patch: int) -> str:
    return {_TENTH - 2: "tune", _TENTH - 1: "held_out"}.get(patch % _TENTH, "train")
