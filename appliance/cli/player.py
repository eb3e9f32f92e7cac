"""``latent player``."""

import json
import os
import sys
import threading
from pathlib import Path

import click

from appliance.cli.process import card_option, config_option, name_process, stop_when_told, tell
from appliance.errors import RingError
from appliance.folders import runtime_folder

__all__ = ["player"]


@click.command()
@config_option
@card_option
@click.option("--wish", hidden=True)
def player(config: Path | None, devices: tuple[str, ...], wish: str | None) -> int:
    """Play what the engine makes; `latent play` runs both.

    Example: latent player --device USB
    """
    if wish is None:
        _become_light(config, devices)
    return _play(json.loads(wish or "{}"))


def _become_light(config: Path | None, devices: tuple[str, ...]) -> None:
    """Read the settings, then begin again without what that took to load."""
    from appliance.settings import read_settings

    card = read_settings(config).card
    wish = {
        "names": devices or card.device,
        "rate": card.rate,
        "channels": card.channels,
        "reserve_s": card.reserve_s,
    }
    os.execv(sys.executable, [sys.executable, sys.argv[0], "player", "--wish", json.dumps(wish)])


def _play(wish: dict[str, object]) -> int:
    stop = threading.Event()
    stop_when_told(stop)

    from appliance.health.watchdog import watchdog_from_environment
    from appliance.service.player import Wish, run

    name_process("latent player")
    watchdog = watchdog_from_environment()
    try:
        run(Wish.of(wish), runtime_folder(), stop, tell, watchdog)
    except OSError as error:
        raise RingError(
            f"The folder for what runs cannot be used ({error.strerror}): set RUNTIME_DIRECTORY."
        ) from error
    return 0
