"""Packing what a machine was taught, and how it is set up, into one file: whole, or not at all."""

import contextlib
import hashlib
import importlib.metadata
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, Final

from pydantic import ValidationError

from appliance.errors import LatentError
from appliance.folders import shown, write_whole
from appliance.model.manifest import Member
from appliance.model.zips import write_zip
from appliance.service.pack.file import FORMAT, MANIFEST, MOST_PAGE_BYTES, SETTINGS, STATE, Manifest
from appliance.service.state import Fate, files, kind_of
from appliance.settings import BUILT_IN_BEDS, NO_BEDS, Settings

__all__ = ["Packed", "absent", "pack", "version"]

_BLOCK: Final = 1 << 20
_MODEL: Final = ".latent"

Blocks = Callable[[], Iterable[bytes]]


@dataclass(frozen=True)
class Packed:
    """What came of packing.

    Attributes
    ----------
    path : Path
    size : int
        Bytes.
    members : tuple of str
        What is in it but its manifest.
    notes : tuple of str
        Sentences on what was left out.
    """

    path: Path
    size: int
    members: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def models(self) -> int:
        """How many models are in it."""
        return sum(name.endswith(_MODEL) for name in self.members)


@dataclass
class _Found:
    """What goes into a pack: how each member is taken out once more, and what is said of it."""

    blocks: dict[str, Blocks] = field(default_factory=dict)
    members: dict[str, Member] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def add(self, name: str, blocks: Blocks) -> None:
        digest, size = hashlib.sha256(), 0
        for block in blocks():
            digest.update(block)
            size += len(block)
        self.blocks[name] = blocks
        self.members[name] = Member(sha256=digest.hexdigest(), size=size)

    def drop(self, name: str) -> None:
        self.blocks.pop(name, None)
        self.members.pop(name, None)


def version() -> str:
    """Of the program that runs."""
    return importlib.metadata.version("latent-appliance")


def pack(out: Path, state: Path, settings: Path, now_s: float) -> Packed:
    """Pack a machine. An engine may play meanwhile: each file is taken as it is at some moment.

    Parameters
    ----------
    out : Path
        Replaced in one move.
    state : Path
        The state folder.
    settings : Path
        Left out where there is none.
    now_s : float
        Seconds since 1970, by a clock that may be wrong.

    Raises
    ------
    LatentError
        If something cannot be read, or the pack not be written.
    """
    with contextlib.ExitStack() as stack:
        found = _Found()
        try:
            if settings.is_file():
                found.add(SETTINGS, partial(_whole, settings.read_bytes()))
            _add_state(found, state, stack)
        except OSError as error:
            raise LatentError(
                f"{shown(error.filename or state)} cannot be read ({error.strerror}): pack as root, or as the user that"
                " the engine runs as."
            ) from error
        created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now_s))
        manifest = Manifest(format=FORMAT, version=version(), created=created, members=found.members)
        first = (MANIFEST, [manifest.model_dump_json(indent=1).encode()])
        members = [first, *((name, blocks()) for name, blocks in found.blocks.items())]
        _write(out, members)
    return Packed(out, out.stat().st_size, tuple(found.blocks), tuple(found.notes))


def absent(settings: Settings) -> list[str]:
    """Say which folders and files a machine's settings name that it does not have; they are in no pack."""
    music, found = settings.music, []
    if music.beds not in (BUILT_IN_BEDS, NO_BEDS):
        found.append(("the recordings", music.beds))
    if "/" in music.model or music.model.endswith(_MODEL):
        found.append(("the model", music.model))
    if settings.model.incoming is not None:
        found.append(("the folder for models", settings.model.incoming))
    return [
        f"The settings name {what} {shown(path)}, which no pack holds and this machine has not: bring it by hand."
        for what, path in found
        if not _is_there(path)
    ]


def _is_there(path: str) -> bool:
    try:
        return Path(path).expanduser().exists()
    except (OSError, RuntimeError):
        return False


def _add_state(found: _Found, state: Path, stack: contextlib.ExitStack) -> None:
    for name, path in files(state, Fate.PACKED):
        kind = kind_of(name)
        assert kind is not None
        # An engine that plays may throw away, or replace, what was listed a moment ago.
        with contextlib.suppress(FileNotFoundError):
            if kind.page is None:
                file = stack.enter_context(path.open("rb"))
                found.add(STATE + name, partial(_blocks, file))
                if found.members[STATE + name].sha256 != path.stem:
                    found.drop(STATE + name)
                    found.notes.append(f"A model is left out, for its file {shown(path)} is damaged: copy it anew.")
                continue
            content = path.read_bytes()
            try:
                if len(content) > MOST_PAGE_BYTES:
                    raise ValueError
                kind.page.model_validate_json(content)
            except (ValidationError, ValueError):
                found.notes.append(f"{shown(path)} is damaged, so it is left out.")
                continue
            found.add(STATE + name, partial(_whole, content))
    _drop_halves(found)


def _drop_halves(found: _Found) -> None:
    """Leave out bundles of which nothing is known, and pages without a bundle: neither counts alone."""
    store = f"{STATE}models/store/"
    for name in [name for name in found.blocks if name.startswith(store)]:
        stem = name.rpartition(".")[0]
        if not {stem + _MODEL, f"{stem}.json"} <= found.blocks.keys():
            found.drop(name)


def _whole(content: bytes) -> Iterator[bytes]:
    yield content


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    file.seek(0)
    while block := file.read(_BLOCK):
        yield block


def _write(out: Path, members: Iterable[tuple[str, Iterable[bytes]]]) -> None:
    try:
        write_whole(out, lambda file: write_zip(file, members))
    except OSError as error:
        raise LatentError(
            f"{shown(out)} cannot be written ({error.strerror}): choose a folder with room that you may write to."
        ) from error
    except zipfile.LargeZipFile as error:
        raise LatentError("The models come to more than 2 GiB: remove some with latent model remove.") from error
