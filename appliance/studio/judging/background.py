"""Where a model comes from: what it learned from, and how the learning went."""

import csv
from collections import Counter
from pathlib import Path

from appliance.errors import StudioError
from appliance.studio.corpus import SPLITS, Corpus
from appliance.studio.judging.judgement import Material, Training

__all__ = ["history", "material"]


def history(path: Path) -> Training | None:
    """Read what the training wrote; None where there is nothing, and a column that is not there is empty.

    Raises
    ------
    StudioError
        If it is damaged.
    """
    if not path.is_file():
        return None
    try:
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))

        def column(name: str) -> tuple[float, ...]:
            return tuple(float(row[name]) for row in rows if row.get(name))

        return Training(column("step"), column("train_rms_db"), column("tune_rms_db"), column("kl"), column("seconds"))
    except (OSError, ValueError, csv.Error) as error:
        raise StudioError(f"{path} is damaged ({error}); remove it, or train again.") from error


def material(corpus: Corpus) -> Material:
    """Count clips and sources; there must be a training clip."""
    clips: Counter[str] = Counter(corpus.licences[number] for number in corpus.source)
    sources = Counter(corpus.licences)
    trained = Counter(corpus.source[corpus.rows("train")].tolist()).most_common(1)
    return Material(
        clips={name: len(corpus.rows(name)) for name in SPLITS},
        sources={name: len(corpus.named(name)) for name in SPLITS},
        licences=tuple((licence, sources[licence], count) for licence, count in clips.most_common()),
        largest=corpus.sources[trained[0][0]],
        largest_share=trained[0][1] / len(corpus.rows("train")),
    )
