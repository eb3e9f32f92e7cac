"""The card tells what was measured, and beside it what should be."""

from dataclasses import replace

from appliance.studio.exporting import card
from appliance.studio.exporting.motion import Movement

_SCORES = {
    "pca_held_out_rms_db": 8.0,
    "model_held_out_rms_db": 5.6,
    "pca_recordings_rms_db": 8.0,
    "model_recordings_rms_db": 7.2,
    "active_dimensions": 31.0,
    "data_held_out_peaks_db": 41.0,
    "model_held_out_peaks_db": 38.5,
    "data_recordings_peaks_db": 31.0,
    "model_recordings_peaks_db": 24.0,
    "data_train_peaks_db": 40.0,
    "model_prior_peaks_db": 41.5,
    "prior_unusable": 0.0125,
}
_FACTS = card.Facts(
    name="mine",
    licence="CC0 at $5 a copy",
    character="Rain on tin.",
    made="Made in 3 minutes.",
    sources=(
        ("train", ("rain.wav", "glass/0", "glass/1", "glass/3"), 1200),
        ("tune", ("hail.wav",), 60),
        ("held_out", ("snow.wav",), 70),
    ),
    licences=("CC0, Ada Example", "MIT"),
    places=2048,
    recordings=45,
    table="| the | table |",
    scores=_SCORES,
    precision="The decoder is int8.",
    speed=0.123,
    radius=2.5,
    nearest=4.25,
    reach=0.85,
    movements={
        "pitch": Movement({"pitch": 1.0, "level": -0.04}, True, 0.98),
        "level": Movement({"pitch": 0.1, "level": 0.9}, False, 0.6),
    },
    axes=("level +3.0", "mixed", *("pitch -1.0",) * 30),
)


def test_the_card_tells_everything() -> None:
    text = card.write(_FACTS)
    assert text.startswith("# mine\n\nRain on tin.\n")
    for told in (
        "Trained on: 1,200 clips of 4 sources: rain.wav, glass (3).",
        "Tuned on (when to stop): 60 clips of one source: hail.wav.",
        "Held out (the score): 70 clips of one source: snow.wav.",
        "- CC0, Ada Example\n- MIT\n",
        "with 2,048 real sounds",
        "the 45 steady stretches of Debian's `sonic-pi-samples`",
        "| the | table |",
        "The decoder is int8.",
        "0.85 of the median distance between nearest places (4.25)",
        "a speed of 0.123 standard deviations",
        "a radius of 2.50 in latent space",
        "level +3.0, mixed, pitch -1.0,",
        "Made in 3 minutes. Licence of the model: CC0 at $5 a copy.",
    ):
        assert told in text.replace("\nback", " back"), told
    assert text.count("pitch -1.0") == 6


def test_every_bar_has_its_line() -> None:
    text = card.write(_FACTS)
    for line in (
        "| error on what was held out over that of PCA-32 | 0.70 | <= 0.75 |",
        "| error on recordings over that of PCA-32 | 0.90 | <= 0.95 |",
        "| active dimensions | 31 | >= 28 |",
        "| peaks lost, held out, dB | +2.5 | within 4 |",
        "| peaks lost, recordings, dB | +7.0 | within 8 |",
        "| peaks lost, prior, against training data, dB | -1.5 | within 6 |",
        "| draws from the prior that are of no use | 1.2% | < 2 % |",
    ):
        assert f"\n{line}\n" in text, line


def test_what_moves_what_is_a_table() -> None:
    text = card.write(_FACTS)
    assert "| one step along | moves pitch | moves level | steadily | at so many places |" in text
    assert "| pitch | +1.00 | -0.04 | yes | 98% |" in text
    assert "| level | +0.10 | +0.90 | no | 60% |" in text


def test_what_there_is_not_is_said_or_left_out() -> None:
    heard = {name: value for name, value in _SCORES.items() if "recordings" not in name}
    bare = card.write(replace(_FACTS, character="", licences=(), recordings=0, scores=heard))
    assert "A model made from somebody's own recordings." in bare
    assert "No licence of the sources was noted." in bare
    assert "*Recordings*: none were there to test with." in bare
    assert "error on recordings" not in bare
    assert "peaks lost, recordings" not in bare
    assert "peaks lost, held out" in bare


def test_of_very_many_sources_only_some_are_named() -> None:
    names = tuple(f"take-{at:03}.wav" for at in range(90))
    text = card.write(replace(_FACTS, sources=(("train", names, 270),)))
    assert "270 clips of 90 sources: take-000.wav," in text
    assert "take-039.wav, and 50 more." in text
    assert "take-040.wav" not in text
    few = card.write(replace(_FACTS, sources=(("train", names[:40], 120),)))
    assert "more." not in few
