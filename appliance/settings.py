"""``latent.toml``: every key with its unit, range, default and reason. With no file at all everything works."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from appliance.errors import MoodError
from appliance.folders import shown
from appliance.mood import Mood
from appliance.wiring.hours import HoursSettings
from appliance.wiring.room import (
    ExposureSettings,
    LightSettings,
    MetricsSettings,
    MidiSettings,
    OscSettings,
    PresenceSettings,
    ScenesSettings,
    SnapcastSettings,
)
from appliance.wiring.tables import AnyControl, Combine, Table

__all__ = [
    "BUILT_IN_BEDS",
    "MOST_CHANNELS",
    "NO_BEDS",
    "PLACE",
    "RATES",
    "CardSettings",
    "ModelSettings",
    "MusicSettings",
    "PlaylistEntry",
    "Settings",
    "SoundSettings",
]


# A name that holds something.
_Name = Annotated[str, Field(pattern=r"\S")]
# A seed and the number of a piece.
PLACE = r"^[0-9]{1,19}/[0-9]{1,6}$"
_Place = Annotated[str, Field(pattern=PLACE)]


# Beds that are no folder.
BUILT_IN_BEDS = "weather"
NO_BEDS = "none"


class MusicSettings(Table):
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


class SoundSettings(Table):
    """How loud. Quieter than -20 LUFS brought complaints elsewhere; 1 dB of headroom survives lossy coding."""

    target_lufs: Annotated[float, Field(ge=-40.0, le=-10.0)] = -20.0
    ceiling_dbtp: Annotated[float, Field(ge=-12.0, le=0.0)] = -1.0


class CardSettings(Table):
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


class PlaylistEntry(Table):
    """A model of the playlist, and for how long it plays before the next one does."""

    # By the name in its manifest, or a shipped one's.
    model: _Name
    # Counted only while it plays.
    hours: Annotated[float, Field(ge=0.1, le=1000.0)] = 6.0


class ModelSettings(Table):
    """What becomes of models that are copied to this machine while it plays."""

    # "newest": what was copied last plays. "pinned": nothing changes by itself. "playlist": one after the other.
    policy: Literal["newest", "pinned", "playlist"] = "newest"
    # In the order to play.
    playlist: Annotated[tuple[PlaylistEntry, ...], Field(max_length=64)] = ()
    # How long one model gives way to the other.
    crossfade_s: Annotated[float, Field(ge=1.0, le=60.0)] = 8.0
    # The folder that models are copied to; None: /srv/latent/incoming where there is one, else in the state folder.
    incoming: _Name | None = None
    # How many are kept; those in use are among them, and never go.
    keep: Annotated[int, Field(ge=2, le=100)] = 8
    # Those that nobody played for so long go earlier.
    keep_days: Annotated[float, Field(ge=1.0, le=3650.0)] = 365.0
    # Room on the disk that models leave free.
    free_mb: Annotated[int, Field(ge=16, le=1_000_000)] = 256

    @field_validator("playlist", mode="before")
    @classmethod
    def _models_in_a_list(cls, value: Any) -> Any:
        return tuple(value) if isinstance(value, list) else value

    @model_validator(mode="after")
    def _a_list_to_play(self) -> "ModelSettings":
        if (self.policy == "playlist") != bool(self.playlist):
            words = "a playlist needs policy" if self.playlist else "policy"
            remedy = ' = "playlist"' if self.playlist else ' "playlist" needs at least one [[model.playlist]]'
            raise PydanticCustomError("playlist", "{sentence}", {"sentence": words + remedy})
        return self


class Settings(BaseModel):
    """The whole file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    music: MusicSettings = MusicSettings()
    sound: SoundSettings = SoundSettings()
    card: CardSettings = CardSettings()
    model: ModelSettings = ModelSettings()
    # Where the mood stands when it starts; what is not named rests.
    mood: dict[str, float] = Field(default_factory=dict)
    # Knobs, buttons and sensors by the names that a technician gave them, as in [controls.tilt].
    controls: Annotated[dict[str, AnyControl], Field(max_length=64)] = Field(default_factory=dict)
    # Where several controls move the same: the one touched last moves it, or their sum, or the highest.
    combine: dict[str, Combine] = Field(default_factory=dict)
    presence: PresenceSettings | None = None
    light: LightSettings | None = None
    metrics: MetricsSettings | None = None
    exposure: ExposureSettings = ExposureSettings()
    osc: OscSettings = OscSettings()
    midi: MidiSettings = MidiSettings()
    scenes: ScenesSettings = ScenesSettings()
    snapcast: SnapcastSettings | None = None
    # None: the room is always open.
    hours: HoursSettings | None = None

    @field_validator("mood", mode="before")
    @classmethod
    def _a_mood_that_can_be(cls, values: Any) -> dict[str, float]:
        if not isinstance(values, dict):
            raise PydanticCustomError("dict_type", "no table")
        problems = [
            InitErrorDetails(
                type=PydanticCustomError("mood", "{sentence}", {"sentence": problem}), loc=(name,), input=value
            )
            for name, value in values.items()
            if (problem := _mood_problem(name, value))
        ]
        if problems:
            raise ValidationError.from_exception_data("mood", problems)
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
