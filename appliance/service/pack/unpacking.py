"""Unpacking a pack here: all of it is looked at before anything changes, and each change is whole.

The power may fail at any instant. Until everything was looked at, what is here is as it was. From then until the end a
mark lies in the state folder: what is here plays, and unpacking the same file again completes it. What was here before
is packed beside it first.
"""

import contextlib
import errno
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from appliance.errors import LatentError, UsageError
from appliance.folders import shown, sync_folder, write_whole
from appliance.model.choice import Choice, Probation
from appliance.model.disk import make_folder
from appliance.model.store import Store
from appliance.service.arriving.intake import Judge
from appliance.service.owner import as_owner
from appliance.service.pack.file import SETTINGS, Pack
from appliance.service.pack.look import Looked, look
from appliance.service.pack.packing import pack
from appliance.service.state import BEFORE, CHOICE, NEWER_BEFORE, UNFINISHED, Fate, files, kind_of
from appliance.stream.ring import claim

__all__ = ["Target", "Unpacked", "unpack"]


@dataclass(frozen=True)
class Target:
    """The machine: its folders for what survives and for what runs, and its settings file."""

    state: Path
    runtime: Path
    settings: Path


@dataclass(frozen=True)
class Unpacked:
    """What came of unpacking, or would.

    Attributes
    ----------
    version, created : str
        Of the pack.
    models, refused : tuple of str
        Names of the models that play here; sentences on those that do not.
    notes : tuple of str
        Sentences on what is to be done by hand.
    before : Path or None
        The pack of what was here before, where anything was.
    """

    version: str
    created: str
    models: tuple[str, ...]
    refused: tuple[str, ...]
    notes: tuple[str, ...]
    before: Path | None


def unpack(
    path: Path, target: Target, judge: Judge, say: Callable[[str], None], *, force: bool = False, dry_run: bool = False
) -> Unpacked:
    """Make this machine what the packed one was, but for what makes it another: see `appliance.service.state`.

    Parameters
    ----------
    path : Path
        The pack.
    target : Target
    judge : callable
        Tries a model on this machine.
    say : callable
        Told in one sentence what takes a while.
    force : bool
        Also where something was taught to this machine already.
    dry_run : bool
        Look at everything, and change nothing.

    Raises
    ------
    UsageError
        If something was taught here, and it is not forced.
    LatentError
        If the pack cannot be used, an engine runs, or the disk refuses; as long as it was looked at, nothing changed.
    """
    # As long as the store lives, nobody takes its copies for leftovers.
    store = Store(target.state / "models")
    with Pack(path) as opened, contextlib.ExitStack() as stack, _working(target):
        settings = None if dry_run else _new_settings(opened, target.settings)
        with as_owner(target.state):
            if not dry_run:
                stack.callback(os.close, _alone(target.runtime))
            _check_untaught(target.state, force)
            looked = look(opened, store, judge, say, stack, dry_run)
        before = None if dry_run else _change(looked, settings, target, store, path)
    names = tuple(verdict.name for _, _, verdict in looked.models)
    told = opened.manifest
    return Unpacked(told.version, told.created, names, tuple(looked.refused), tuple(looked.notes), before)


def _new_settings(opened: Pack, path: Path) -> bytes | None:
    """Give the settings of a pack where they are others than those here, and may be written."""
    content = opened.page(SETTINGS) if SETTINGS in opened.names else None
    if content is None or (path.is_file() and path.read_bytes() == content):
        return None
    folder = next(each for each in path.absolute().parents if each.exists())
    if not os.access(folder, os.W_OK | os.X_OK):
        raise LatentError(f"The settings {shown(path)} cannot be written: unpack as root, with sudo.")
    return content


def _check_untaught(state: Path, force: bool) -> None:
    # That nothing was chosen is written down, too.
    choice = Store(state / "models").choice()
    chosen = choice.current is not None or choice.previous is not None
    taught = next((each for each in files(state, Fate.PACKED) if chosen or each[0] != CHOICE), None)
    if taught is None or force or (state / UNFINISHED).exists():
        return
    kind = kind_of(taught[0])
    assert kind is not None
    raise UsageError(
        f"This machine has {kind.name} of its own: with --force the pack takes the place of all that was taught here,"
        f" which {shown(state / BEFORE)} then keeps."
    )


def _alone(runtime: Path) -> int:
    """Keep engines away for as long as the file that is given stays open. Raises LatentError."""
    try:
        return claim(runtime, "engine")
    except LatentError as error:
        if not isinstance(error.__cause__, BlockingIOError):
            raise
        raise LatentError(
            "Latent plays on this machine: stop it first, with sudo systemctl stop latent.target, or by ending latent"
            " play."
        ) from error


def _change(looked: Looked, settings: bytes | None, target: Target, store: Store, path: Path) -> Path | None:
    """Put in place what was looked at, in an order in which what is here plays at any time."""
    state, before, newer = target.state, target.state / BEFORE, target.state / NEWER_BEFORE
    with as_owner(state):
        make_folder(state)
        # Cut off before, so what was here then is packed already.
        again = (state / UNFINISHED).exists()
        if not again and (any(files(state, Fate.PACKED)) or target.settings.is_file()):
            # On the way back, the pack itself is needed until all is done.
            way_back = before.exists() and before.samefile(path)
            pack(newer if way_back else before, state, target.settings, time.time())
        _put(state / UNFINISHED, b"Unpack the same file again.\n")
        for entry, copy, verdict in looked.models:
            store.add(copy, entry.file, verdict, entry.arrived_at)
            if entry.failed:
                store.fail(entry.digest, entry.failed)
    if settings is not None:
        make_folder(target.settings.parent)
        if not again and target.settings.is_file():
            _put(target.settings.with_name(f"{target.settings.name}.before-unpack"), target.settings.read_bytes())
        _put(target.settings, settings)
    with as_owner(state):
        for name, content in looked.pages.items():
            make_folder((state / name).parent)
            _put(state / name, content)
        choice = _on_probation(looked)
        if choice != store.choice():
            store.note(lambda _: choice)
        _remove_others(looked, state, store)
        if newer.exists():
            newer.replace(before)
        (state / UNFINISHED).unlink()
        sync_folder(state)
    return before if before.exists() else None


def _put(path: Path, content: bytes) -> None:
    write_whole(path, lambda file: file.write(content))


def _on_probation(looked: Looked) -> Choice:
    """What was chosen, as if it were chosen now: this machine has yet to show that it can live with it."""
    current, previous = (
        pointer if pointer is not None and (pointer.shipped or pointer.digest in looked.digests) else None
        for pointer in (looked.choice.current, looked.choice.previous)
    )
    probation = None if current is None else Probation(digest=current.digest)
    return looked.choice.model_copy(update={"current": current, "previous": previous, "probation": probation})


def _remove_others(looked: Looked, state: Path, store: Store) -> None:
    """Take away what the packed machine did not have."""
    for entry in store.entries():
        if entry.digest not in looked.digests:
            store.remove(entry.digest)
    taught = [
        path for name, path in files(state, Fate.PACKED) if not (name.startswith("models/") or name in looked.pages)
    ]
    for path in (*taught, *(path for _, path in files(state, Fate.ANEW))):
        path.unlink()
        sync_folder(path.parent)


@contextlib.contextmanager
def _working(target: Target) -> Iterator[None]:
    """Turn what the disk refuses into a sentence."""
    try:
        yield
    except OSError as error:
        where = shown(error.filename if isinstance(error.filename, str | Path) else target.state)
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        remedy = "make room" if full else "unpack as root, with sudo, and check the disk"
        raise LatentError(f"{where} cannot be written ({error.strerror}): {remedy}, and unpack it again.") from error
