"""``latent.toml``: every key with its unit, range, default and reason. With no file at all everything works."""

import difflib
import stat
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from appliance.errors import MoodError, SettingsError
from appliance.folders import configuration_folder, shown
from appliance.mood import Mood

__all__ = [
    "BUILT_IN_BEDS",
    "MOST_CHANNELS",
    "NO_BEDS",
    "RATES",
    "CardSettings",
    "MusicSettings",
    "Settings",
    "SoundSettings",
    "read_settings",
]


_MOST_BYTES = 1 << 20

# A name that holds something.
_Name = Annotated[str, Field(pattern=r"\S")]
# A seed and the number of a piece.
_PLACE = r"^[0-9]{1,19}/[0-9]{1,6}$"
_Place = Annotated[str, Field(pattern=_PLACE)]


class _Table(BaseModel):
    # Strict: true is no number, and "20" is none either.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


# Beds that are no folder.
BUILT_IN_BEDS = "weather"
NO_BEDS = "none"


class MusicSettings(_Table):
    """What is played."""

    # A shipped model's name, or a file.
    model: _Name = "default"
    # None: one that this installation drew for itself. `each_morning` says what becomes of it.
    seed: Annotated[int, Field(ge=0, le=2**63 - 1)] | None = None
    # A folder of recordings, "weather" for the built-in ones, or "none".
    beds: _Name = BUILT_IN_BEDS
    # Hertz of the a above middle C, to which the keys of pieces are tuned.
    tuning_hz: Annotated[float, Field(ge=400.0, le=480.0)] = 440.0
    # Pieces around whose sounds the music stays, as "SEED/PIECE" from a contact sheet; none: all of the model.
    territory: Annotated[tuple[_Place, ...], Field(max_length=8)] = ()
    # How far around them: 1 is as far as two sounds of the model usually are from each other.
    radius: Annotated[float, Field(ge=0.1, le=2.0)] = 0.6
    # What a boot begins: other music than ever before, the same every time, or what was left off.
    each_morning: Literal["new", "same", "continue"] = "new"

    @field_validator("territory", mode="before")
    @classmethod
    def _places_in_a_list(cls, value: Any) -> Any:
        return tuple(value) if isinstance(value, list) else value

    @field_validator("territory")
    @classmethod
    def _seeds_that_can_be(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if any(int(place.partition("/")[0]) >= 1 << 63 for place in value):
            raise PydanticCustomError("seed", "{sentence}", {"sentence": "a seed is less than 2 to the power of 63"})
        return value


# Frames per second, lowest and highest.
RATES = (8_000, 192_000)
MOST_CHANNELS = 8


class SoundSettings(_Table):
    """How loud. Quieter than -20 LUFS brought complaints elsewhere; 1 dB of headroom survives lossy coding."""

    target_lufs: Annotated[float, Field(ge=-40.0, le=-10.0)] = -20.0
    ceiling_dbtp: Annotated[float, Field(ge=-12.0, le=0.0)] = -1.0


class CardSettings(_Table):
    """Where it is played."""

    # One name or several, the preferred one first: the card's name or part of it, or its ALSA id. None: the system's
    # default.
    device: tuple[str, ...] = ()
    # Frames per second; a card that refuses gets its own usual rate.
    rate: Annotated[int, Field(ge=RATES[0], le=RATES[1])] = 48_000
    channels: Annotated[int, Field(ge=1, le=MOST_CHANNELS)] = 2
    # Sound kept ready, so that a busy machine is not heard.
    reserve_s: Annotated[float, Field(ge=2.0, le=120.0)] = 20.0

    @field_validator("device", mode="before")
    @classmethod
    def _names_that_can_be(cls, value: Any) -> tuple[str, ...]:
        names = value if isinstance(value, list | tuple) else [] if value is None else [value]
        problems = [problem for each in names if (problem := _name_problem(each))]
        if problems:
            raise PydanticCustomError("names", "{sentence}", {"sentence": "; card.device: ".join(problems)})
        return tuple(names)


class Settings(BaseModel):
    """The whole file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    music: MusicSettings = MusicSettings()
    sound: SoundSettings = SoundSettings()
    card: CardSettings = CardSettings()
    # Where the mood stands when it starts; what is not named rests.
    mood: dict[str, float] = Field(default_factory=dict)

    @field_validator("mood", mode="before")
    @classmethod
    def _a_mood_that_can_be(cls, values: Any) -> dict[str, float]:
        if not isinstance(values, dict):
            raise PydanticCustomError("dict_type", "no table")
        problems = [problem for name, value in values.items() if (problem := _mood_problem(name, value))]
        if problems:
            raise PydanticCustomError("mood", "{sentence}", {"sentence": "; mood: ".join(problems)})
        return {name: float(value) for name, value in values.items()}


def _name_problem(value: object) -> str:
    """Say what is wrong with a name; empty where nothing is."""
    if not isinstance(value, str):
        return "must be text in quotes, or several in brackets"
    return "" if value.strip() else "must not be empty"


def _mood_problem(name: str, value: object) -> str:
    """Say what is wrong with one entry of [mood]; empty where nothing is."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return f"{shown(name)} must be a number"
    try:
        Mood.parse([f"{name}={float(value)}"])
    except OverflowError:
        return f"{shown(name)} is too large a number"
    except MoodError as error:
        sentence = shown(str(error)).rstrip(".")
        return sentence[0].lower() + sentence[1:]
    return ""


def read_settings(path: Path | None) -> Settings:
    """Read a settings file; None stands for the usual place, which may be empty.

    Raises
    ------
    SettingsError
        Listing every problem at once, with 'did you mean' where a key is nearly right.
    """
    chosen = path or configuration_folder() / "latent.toml"
    name = shown(chosen)
    try:
        text = _text(chosen)
    except (FileNotFoundError, NotADirectoryError) as error:
        if path is None:
            return Settings()
        raise SettingsError(f"The settings file {name} cannot be read ({error.strerror}): check its path.") from error
    except OSError as error:
        raise SettingsError(
            f"The settings file {name} cannot be read ({error.strerror}): check its path and its rights."
        ) from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"The settings file {name} is not valid TOML: it is not UTF-8 text.") from error
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"The settings file {name} is not valid TOML: {shown(str(error))}.") from error
    try:
        return Settings.model_validate(table)
    except ValidationError as error:
        problems = "; ".join(_problem(item) for item in error.errors(include_input=False, include_url=False))
        raise SettingsError(f"The settings file {name} needs mending: {problems}.") from error


def _text(path: Path) -> str:
    """Read a file of reasonable size; a device, a pipe or a folder could keep us for ever. Raises SettingsError too."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise SettingsError(f"The settings file {shown(path)} is not an ordinary file: name a TOML file.")
    with path.open("rb") as file:
        content = file.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise SettingsError(f"The settings file {shown(path)} is longer than 1 MiB: name a TOML file.")
    # Some editors begin a file with a byte order mark.
    return content.decode("utf-8-sig")


def _figure(bound: float | None) -> str:
    return f"{bound:g}" if isinstance(bound, float) else str(bound)


def _problem(error: ErrorDetails) -> str:
    """Describe one problem in plain words, and for an unknown key name the known one that is nearest."""
    location, kind, bounds = error["loc"], error["type"], error.get("ctx", {})
    name = shown(".".join(str(part) for part in location))
    plain = {
        "model_type": f"must be a table, as in [{name}]",
        "dict_type": f"must be a table, as in [{name}]",
        "string_type": "must be text in quotes",
        "string_pattern_mismatch": 'must be a seed and a piece, as in "7/12"'
        if bounds.get("pattern") == _PLACE
        else "must not be empty",
        "tuple_type": 'must be a list, as in ["7/12"]',
        "too_long": f"takes at most {bounds.get('max_length')} pieces",
        "int_type": "must be a whole number",
        "float_type": "must be a number",
        "finite_number": "is not a finite number",
        "greater_than_equal": f"must be at least {_figure(bounds.get('ge'))}",
        "less_than_equal": f"must be at most {_figure(bounds.get('le'))}",
        "literal_error": f"must be {bounds.get('expected')}",
    }
    if kind != "extra_forbidden":
        return f"{name}: {plain.get(kind, error['msg'])}"
    tables: dict[str, type[BaseModel]] = {"music": MusicSettings, "sound": SoundSettings, "card": CardSettings}
    known = tables.get(str(location[0]), Settings) if len(location) > 1 else Settings
    close = difflib.get_close_matches(str(location[-1]), known.model_fields, n=1)
    return f"there is no {name}" + (f", did you mean {close[0]}?" if close else "")
