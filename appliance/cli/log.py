"""``latent log``."""

import shlex
from pathlib import Path

import click

from appliance.api.client import ask
from appliance.errors import LatentError, UsageError
from appliance.folders import runtime_folder, shown, write_whole

__all__ = ["log"]

# The log of months takes the engine a moment to put into words.
_TIMEOUT_S = 60.0


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def log(file: Path) -> None:
    """Save to FILE what a render needs to play again what was heard.

    Example: latent log night.json
    """
    # A device would be replaced by a file.
    if file.exists() and not file.is_file():
        raise UsageError(f"{shown(file)} is not an ordinary file: choose another name.")
    if not file.parent.is_dir():
        raise UsageError(f"There is no folder {shown(file.parent)}: make it first, or choose another.")
    content = str(ask(runtime_folder(), {"do": "log"}, _TIMEOUT_S)["log"]).encode()
    try:
        write_whole(file, lambda out: out.write(content))
    except OSError as error:
        raise LatentError(f"{shown(file)} cannot be written ({error.strerror}); choose another place.") from error
    click.echo(
        f"{shown(file)}: {len(content) / 1e6:.1f} MB. "
        f"Hear it again with: latent render again.flac --replay {shown(shlex.quote(str(file)))}"
    )
