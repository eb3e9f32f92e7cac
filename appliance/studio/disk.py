"""What every step does when a disk refuses."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from appliance.errors import StudioError
from appliance.folders import shown

__all__ = ["writing"]


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn a disk's refusal into a sentence that names the file; raises StudioError."""
    try:
        yield
    except OSError as error:
        raise StudioError(
            f"{shown(path)} cannot be written ({error.strerror}); make room or choose another folder with --work."
        ) from error
