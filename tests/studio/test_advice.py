"""Each rule speaks when it should, and is silent when nothing is wrong."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from judged import good

from appliance.studio.judging import verdict
from appliance.studio.judging.advice import advise
from appliance.studio.judging.judgement import Judgement, Lines, SourceError, Training


def _material(**changed: Any) -> Judgement:
    return replace(good(), material=replace(good().material, **changed))


def _count(clips: int, sources: int) -> Judgement:
    held = good().material
    return _material(clips={**held.clips, "train": clips}, sources={**held.sources, "train": sources})


def _part(name: str, **changed: float) -> Judgement:
    parts = good().parts
    return replace(good(), parts={**parts, name: replace(parts[name], **changed)})


def _latents(**changed: Any) -> Judgement:
    return replace(good(), latents=replace(good().latents, **changed))


def _prior(unusable: float = 0.0, own: float = 0.0, peaks_db: float = 40.0, **reasons: float) -> Judgement:
    told: Mapping[str, float] = {name.replace("_", " "): share for name, share in reasons.items()}
    prior = good().prior
    return replace(
        good(), prior=replace(prior, unusable=unusable, own=own, peaks_db=peaks_db, reasons={**prior.reasons, **told})
    )


def _course(tune: tuple[float, ...]) -> Judgement:
    return replace(good(), training=Training((), tune, tune, (), ()))


def _odd(*errors: float) -> Judgement:
    return replace(good(), sources=tuple(SourceError(f"file {n}", 9, error, 6.0) for n, error in enumerate(errors)))


_FEW_ACTIVE = (True,) * 20 + (False,) * 12


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (lambda: _count(80, 30), "Gather more: 80 clips are few"),
        (lambda: _count(9000, 12), "Gather more sources: 9,000 clips come from only 12"),
        (lambda: _material(largest_share=0.5), "Take fewer clips of garden/rain.wav: 50 %"),
        (lambda: _part("train", alone_rms_db=3.0), "Gather other sources, or stop earlier"),
        (lambda: _course(tuple(8.0 - 0.1 * n for n in range(30))), "Train longer"),
        (lambda: replace(_part("train", alone_rms_db=5.5), parts=_missed(5.5)), "Even what it learned from"),
        (lambda: replace(good(), parts=_missed(4.6)), "Gather more that is like what was held out"),
        (lambda: _odd(9.0, 5.0, 5.0, 4.0), "Curate: file 0 fares far worse"),
        (lambda: _odd(9.4, 9.3, 9.2, 9.1, 9.0, *(5.0,) * 9), "Curate: file 0, file 1, file 2 and 2 more fare"),
        (lambda: _part("recordings", rms_db=5.7), "Gather more kinds of sound"),
        (lambda: _latents(active=_FEW_ACTIVE), "only 20 of 32 are used. Train with half of --weight kl (now 0.03)"),
        (lambda: _latents(radii=(8.0, 9.0)), "More beta: sounds lie 8.5 from the origin"),
        (lambda: _latents(worst_correlation=-0.9), "More beta: two dimensions move together"),
        (lambda: _prior(0.05, bands=0.05), "More beta: 5.0 % of the draws"),
        (lambda: replace(_prior(0.05, bands=0.05), latents=_latents(active=_FEW_ACTIVE).latents), "you turn beta"),
        (lambda: _prior(0.05, near_silent=0.05), "raise --weight prior_level (now 0.1)"),
        (lambda: _part("held_out", peaks_db=35.0), "Raise --weight contrast (now 0.5)"),
        (lambda: _prior(peaks_db=33.0), "Raise --weight prior_contrast (now 0.3)"),
        (lambda: replace(good(), traits=(replace(good().traits[0], correlation=0.5),)), "The pitch of a sound hardly"),
        (lambda: replace(good(), lines=Lines((), (4.0, 5.0))), "Raise --weight between (now 0.5)"),
        (lambda: replace(good(), neighbours=replace(good().neighbours, near_db=16.0)), "Neighbours hardly sound alike"),
        (lambda: replace(good(), places=60), "The atlas has 60 places"),
        (lambda: _material(licences=(("", 3, 90),)), "3 sources have no licence note"),
    ],
)  # fmt: skip
def test_each_rule_speaks(found: Callable[[], Judgement], said: str) -> None:
    sentences = advise(found())
    assert any(said in sentence for sentence in sentences), sentences
    assert len(sentences) <= 2
    assert not any(said in sentence for sentence in advise(good()))


def _missed(learned_db: float) -> dict[str, Any]:
    """Parts of a model that is too far off on what was held out."""
    parts = good().parts
    held = replace(parts["held_out"], rms_db=5.4, alone_rms_db=5.4)
    tune = replace(parts["tune"], alone_rms_db=5.5)
    return {**parts, "held_out": held, "tune": tune, "train": replace(parts["train"], alone_rms_db=learned_db)}


def test_what_is_known_by_heart_is_not_to_be_trained_longer() -> None:
    parts = _missed(0.4)
    parts["train"] = replace(parts["train"], pca_rms_db=0.1)
    sentences = advise(replace(good(), parts=parts))
    assert any("by heart" in sentence for sentence in sentences), sentences
    assert not any("train longer" in sentence for sentence in sentences), sentences


def test_where_nothing_is_wrong_it_says_so() -> None:
    assert advise(good()) == [
        "Nothing stands in the way: write it with 'latent studio export mine.latent' and listen to it."
    ]
    slow = replace(good(), precision=replace(good().precision, int8_us=99.0))
    assert "No rule here knows" in advise(slow)[0]


def test_chance_is_no_reason_for_more_beta() -> None:
    assert "More beta" in advise(_prior(0.05, bands=0.05))[0]
    assert advise(_prior(0.05, own=0.2, bands=0.05)) == advise(good())


def test_a_curve_that_only_wavers_does_not_ask_for_more_training() -> None:
    assert advise(_course((8.0, 6.0, *(5.0, 5.02) * 14))) == advise(good())
    assert advise(_course((8.0, 5.0))) == advise(good())


def test_scores_stand_beside_their_bars() -> None:
    scores = verdict.scores(good())
    assert len(scores) == 9
    assert all(score.passed for score in scores)
    bad = replace(
        _part("held_out", rms_db=6.0, peaks_db=30.0),
        latents=_latents(active=_FEW_ACTIVE).latents,
        precision=replace(good().precision, off_db=0.7),
    )
    missed = [score.name for score in verdict.scores(bad) if not score.passed]
    assert len(missed) == 4
    assert missed[0] == "Held-out error, over that of PCA-32"


def test_peaks_that_are_too_high_miss_the_bar_too() -> None:
    scores = {score.name: score for score in verdict.scores(_part("held_out", peaks_db=46.0))}
    assert not scores["Peaks of held-out sounds, off by"].passed


def test_what_was_not_measured_has_no_score() -> None:
    parts = {name: part for name, part in good().parts.items() if name in ("train", "tune")}
    few = replace(_prior(0.5, own=0.4), parts=parts, precision=None)
    assert len(verdict.scores(few)) == 2


def test_all_numbers_are_json_and_the_sounds_are_not_among_them() -> None:
    strange = replace(good(), traits=(replace(good().traits[0], correlation=float("nan")),))
    told = json.loads(json.dumps(verdict.as_dict(strange), allow_nan=False))
    assert told["traits"][0]["correlation"] is None
    assert told["scores"][0]["passed"] is True
    assert told["parts"]["held_out"]["rms_db"] == 4.6
    assert "examples" not in told
