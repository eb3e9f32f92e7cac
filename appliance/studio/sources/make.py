"""A shipped model from its recipe in one go: play and analyse, train, measure, export."""

import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from appliance.errors import StudioError
from appliance.folders import write_whole
from appliance.studio import corpus
from appliance.studio.exporting import export
from appliance.studio.exporting.atlas import AtlasSettings
from appliance.studio.sources import compose
from appliance.studio.sources.recipe import Recipe
from appliance.studio.training import train
from appliance.studio.training.checkpoint import TrainSettings
from appliance.studio.training.loss import Weights

__all__ = ["Steps", "make"]


@dataclass(frozen=True)
class Steps:
    """Who is told what: clips done and of how many, each round of training."""

    composing: Callable[[int, int], None]
    training: Callable[[train.Progress], None]


def make(recipe: Recipe, origin: str, work: Path, out: Path, jobs: int | None, tell: Steps) -> export.Exported:
    """Make a model; a making that was broken off goes on where it was.

    Parameters
    ----------
    origin : str
        What the recipe is called, for the card.
    work : Path
        Folder for the corpus and the checkpoint, this recipe's alone.
    out : Path
        The ``.latent`` file; its card goes beside it.
    jobs : int or None
        Processes for the corpus; None is one for each core. Training takes one core, so that it repeats.

    Raises
    ------
    StudioError
        If a source is missing, a folder cannot be written to, ``work`` holds clips of another recipe, or the recipe
        weighs what is no part of the loss.
    ModelError
        If the bundle cannot be written.
    """
    weights = _weights(recipe)
    start = time.monotonic()
    compose.compose(recipe, work / "corpus", jobs, tell.composing)
    composing_s = _spent(work / "composing.json", time.monotonic() - start)
    clips = corpus.load(work / "corpus")
    train.use_threads(1)
    settings = replace(TrainSettings(), epochs=recipe.epochs, seed=recipe.seed, weights=weights)
    checkpoint = train.train(clips, work / "model.pt", settings, tell.training)
    made = (
        f"Made by `latent studio make {origin}`: {composing_s / 60.0:.0f} minutes for the corpus and "
        f"{checkpoint.seconds / 60.0:.0f} for the training, on {os.cpu_count()} cores that had other work besides."
    )
    wanted = export.ExportSettings(
        name=recipe.name,
        licence=recipe.licence,
        author=recipe.author,
        character=recipe.character,
        made=made,
        atlas=AtlasSettings(places=recipe.places),
    )
    return export.export(clips, checkpoint, out, wanted)


def _weights(recipe: Recipe) -> Weights:
    """The recipe's weights, in place of the usual ones."""
    unknown = recipe.weights.keys() - asdict(Weights()).keys()
    if unknown:
        raise StudioError(
            f"The recipe of '{recipe.name}' has no use for a weight called {', '.join(sorted(unknown))}; there are "
            f"{', '.join(asdict(Weights()))}."
        )
    return replace(Weights(), **recipe.weights)


def _spent(path: Path, seconds: float) -> float:
    """Add to the time that was spent before a making was broken off, and give the sum."""
    total = seconds + (float(json.loads(path.read_text())) if path.exists() else 0.0)
    write_whole(path, lambda file: file.write(json.dumps(total).encode()))
    return total
