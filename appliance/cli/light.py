"""``latent light``."""

import threading
from pathlib import Path

import click

from appliance.cli.process import config_option, name_process, stop_when_told, tell
from appliance.errors import RingError, SettingsError
from appliance.folders import runtime_folder

__all__ = ["light"]


@click.command()
@config_option
def light(config: Path | None) -> int:
    """Let the status light tell how things are: steady sounds, slow blinking holds, quick blinking is a fault.

    Example: latent light --config /etc/latent/latent.toml
    """
    stop = threading.Event()
    stop_when_told(stop)

    from appliance.health.watchdog import watchdog_from_environment
    from appliance.settings import read_settings

    name_process("latent light")
    watchdog = watchdog_from_environment()
    table = read_settings(config).light
    if table is None:
        raise SettingsError(
            "The settings name no light: add a table [light] with the BCM number of its pin, as pin = 25."
        )

    from appliance.service.light import run

    try:
        run(table.pin, table.active_high, runtime_folder(), stop, tell, watchdog)
    except OSError as error:
        raise RingError(
            f"The folder for what runs cannot be used ({error.strerror}): set RUNTIME_DIRECTORY."
        ) from error
    return 0
