"""``latent light``."""

import threading
from pathlib import Path

import click

from appliance.cli.process import (
    config_option,
    forgiving_option,
    name_process,
    runtime_folder_used,
    settings_of,
    tell,
)
from appliance.errors import SettingsError
from appliance.folders import runtime_folder
from appliance.stopping import stop_when_told

__all__ = ["light"]


@click.command()
@config_option
@forgiving_option
def light(config: Path | None, forgiving: bool) -> int:
    """Let the status light tell how things are: steady sounds, slow blinking holds, quick blinking is a fault.

    Example: latent light --config /etc/latent/latent.toml
    """
    stop = threading.Event()
    stop_when_told(stop)

    from appliance.health.watchdog import watchdog_from_environment

    name_process("latent light")
    watchdog = watchdog_from_environment()
    table = settings_of(config, forgiving)[0].light
    if table is None:
        raise SettingsError(
            "The settings name no light: add a table [light] with the BCM number of its pin, as pin = 25."
        )

    from appliance.service.light import run

    with runtime_folder_used():
        run(table.pin, table.active_high, runtime_folder(), stop, tell, watchdog)
    return 0
