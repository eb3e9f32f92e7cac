"""``latent mood`` and ``latent next``."""

import json

import click

from appliance.api.client import ask
from appliance.errors import MoodError
from appliance.folders import runtime_folder
from appliance.mood import QUANTITIES, Mood

__all__ = ["mood", "next_piece"]


@click.command()
@click.argument("changes", nargs=-1, metavar="[NAME=VALUE]...")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
def mood(changes: tuple[str, ...], as_json: bool) -> None:
    """Show the mood of what plays, or change what is named and leave the rest.

    Example: latent mood pitch=-0.5 wander=0.8
    """
    wanted = _parse(changes)
    answer = ask(runtime_folder(), {"do": "mood", "set": wanted})
    standing: dict[str, float] = answer["mood"]
    click.echo(json.dumps(standing) if as_json else _table(standing))


@click.command("next")
def next_piece() -> None:
    """Begin a new piece.

    Example: latent next
    """
    ask(runtime_folder(), {"do": "next"})
    click.echo("A new piece begins.")


def _parse(words: tuple[str, ...]) -> dict[str, float]:
    """Read ``name=value`` words; raises MoodError that lists every problem."""
    changes: dict[str, float] = {}
    problems: list[str] = []
    for word in words:
        name = word.partition("=")[0].strip().lower()
        try:
            value: float = getattr(Mood.parse([word]), name)
        except MoodError as error:
            problems.append(str(error))
            continue
        if name in changes:
            problems.append(f"{name} is named twice.")
        changes[name] = value
    if problems:
        first, *others = (problem.rstrip(".") for problem in problems)
        text = "; ".join([first, *(other[0].lower() + other[1:] for other in others)])
        raise MoodError(text if text.endswith("?") else text + ".")
    return changes


def _table(standing: dict[str, float]) -> str:
    rows = [("mood", "now", "range", "moves")]
    for name, value in standing.items():
        quantity = QUANTITIES[name]
        rows.append((name, f"{value:.3g}", f"{quantity.low:g} to {quantity.high:g}", quantity.moves))
    return "\n".join(f"{name:<12}{value:>7}   {span:<11}{moves}" for name, value, span, moves in rows)
