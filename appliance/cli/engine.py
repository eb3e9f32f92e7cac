"""``latent engine``."""

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
from appliance.folders import runtime_folder
from appliance.stopping import stop_when_told

__all__ = ["engine"]


@click.command()
@config_option
@forgiving_option
def engine(config: Path | None, forgiving: bool) -> int:
    """Make the music that the player plays; `latent play` runs both.

    Example: latent engine --config /etc/latent/latent.toml
    """
    stop = threading.Event()
    stop_when_told(stop)

    from appliance.health.watchdog import watchdog_from_environment

    name_process("latent engine")
    watchdog = watchdog_from_environment()
    settings, trouble = settings_of(config, forgiving)

    from appliance.service.engine import run

    with runtime_folder_used():
        run(settings, runtime_folder(), stop, tell, watchdog, trouble)
    return 0
