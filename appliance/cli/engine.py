"""``latent engine``."""

import threading
from pathlib import Path

import click

from appliance.cli.process import config_option, name_process, stop_when_told, tell
from appliance.errors import RingError
from appliance.folders import runtime_folder

__all__ = ["engine"]


@click.command()
@config_option
def engine(config: Path | None) -> int:
    """Make the music that the player plays; `latent play` runs both.

    Example: latent engine --config /etc/latent/latent.toml
    """
    stop = threading.Event()
    stop_when_told(stop)

    from appliance.health.watchdog import watchdog_from_environment
    from appliance.settings import read_settings

    name_process("latent engine")
    watchdog = watchdog_from_environment()
    settings = read_settings(config)

    from appliance.service.engine import run

    try:
        run(settings, runtime_folder(), stop, tell, watchdog)
    except OSError as error:
        raise RingError(
            f"The folder for what runs cannot be used ({error.strerror}): set RUNTIME_DIRECTORY."
        ) from error
    return 0
