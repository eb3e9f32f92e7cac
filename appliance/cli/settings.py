"""``latent settings``."""

from pathlib import Path

import click

from appliance.cli.process import config_option, settings_of
from appliance.errors import SettingsError
from appliance.folders import configuration_folder, runtime_folder, shown

__all__ = ["settings"]


@click.command()
@config_option
@click.option("--hand-over", is_flag=True, hidden=True)
def settings(config: Path | None, hand_over: bool) -> None:
    """Check the settings, and name all that is wrong with them.

    Example: latent settings --config /etc/latent/latent.toml
    """
    found, trouble = settings_of(config, forgiving=hand_over)
    if hand_over:
        from appliance.service.handover import hand_over as leave

        leave(runtime_folder(), found, (), trouble)
        return
    from appliance.service.music import missing

    problems = missing(found.music)
    if problems:
        raise SettingsError(" ".join(problems))
    path = config or configuration_folder() / "latent.toml"
    there = (
        f"{shown(path)} is right." if path.exists() else f"There is no {shown(path)}, so everything is at its default."
    )
    click.echo(there)
