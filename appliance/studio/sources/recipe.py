"""Recipes: of what a shipped model is made, as a file that anybody may run again."""

import tomllib
from pathlib import Path
from typing import Annotated

import pydantic
from pydantic import BaseModel, ConfigDict, Field

from appliance.errors import StudioError
from appliance.folders import shown
from appliance.studio.sources.chords import SHARES, VOICES

__all__ = ["Recipe", "Soundfont", "Textures", "read"]

_Part = Annotated[float, Field(ge=0.0, le=1.0)]
_Share = Annotated[float, Field(gt=0.0, le=1.0)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Soundfont(_Strict):
    """Instruments of a General MIDI soundfont.

    Attributes
    ----------
    name : str
        Put before the instruments' names.
    file : Path
    package : str
        The Debian package that brings it.
    licence : str
    share : float
        Of all training clips.
    programs : tuple of int
        See `programs.NAMES`.
    """

    name: str
    file: Path
    package: str
    licence: str
    share: _Share
    programs: tuple[int, ...] = Field(min_length=1)


class Textures(_Strict):
    """Synthesised instruments: of each family so many patches, a tenth of them tuned on and a tenth held out."""

    licence: str
    share: _Share
    patches: dict[str, Annotated[int, Field(ge=1)]] = Field(min_length=1)


class Recipe(_Strict):
    """Everything that decides what a model is.

    Attributes
    ----------
    name, licence, author : str
        Of the model.
    character : str
        A sentence for its card.
    seed : int
    clips : int
        To train on.
    test_clips : int
        Of each instrument that is tuned on or held out.
    highest : int
        Highest MIDI note.
    voices : int
        Most notes of a chord.
    chords : tuple of float
        Shares of single notes, open chords, chords with thirds, and clusters.
    layers : tuple of float
        Shares of one, two and three instruments at once. The simpler the sounds, the better 32 numbers hold them.
    soundfonts, textures
        The sources; their shares add up to one.
    epochs : int
    weights : dict
        Weights of the training's loss that differ from the usual ones.
    places : int
        Of the atlas.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")]
    licence: str
    author: str
    character: str
    seed: int = 1
    clips: Annotated[int, Field(ge=1)]
    test_clips: Annotated[int, Field(ge=1)] = 60
    highest: Annotated[int, Field(ge=48, le=108)] = 96
    voices: Annotated[int, Field(ge=4, le=8)] = VOICES
    chords: tuple[_Part, _Part, _Part, _Part] = SHARES
    layers: tuple[_Part, _Part, _Part] = (0.5, 0.35, 0.15)
    soundfonts: tuple[Soundfont, ...] = ()
    textures: tuple[Textures, ...] = ()
    epochs: Annotated[int, Field(ge=1)]
    weights: dict[str, Annotated[float, Field(ge=0.0)]] = {}
    places: Annotated[int, Field(ge=16)] = 2048

    @pydantic.model_validator(mode="after")
    def _whole(self) -> "Recipe":
        total = sum(font.share for font in self.soundfonts) + sum(source.share for source in self.textures)
        if abs(total - 1.0) > 1e-6:
            raise ValueError(f"the shares of its sources add up to {total:g} and not to 1")
        for name, parts in (("chords", self.chords), ("layers", self.layers)):
            if abs(sum(parts) - 1.0) > 1e-6:
                raise ValueError(f"its {name} add up to {sum(parts):g} and not to 1")
        return self


def read(path: Path) -> Recipe:
    """Read a recipe; raises StudioError with everything that is wrong with it."""
    try:
        return Recipe.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise StudioError(
            f"There is no recipe {shown(path)}; those shipped are in models/, as default.toml."
        ) from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise StudioError(f"{shown(path)} cannot be read as a recipe ({error}); mend it.") from error
    except pydantic.ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, each['loc'])) or 'the whole'}: {each['msg']}" for each in error.errors())
        raise StudioError(f"{shown(path)} is not a recipe ({wrong}); mend it.") from error
