"""``latent keeper``."""

import json
import os
import sys
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
from appliance.folders import runtime_folder, state_folder
from appliance.stopping import stop_when_told

__all__ = ["keeper"]


@click.command()
@config_option
@forgiving_option
@click.option("--wish", hidden=True)
def keeper(config: Path | None, forgiving: bool, wish: str | None) -> int:
    """Count the day, note how it went, and serve metrics; `latent play` runs it too.

    It makes no sound; with a limit in [exposure] it keeps the volume below.

    Example: latent keeper --config /etc/latent/latent.toml
    """
    with runtime_folder_used():
        if wish is None:
            _become_light(config, forgiving)
        return _keep(json.loads(wish or "{}"))


def _become_light(config: Path | None, forgiving: bool) -> None:
    """Read the settings, then begin again without what that took to load."""
    settings, _ = settings_of(config, forgiving)
    metrics = settings.metrics
    wish: dict[str, object] = {"folder": None, "port": None, "listen": "", "limit_dba": settings.exposure.limit_dba}
    wish["time_zone"] = settings.hours.time_zone if settings.hours else None
    if metrics is not None:
        folder = metrics.folder or str(runtime_folder())
        wish |= {"folder": folder, "port": metrics.port, "listen": metrics.listen}
    os.execv(sys.executable, [sys.executable, sys.argv[0], "keeper", "--wish", json.dumps(wish)])


def _keep(wish: dict[str, object]) -> int:
    stop = threading.Event()
    stop_when_told(stop)

    from appliance.health.watchdog import watchdog_from_environment
    from appliance.service.keeper import Wish, run

    name_process("latent keeper")
    watchdog = watchdog_from_environment()
    run(Wish.of(wish), runtime_folder(), state_folder(), stop, tell, watchdog)
    return 0
