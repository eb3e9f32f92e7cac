import numpy as np
import pytest

from appliance.mood import Mood
from appliance.score import harmony
from appliance.score.colour import PLAIN, Colour, colour_of, coloured, outline_db
from appliance.spectrum import traits
from appliance.spectrum.codec import BINS, from_power, power

TONIC = 34


@pytest.fixture
def chord(harmonic):
    """Power of three notes, one of them off the key of `TONIC`."""
    return power(harmonic(220.0, 277.0, 331.0))


@pytest.fixture
def ordinary(chord):
    return outline_db(chord[np.newaxis] * 0.5)[0]


def spectrum(powers):
    return from_power(powers)[np.newaxis]


def share_in_key(powers):
    found = harmony.chroma(*traits.peaks(spectrum(powers)))
    return float(harmony.in_key(found, TONIC, np.zeros(1, dtype=np.intp))[0, 0])


def test_at_rest_nothing_is_touched(chord, ordinary):
    assert colour_of(Mood(), TONIC) == PLAIN
    assert coloured(chord, PLAIN, ordinary) is chord
    # Neither are the knobs coloured that move something else, nor does more density need it.
    assert colour_of(Mood(pitch=1.0, wander=1.0, pace=4.0, nature=0.0, width=0.0, density=1.0), TONIC) == PLAIN


@pytest.mark.parametrize("name", ["tonality", "weirdness", "level", "consonance", "density"])
@pytest.mark.parametrize("value", [-1.0, -0.3, 0.3, 1.0])
def test_loudness_stays(chord, ordinary, name, value):
    found = coloured(chord, Colour(**{name: value}, tonic=TONIC), ordinary)
    assert found.dtype == np.float32
    assert found.shape == (BINS,)
    assert (found >= 0.0).all()
    assert float(found @ traits.k_weighting()) == pytest.approx(float(chord @ traits.k_weighting()), rel=1e-4)


@pytest.mark.parametrize("name", ["tonality", "weirdness", "level", "consonance", "density"])
def test_colours_grow_without_a_jump(chord, ordinary, name):
    """The smallest turn changes next to nothing: half a decibel where it is loud."""
    for value in (-0.01, 0.01):
        found = coloured(chord, Colour(**{name: value}, tonic=TONIC), ordinary)
        heard = chord > chord.max() * 1e-4
        assert np.abs(10.0 * np.log10(found[heard] / chord[heard])).max() < 0.5


def test_silence_stays_silent(ordinary):
    silent = np.zeros(BINS, dtype=np.float32)
    assert coloured(silent, Colour(1.0, 1.0, 1.0, 1.0, -1.0, TONIC), ordinary).max() == 0.0


def test_tonality_lets_peaks_stand_out_or_sink(chord, ordinary):
    heights = [
        float(traits.tonality(spectrum(coloured(chord, Colour(tonality=value), ordinary)))[0])
        for value in (-1.0, 0.0, 1.0)
    ]
    assert heights[0] < 0.7 * heights[1]
    assert heights[2] > heights[1] + 5.0


def test_louder_is_brighter(chord, ordinary):
    pitches = [
        float(traits.pitch(spectrum(coloured(chord, Colour(level=value), ordinary)))[0]) for value in (-1.0, 0.0, 1.0)
    ]
    assert pitches == sorted(pitches)


def test_consonance_lets_the_key_stand_out(chord, ordinary):
    shares = [
        share_in_key(coloured(chord, Colour(consonance=value, tonic=TONIC), ordinary)) for value in (-1.0, 0.0, 1.0)
    ]
    assert shares == sorted(shares)
    assert shares[2] > shares[0] + 0.2


def test_weirdness_moves_the_outline_from_the_ordinary_one(chord, ordinary):
    tilted = ordinary + np.linspace(-15.0, 15.0, BINS, dtype=np.float32)

    def apart(value):
        found = outline_db(coloured(chord, Colour(weirdness=value), tilted)[np.newaxis])[0] - tilted
        return float(np.std(found[chord > chord.max() * 1e-4]))

    assert apart(-1.0) < apart(0.0) < apart(1.0)


def test_thin_is_narrow(chord, ordinary):
    octaves = np.arange(BINS) / 120.0

    def spread(value):
        weight = coloured(chord, Colour(density=value), ordinary).astype(np.float64)
        middle = np.average(octaves, weights=weight)
        return float(np.sqrt(np.average((octaves - middle) ** 2, weights=weight)))

    assert spread(-1.0) < 0.8 * spread(0.0)
