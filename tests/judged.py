"""Sounds to judge by, and a judgement with which nothing is wrong."""

import numpy as np

from appliance.spectrum import traits
from appliance.spectrum.codec import BINS, FLOOR_DB, Floats
from appliance.studio.judging.judgement import (
    Example,
    Judgement,
    Latents,
    Lines,
    Material,
    Neighbours,
    Part,
    Precision,
    Prior,
    SourceError,
    Training,
    Trait,
)


def chords(count: int, seed: int) -> Floats:
    """Harmonic peaks over a sloping ground, brought to -24 LUFS, (count, 1233)."""
    rng = np.random.default_rng(seed)
    bins = np.arange(BINS)
    ground = 0.35 - 0.15 * bins / BINS + 0.02 * rng.standard_normal((count, BINS))
    roots = rng.integers(250, 550, count)
    for row, root in enumerate(roots):
        for number in range(1, 20):
            place = root + round(120 * np.log2(number))
            if place < BINS - 1:
                ground[row, place - 1 : place + 2] += 0.4 / number**0.5
    off = (traits.level(ground.astype(np.float32)) + 24.0)[:, np.newaxis] / -FLOOR_DB
    return np.clip(ground - off, 0.0, 1.0).astype(np.float32)


def good() -> Judgement:
    """A model that passes every bar, with nothing left to advise."""
    ramp = tuple(float(value) for value in np.linspace(0.0, 1.0, 20))
    histogram = tuple((0.1, 0.4, 0.4, 0.1) for _ in range(32))
    sounds = tuple(chords(2, 9))
    return Judgement(
        corpus="studio-work/corpus",
        settings={"weights": {"kl": 0.03, "contrast": 0.5, "prior_contrast": 0.3, "prior_level": 0.1, "between": 0.5}},
        material=Material(
            clips={"train": 12_000, "tune": 800, "held_out": 1200},
            sources={"train": 900, "tune": 60, "held_out": 100},
            licences=(("CC0", 1000, 13_000), ("MIT", 60, 1000)),
            largest="garden/rain.wav",
            largest_share=0.01,
        ),
        parts={
            "train": Part(2000, 900, 3.9, 4.4, 6.5, 39.0, 41.0),
            "tune": Part(800, 60, 4.5, 4.6, 6.4, 38.0, 40.5),
            "held_out": Part(1200, 100, 4.6, 4.7, 6.5, 38.5, 41.0),
            "recordings": Part(45, 0, 5.0, 5.1, 5.8, 26.0, 31.0),
        },
        hz=tuple(100.0 * 1.2**number for number in range(20)),
        error_db=ramp,
        pca_error_db=ramp[::-1],
        sources=tuple(SourceError(f"source {n}", 40, 5.0 - 0.1 * n, 6.0) for n in range(6)),
        traits=tuple(Trait(name, "x", 0.2, 0.95, ramp, ramp) for name in ("pitch", "level", "tonality")),
        latents=Latents(
            active=(True,) * 32,
            mean_variance=(0.9,) * 32,
            divergence=(2.0,) * 32,
            centre=(0.0,) * 32,
            spread=(1.0,) * 32,
            edges=(-4.0, -1.0, 0.0, 1.0, 4.0),
            histogram=histogram,
            radii=(5.0, 5.5, 6.0),
            worst_pair=(3, 8),
            worst_correlation=0.2,
        ),
        prior=Prior(
            draws=1000,
            unusable=0.004,
            reasons={
                "near silent": 0.0,
                "clipped": 0.001,
                "pitch": 0.001,
                "tonality": 0.001,
                "bands": 0.001,
                "bins": 0.0,
            },
            own=0.006,
            peaks_db=38.0,
            training_peaks_db=40.0,
            level_sd_lu=2.0,
            training_level_sd_lu=1.9,
        ),
        places=2048,
        neighbours=Neighbours(2000, 10.0, 17.0, 9.5, 12.0, 22.0),
        lines=Lines((ramp[:8],), (1.3, 1.6, 2.0)),
        precision=Precision(0.12, 60.0, 85.0),
        training=Training(
            tuple(400.0 * (n + 1) for n in range(20)),
            (9.0, *(6.0,) * 19),
            (8.0, *(5.0,) * 19),
            (20.0,) * 20,
            tuple(20.0 * (n + 1) for n in range(20)),
        ),
        examples=(Example("worst", "bell, 2.0 s: 9.0 dB off", ("original", "as it came back"), sounds),),
        missing=(),
        took_s=9.0,
    )
