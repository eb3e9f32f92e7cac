"""The file that holds what a machine was taught: a zip with a manifest, read as guardedly as a stranger's model.

manifest.json      a `Manifest`
latent.toml        the settings, where the machine had any
state/...          what `appliance.service.state` says is packed, by its path below the state folder
"""

import hashlib
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from appliance.errors import LatentError
from appliance.folders import shown
from appliance.model.manifest import Member
from appliance.model.outside import SIZE_LIMIT
from appliance.model.zips import ArchiveError, Rules, Zip
from appliance.service.state import KINDS, Fate

__all__ = ["FORMAT", "MANIFEST", "MOST_PAGE_BYTES", "SETTINGS", "STATE", "Manifest", "Pack", "refusal"]

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
SETTINGS: Final = "latent.toml"
STATE: Final = "state/"
MOST_PAGE_BYTES: Final = 4 << 20
"""Of all that is no model; scenes take the most."""
# What a zip can hold without the extension for larger ones.
_TOTAL_BYTES: Final = (2 << 30) - 1
# Of ten thousand names.
_DIRECTORY_BYTES: Final = 2 << 20
_AGAIN: Final = "copy it again, or pack it anew"
_KNOWN: Final = re.compile(
    "|".join([*map(re.escape, (MANIFEST, SETTINGS)), *(STATE + k.pattern for k in KINDS if k.fate is Fate.PACKED)])
)
_Line = Annotated[str, StringConstraints(max_length=100, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]


class Manifest(BaseModel):
    """What a pack says of itself.

    Attributes
    ----------
    format : int
    version : str
        Of the program that packed it.
    created : str
        When, in UTC, by a clock that may have been wrong.
    members : dict
        All that is in it but this page: sha256 and size.
    """

    # What a later version of the same format adds is passed over.
    model_config = ConfigDict(frozen=True)

    format: Annotated[int, Field(ge=1)]
    version: _Line
    created: _Line
    members: dict[str, Member]


class Pack:
    """A pack that is open: its zip is sound, and it holds what its manifest lists. What is in that was not looked at.

    Parameters
    ----------
    path : Path

    Attributes
    ----------
    name : str
        For sentences.
    manifest : Manifest

    Raises
    ------
    LatentError
        If it cannot be read, is no pack, damaged, of a newer format, or not to be trusted.
    """

    def __init__(self, path: Path) -> None:
        self.name = shown(path)
        self._file = _opened(path, self.name)
        try:
            rules = Rules("pack", _is_known, SIZE_LIMIT, _TOTAL_BYTES, _DIRECTORY_BYTES)
            self._zip = Zip(self._file, rules)
            self.manifest = self._manifest()
        except ArchiveError as error:
            self._file.close()
            if path.suffix == ".latent":
                raise refusal(
                    self.name, "is a model and no pack", "copy it to the folder for models that arrive"
                ) from error
            raise refusal(self.name, str(error), _AGAIN) from error
        except LatentError:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()

    @property
    def names(self) -> list[str]:
        """All members but the manifest, in the order of the alphabet."""
        return sorted(self.manifest.members)

    def blocks(self, name: str) -> Iterator[bytes]:
        """Take a member out, piece by piece; that it was damaged is known at its end. Raises LatentError."""
        told, digest, size = self.manifest.members[name], hashlib.sha256(), 0
        try:
            for block in self._zip.blocks(name):
                digest.update(block)
                size += len(block)
                yield block
        except ArchiveError as error:
            raise refusal(self.name, str(error), _AGAIN) from error
        if (digest.hexdigest(), size) != (told.sha256, told.size):
            raise refusal(self.name, f"is damaged: {name} is not what its checksum says", _AGAIN)

    def page(self, name: str) -> bytes:
        """Take out what is no model. Raises LatentError."""
        if self.manifest.members[name].size > MOST_PAGE_BYTES:
            raise refusal(self.name, f"holds {name}, which is too large", _AGAIN)
        return b"".join(self.blocks(name))

    def _manifest(self) -> Manifest:
        if MANIFEST not in self._zip.names:
            raise ArchiveError(f"has no {MANIFEST}, so it is no pack")
        content = bytearray()
        for block in self._zip.blocks(MANIFEST):
            content += block
            if len(content) > MOST_PAGE_BYTES:
                raise ArchiveError(f"has a {MANIFEST} that is too large")
        try:
            if _Format.model_validate_json(bytes(content)).format > FORMAT:
                raise refusal(self.name, "was packed by a newer version of Latent", "update this machine first")
            manifest = Manifest.model_validate_json(bytes(content))
        except ValidationError as error:
            raise ArchiveError(f"has a {MANIFEST} that cannot be read") from error
        if set(manifest.members) != set(self._zip.names) - {MANIFEST}:
            raise ArchiveError(f"does not hold what its {MANIFEST} lists")
        return manifest


class _Format(BaseModel):
    format: int


def refusal(name: str, problem: str, remedy: str) -> LatentError:
    """Make the sentence on a pack; it may quote what is in it."""
    return LatentError(f"{name} {shown(problem)}; {remedy}.")


def _is_known(name: str) -> bool:
    return _KNOWN.fullmatch(name) is not None


def _opened(path: Path, name: str) -> IO[bytes]:
    try:
        # A pipe would keep us waiting, and a device may do anything.
        if not stat.S_ISREG(path.stat().st_mode):
            raise LatentError(f"{name} is not a plain file: name a .latentpack file.")
        return path.open("rb")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "its path is no path"
        raise LatentError(f"{name} cannot be read ({reason}): check its path and its rights.") from error
