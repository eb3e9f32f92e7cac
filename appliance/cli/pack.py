"""``latent pack`` and ``latent unpack``."""

import json
import time
from pathlib import Path

import click

from appliance.cli.process import config_option, tell
from appliance.folders import configuration_folder, runtime_folder, shown, state_folder

__all__ = ["pack", "unpack"]

_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of words.")


@click.command()
@click.argument("out", type=click.Path(path_type=Path, dir_okay=False))
@config_option
@_json
def pack(out: Path, config: Path | None, as_json: bool) -> None:
    """Pack settings, scenes, models, places and what was calibrated into the file OUT, for a spare card.

    What makes each machine another is left out, and the music goes on meanwhile.

    Example: latent pack gallery.latentpack
    """
    from appliance.service.pack.packing import pack as pack_into
    from appliance.settings_file import read_settings

    # What cannot be read here could not be read there.
    read_settings(config)
    packed = pack_into(out, state_folder(), config or configuration_folder() / "latent.toml", time.time())
    if as_json:
        told = {"file": str(out), "bytes": packed.size, "models": packed.models}
        click.echo(json.dumps(told | {"members": packed.members, "notes": packed.notes}))
        return
    count = f"{packed.models} model{'s' * (packed.models != 1)}"
    click.echo(f"{shown(out)} holds {count} and {len(packed.members)} files in all ({packed.size / 1e6:.1f} MB).")
    click.echo("".join(f"{note}\n" for note in packed.notes), nl=False)


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Look at everything and try the models, but change nothing.")
@click.option(
    "--force", is_flag=True, help="Also over what was taught to this machine; that is packed beside it first."
)
@_json
def unpack(file: Path, dry_run: bool, force: bool, as_json: bool) -> None:
    """Make this machine what the one was that FILE was packed on. Its models are tried here first.

    Latent must not play meanwhile. Should the power fail, unpack the same file again.

    \b
    Example: sudo systemctl stop latent.target
             sudo latent unpack gallery.latentpack
    """
    from appliance.service.arriving.trial import tried
    from appliance.service.pack.unpacking import Target
    from appliance.service.pack.unpacking import unpack as unpack_from

    target = Target(state_folder(), runtime_folder(), configuration_folder() / "latent.toml")
    done = unpack_from(file, target, tried, tell, force=force, dry_run=dry_run)
    if as_json:
        told = {"file": str(file), "dry_run": dry_run, "version": done.version, "created": done.created}
        told |= {"models": done.models, "refused": done.refused, "notes": done.notes}
        click.echo(json.dumps(told | {"before": done.before and str(done.before)}))
        return
    what = "can become" if dry_run else "is now"
    click.echo(f"This machine {what} what was packed on {done.created} by version {done.version}.")
    kept = [] if done.before is None else [f"What was here before lies in {shown(done.before)}."]
    click.echo("".join(f"{sentence}\n" for sentence in (*done.refused, *done.notes, *kept)), nl=False)
