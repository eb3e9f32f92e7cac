"""Which file a model's name stands for."""

import difflib
from pathlib import Path
from typing import Final

from appliance.errors import ModelError
from appliance.folders import state_folder

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
        If there is no such file.
    """
    local, shipped = folders()
    if name_or_path is None or name_or_path == DEFAULT:
        path = shipped / (DEFAULT + _SUFFIX)
        if not path.exists():
            raise ModelError(f"The shipped model {path} is missing; fetch it again, or name another with --model.")
        return path
    if "/" in name_or_path or name_or_path.endswith(_SUFFIX):
        path = Path(name_or_path).expanduser()
        if not path.exists():
            raise ModelError(f"{path} does not exist{_hint(path.stem, _stems(path.parent), 'in that folder')}")
        return path
    for folder in (local, shipped):
        path = folder / (name_or_path + _SUFFIX)
        if path.exists():
            return path
    known = sorted({*_stems(local), *_stems(shipped)})
    raise ModelError(f"There is no model named {name_or_path!r}{_hint(name_or_path, known, 'on this machine')}")


def _stems(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.glob(f"*{_SUFFIX}"))


def _hint(asked: str, known: list[str], where: str) -> str:
    if not known:
        return f"; there are no models {where}, so name a {_SUFFIX} file by its path."
    close = difflib.get_close_matches(asked, known, n=1)
    suggestion = f"; did you mean {close[0]!r}" if close else ""
    return f"{suggestion}; the models {where} are: {', '.join(known)}."
