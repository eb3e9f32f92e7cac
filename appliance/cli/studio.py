"""``latent studio``: from a folder of recordings to a ``.latent`` file."""

import contextlib
import json
import signal
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from appliance.cli.contact_sheet import contact_sheet
from appliance.errors import StudioError, UsageError

if TYPE_CHECKING:
    from appliance.studio.training.train import Progress

__all__ = ["report", "studio"]

_folder = click.Path(file_okay=False, path_type=Path)
_file = click.Path(dir_okay=False, path_type=Path)
_work = click.option(
    "--work", type=_folder, default=Path("studio-work"), show_default=True, help="Folder that all steps work in."
)
_jobs = click.option("--jobs", type=click.IntRange(1), default=None, help="Processes; one for each core if not given.")


@click.group()
def studio() -> None:
    """Make a model from recordings: gather, curate, train, report, export.

    \b
    Example:
      latent studio gather ~/recordings && latent studio curate
      latent studio train && latent studio report
      latent studio export mine.latent
    """


studio.add_command(contact_sheet)


@studio.command()
@click.argument("folder", type=_folder)
@_work
@click.option("--clips", type=click.IntRange(1, 100), default=3, show_default=True, help="Most clips of one file.")
@click.option("--licence", default="", help="Licence note for files that have none beside them.")
@click.option("--dask", default="", metavar="ADDRESS", help="Scheduler of a Dask cluster that does the work.")
@_jobs
def gather(folder: Path, work: Path, clips: int, licence: str, dask: str, jobs: int | None) -> None:
    """Find the steady moments in a folder of recordings; what was gathered before is left as it is.

    \b
    Example:
      latent studio gather ~/recordings --licence "CC-BY 4.0, Ada Example"
    """
    with _extra_wanted():
        from appliance.studio.gathering import harvest as step

    settings = step.HarvestSettings(clips_per_file=clips, licence=licence)
    with _breakable(), _cluster(dask), _bar("gathering") as tell:
        done = step.harvest(folder, work / "corpus", settings, jobs, tell)
    click.echo(str(done))
    click.echo("Next: hear it with 'latent studio curate', or go straight on to 'latent studio train'.")


@studio.command()
@_work
@click.option("--host", default="127.0.0.1", show_default=True, help="0.0.0.0 lets a phone in the same network in.")
@click.option("--port", type=click.IntRange(1, 65535), default=8420, show_default=True)
def curate(work: Path, host: str, port: int) -> None:
    """Hear clips in the browser and keep or reject them, the doubtful first.

    \b
    Example:
      latent studio curate --host 0.0.0.0
    """
    with _extra_wanted():
        from appliance.studio.curating import curate as step

    step.serve(work / "corpus", host, port, click.echo)


@studio.command()
@_work
@click.option("--epochs", type=click.IntRange(1), default=None, help="More take longer and help less and less.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="The same gives the same again.")
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True, help="With one the model repeats.")
@click.option("--weight", "weights", multiple=True, metavar="NAME=VALUE", help="A weight of the loss, as kl=0.015.")
def train(work: Path, epochs: int | None, seed: int, threads: int, weights: tuple[str, ...]) -> None:
    """Train the autoencoder, on a GPU where there is one; run again after a break it goes on.

    \b
    Example:
      latent studio train
    """
    with _extra_wanted():
        from appliance.studio.corpus import load
        from appliance.studio.training import train as step
        from appliance.studio.training.checkpoint import TrainSettings
        from appliance.studio.training.loss import Weights

    step.use_threads(threads)
    sounds = load(work / "corpus")
    settings = TrainSettings(seed=seed, weights=replace(Weights(), **_numbers(weights, asdict(Weights()))))
    settings = settings if epochs is None else replace(settings, epochs=epochs)
    rounds: list[Progress] = []
    with _breakable():
        best = step.train(sounds, work / "model.pt", settings, _curve(rounds))
        click.echo(step.verdict(sounds, best))
    if rounds and rounds[-1].step < rounds[-1].steps:
        click.echo("It ended early: the tuning clips had nothing more to gain.")
    click.echo("Next: 'latent studio report' says how good it is, 'latent studio export mine.latent' writes it.")


@studio.command()
@_work
@click.option("--json", "as_json", is_flag=True, help="Print the numbers as one JSON object.")
def report(work: Path, as_json: bool) -> None:
    """Judge the trained model, and write a page that says what to do next.

    \b
    Example:
      latent studio report
    """
    from appliance.cli.plot import give_matplotlib_a_folder

    give_matplotlib_a_folder()
    with _extra_wanted():
        from appliance.studio.corpus import load
        from appliance.studio.judging import assess, verdict
        from appliance.studio.judging import report as step
        from appliance.studio.training.checkpoint import load as load_checkpoint
        from appliance.studio.training.train import history_of

    model, page = work / "model.pt", work / "report.html"
    found = assess.assess(load(work / "corpus"), load_checkpoint(model), assess.AssessSettings(history_of(model)))
    step.write(found, page)
    if as_json:
        click.echo(json.dumps(verdict.as_dict(found)))
        return
    for score in verdict.scores(found):
        click.echo(str(score))
    for sentence in found.missing:
        click.echo(sentence)
    click.echo(f"{page}: open it in a browser to see and hear why, and what to do next.")


@studio.command()
@click.argument("out", type=_file)
@_work
@click.option("--places", type=click.IntRange(16), default=2048, show_default=True, help="Most sounds in the atlas.")
@click.option("--licence", default="all rights reserved", show_default=True, help="Licence of the model.")
@click.option("--author", default="unknown", show_default=True, help="Who made it.")
@click.option("--character", default="", help="A sentence for its card.")
def export(out: Path, work: Path, places: int, licence: str, author: str, character: str) -> None:
    """Write the trained model to OUT, a .latent file, and print its card.

    \b
    Example:
      latent studio export mine.latent --author "Ada Example" --licence CC-BY-4.0
    """
    _latent_wanted(out)
    with _extra_wanted():
        from appliance.studio.corpus import load
        from appliance.studio.exporting import export as step
        from appliance.studio.exporting.atlas import AtlasSettings
        from appliance.studio.training.checkpoint import load as load_checkpoint

    settings = step.ExportSettings(
        name=out.stem, licence=licence, author=author, character=character, atlas=AtlasSettings(places=places)
    )
    click.echo(step.export(load(work / "corpus"), load_checkpoint(work / "model.pt"), out, settings).card)


@studio.command()
@click.argument("recipe", type=_file)
@click.option(
    "--work", type=_folder, default=None, help="Folder for what is in between; studio-work/NAME if not given."
)
@click.option("--out", type=_file, default=None, help="File to write; beside the recipe if not given.")
@_jobs
def make(recipe: Path, work: Path | None, out: Path | None, jobs: int | None) -> None:
    """Make a shipped model again from its recipe.

    \b
    Example:
      latent studio make models/glass.toml
    """
    out = out or recipe.with_suffix(".latent")
    _latent_wanted(out)
    with _extra_wanted():
        from appliance.studio.sources import make as step
        from appliance.studio.sources.recipe import read

    wanted = read(recipe)
    folder = work or Path("studio-work") / wanted.name
    with _breakable(), _bar("playing") as composing:
        made = step.make(wanted, str(recipe), folder, out, jobs, step.Steps(composing, _curve([])))
    click.echo(made.card)


@contextlib.contextmanager
def _breakable() -> Iterator[None]:
    """Let Ctrl-C end a step in a sentence, and its workers with it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt as error:
        raise StudioError("Stopped; the same command goes on from there.") from error
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def _bar(label: str) -> Iterator[Callable[[int, int], None]]:
    """Give a function that is told how much is done, of how much."""
    with click.progressbar(length=1, label=label) as bar:

        def tell(done: int, total: int) -> None:
            bar.length = max(total, 1)
            bar.update(done - bar.pos)

        yield tell


def _numbers(given: tuple[str, ...], known: dict[str, float]) -> dict[str, float]:
    """Read NAME=VALUE pairs whose names are known."""
    found = {}
    for pair in given:
        name, _, value = pair.partition("=")
        if name not in known:
            raise UsageError(f"There is no weight called '{name}'; there are {', '.join(known)}.")
        try:
            found[name] = float(value)
        except ValueError as error:
            raise UsageError(f"The weight {name} must be a number, as in {name}={known[name]:g}.") from error
        if not 0.0 <= found[name] < float("inf"):
            raise UsageError(f"The weight {name} must be 0 or more, as in {name}={known[name]:g}.")
    return found


def _curve(rounds: list["Progress"]) -> Callable[["Progress"], None]:
    """Give a function that is told of each round, keeps it, and prints it with the curve of the last rounds."""

    def tell(progress: "Progress") -> None:
        rounds.append(progress)
        click.echo(f"{progress}  {_sparks([each.tune_rms_db for each in rounds[-32:]])}")

    return tell


def _sparks(values: list[float]) -> str:
    low, high = min(values), max(values)
    return "".join("▁▂▃▄▅▆▇█"[round(7.0 * (value - low) / max(high - low, 1e-9))] for value in values)


@contextlib.contextmanager
def _cluster(address: str) -> Iterator[None]:
    """Let a Dask cluster do what joblib would do here."""
    if not address:
        yield
        return
    import joblib

    try:
        from distributed import Client
    except ModuleNotFoundError as error:
        raise StudioError("Dask is missing; install it with 'pip install distributed'.") from error
    try:
        client = Client(address, timeout=10)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise StudioError(f"No Dask scheduler answers at {address} ({error}); check the address.") from error
    with client, joblib.parallel_config(backend="dask"):
        yield


def _latent_wanted(out: Path) -> None:
    if out.suffix != ".latent":
        raise UsageError(f"{out} must end in .latent, as in {out.stem or 'mine'}.latent.")
    if not out.absolute().parent.is_dir():
        raise UsageError(f"There is no folder {out.parent}; make it, or name another.")


@contextlib.contextmanager
def _extra_wanted() -> Iterator[None]:
    """Turn the absence of a library into a sentence; without the extra, the rest of the program has none of them."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise StudioError(f"{error.name} is missing; install it with 'pip install .[studio]'.") from error
