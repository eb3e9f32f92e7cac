"""``latent mood`` and ``latent next``."""

import json

import click

from appliance.api.client import ask
from appliance.cli.words import changes_of, table_of
from appliance.folders import runtime_folder
from appliance.mood import QUANTITIES

__all__ = ["mood", "next_piece"]


@click.command()
@click.argument("changes", nargs=-1, metavar="[NAME=VALUE]...")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
def mood(changes: tuple[str, ...], as_json: bool) -> None:
    """Show the mood of what plays, or change what is named and leave the rest.

    Example: latent mood pitch=-0.5 wander=0.8
    """
    wanted = changes_of(changes, "mood", QUANTITIES)
    standing: dict[str, float] = ask(runtime_folder(), {"do": "mood", "set": wanted})["mood"]
    click.echo(json.dumps(standing) if as_json else table_of(standing, "mood", QUANTITIES))


@click.command("next")
def next_piece() -> None:
    """Begin a new piece.

    Example: latent next
    """
    ask(runtime_folder(), {"do": "next"})
    click.echo("A new piece begins.")
