"""``latent studio contact-sheet``."""

import json
import os
import shlex
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from appliance.cli.render import Progress, end_whole, new_seed
from appliance.errors import UsageError
from appliance.mood import Mood

if TYPE_CHECKING:
    from appliance.cli.contact_plot import Panel

__all__ = ["contact_sheet"]

_RATE, _CHANNELS, _BEDS = 48_000, 2, "weather"
_LONGEST_S = 60.0


@click.command("contact-sheet")
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--model", metavar="FILE_OR_NAME", help="The model to hear; the shipped one unless told.")
@click.option("--seed", type=click.IntRange(0, (1 << 63) - 1), help="Whose pieces; new if absent.")
@click.option(
    "--mood", "moods", multiple=True, metavar="NAME=VALUE", help="As for latent render; nature=0 is music alone."
)
@click.option("--pieces", type=click.IntRange(1, 100), default=20, show_default=True, help="How many to show.")
@click.option("--seconds", type=float, default=15.0, show_default=True, help="Of each piece.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
def contact_sheet(
    out: Path, model: str | None, seed: int | None, moods: tuple[str, ...], pieces: int, seconds: float, as_json: bool
) -> int:
    """Hear and see what a model can do: a moment of many pieces, one after another.

    OUT is a .flac or .wav file. Beside it comes a page, as PNG, with the spectrogram of each piece and the command
    that plays all of it. Every seventh piece of the seed is shown, each from a third of the way in.

    \b
    Example:
      latent studio contact-sheet sheet.flac --model mine.latent --seed 7
    """
    mood = Mood.parse(moods)
    # What the libraries under numpy share out among threads is rounded otherwise than in a render.
    os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    from appliance.cli.contact_plot import Panel, page
    from appliance.service.build import build_timeline
    from appliance.service.contact_sheet import LEAST_SECONDS, ContactSheet
    from appliance.service.render import file_kind, write
    from appliance.settings import SoundSettings

    file_kind(out)
    if not LEAST_SECONDS <= seconds <= _LONGEST_S:
        raise UsageError(f"--seconds takes a number from {LEAST_SECONDS:g} to {_LONGEST_S:g}, not {seconds:g}.")
    seed = new_seed() if seed is None else seed
    timeline = build_timeline(model, _RATE, _CHANNELS, _BEDS, SoundSettings(), click.echo)
    sheet = ContactSheet(timeline, seed, mood, pieces, seconds)
    end_whole()
    with Progress(sheet.seconds, hidden=as_json) as progress:
        result = write(sheet, timeline, (sheet.seconds, 0.0), out, progress.show)
    panels = [Panel(each, seed, _command(each.number, seed, model, moods)) for each in sheet.within(result.seconds)]
    if panels:
        page(out, out.with_suffix(".png"), panels, seconds, " · ".join([Path(model or "default").name, *moods]))
        facts = {"seed": seed, "model": model or "default", "moods": list(moods), "seconds": result.seconds}
        _tell(panels, facts, as_json)
    if not result.complete:
        held = f"{out} holds {len(panels)} of {pieces} pieces" if panels else "nothing was written"
        click.echo(f"latent: Stopped; {held}.", err=True)
        return 1
    return 0


def _command(number: int, seed: int, model: str | None, moods: tuple[str, ...]) -> str:
    """Say what renders a piece from its beginning."""
    words = ["latent", "render", "p.flac", "--seed", str(seed), "--piece", str(number)]
    words += ["--model", model] if model else []
    return shlex.join([*words, *(word for mood in moods for word in ("--mood", mood))])


def _tell(panels: "Sequence[Panel]", facts: dict[str, object], as_json: bool) -> None:
    if as_json:
        pieces = [asdict(each.shown) | {"command": each.command} for each in panels]
        click.echo(json.dumps(facts | {"pieces": pieces}))
        return
    wide = max(len(str(facts["seed"])), 4)
    click.echo(f"{'at':>6}  {'seed':>{wide}}  piece    long  all of it")
    for each in panels:
        click.echo(f"{each.at:>6}  {each.seed:>{wide}}  {each.shown.number:>5}  {each.long:>6}  {each.command}")
    place = f"{facts['seed']}/{panels[-1].shown.number}"
    click.echo(f'To stay around one of them, or several, as they are at rest: territory = ["{place}"]')
    click.echo("under [music] in latent.toml, or as --territory of latent render.")
