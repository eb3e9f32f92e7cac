"""The model card, written from what was measured."""

import string
from collections.abc import Mapping

from appliance.studio.gather import GatherSettings
from appliance.studio.programs import HELD_OUT, NAMES, TRAIN, TUNE

__all__ = ["write"]

_PAGE = string.Template("""# $name

A timbre space: a variational autoencoder of spectra (1233 log-spaced magnitudes, 10 cents apart, to 32 numbers and
back), with $places real sounds to start from. It plays slow, held sounds. It cannot play attacks, rhythm or speech,
because it never saw any: a spectrum has no time.

## Corpus

$clips clips of two seconds, rendered by `latent studio gather` with FluidSynth (seed $seed) from FluidR3_GM: chords of
1 to 8 notes between 33 and 2093 Hz in equal temperament on A440, on 1 to 3 layered instruments of those below, taken
after the attack and brought to $loudness LUFS. Open and suspended chords come first, clusters are few. The atlas
leaves out what decays, beats, pierces or rubs.

Soundfont: FluidR3_GM, MIT licence. Copyright (c) 2000-2002, 2008 Frank Wen; Copyright (c) 2008 Toby Smithe.

- Trained on: $train.
- Tuned on (sizes, weights, when to stop): $tune.
- Held out (never trained or tuned on; the score): $held_out.

## Scores

$table

*Held out*: $tested clips of the held-out instruments. *Recordings*: the $stretches steady stretches of Debian's
`sonic-pi-samples`, an independent test set that was never trained or tuned on. *Between*: half way between two
places, against both sounds at once (powers added). *Wiggled*: on the wiggler's circles around places. *Prior*: draws
from a normal distribution as wide as the atlas. *Peaks over median*: how far the 12 highest spectral peaks stand over
what surrounds them; a drone without peaks is noise. PCA has 32 components and was fitted on the same training set.

$precision

The wiggler at rest moves the spectrum by 1.5 dB RMS a second at a speed of $speed standard deviations a second. A
circle of 30 s then has a radius of $radius in latent space; the nearest neighbour of a place is $nearest away (median).

Going one step along a trait's direction moved it by (1 is one standard deviation of the atlas): $moved.

## Limits

What is not near a place is the network's own: clear, but without the fine structure of a recording. Its level may be
several LU off that of the places, so whoever plays it must level it. A very low or very dense sound loses detail.
Sounds unlike its instruments (bells, noise, voices that speak) come back as something like an organ.

Made by `latent studio gather`, `train` and `export`; licence of the model: $licence.
""")


def write(corpus: GatherSettings, facts: Mapping[str, str]) -> str:
    """Fill in the page; ``facts`` are its names that the corpus does not give."""

    def names(numbers: tuple[int, ...]) -> str:
        return ", ".join(NAMES[number] for number in numbers)

    return _PAGE.substitute(
        facts,
        clips=f"{corpus.train:,}",
        seed=corpus.seed,
        tested=f"{corpus.held_out:,}",
        loudness=f"{corpus.loudness_lufs:.0f}",
        train=names(TRAIN),
        tune=names(TUNE),
        held_out=names(HELD_OUT),
    )
