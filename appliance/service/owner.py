"""Working in a folder as the user to whom it belongs, where root is at the keyboard."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

__all__ = ["as_owner"]


@contextlib.contextmanager
def as_owner(folder: Path) -> Iterator[None]:
    """Do what is inside as the owner of a folder, or of the nearest one above it that is there; only root changes.

    What is written is theirs then, no link that they left leads root astray, and processes started meanwhile cannot
    become root again.
    """
    owner = _nearest(folder).stat()
    if os.geteuid() != 0 or owner.st_uid == 0:
        yield
        return
    groups, users, gids = os.getgroups(), os.getresuid(), os.getresgid()
    os.setgroups([owner.st_gid])
    os.setresgid(owner.st_gid, owner.st_gid, gids[1])
    # The saved one is the way back; a new program takes the effective one in its place.
    os.setresuid(owner.st_uid, owner.st_uid, 0)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setresuid(*users)
        os.setresgid(*gids)
        os.setgroups(groups)


def _nearest(folder: Path) -> Path:
    return next(each for each in (folder, *folder.absolute().parents) if each.exists())
