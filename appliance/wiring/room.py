"""What the controls do together, and what is wired to the room besides them, as ``latent.toml`` says it."""

from typing import Annotated, Final

from pydantic import Field, field_validator

from appliance.wiring.tables import Name, Pin, Row, Table, refusal

__all__ = [
    "HOST_AND_PORT",
    "ExposureSettings",
    "LightSettings",
    "MetricsSettings",
    "MidiSettings",
    "OscSettings",
    "PresenceSettings",
    "ScenesSettings",
    "SnapcastSettings",
]

HOST_AND_PORT: Final = r"^[^\s:]+:[0-9]{1,5}$"


class PresenceSettings(Table):
    """What becomes of the room while nobody is there."""

    # Controls that tell when somebody is; a hand on any other tells it as well.
    sensors: Annotated[tuple[str, ...], Row]
    after_min: Annotated[float, Field(ge=0.05, le=1440.0)] = 10.0
    # Where the room glides to then.
    away: dict[str, float] = Field(default_factory=lambda: {"volume": 0.3})
    dim_s: Annotated[float, Field(ge=0.5, le=3600.0)] = 60.0
    wake_s: Annotated[float, Field(ge=0.5, le=600.0)] = 4.0

    @field_validator("sensors")
    @classmethod
    def _some(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise refusal('must name at least one control, as in ["door"]')
        return value


class LightSettings(Table):
    """A light that tells whether it sounds: steady, slow while it holds, quick in a fault."""

    pin: Pin
    active_high: bool = True


_Port = Annotated[int, Field(ge=1, le=65535)]


class OscSettings(Table):
    """OSC in and out; without a port nobody can send anything, and without an address nothing is sent."""

    # UDP port to listen on.
    port: _Port | None = None
    # On which address: this machine alone, or "0.0.0.0" for everybody in the network.
    listen: Name = "127.0.0.1"
    # Who is told mood, level and piece, as "HOST:PORT".
    send_to: Annotated[
        tuple[Annotated[str, Field(pattern=HOST_AND_PORT, max_length=260)], ...], Field(max_length=16), Row
    ] = ()


class MidiSettings(Table):
    """MIDI out."""

    # Port that is told mood, level and piece: its name or part of it, or "virtual" for one of our own.
    send_to: Name | None = None


class MetricsSettings(Table):
    """How Prometheus is told how things are; without this table, it is not."""

    # TCP port that answers with the metrics.
    port: _Port | None = None
    # On which address: this machine alone, or "0.0.0.0" for everybody in the network.
    listen: Name = "127.0.0.1"
    # Where a file with them is written again and again; None: the runtime folder, which lies in memory.
    folder: Annotated[str, Field(pattern=r"\S")] | None = None


class ExposureSettings(Table):
    """How loud a day may be to who is there all day."""

    # LEX,8h in dB(A), by what `latent calibrate` measured; None: nothing is turned down.
    limit_dba: Annotated[float, Field(ge=50.0, le=87.0)] | None = None


class ScenesSettings(Table):
    """How a scene is recalled."""

    morph_s: Annotated[float, Field(ge=0.0, le=600.0)] = 8.0


class SnapcastSettings(Table):
    """Many rooms in step: the sound goes to a Snapcast server, too."""

    # Where that takes sound by TCP: an address in numbers, or a name.
    host: Name = "127.0.0.1"
    port: _Port = 4953
    # What the server was told to expect, and what the card must play at: nothing is resampled on the way.
    rate: Annotated[int, Field(ge=8_000, le=192_000)] = 48_000
    channels: Annotated[int, Field(ge=1, le=8)] = 2
