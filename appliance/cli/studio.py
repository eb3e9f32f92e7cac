"""``latent studio``: gather a corpus, train a model, export it as a ``.latent`` file."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import click

from appliance.errors import StudioError, UsageError

__all__ = ["studio"]

_WORK = Path("studio-work")
_CORPUS = _WORK / "corpus.npz"
_CHECKPOINT = _WORK / "checkpoint.pt"
_path = click.Path(dir_okay=False, path_type=Path)


@click.group()
def studio() -> None:
    """Make a model: render a corpus, train, export.

    \b
    Example:
      latent studio gather && latent studio train && latent studio export models/mine.latent
    """


@studio.command()
@click.option("--out", type=_path, default=_CORPUS, show_default=True, help="Corpus to write.")
@click.option("--clips", type=click.IntRange(1), default=30_000, show_default=True, help="Training clips.")
@click.option("--tune-clips", type=click.IntRange(1), default=1_200, show_default=True, help="Clips to tune on.")
@click.option("--test-clips", type=click.IntRange(1), default=2_000, show_default=True, help="Held-out clips.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="The same gives the same again.")
@click.option("--soundfont", type=_path, default=None, help="Another .sf2 file than FluidR3_GM.")
@click.option("--jobs", type=click.IntRange(1), default=None, help="Processes; one for each core where not given.")
def gather(
    out: Path, clips: int, tune_clips: int, test_clips: int, seed: int, soundfont: Path | None, jobs: int | None
) -> None:
    """Render a corpus of steady sounds with FluidSynth.

    \b
    Example:
      latent studio gather --clips 12000
    """
    from appliance.studio import gather as step
    from appliance.studio.render import SOUNDFONT

    settings = step.GatherSettings(
        train=clips, tune=tune_clips, held_out=test_clips, seed=seed, soundfont=str(soundfont or SOUNDFONT)
    )
    with click.progressbar(length=clips + tune_clips + test_clips, label="rendering") as bar:
        step.gather(out, settings, jobs, lambda done, _: bar.update(done - bar.pos))
    click.echo(f"{out}: {clips} clips to train on, {tune_clips} to tune on, {test_clips} held out")


@studio.command()
@click.option("--corpus", type=_path, default=_CORPUS, show_default=True, help="Corpus to train on.")
@click.option("--out", type=_path, default=_CHECKPOINT, show_default=True, help="Checkpoint to write.")
@click.option("--epochs", type=click.IntRange(1), default=None, help="More take longer and help less and less.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="The same gives the same again.")
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True, help="With one the model repeats.")
def train(corpus: Path, out: Path, epochs: int | None, seed: int, threads: int) -> None:
    """Train the autoencoder, and score it beside PCA on instruments that it never heard.

    \b
    Example:
      latent studio train --epochs 80
    """
    with _torch_wanted():
        from appliance.studio import train as step
    from appliance.studio.gather import load

    step.use_threads(threads)
    sounds = load(corpus)
    settings = step.TrainSettings(seed=seed)
    settings = replace(settings, epochs=epochs or settings.epochs)
    best = step.train(sounds, out, settings, lambda progress: click.echo(str(progress)))
    click.echo(step.verdict(sounds, best))


@studio.command()
@click.argument("out", type=_path)
@click.option("--corpus", type=_path, default=_CORPUS, show_default=True, help="Corpus that the model was trained on.")
@click.option("--checkpoint", type=_path, default=_CHECKPOINT, show_default=True, help="Checkpoint to export.")
@click.option("--places", type=click.IntRange(16), default=None, help="Sounds in the atlas.")
@click.option("--licence", default="all rights reserved", show_default=True, help="Licence of the model.")
@click.option("--author", default="unknown", show_default=True, help="Who made it.")
def export(out: Path, corpus: Path, checkpoint: Path, places: int | None, licence: str, author: str) -> None:
    """Write a trained model to OUT, a .latent file, and print its card.

    \b
    Example:
      latent studio export models/mine.latent
    """
    if out.suffix != ".latent":
        raise UsageError(f"{out} must end in .latent, as in {out.stem or 'mine'}.latent.")
    with _torch_wanted():
        from appliance.studio import export as step
    from appliance.studio.gather import load
    from appliance.studio.train import load as load_checkpoint

    settings = step.ExportSettings(name=out.stem, licence=licence, author=author)
    settings = replace(settings, atlas=replace(settings.atlas, places=places or settings.atlas.places))
    click.echo(step.export(load(corpus), load_checkpoint(checkpoint), out, settings).card)


@contextlib.contextmanager
def _torch_wanted() -> Iterator[None]:
    """Turn the absence of torch or onnx into a sentence; without the extra, the rest of the program has neither."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise StudioError(f"{error.name} is missing; install it with 'pip install .[studio]'.") from error
