"""``latent render``."""

import dataclasses
import json
import math
import secrets
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from appliance.errors import UsageError
from appliance.mood import QUANTITIES, Mood

if TYPE_CHECKING:
    from appliance.engine.timeline import Timeline
    from appliance.service.render import Rendering, Source
    from appliance.settings import MusicSettings

__all__ = ["Progress", "end_whole", "new_seed", "render"]

_SEED_BITS = 32
# To begin late, every piece on the way is composed: a month takes ten minutes.
_LONGEST_S = 2_592_000
_TOLD_BY_THE_LOG = {
    "seed": "--seed",
    "piece": "--piece",
    "moods": "--mood",
    "territory": "--territory",
    "radius": "--radius",
    "rate": "--rate",
    "channels": "--channels",
}


@click.command()
@click.argument("out", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--seconds", type=float, help="Length in seconds; a minute, or all of a log, unless told.")
@click.option("--minutes", type=float, help="Length in minutes.")
@click.option("--start", type=float, default=0.0, show_default=True, help="Leave out this many seconds first.")
@click.option("--piece", type=click.IntRange(0, 9_999), default=0, show_default=True, help="Begin with this piece.")
@click.option(
    "--seed", type=click.IntRange(0, (1 << 63) - 1), help="The same seed gives the same music; new if absent."
)
@click.option("--model", metavar="FILE_OR_NAME", help="The model to play; the shipped one unless told.")
@click.option("--mood", "moods", multiple=True, metavar="NAME=VALUE", help=f"Any of {', '.join(QUANTITIES)}.")
@click.option(
    "--territory", multiple=True, metavar="SEED/PIECE", help="Stay around this piece, as in 7/12 of a contact sheet."
)
@click.option("--radius", type=float, help="How far around: 1 is as far as two sounds usually are; 0.6 unless told.")
@click.option("--rate", type=int, default=48_000, show_default=True, help="Frames per second.")
@click.option("--channels", type=int, default=2, show_default=True, help="1 to 8.")
@click.option("--beds", default="weather", show_default=True, metavar="FOLDER", help="Nature recordings, or none.")
@click.option(
    "--replay",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="LOG",
    help="Make again what was heard, all of it unless told; --start counts from the beginning of the log.",
)
@click.option("--fade-out", type=float, default=0.0, show_default=True, help="Seconds of fade at the end.")
@click.option("--plot", is_flag=True, help="Leave a spectrogram and loudness curve beside the file, as PNG.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of sentences.")
def render(
    out: Path,
    seconds: float | None,
    minutes: float | None,
    start: float,
    piece: int,
    seed: int | None,
    model: str | None,
    moods: tuple[str, ...],
    territory: tuple[str, ...],
    radius: float | None,
    rate: int,
    channels: int,
    beds: str,
    replay: Path | None,
    fade_out: float,
    plot: bool,
    as_json: bool,
) -> int:
    """Render music to OUT, a .wav or .flac file, faster than real time.

    Two renders with the same seed join without a seam: --start 60 gives what comes after the first minute. With
    --replay it is what a room heard, from the log of that run.

    Example: latent render night.flac --minutes 10 --seed 7 --mood pitch=-0.5 --plot
    """
    length_s = _length_s(seconds, minutes, math.inf if replay else 60.0)
    _check_seconds("--start", start)
    _check_seconds("--fade-out", fade_out)
    mood = Mood.parse(moods)
    if not beds:
        raise UsageError("--beds takes a folder, weather or none.")
    if out.resolve().parent == Path(beds).resolve():
        raise UsageError(f"{out} would be written among the recordings in {beds}: choose another folder.")

    from appliance.service.build import bounds_of, build_timeline
    from appliance.service.render import Excerpt, Excerpted, file_kind, write
    from appliance.settings import SoundSettings

    # Before anything is built: recordings may take minutes to prepare.
    file_kind(out)
    if replay is None:
        seed = new_seed() if seed is None else seed
        bounds = bounds_of(_narrowed(territory, radius))
        timeline = build_timeline(model, rate, channels, beds, SoundSettings(), _tell_aside, bounds)
        sound: Source = Excerpted(timeline, Excerpt(seed, mood, piece, start))
    else:
        timeline, sound, seed, most_s = _replay(replay, model, beds, start)
        length_s = min(length_s, most_s)
    end_whole()
    with Progress(length_s, hidden=as_json) as progress:
        result = write(sound, timeline, (length_s, fade_out), out, progress.show)
    _tell(result, out, seed, model or "default", as_json)
    if plot and result.seconds:
        from appliance.cli.plot import plot as draw

        draw(out, out.with_suffix(".png"))
    if not result.complete:
        held = f"{out} holds the {result.seconds:.1f} s that were rendered" if result.seconds else "nothing was written"
        click.echo(f"latent: Stopped; {held}.", err=True)
        return 1
    return 0


def new_seed() -> int:
    """Draw a seed that is short enough to be typed."""
    return secrets.randbits(_SEED_BITS)


def end_whole() -> None:
    """Let Ctrl-C and SIGTERM end a rendering as KeyboardInterrupt, which leaves a whole file of what there is."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)


def _tell_aside(sentence: str) -> None:
    click.echo(sentence, err=True)


def _given(parameter: str) -> bool:
    return click.get_current_context().get_parameter_source(parameter) is click.core.ParameterSource.COMMANDLINE


def _narrowed(territory: tuple[str, ...], radius: float | None) -> "MusicSettings":
    """Take what narrows the music as settings would."""
    from pydantic import ValidationError

    from appliance.settings import MusicSettings

    told = {} if radius is None else {"radius": radius}
    if told and not territory:
        raise UsageError("--radius is counted around a piece: name one with --territory.")
    try:
        return MusicSettings.model_validate({"territory": territory, **told})
    except ValidationError as error:
        option = f"--{error.errors()[0]['loc'][0]}"
        wanted = (
            "a number from 0.1 to 2" if option == "--radius" else "a seed and a piece, as in 7/12, at most eight times"
        )
        raise UsageError(f"{option} takes {wanted}.") from error


def _replay(path: Path, model: str | None, beds: str, start_s: float) -> "tuple[Timeline, Source, int, float]":
    """Open a log: what made it, its sound from the start on, the seed of its beginning, and its seconds."""
    from appliance.service.replay import Replay, open_log, timeline_of

    told = [option for parameter, option in _TOLD_BY_THE_LOG.items() if _given(parameter)]
    if told:
        raise UsageError(f"With --replay the log tells {', '.join(told)}: leave that out.")
    log = open_log(path)
    timeline = timeline_of(log, model, beds if _given("beds") else None, _tell_aside)
    sound = Replay(timeline, log, start_s, _tell_aside)
    return timeline, sound, sound.seed, sound.seconds


def _tell(result: "Rendering", out: Path, seed: int, model: str, as_json: bool) -> None:
    """Print what was rendered, as a sentence or as JSON, which has no word for the level of silence but null."""
    if as_json:
        facts = {"seed": seed, "model": model} | dataclasses.asdict(result)
        del facts["complete"]
        told = {name: None if value in (float("inf"), float("-inf")) else value for name, value in facts.items()}
        click.echo(json.dumps(told, allow_nan=False))
    elif result.seconds:
        click.echo(
            f"{out}: {result.seconds:.1f} s, seed {seed}, {result.integrated_lufs:.1f} LUFS, "
            f"true peak {result.true_peak_dbtp:.1f} dBTP, {result.realtime_factor:.0f} times real time."
        )


def _length_s(seconds: float | None, minutes: float | None, unless_told: float) -> float:
    if seconds is not None and minutes is not None:
        raise UsageError("Give --seconds or --minutes, not both.")
    if seconds is None and minutes is None:
        return unless_told
    length_s = seconds if seconds is not None else 60.0 * (minutes or 0.0)
    if not 0.0 < length_s <= _LONGEST_S:
        raise UsageError(f"The length must be above 0 and at most {_LONGEST_S} seconds (30 days), not {length_s:g}.")
    return length_s


def _check_seconds(option: str, seconds: float) -> None:
    if not 0.0 <= seconds <= _LONGEST_S:
        raise UsageError(f"{option} takes seconds from 0 to {_LONGEST_S} (30 days), not {seconds:g}.")


class Progress:
    """A progress bar on stderr, or nothing where nobody looks."""

    def __init__(self, seconds: float, hidden: bool) -> None:
        """Prepare a bar for so many seconds; it is ``hidden`` wherever stderr is no terminal."""
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        self._bar = Bar(
            TextColumn("rendering"),
            BarColumn(),
            TextColumn("{task.completed:.0f} of {task.total:.0f} s"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=hidden or sys.stderr is None or not sys.stderr.isatty(),
        )
        self._task = self._bar.add_task("rendering", total=seconds)

    def show(self, seconds: float) -> None:
        self._bar.update(self._task, completed=seconds)

    def __enter__(self) -> "Progress":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()
