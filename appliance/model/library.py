"""Which file a model's name stands for."""

import difflib
from pathlib import Path
from typing import Final

from appliance.errors import ModelError
from appliance.folders import shown, state_folder

__all__ = ["DEFAULT", "find", "folders"]

DEFAULT: Final = "default"
_SUFFIX: Final = ".latent"
_SHIPPED: Final = Path(__file__).parents[2] / "models"


def folders() -> tuple[Path, Path]:
    """Give the folder of models that were put on this machine, and that of the shipped ones."""
    return state_folder() / "models", _SHIPPED


def find(name_or_path: str | None) -> Path:
    """Find the file of a model.

    Parameters
    ----------
    name_or_path : str or None
        None or ``default`` is the model that is shipped; something with a ``/`` or ending in ``.latent`` is a
        path; anything else is a name, sought among the models of this machine and then among the shipped ones.

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
    except OSError as error:
        raise ModelError(
            f"The model {shown(name_or_path)} cannot be looked up ({error.strerror}): check its path and its rights."
        ) from error
    except RuntimeError as error:
        raise ModelError(
            f"The model {shown(name_or_path)} cannot be looked up: there is no such home folder, so give its full path."
        ) from error


def _at(path: Path) -> Path:
    if not path.exists():
        raise ModelError(f"{shown(path)} does not exist{_hint(path.stem, _stems(path.parent), 'in that folder')}")
    return path


def _named(name: str) -> Path:
    local, shipped = folders()
    for folder in (local, shipped):
        path = folder / (name + _SUFFIX)
        if path.exists():
            return path
    known = sorted({*_stems(local), *_stems(shipped)})
    raise ModelError(f"There is no model named {name!r}{_hint(name, known, 'on this machine')}")


def _stems(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.glob(f"*{_SUFFIX}"))


def _hint(asked: str, known: list[str], where: str) -> str:
    if not known:
        return f"; there are no models {where}, so name a {_SUFFIX} file by its path."
    close = difflib.get_close_matches(asked, known, n=1)
    suggestion = f"; did you mean {close[0]!r}" if close else ""
    return f"{suggestion}; the models {where} are: {', '.join(map(shown, known))}."
