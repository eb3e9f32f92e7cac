"""``latent.toml``: every key with its unit, range, default and reason. With no file at all everything works."""

import difflib
import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_core import PydanticCustomError

from appliance.errors import MoodError, SettingsError
from appliance.folders import configuration_folder
from appliance.mood import Mood

__all__ = ["CardSettings", "MusicSettings", "Settings", "SoundSettings", "read_settings"]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class MusicSettings(_Table):
    """What is played."""

    # A shipped model's name, or a file.
    model: str = "default"
    # None: a new one every time it starts.
    seed: Annotated[int, Field(ge=0)] | None = None
    # A folder of recordings, "weather" for the built-in ones, or "none".
    beds: str = "weather"


class SoundSettings(_Table):
    """How loud. Quieter than -20 LUFS brought complaints elsewhere; 1 dB of headroom survives lossy coding."""

    target_lufs: Annotated[float, Field(ge=-40.0, le=-10.0)] = -20.0
    ceiling_dbtp: Annotated[float, Field(ge=-12.0, le=0.0)] = -1.0


class CardSettings(_Table):
    """Where it is played."""

    # None: the system's default.
    device: str | None = None
    # Frames per second; a card that refuses gets its own usual rate.
    rate: Annotated[int, Field(ge=8_000, le=192_000)] = 48_000
    channels: Annotated[int, Field(ge=1, le=8)] = 2
    # Sound kept ready, so that a busy machine is not heard.
    reserve_s: Annotated[float, Field(ge=2.0, le=120.0)] = 20.0


class Settings(_Table):
    """The whole file."""

    music: MusicSettings = MusicSettings()
    sound: SoundSettings = SoundSettings()
    card: CardSettings = CardSettings()
    # Where the mood stands when it starts; what is not named rests.
    mood: dict[str, float] = Field(default_factory=dict)

    @field_validator("mood")
    @classmethod
    def _a_mood_that_can_be(cls, values: dict[str, float]) -> dict[str, float]:
        try:
            Mood.parse(f"{name}={value}" for name, value in values.items())
        except MoodError as error:
            raise PydanticCustomError("mood", "{sentence}", {"sentence": str(error).rstrip(".")}) from error
        return values


def read_settings(path: Path | None) -> Settings:
    """Read a settings file; None stands for the usual place, which may be empty.

    Raises
    ------
    SettingsError
        Listing every problem at once, with 'did you mean' where a key is nearly right.
    """
    chosen = path or configuration_folder() / "latent.toml"
    if path is None and not chosen.exists():
        return Settings()
    try:
        table = tomllib.loads(chosen.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"The settings file {chosen} cannot be read ({error.strerror}): check its path.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"The settings file {chosen} is not valid TOML: {error}.") from error
    try:
        return Settings.model_validate(table)
    except ValidationError as error:
        problems = "; ".join(_problem(item["loc"], item["type"], item["msg"]) for item in error.errors())
        raise SettingsError(f"The settings file {chosen} needs mending: {problems}.") from error


def _problem(location: tuple[int | str, ...], kind: str, message: str) -> str:
    """Describe one problem, and for an unknown key the known one that is nearest."""
    name = ".".join(str(part) for part in location)
    if kind != "extra_forbidden":
        return f"{name}: {message[0].lower()}{message[1:]}"
    tables: dict[str, type[BaseModel]] = {"music": MusicSettings, "sound": SoundSettings, "card": CardSettings}
    known = tables.get(str(location[0]), Settings) if len(location) > 1 else Settings
    close = difflib.get_close_matches(str(location[-1]), known.model_fields, n=1)
    return f"there is no {name}" + (f", did you mean {close[0]}?" if close else "")
