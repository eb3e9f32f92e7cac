"""``latent place`` and ``latent corner``."""

import json
from typing import Any

import click

from appliance.api.client import ask
from appliance.cli.words import changes_of, table_of
from appliance.errors import UsageError
from appliance.folders import runtime_folder
from appliance.mood import PLACES
from appliance.names import CORNERS, hint, quoted, sentence

__all__ = ["corner", "place"]


@click.command()
@click.argument("changes", nargs=-1, metavar="[NAME=VALUE]...")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
def place(changes: tuple[str, ...], as_json: bool) -> None:
    """Show where among its sounds the music is drawn to, or move what is named and leave the rest.

    x and y lie on the plane between four corners: see latent corner. The axes are those of the model, and shift all
    sounds at once; 1 is two standard deviations.

    Example: latent place x=0.2 y=0.9
    """
    wanted = changes_of(changes, "place", PLACES)
    standing: dict[str, float] = ask(runtime_folder(), {"do": "place", "set": wanted})["place"]
    click.echo(json.dumps(standing) if as_json else table_of(standing, "place", PLACES))


@click.command()
@click.argument("which", required=False)
@click.option("--clear", is_flag=True, help="Forget this corner instead.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of words.")
def corner(which: str | None, clear: bool, as_json: bool) -> None:
    """Store the place that sounds now as a corner of the plane, or show which corners are stored.

    WHICH is top-left, top-right, bottom-left or bottom-right. Once all four are stored, x and y move between them:
    see latent place.

    Example: latent corner top-left
    """
    if which is not None and which not in CORNERS:
        raise UsageError(sentence(f"there is no corner called {quoted(which)}{hint(which, CORNERS)}"))
    request: dict[str, Any] = {"do": "corner"}
    if which is not None:
        request["which"] = which
    if clear:
        if which is None:
            raise UsageError("--clear needs the corner to forget, as in latent corner top-left --clear.")
        request["clear"] = True
    stored: dict[str, bool] = ask(runtime_folder(), request)["corners"]
    click.echo(json.dumps(stored) if as_json else _page(stored))


def _page(stored: dict[str, bool]) -> str:
    rows = [f"{name:<14}{'stored' if stored.get(name) else 'not stored'}" for name in CORNERS]
    missing = [name for name in CORNERS if not stored.get(name)]
    if missing:
        rows.append(f"x and y do nothing yet: still to be stored {_are(len(missing))} {', '.join(missing)}.")
    return "\n".join(rows)


def _are(count: int) -> str:
    return "is" if count == 1 else "are"
