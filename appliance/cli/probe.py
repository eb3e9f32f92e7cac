"""``latent probe``."""

import threading
from pathlib import Path

import click

from appliance.cli.process import config_option, forgiving_option, name_process, settings_of, tell
from appliance.stopping import stop_when_told

__all__ = ["probe"]


@click.command()
@config_option
@forgiving_option
def probe(config: Path | None, forgiving: bool) -> int:
    """Take in the models that are copied to this machine; `latent play` runs it too.

    Example: latent probe --config /etc/latent/latent.toml
    """
    stop = threading.Event()
    stop_when_told(stop)

    from appliance.health.watchdog import watchdog_from_environment

    name_process("latent probe")
    watchdog = watchdog_from_environment()

    from appliance.service.arriving.probing import run

    run(settings_of(config, forgiving)[0], stop, tell, watchdog)
    return 0
