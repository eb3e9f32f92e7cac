"""Which model a name stands for, and which file a model is: those copied to this machine first, then the shipped."""

import difflib
import hashlib
import os
import pwd
from pathlib import Path
from typing import Final

from appliance.errors import ModelError
from appliance.folders import shown, state_folder
from appliance.model.choice import Pointer, begins
from appliance.model.store import Store
from appliance.names import quoted

__all__ = ["DEFAULT", "digest", "find", "folders", "place_of", "pointer_to", "shipped"]

DEFAULT: Final = "default"
_SUFFIX: Final = ".latent"
_SHIPPED: Final = Path(__file__).parents[2] / "models"


def folders() -> tuple[Path, Path]:
    """Give the folder of the store of models that were copied to this machine, and that of the shipped ones."""
    return state_folder() / "models", _SHIPPED


def shipped() -> dict[str, Path]:
    """Give the shipped models by name."""
    return {path.stem: path for path in sorted(_SHIPPED.glob(f"*{_SUFFIX}"))}


def digest(path: Path) -> str:
    """Give the sha256 of a model's file, in hex.

    Raises
    ------
    ModelError
        If it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(
            f"{shown(path)} could not be read ({error.strerror}); check its permissions and its disk."
        ) from error


def pointer_to(word: str, store: Store) -> Pointer:
    """Find a model by its name, the name its file had, or four or more digits of its digest.

    Raises
    ------
    ModelError
        If there is none.
    """
    own = None if word == DEFAULT else store.match(word)
    if own is not None:
        return Pointer(digest=own.digest, name=own.verdict.name)
    ours = shipped()
    if word in ours:
        return Pointer(digest=digest(ours[word]), name=word, shipped=True)
    for name, path in ours.items():
        found = digest(path)
        if begins(found, word):
            return Pointer(digest=found, name=name, shipped=True)
    raise ModelError(f"There is no model named {quoted(word)}{_hint(word, _known(store), 'on this machine')}")


def place_of(pointer: Pointer, store: Store) -> Path:
    """Give the file of a model; what is in it was not looked at.

    Raises
    ------
    ModelError
        If it is gone.
    """
    path = shipped().get(pointer.name) if pointer.shipped else store.path(pointer.digest)
    if path is None or not path.is_file():
        remedy = "install the program anew" if pointer.shipped else "copy it again"
        raise ModelError(f"The model {shown(pointer.name)} is gone from this machine: {remedy}, or choose another.")
    return path


def find(name_or_path: str | None) -> Path:
    """Find the file of a model.

    Parameters
    ----------
    name_or_path : str or None
        None or ``default`` is the model that is shipped; something with a ``/`` or ending in ``.latent`` is a
        path; the name of a shipped model is that one, whatever was copied here; anything else is what `pointer_to`
        takes.

    Returns
    -------
    Path
        A file that exists; what is in it was not looked at.

    Raises
    ------
    ModelError
        If there is no such file, or it cannot be looked up.
    """
    if name_or_path is None or name_or_path == DEFAULT:
        path = _SHIPPED / (DEFAULT + _SUFFIX)
        if not path.exists():
            raise ModelError(f"The shipped model {path} is missing; fetch it again, or name another with --model.")
        return path
    if not name_or_path.strip():
        raise ModelError("The model's name is empty: give a name, or the path of a .latent file.")
    try:
        if "/" in name_or_path or name_or_path.endswith(_SUFFIX):
            return _at(Path(name_or_path).expanduser())
        return _named(name_or_path)
    except PermissionError as error:
        raise ModelError(
            f"The model {shown(name_or_path)} cannot be looked up (Permission denied): copy it where the user"
            f" {_who()} may read it, as to /tmp."
        ) from error
    except OSError as error:
        raise ModelError(
            f"The model {shown(name_or_path)} cannot be looked up ({error.strerror}): check its path and its rights."
        ) from error
    except RuntimeError as error:
        raise ModelError(
            f"The model {shown(name_or_path)} cannot be looked up: there is no such home folder, so give its full path."
        ) from error


def _who() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def _at(path: Path) -> Path:
    if not path.exists():
        raise ModelError(f"{shown(path)} does not exist{_hint(path.stem, _stems(path.parent), 'in that folder')}")
    return path


def _named(name: str) -> Path:
    ours = shipped()
    if name in ours:
        return ours[name]
    store = Store(folders()[0])
    return place_of(pointer_to(name, store), store)


def _known(store: Store) -> list[str]:
    return sorted({*(entry.verdict.name for entry in store.entries()), *shipped()})


def _stems(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.glob(f"*{_SUFFIX}"))


def _hint(asked: str, known: list[str], where: str) -> str:
    if not known:
        return f"; there are no models {where}, so name a {_SUFFIX} file by its path."
    close = difflib.get_close_matches(asked, known, n=1)
    suggestion = f"; did you mean {close[0]!r}" if close else ""
    return f"{suggestion}; the models {where} are: {', '.join(map(shown, known))}."
