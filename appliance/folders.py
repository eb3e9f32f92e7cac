"""Where things are kept: systemd's folders where it gives them, else the XDG folders of the user."""

import os
from pathlib import Path

__all__ = ["cache_folder", "configuration_folder", "state_folder"]


def _folder(systemd: str, xdg: str, fallback: str) -> Path:
    given = os.environ.get(systemd)
    if given:
        # systemd joins several folders with colons; ours is the first.
        return Path(given.split(":")[0])
    return Path(os.environ.get(xdg) or Path.home() / fallback) / "latent"


def state_folder() -> Path:
    """What must survive: models that were copied to the box, what was learned there."""
    return _folder("STATE_DIRECTORY", "XDG_STATE_HOME", ".local/state")


def cache_folder() -> Path:
    """What can be made again: prepared recordings."""
    return _folder("CACHE_DIRECTORY", "XDG_CACHE_HOME", ".cache")


def configuration_folder() -> Path:
    """Where ``latent.toml`` is looked for."""
    return _folder("CONFIGURATION_DIRECTORY", "XDG_CONFIG_HOME", ".config")
