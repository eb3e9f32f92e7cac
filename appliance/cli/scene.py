"""``latent scene``."""

import json
from typing import Any, Final

import click

from appliance.api.client import ask
from appliance.cli.words import day
from appliance.errors import UsageError
from appliance.folders import runtime_folder
from appliance.mood import STEERED
from appliance.names import scene_name

__all__ = ["scene"]

_LONGEST_S: Final = 600.0

_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of words.")


@click.group()
def scene() -> None:
    """Keep how mood and place stand under a name, and go back to it.

    \b
    Example:
      latent scene save dusk
      latent scene recall dusk --morph 30
    """


@scene.command()
@click.argument("name")
@_json
def save(name: str, as_json: bool) -> None:
    """Keep how things stand now as scene NAME.

    Example: latent scene save dusk
    """
    name = scene_name(name)
    replaced = ask(runtime_folder(), {"do": "scene", "save": name})["replaced"]
    if as_json:
        click.echo(json.dumps({"name": name, "replaced": replaced}))
    else:
        click.echo(f"{name} is kept{', in place of the one before' if replaced else ''}.")


@scene.command()
@click.argument("name")
@click.option("--morph", type=float, metavar="S", help="Take so many seconds, 0 to 600; else as the settings say.")
@_json
def recall(name: str, morph: float | None, as_json: bool) -> None:
    """Go to scene NAME.

    Example: latent scene recall dusk --morph 30
    """
    request: dict[str, Any] = {"do": "scene", "recall": scene_name(name)}
    if morph is not None:
        if not 0.0 <= morph <= _LONGEST_S:
            raise UsageError(f"--morph takes seconds from 0 to {_LONGEST_S:g}, not {morph:g}.")
        request["morph_s"] = morph
    morph_s: float = ask(runtime_folder(), request)["morph_s"]
    if as_json:
        click.echo(json.dumps({"name": request["recall"], "morph_s": morph_s}))
    else:
        click.echo(f"The room goes to {request['recall']}{f' over {morph_s:g} s' if morph_s else ''}.")


@scene.command("list")
@_json
def list_(as_json: bool) -> None:
    """Show all scenes.

    Example: latent scene list
    """
    scenes: list[dict[str, Any]] = ask(runtime_folder(), {"do": "scene"})["scenes"]
    if as_json:
        click.echo(json.dumps({"scenes": scenes}))
    elif scenes:
        click.echo(
            "\n".join(f"{each['name']:<20} {day(each['saved_at'])}   {_moved(each['values'])}" for each in scenes)
        )
    else:
        click.echo("There is no scene yet: keep one with latent scene save NAME.")


@scene.command()
@click.argument("name")
@_json
def remove(name: str, as_json: bool) -> None:
    """Forget scene NAME.

    Example: latent scene remove dusk
    """
    name = scene_name(name)
    ask(runtime_folder(), {"do": "scene", "remove": name})
    click.echo(json.dumps({"name": name}) if as_json else f"{name} is forgotten.")


def _moved(values: dict[str, float]) -> str:
    """Name what does not rest."""
    known = STEERED
    moved = [f"{name} {value:.2g}" for name, value in values.items() if name in known and value != known[name].rest]
    return ", ".join(moved) or "at rest"
