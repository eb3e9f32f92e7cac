"""Room on the disk: what goes when a model comes, and whether there is enough for it."""

import os
import time
from collections.abc import Callable
from typing import Final

from appliance.model.store import Store
from appliance.service.arriving.rejected import Rejected
from appliance.settings import ModelSettings

__all__ = ["Pruning"]

_MIB: Final = 2**20
# The store never gives away more.
_FEWEST: Final = 2


class Pruning:
    """Keeps what the settings say, and makes room.

    Parameters
    ----------
    store : Store
    rejected : Rejected
    settings : ModelSettings
    wall : callable
        Seconds since 1970.
    """

    def __init__(
        self, store: Store, rejected: Rejected, settings: ModelSettings, wall: Callable[[], float] = time.time
    ) -> None:
        self._store = store
        self._rejected = rejected
        self._settings = settings
        self._wall = wall

    def prune(self) -> None:
        """Throw away what is too many or too old.

        Raises
        ------
        ModelError
            If the disk refuses.
        """
        self._keep(self._settings.keep)
        self._rejected.prune(self._wall())

    def free_bytes(self) -> int:
        """Bytes that are free where the models lie, beyond those that models must leave free."""
        folder = self._store.folder
        there = next(each for each in (folder, *folder.parents) if each.exists())
        disk = os.statvfs(there)
        return disk.f_bavail * disk.f_frsize - self._settings.free_mb * _MIB

    def has_room(self, size: int) -> bool:
        """Tell whether so many bytes fit; where they do not, throw away what is least missed, if that is enough.

        Raises
        ------
        ModelError
            If the disk refuses.
        """
        if self.free_bytes() >= size:
            return True
        self._rejected.prune(self._wall(), 0)
        loose = sum(entry.verdict.size for entry in self._store.entries() if entry.digest not in self._spared())
        if self.free_bytes() + loose < size:
            return False
        for keep in range(self._settings.keep, _FEWEST - 1, -1):
            if self.free_bytes() >= size:
                break
            self._keep(keep)
        return self.free_bytes() >= size

    def _keep(self, keep: int) -> None:
        self._store.prune(keep, self._settings.keep_days, self._wall(), self._spared())

    def _spared(self) -> set[str]:
        """Digests of what the playlist names."""
        found = (self._store.match(each.model) for each in self._settings.playlist)
        return {entry.digest for entry in found if entry is not None}
