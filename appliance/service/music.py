"""Whether what the settings name to be played is there."""

from pathlib import Path

from appliance.errors import ModelError
from appliance.folders import shown
from appliance.model.bundle import read
from appliance.model.library import DEFAULT, find, folders
from appliance.model.store import Store
from appliance.settings import BUILT_IN_BEDS, NO_BEDS, MusicSettings

__all__ = ["missing"]


def missing(music: MusicSettings) -> list[str]:
    """Say in a sentence each what of model and recordings is not there, or cannot be read by who looks."""
    problems = []
    choice = Store(folders()[0]).choice()
    # Where another was chosen since, that one plays.
    if music.model != DEFAULT and (choice.current is None or choice.base != music.model):
        try:
            read(find(music.model))
        except ModelError as error:
            problems.append(str(error))
    if music.beds not in (BUILT_IN_BEDS, NO_BEDS) and not _is_folder(music.beds):
        problems.append(f"There is no folder of recordings {shown(music.beds)}: check its path, or set beds to none.")
    return problems


def _is_folder(name: str) -> bool:
    try:
        return Path(name).expanduser().is_dir()
    except (OSError, RuntimeError):
        return False
