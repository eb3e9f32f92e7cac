"""``latent keep`` and ``latent never``."""

import json
from typing import Any

import click

from appliance.api.client import ask
from appliance.cli.words import day
from appliance.errors import UsageError
from appliance.folders import runtime_folder

__all__ = ["keep", "never"]

_radius = click.option("--radius", type=float, help="How far around it, 0.1 to 2; the usual, unless given.")
_forget = click.option("--forget", type=int, metavar="N", help="Forget spot N instead.")
_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of words.")


@click.command()
@_radius
@click.option("--list", "listing", is_flag=True, help="Show all that was kept instead.")
@_forget
@_json
def keep(radius: float | None, listing: bool, forget: int | None, as_json: bool) -> None:
    """Remember the place that sounds now: pieces like to come back to it.

    It is remembered for this model, and survives updates.

    Example: latent keep --radius 0.8
    """
    _do("keep", radius, listing, forget, as_json)


@click.command()
@_radius
@click.option("--list", "listing", is_flag=True, help="Show all that was banned instead.")
@_forget
@_json
def never(radius: float | None, listing: bool, forget: int | None, as_json: bool) -> None:
    """Ban the place that sounds now: nothing near it is heard again.

    It is banned for this model, and stays so after updates.

    Example: latent never
    """
    _do("never", radius, listing, forget, as_json)


def _do(what: str, radius: float | None, listing: bool, forget: int | None, as_json: bool) -> None:
    if sum((radius is not None, listing, forget is not None)) > 1:
        raise UsageError("Give one of --radius, --list and --forget.")
    if radius is not None and not 0.1 <= radius <= 2.0:
        raise UsageError(f"--radius takes a number from 0.1 to 2, not {radius:g}.")
    if forget is not None and forget < 1:
        raise UsageError(f"--forget takes the number of a spot, as latent {what} --list shows it, not {forget}.")
    if listing:
        _list(what, as_json)
        return
    request: dict[str, Any] = {"do": what} if forget is None else {"do": "forget", "spot": forget}
    if radius is not None:
        request["radius"] = radius
    told: dict[str, int] = ask(runtime_folder(), request)[request["do"]]
    if as_json:
        click.echo(json.dumps(told))
        return
    done = "forgotten" if forget is not None else "kept" if what == "keep" else "banned"
    click.echo(f"Spot {told['spot']} is {done}; {told['kept']} kept and {told['banned']} banned in all.")


def _list(what: str, as_json: bool) -> None:
    answer = ask(runtime_folder(), {"do": "spots"})
    spots = [spot for spot in answer["spots"] if spot["banned"] == (what == "never")]
    if as_json:
        click.echo(json.dumps({"spots": spots}))
    elif spots:
        rows = [f"{spot['spot']:>4}   {spot['radius']:<8g}{day(spot['saved_at'])}" for spot in spots]
        click.echo("\n".join(["spot   radius  since", *rows]))
    else:
        click.echo(f"Nothing is {'kept' if what == 'keep' else 'banned'} yet.")
