"""What the state folder consists of, each sort of file once: who adds one decides here what becomes of it in a pack."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

from pydantic import BaseModel

from appliance.model.choice import Choice, Entry
from appliance.service.knob_ends import CalibrationFile
from appliance.service.places import PlacesFile
from appliance.service.scenes import ScenesFile

__all__ = ["BEFORE", "CHOICE", "KINDS", "NEWER_BEFORE", "UNFINISHED", "Fate", "Kind", "files", "kind_of"]

CHOICE: Final = "models/choice.json"
BEFORE: Final = "before-unpack.latentpack"
"""What was there before a pack was unpacked here."""
NEWER_BEFORE: Final = f"{BEFORE}.new"
"""The same while that one is being unpacked itself."""
UNFINISHED: Final = "unpack.unfinished"
"""Lies there from the first change that unpacking makes until the last."""


class Fate(Enum):
    """What becomes of a file when the state of one machine goes to another."""

    PACKED = "is in the pack, and takes the place of what was there"
    ANEW = "is not in the pack, and what was there goes: it begins anew"
    STAYS = "is not in the pack, and what was there stays"


@dataclass(frozen=True)
class Kind:
    """A sort of file.

    Attributes
    ----------
    name : str
        What sentences call it.
    pattern : str
        Of its path below the state folder, with slashes; so no path leads out of it.
    fate : Fate
    why : str
    page : type of pydantic model, optional
        What a packed one holds; None is a model.
    """

    name: str
    pattern: str
    fate: Fate
    why: str
    page: type[BaseModel] | None = None


KINDS: Final = (
    Kind("models", r"models/store/[0-9a-f]{64}\.latent", Fate.PACKED, "what plays"),
    Kind("what is known of models", r"models/store/[0-9a-f]{64}\.json", Fate.PACKED, "how they are called", Entry),
    Kind("the choice of a model", re.escape(CHOICE), Fate.PACKED, "with the place in the playlist", Choice),
    Kind("kept and banned places", r"places/[0-9a-f]{16}\.json", Fate.PACKED, "taught by hand", PlacesFile),
    Kind("scenes", r"scenes\.json", Fate.PACKED, "taught by hand", ScenesFile),
    Kind("ends of controls", r"calibration\.json", Fate.PACKED, "the same wall is wired to it", CalibrationFile),
    Kind("the count of boots", r"mornings\.json", Fate.ANEW, "with its number, two boxes would play the same"),
    Kind("the place in the music", r"place\.json", Fate.ANEW, "another box begins where it likes"),
    Kind("where hands stood", r"hands\.json", Fate.ANEW, "goes with the place in the music"),
    Kind("evidence", r"evidence(/.*)?", Fate.STAYS, "of what happened to this machine"),
    Kind("the level in the room", r"level\.json", Fate.STAYS, "of its amplifier and loudspeakers"),
    Kind("models that arrive", r"incoming(/.*)?", Fate.STAYS, "nobody has tried them yet"),
    Kind("refused models", r"(models/)?rejected(/.*)?", Fate.STAYS, "refused on this machine"),
    Kind("locks", r"models/\.(lock|copying)", Fate.STAYS, "they hold nothing"),
    Kind("half-written files", r"(.+/)?\.[^/]+[.-][^/.]{8}", Fate.STAYS, "of a moment, or a power cut"),
    Kind("damaged files", r"(.+/)?[^/]+\.damaged(-\d+)?", Fate.STAYS, "set aside for somebody to look at"),
    Kind("the state before", rf"{re.escape(BEFORE)}(\.new)?", Fate.STAYS, "the way back"),
    Kind("the mark of an unfinished unpack", re.escape(UNFINISHED), Fate.STAYS, "says that it is to be run again"),
)


def kind_of(path: str) -> Kind | None:
    """Tell what sort of file a path below the state folder is; None where nobody decided."""
    return next((kind for kind in KINDS if re.fullmatch(kind.pattern, path)), None)


def files(folder: Path, fate: Fate) -> Iterator[tuple[str, Path]]:
    """Give the plain files of a fate, by their paths below the state folder, sorted; OSError if it cannot be read."""
    for where in sorted({kind.pattern.rpartition("/")[0] for kind in KINDS if kind.fate is fate}):
        below = folder / where
        for path in sorted(below.iterdir()) if below.is_dir() else ():
            name = path.relative_to(folder).as_posix()
            kind = kind_of(name)
            if kind is not None and kind.fate is fate and path.is_file() and not path.is_symlink():
                yield name, path
