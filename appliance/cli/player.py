"""``latent player``."""

import os
import sys
import threading
from pathlib import Path
from typing import NoReturn

import click

from appliance.cli.process import card_option, config_option, name_process, runtime_folder_used, tell
from appliance.folders import runtime_folder
from appliance.stopping import stop_when_told

__all__ = ["player"]


@click.command()
@config_option
@card_option
@click.option("--told", type=click.Path(path_type=Path), hidden=True)
def player(config: Path | None, devices: tuple[str, ...], told: Path | None) -> int:
    """Play what the engine makes; `latent play` runs both.

    Example: latent player --device USB
    """
    with runtime_folder_used():
        return _play(_become_light(config, devices) if told is None else told)


def _become_light(config: Path | None, devices: tuple[str, ...]) -> NoReturn:
    """Read the settings, then begin again without what that took to load."""
    from appliance.service.handover import hand_over
    from appliance.settings_file import read_settings

    path = hand_over(runtime_folder(), read_settings(config), devices, "")
    os.execv(sys.executable, [sys.executable, sys.argv[0], "player", "--told", str(path)])


def _play(told: Path) -> int:
    stop = threading.Event()
    stop_when_told(stop)

    from appliance.health.watchdog import watchdog_from_environment
    from appliance.service.player import Wish, run

    name_process("latent player")
    watchdog = watchdog_from_environment()
    run(Wish.read(told, tell), runtime_folder(), stop, tell, watchdog)
    return 0
