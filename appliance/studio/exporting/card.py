"""The model card, written from what was measured."""

import string
from collections.abc import Mapping
from dataclasses import dataclass

from appliance.studio.exporting.motion import DRAW_SPREAD, Movement

__all__ = ["Facts", "write"]

_MOST_NAMES = 40
_PAGE = string.Template("""# $name

$character

A timbre space: a variational autoencoder of spectra (1233 log-spaced magnitudes, 10 cents apart, to 32 numbers and
back), with $places real sounds to start from. It plays slow, held sounds. It cannot play attacks, rhythm or speech,
because it never saw any: a spectrum has no time.

## Corpus

Clips of two seconds, steady, brought to -24 LUFS.

$sources

$licences

## Scores

$table

*Held out*: sources that were never trained or tuned on. *Recordings*: $recordings.
*Between*: half way between two places, against both sounds at once (powers added). *Wiggled*: on the wiggler's
circles around places. *Prior*: 1,000 draws as the score makes them, from a normal distribution around the
middle of the atlas and $spread times as wide. *Peaks over median*: how far the 12 highest spectral peaks stand over
what surrounds them; a drone without peaks is noise, and a loss below zero is a gain. PCA has 32 components and was
fitted on the same training set.

$bars

$precision

Places lend their detail as far as $reach of the median distance between nearest places ($nearest).

## Ways through it

The wiggler at rest moves the spectrum by 1.5 dB RMS a second at a speed of $speed standard deviations a second. A
circle of 30 s then has a radius of $radius in latent space.

$movements

What the longest principal axes of the atlas move (mean change over its standard deviation): $axes.

## Limits

What is not near a place is the network's own: clear, but without the fine structure of a recording. Its level may be
several LU off that of the places, so whoever plays it must level it. A very low or very dense sound loses detail.
Sounds unlike those of the corpus come back as the nearest that it knows.

$made Licence of the model: $licence.
""")


@dataclass(frozen=True)
class Facts:
    """What a card tells.

    Attributes
    ----------
    sources : tuple
        Split, names of its sources and number of clips.
    recordings : int
        Steady stretches of the independent test set.
    table : str
        Markdown.
    scores : mapping
        As in the manifest.
    reach : float
        In median distances between nearest places.
    movements : mapping
        Of each trait's direction.
    axes : tuple of str
    """

    name: str
    licence: str
    character: str
    made: str
    sources: tuple[tuple[str, tuple[str, ...], int], ...]
    licences: tuple[str, ...]
    places: int
    recordings: int
    table: str
    scores: Mapping[str, float]
    precision: str
    speed: float
    radius: float
    nearest: float
    reach: float
    movements: Mapping[str, Movement]
    axes: tuple[str, ...]


def write(facts: Facts) -> str:
    """Write the page, in Markdown."""
    text = _PAGE.substitute(
        name=facts.name,
        character=facts.character or "A model made from somebody's own recordings.",
        made=facts.made,
        licence=facts.licence,
        places=f"{facts.places:,}",
        sources=_sources(facts),
        licences="\n".join(f"- {note}" for note in facts.licences) or "No licence of the sources was noted.",
        recordings=_recordings(facts.recordings),
        table=facts.table,
        bars=_bars(facts.scores),
        precision=facts.precision,
        spread=f"{DRAW_SPREAD:g}",
        reach=f"{facts.reach:.2f}",
        nearest=f"{facts.nearest:.2f}",
        speed=f"{facts.speed:.3f}",
        radius=f"{facts.radius:.2f}",
        movements=_movements(facts.movements),
        axes=", ".join(facts.axes[:8]),
    )
    return text


def _sources(facts: Facts) -> str:
    titles = {"train": "Trained on", "tune": "Tuned on (when to stop)", "held_out": "Held out (the score)"}
    lines = []
    for split, names, clips in facts.sources:
        shown = ", ".join(_grouped(names)[:_MOST_NAMES])
        more = f", and {len(_grouped(names)) - _MOST_NAMES} more" if len(_grouped(names)) > _MOST_NAMES else ""
        sources = f"{len(names):,} sources" if len(names) != 1 else "one source"
        lines.append(f"- {titles[split]}: {clips:,} clips of {sources}: {shown}{more}.")
    return "\n".join(lines)


def _grouped(names: tuple[str, ...]) -> list[str]:
    """Put numbered sources of one family together: glass/3 and glass/4 are *glass (2)*."""
    counts: dict[str, int] = {}
    for name in names:
        family, _, last = name.rpartition("/")
        counts[family if last.isdigit() else name] = counts.get(family if last.isdigit() else name, 0) + 1
    return [name if count == 1 else f"{name} ({count})" for name, count in counts.items()]


def _recordings(stretches: int) -> str:
    if not stretches:
        return "none were there to test with"
    return (
        f"the {stretches} steady stretches of Debian's `sonic-pi-samples`, an independent test set that was never "
        "trained or tuned on"
    )


def _bars(scores: Mapping[str, float]) -> str:
    """The ratios that the product is held to, one line each."""
    lines = ["| measure | is | should be |", "|---|---:|---:|"]
    for name, prefix, bar in (("what was held out", "held_out", "0.75"), ("recordings", "recordings", "0.95")):
        if f"pca_{prefix}_rms_db" in scores:
            ratio = scores[f"model_{prefix}_rms_db"] / scores[f"pca_{prefix}_rms_db"]
            lines.append(f"| error on {name} over that of PCA-32 | {ratio:.2f} | <= {bar} |")
    lines.append(f"| active dimensions | {scores['active_dimensions']:.0f} | >= 28 |")
    for name, one, other, bar in (
        ("held out", "data_held_out", "model_held_out", "4"),
        ("recordings", "data_recordings", "model_recordings", "8"),
        ("prior, against training data", "data_train", "model_prior", "6"),
    ):
        if f"{one}_peaks_db" in scores:
            lost = scores[f"{one}_peaks_db"] - scores[f"{other}_peaks_db"]
            lines.append(f"| peaks lost, {name}, dB | {lost:+.1f} | within {bar} |")
    lines.append(f"| draws from the prior that are of no use | {scores['prior_unusable']:.1%} | < 2 % |")
    return "\n".join(lines)


def _movements(movements: Mapping[str, Movement]) -> str:
    names = list(movements)
    lines = [
        "| one step along | " + " | ".join(f"moves {name}" for name in names) + " | steadily | at so many places |",
        "|---|" + "---:|" * len(names) + "---|---:|",
    ]
    for name, one in movements.items():
        cells = " | ".join(f"{one.moved[each]:+.2f}" for each in names)
        lines.append(f"| {name} | {cells} | {'yes' if one.steady else 'no'} | {one.rising:.0%} |")
    lines += ["", "In standard deviations of the atlas, on average over points near places."]
    return "\n".join(lines)
