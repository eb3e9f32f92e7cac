"""``latent snapcast``."""

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

__all__ = ["snapcast"]


@click.command()
@config_option
@forgiving_option
def snapcast(config: Path | None, forgiving: bool) -> int:
    """Send what the room hears to a Snapcast server, so that many rooms play in step; `latent play` runs it too.

    Example: latent snapcast --config /etc/latent/latent.toml
    """
    stop = threading.Event()
    stop_when_told(stop)

    from appliance.health.watchdog import watchdog_from_environment

    name_process("latent snapcast")
    watchdog = watchdog_from_environment()
    table = settings_of(config, forgiving)[0].snapcast
    if table is None:
        raise SettingsError("The settings name no Snapcast server: add a table [snapcast], which may be empty.")

    from appliance.service.snapcast import run

    with runtime_folder_used():
        run(table, runtime_folder(), stop, tell, watchdog)
    return 0
