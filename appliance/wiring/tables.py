"""How hands and sensors are wired, as ``latent.toml`` says it: one table a control, and what they do together."""

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, field_validator
from pydantic_core import PydanticCustomError

__all__ = [
    "ACTIONS",
    "CHIPS",
    "OSC_ADDRESS",
    "SOURCES",
    "TIME_OF_DAY",
    "Ads1115",
    "AnyControl",
    "Chip",
    "Clock",
    "Combine",
    "Control",
    "Curve",
    "Distance",
    "Encoder",
    "Midi",
    "Name",
    "Osc",
    "Pin",
    "Row",
    "Table",
    "control_keys",
    "refusal",
]

# What a press may do; the last two go with the name of a scene.
ACTIONS: Final = ("next", "keep", "never", "rest", "scene", "save")
# Converters on SPI, and how many channels each has.
CHIPS: Final = {"mcp3004": 4, "mcp3008": 8, "mcp3208": 8}
TIME_OF_DAY: Final = r"^([01]\d|2[0-3]):[0-5]\d$"
OSC_ADDRESS: Final = r"^/[!-~]*$"
_LONGEST_NAME: Final = 40


class Table(BaseModel):
    """A table of the settings: nothing but its own keys."""

    # Strict: true is no number, and "20" is none either.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


Curve = Literal["linear", "log", "exp"] | tuple[tuple[float, float], ...]
# BCM numbers; whether there is such a pin is told with all else that is wrong about pins.
Pin = Annotated[int, Field(ge=0)]
Part = Literal["knob", "light", "sensor"]
Pull = Literal["up", "down", "none"]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Seconds = Annotated[float, Field(ge=0.0, le=3600.0)]
Name = Annotated[str, Field(pattern=r"\S", max_length=_LONGEST_NAME)]


def refusal(sentence: str) -> PydanticCustomError:
    """What is wrong, as it is told after the name of a key."""
    return PydanticCustomError("sentence", "{sentence}", {"sentence": sentence})


def _is_point(point: object) -> bool:
    return (
        isinstance(point, list)
        and len(point) == 2
        and all(isinstance(each, int | float) and not isinstance(each, bool) and 0 <= each <= 1 for each in point)
    )


def _as_tuple(value: Any) -> Any:
    return tuple(_as_tuple(each) for each in value) if isinstance(value, list) else value


# TOML has lists only.
Row = BeforeValidator(_as_tuple)


class Control(Table):
    """What all controls have in common."""

    # What it moves, as in `latent mood` and `latent place`; nothing for a button that only does something.
    moves: str | None = None
    # What a press does: next, keep, never, rest, "scene NAME" or "save NAME".
    does: str | None = None
    # Where its two ends are, in the unit of what it moves; absent, all of the range.
    low: float | None = None
    high: float | None = None
    # How its way is spread between them: a name, or points from [0, y] to [1, y].
    curve: Curve = "linear"
    invert: bool = False
    # Share of its way, at each end and around the middle, in which it stays there.
    deadband: Annotated[float, Field(ge=0.0, le=0.2)] = 0.0
    # Seconds over which what it moves follows it. None: at once for hands, slowly for light and clock.
    glide_s: Seconds | None = None
    # Without a reading for so long it is in trouble, and what it moved glides back.
    stale_s: Annotated[float, Field(ge=0.2, le=600.0)] = 1.0
    # Where that goes meanwhile; None: to rest.
    neutral: float | None = None

    @field_validator("curve", mode="before")
    @classmethod
    def _points(cls, value: Any) -> Any:
        if isinstance(value, str) and value in ("linear", "log", "exp"):
            return value
        points = [each for each in value if _is_point(each)] if isinstance(value, list) else []
        ordered = [point[0] for point in points]
        if not points or len(points) < len(value) or ordered != sorted({0, 1, *ordered}):
            raise refusal(
                'must be "linear", "log", "exp", or points from [0, y] to [1, y] in rising order with y from 0 to 1, '
                "as in [[0, 0], [0.3, 0.6], [1, 1]]"
            )
        if len({point[1] for point in points}) == 1:
            raise refusal("is the same everywhere, so nothing would move")
        return tuple((float(along), float(up)) for along, up in points)


class Chip(Control):
    """A channel of a converter on SPI."""

    source: Literal["mcp3004", "mcp3008", "mcp3208"]
    channel: Annotated[int, Field(ge=0)]
    # Chip enable 0 or 1.
    device: Annotated[int, Field(ge=0, le=1)] = 0
    # A knob is turned by a hand, which passes every place between; light and other sensors may leap.
    part: Part = "knob"


class Ads1115(Control):
    """A channel of the converter on I2C."""

    source: Literal["ads1115"]
    channel: Annotated[int, Field(ge=0)]
    address: int = 0x48
    part: Part = "knob"

    @field_validator("address")
    @classmethod
    def _one_of_four(cls, value: int) -> int:
        if not 0x48 <= value <= 0x4B:
            raise refusal("must be 0x48, 0x49, 0x4a or 0x4b")
        return value


class Encoder(Control):
    """A rotary encoder, perhaps with a push button."""

    source: Literal["encoder"]
    pins: Annotated[tuple[Pin, ...], Row]
    push_pin: Pin | None = None
    # Detents for the whole way.
    steps: Annotated[int, Field(ge=2, le=1000)] = 24

    @field_validator("pins")
    @classmethod
    def _two(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if len(value) != 2:
            raise refusal("must be two pins in brackets, as in [5, 6]")
        return value


class Button(Control):
    """A button that springs back, a switch that stays, or another digital input."""

    source: Literal["button", "switch", "digital"]
    pin: Pin
    # None: as is usual for the part.
    pull: Pull | None = None


class Motion(Control):
    """A motion sensor (PIR) or a capacitive touch module: high while there is somebody."""

    source: Literal["motion", "touch"]
    pin: Pin


class Distance(Control):
    """An ultrasonic distance sensor, HC-SR04."""

    source: Literal["distance"]
    trigger: Pin
    echo: Pin
    near_m: Annotated[float, Field(ge=0.02, le=4.0)] = 0.2
    far_m: Annotated[float, Field(ge=0.02, le=4.0)] = 1.5


class Osc(Control):
    """A fader or button that sends OSC to the port in [osc]."""

    source: Literal["osc"]
    address: Annotated[str, Field(pattern=OSC_ADDRESS, max_length=200)]
    # Which of the numbers in a message: an X-Y pad sends two.
    argument: Annotated[int, Field(ge=1, le=8)] = 1
    from_low: float = 0.0
    from_high: float = 1.0


class Midi(Control):
    """A MIDI controller."""

    source: Literal["midi"]
    # The port's name or part of it.
    port: Name
    cc: Annotated[int, Field(ge=0, le=127)]
    # None: any.
    channel: Annotated[int, Field(ge=1, le=16)] | None = None


class Clock(Control):
    """The time of day: a way that is gone once a day, by points as ["08:00", 0.2]."""

    source: Literal["clock"]
    points: Annotated[tuple[tuple[Annotated[str, Field(pattern=TIME_OF_DAY)], Share], ...], Field(max_length=48), Row]

    @field_validator("points")
    @classmethod
    def _once_each(cls, value: tuple[tuple[str, float], ...]) -> tuple[tuple[str, float], ...]:
        if len(value) < 2 or len({time for time, _ in value}) < len(value):
            raise refusal('takes two different times of day or more, as [["08:00", 0.2], ["20:00", 0.8]]')
        if len({place for _, place in value}) == 1:
            raise refusal("is the same all day, so nothing would move")
        return value


_KINDS: Final[dict[str, type[Control]]] = {
    **dict.fromkeys(CHIPS, Chip),
    "ads1115": Ads1115,
    "encoder": Encoder,
    **dict.fromkeys(("button", "switch", "digital"), Button),
    **dict.fromkeys(("motion", "touch"), Motion),
    "distance": Distance,
    "osc": Osc,
    "midi": Midi,
    "clock": Clock,
}
SOURCES: Final = tuple(_KINDS)


def _kind(value: Any) -> str | None:
    source = value.get("source") if isinstance(value, dict) else getattr(value, "source", None)
    return _KINDS[source].__name__ if isinstance(source, str) and source in _KINDS else None


AnyControl = Annotated[
    Annotated[Chip, Tag("Chip")]
    | Annotated[Ads1115, Tag("Ads1115")]
    | Annotated[Encoder, Tag("Encoder")]
    | Annotated[Button, Tag("Button")]
    | Annotated[Motion, Tag("Motion")]
    | Annotated[Distance, Tag("Distance")]
    | Annotated[Osc, Tag("Osc")]
    | Annotated[Midi, Tag("Midi")]
    | Annotated[Clock, Tag("Clock")],
    Discriminator(
        _kind,
        custom_error_type="source",
        custom_error_message="needs a source",
    ),
]
Combine = Literal["last", "sum", "max"]


def control_keys(source: object) -> Sequence[str]:
    """The keys that a control of this source takes; those of all controls where there is no such source."""
    return list(_KINDS.get(str(source), Control).model_fields)
