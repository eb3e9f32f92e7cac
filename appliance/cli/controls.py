"""``latent controls``."""

import json
from typing import Any, Final

import click

from appliance.api.client import Session
from appliance.errors import ApiError, UsageError
from appliance.folders import runtime_folder
from appliance.names import quoted

__all__ = ["controls"]

_LOOK_S: Final = 0.125
_NOTHING: Final = "No knob or sensor is set up: add one to latent.toml, as in [controls.NAME], and start again."


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
@click.option("--once", is_flag=True, help="Look once, where a terminal would follow.")
@click.option("--calibrate", metavar="NAME", help="Learn the real ends of a knob by turning it to both.")
@click.option("--forget", metavar="NAME", help="Forget the ends that were learned of a knob.")
@click.option("--turn", metavar="NAME=VALUE", help="Turn a knob that only pretends, 0 to 1 of its way.")
@click.option("--press", metavar="NAME", help="Press a button that only pretends.")
def controls(
    as_json: bool, once: bool, calibrate: str | None, forget: str | None, turn: str | None, press: str | None
) -> None:
    """Show every knob and sensor as it moves: where it stands, what it moves there, and what is wrong with it.

    In a terminal the table follows until Ctrl-C; elsewhere it is printed once. The way of a knob is shown as it was
    read, 0 to 1; what it moves is shown in that quantity's own range.

    \b
    Example:
      latent controls
      latent controls --calibrate left-knob
      latent controls --turn left-knob=0.7

    \b
    Keys of each of the JSON object's "controls"; null is what cannot be known:
      name, source          what latent.toml calls it, and what it is wired to
      moves, does           what it moves, or what it does when it is pressed
      raw                   where it stands, 0 to 1 of its way as it was read
      mapped                the same in the range of what it moves
      room                  where the room stands there now: after a scene, or while
                            it glides, that may be elsewhere
      low, high             the ends that were learned by turning it
      trouble               what is wrong with it
      age_s                 seconds since it was last heard of
      touched               whether it is what moves its quantity now
      waits                 whether it stands at its end since all began, as a wire
                            does that is not there: it moves nothing until turned
    """
    tasks = [task for task in (calibrate, forget, turn, press) if task is not None]
    if len(tasks) > 1 or (tasks and (as_json or once)):
        raise UsageError("Give --calibrate, --forget, --turn or --press alone.")
    turned = None if turn is None else _turned(turn)
    with Session(runtime_folder()) as session:
        if calibrate is not None:
            from appliance.cli.calibrate import calibrate as learn

            learn(session, calibrate)
        elif forget is not None:
            session.ask({"do": "calibrate", "name": forget})
            click.echo(f"What was learned of {forget} is forgotten.")
        elif turned is not None:
            session.ask({"do": "turn", "name": turned[0], "value": turned[1]})
            click.echo(f"{turned[0]} is turned: {turned[1]:g}.")
        elif press is not None:
            session.ask({"do": "turn", "name": press, "press": True})
            click.echo(f"{press} is pressed.")
        else:
            _look(session, as_json, once)


def _turned(text: str) -> tuple[str, float]:
    name, _, number = text.rpartition("=")
    name = name.strip()
    try:
        value = float(number)
    except ValueError:
        value = -1.0
    if not name or not 0.0 <= value <= 1.0:
        raise UsageError(f"--turn takes a name and a number from 0 to 1, as in left-knob=0.7, not {quoted(text)}.")
    return name, value


def _look(session: Session, as_json: bool, once: bool) -> None:
    seen: list[dict[str, Any]] = session.ask({"do": "controls"})["controls"]
    if as_json:
        click.echo(json.dumps({"controls": seen}))
        return
    if not seen:
        click.echo(_NOTHING)
        return
    # It takes a moment to load, which those who want JSON need not wait for.
    from appliance.cli.controls_table import table_of
    from appliance.cli.screen import Screen

    screen = Screen()

    def again() -> Any:
        nonlocal seen
        try:
            seen = session.ask({"do": "controls"})["controls"]
        except ApiError as error:
            # An engine that was restarted is found again.
            return table_of(seen, screen, str(error))
        return table_of(seen, screen)

    screen.show(table_of(seen, screen), again, _LOOK_S, once)
