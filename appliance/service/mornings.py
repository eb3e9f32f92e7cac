"""Every morning differs: what a boot begins with, from a count of boots and a number drawn once, never from a clock.

A box without a clock chip believes every morning to be the same day, so no time of day is asked for.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from appliance.engine.saved import MOST_BYTES, Saved, dump, load
from appliance.folders import shown, write_whole
from appliance.settings import MusicSettings

__all__ = ["Morning", "Mornings"]

# Every seed fits in so many bits, so that `latent render --seed` takes it.
_SEED_BITS: Final = 63


@dataclass(frozen=True)
class Morning:
    """What to begin with: a seed, how many boots there were with this one, and the place to go on from, if any."""

    seed: int
    boots: int
    resume: Saved | None


class _Counted(BaseModel):
    """What ``mornings.json`` holds."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    installation: Annotated[int, Field(ge=0, lt=1 << _SEED_BITS)]
    boots: Annotated[int, Field(ge=0, lt=1 << 53)]


class Mornings:
    """Counts boots and keeps the last place in a folder; whatever is wrong with it, music begins. One thread at a time.

    Parameters
    ----------
    folder : Path
        Made where it is missing.
    say : callable
        Told in one sentence of what cannot be read or written.
    """

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        self._count = folder / "mornings.json"
        self._place = folder / "place.json"
        self._say = say
        self._keeps = False
        self._told = False

    def begin(self, music: MusicSettings) -> Morning:
        """Count a boot, with one write, and say what to begin with.

        To be called once for each start that does not go on from the ring.
        """
        known = self._counted()
        boots = known.boots + 1
        written = self._write(self._count, known.model_copy(update={"boots": boots}).model_dump_json().encode())
        base = known.installation if music.seed is None else music.seed
        self._keeps = music.each_morning == "continue"
        resume = self._kept() if self._keeps else None
        if resume is not None:
            return Morning(resume.cursor.seed, boots, resume)
        if music.each_morning != "new":
            return Morning(base, boots, None)
        # A count that could not be written will come again.
        return Morning(_hashed(base, boots, 0 if written else secrets.randbits(_SEED_BITS)), boots, None)

    def keep_place(self, saved: Saved) -> bool:
        """Write where the music is, if the next morning is to go on from there; to be called at each new piece.

        Gives whether that is so.
        """
        return self._keeps and self._write(self._place, dump(saved.cursor, saved.mood, saved.base))

    def _counted(self) -> _Counted:
        """Read the count, or begin a new one."""
        content = self._read(self._count)
        try:
            if content is not None:
                return _Counted.model_validate_json(content)
        except ValueError:
            self._say(f"The count of boots in {shown(self._count)} is damaged and begins anew.")
        return _Counted(installation=secrets.randbits(_SEED_BITS), boots=0)

    def _kept(self) -> Saved | None:
        """Read the last place, if there is one."""
        content = self._read(self._place)
        try:
            return None if content is None else load(content)
        except ValueError:
            self._say(f"The place in {shown(self._place)} is damaged, so the music begins anew.")
            return None

    def _read(self, path: Path) -> bytes | None:
        """Give what a file holds; None where it is missing or cannot be read."""
        try:
            with path.open("rb") as file:
                return file.read(MOST_BYTES + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            self._say(f"{shown(path)} cannot be read ({error.strerror}): check its rights and its disk.")
            return None

    def _write(self, path: Path, content: bytes) -> bool:
        """Write a file whole. A disk that is full stays so for a while: that is said once."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, lambda file: file.write(content))
        except OSError as error:
            if not self._told:
                self._say(f"{shown(path)} cannot be written ({error.strerror}): make room for it or make it writable.")
            self._told = True
            return False
        return True


def _hashed(base: int, boots: int, chance: int) -> int:
    """Mix numbers into a seed of 63 bits."""
    digest = blake2b(f"{base} {boots} {chance}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> (64 - _SEED_BITS)
