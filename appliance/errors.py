"""Every error the product raises on purpose.

    LatentError
    ├── UsageError        the caller asked for something that cannot be (exit code 2)
    │   ├── MoodError     an unknown mood name, or a value out of its range
    │   └── SettingsError latent.toml is unreadable or holds values that cannot be
    ├── ModelError        a .latent file is missing, damaged or not to be trusted
    │   └── DamagedError  bytes of it are missing or damaged
    ├── AudioFileError    a recording cannot be read, or an output cannot be written
    ├── CardError         the sound card is absent or refuses
    ├── RingError         the memory shared by engine and player is absent or unusable
    ├── ApiError          the engine does not answer
    └── StudioError       a step of the studio cannot go on

The message of each is one plain sentence that names the thing and says what to do about it.
"""

__all__ = [
    "ApiError",
    "AudioFileError",
    "CardError",
    "DamagedError",
    "LatentError",
    "ModelError",
    "MoodError",
    "RingError",
    "SettingsError",
    "StudioError",
    "UsageError",
]


class LatentError(Exception):
    """Root of the tree; ``exit_code`` is what a command ends with."""

    exit_code = 1


class UsageError(LatentError):
    """The caller asked for something that cannot be."""

    exit_code = 2


class MoodError(UsageError):
    """An unknown mood name, or a value out of its range."""


class SettingsError(UsageError):
    """``latent.toml`` is unreadable or holds values that cannot be."""


class ModelError(LatentError):
    """A ``.latent`` file is missing, damaged or not to be trusted."""


class DamagedError(ModelError):
    """Bytes of a ``.latent`` file are missing or damaged: copying it again may mend it."""


class AudioFileError(LatentError):
    """A recording cannot be read, or an output cannot be written."""


class CardError(LatentError):
    """The sound card is absent or refuses."""


class RingError(LatentError):
    """The memory shared by engine and player is absent or unusable."""


class ApiError(LatentError):
    """The engine does not answer."""


class StudioError(LatentError):
    """A step of the studio cannot go on."""
