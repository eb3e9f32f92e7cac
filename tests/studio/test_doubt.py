"""The classifier: what it learns, what it says of itself, and in which order it asks."""

import numpy as np
import pytest

from appliance.spectrum.codec import BINS
from appliance.studio.curating.descriptors import features
from appliance.studio.curating.doubt import Doubt, learn, spread

PATIENCE_S = 20.0
CLIPS = 900


@pytest.fixture(scope="module")
def spectra() -> np.ndarray:
    """Clips between noise and tone, three of each source, float16."""
    rng = np.random.default_rng(7)
    made = np.zeros((CLIPS, BINS), dtype=np.float16)
    for number in range(CLIPS):
        noisiness = np.random.default_rng(number // 3).random()
        clip = rng.normal(0.1 + 0.4 * noisiness, 0.03, BINS)
        clip[rng.integers(200, 1100, 15)] = 0.75 - 0.2 * noisiness
        made[number] = np.clip(clip, 0.0, 1.0)
    return made


@pytest.fixture(scope="module")
def source() -> np.ndarray:
    return np.arange(CLIPS) // 3


@pytest.fixture(scope="module")
def tonal() -> np.ndarray:
    """A taste: what is more tone than noise is kept."""
    return np.array([np.random.default_rng(number // 3).random() < 0.45 for number in range(CLIPS)])


def everywhere(count: int) -> np.ndarray:
    return np.ones(count, dtype=np.bool_)


def test_features_are_standardised_and_finite(spectra: np.ndarray) -> None:
    described = features(spectra)

    assert described.shape == (CLIPS, 60)
    assert described.dtype == np.float32
    np.testing.assert_allclose(described.mean(axis=0), 0.0, atol=1e-3)
    np.testing.assert_allclose(described.std(axis=0), 1.0, atol=0.02)


@pytest.mark.parametrize("count", [1, 2, 9])
def test_features_of_a_few_clips_that_are_all_alike_are_finite(count: int) -> None:
    described = features(np.full((count, BINS), 0.3, dtype=np.float16))

    assert len(described) == count
    assert np.isfinite(described).all()


def test_it_begins_with_clips_unlike_one_another() -> None:
    described = np.concatenate([np.zeros((200, 2)), [[50.0, 0.0], [0.0, 50.0], [-50.0, 0.0]]]).astype(np.float32)

    order = spread(described, np.random.default_rng(1))

    assert sorted(order) == list(range(203))
    assert {200, 201, 202} <= set(order[:4].tolist())
    shuffled = np.random.default_rng(1).permutation(203)
    assert not {200, 201, 202} <= set(shuffled[:4].tolist())


def test_it_learns_a_taste(spectra: np.ndarray, source: np.ndarray, tonal: np.ndarray) -> None:
    rows = np.random.default_rng(3).permutation(CLIPS)[:120]

    guess = learn(1, features(spectra), source, rows, tonal[rows], everywhere(120))

    assert guess is not None
    others = np.setdiff1d(np.arange(CLIPS), rows)
    true = float(((guess.keep > 0.5) == tonal)[others].mean())
    assert true > 0.9
    assert guess.accuracy == pytest.approx(true, abs=0.08)
    assert guess.blind is not None
    assert guess.blind < 0.65
    assert guess.trusted
    keep, reject = guess.sure(np.isin(np.arange(CLIPS), others))
    assert len(keep) > 50
    assert len(reject) > 50
    assert tonal[keep].mean() > 0.97
    assert tonal[reject].mean() < 0.03
    assert not np.isin(keep, rows).any()


def test_it_does_not_praise_itself_where_there_is_nothing_to_learn(spectra: np.ndarray, source: np.ndarray) -> None:
    # A coin for each source: whoever judged a clip by another of the same source would think that this was a taste.
    coin = np.random.default_rng(5).random(CLIPS // 3)[source] < 0.5
    rows = np.arange(300)

    guess = learn(1, features(spectra), source, rows, coin[rows], everywhere(300))

    assert guess is not None
    assert guess.accuracy is not None
    assert guess.accuracy < 0.62
    assert not guess.trusted


def test_it_says_nothing_before_it_has_seen_both_kinds(
    spectra: np.ndarray, source: np.ndarray, tonal: np.ndarray
) -> None:
    described, kept = features(spectra), np.flatnonzero(tonal)

    assert learn(1, described, source, kept[:60], tonal[kept[:60]], everywhere(60)) is None
    assert learn(1, described, source, kept[:0], tonal[:0], everywhere(0)) is None


def test_of_one_source_alone_it_guesses_but_claims_nothing(spectra: np.ndarray) -> None:
    rows = np.arange(20)

    guess = learn(1, features(spectra), np.zeros(CLIPS, dtype=np.int64), rows, rows < 10, everywhere(20))

    assert guess is not None
    assert guess.accuracy is None
    assert not guess.trusted


class Asked:
    """Somebody who decides."""

    def __init__(self, spectra: np.ndarray, source: np.ndarray, taste: np.ndarray) -> None:
        self.rows: list[int] = []
        self.open = np.ones(len(source), dtype=np.bool_)
        self._taste = taste
        self.doubt = Doubt(spectra, source, lambda: (np.array(self.rows, dtype=np.int64), taste[self.rows]))

    def decide(self, count: int) -> list[int]:
        rows = self.doubt.next(self.open, count, len(self.rows))
        self.rows += rows
        self.open[rows] = False
        return rows

    def learn(self) -> None:
        self.doubt.stir()
        assert self.doubt.settle(PATIENCE_S)


def test_what_it_doubts_comes_first_and_every_fifth_is_random(
    spectra: np.ndarray, source: np.ndarray, tonal: np.ndarray
) -> None:
    asked = Asked(spectra, source, tonal)
    try:
        asked.decide(40)
        assert asked.doubt.guess is None
        asked.learn()
        guess = asked.doubt.guess
        assert guess is not None
        assert guess.learned == 40
        doubt = np.abs(guess.keep - 0.5)
        nearest = np.flatnonzero(asked.open)[np.argsort(doubt[asked.open], kind="stable")]

        rows = asked.doubt.next(asked.open, 10, 40)

        assert len(set(rows)) == 10
        assert [row for turn, row in enumerate(rows) if turn % 5 != 4] == nearest[:8].tolist()
        assert not {rows[4], rows[9]} & set(nearest[:8].tolist())
    finally:
        asked.doubt.close()


def test_doubt_needs_fewer_decisions_than_chance(spectra: np.ndarray, source: np.ndarray, tonal: np.ndarray) -> None:
    asked = Asked(spectra, source, tonal)
    try:
        for _ in range(24):
            asked.decide(5)
            asked.learn()
        guess = asked.doubt.guess
    finally:
        asked.doubt.close()

    assert guess is not None
    true = float(((guess.keep > 0.5) == tonal)[asked.open].mean())
    described = features(spectra)
    by_chance = []
    for seed in range(3):
        rows = np.random.default_rng(seed).permutation(CLIPS)[:120]
        other = learn(1, described, source, rows, tonal[rows], everywhere(120))
        assert other is not None
        by_chance.append(float(((other.keep > 0.5) == tonal)[np.setdiff1d(np.arange(CLIPS), rows)].mean()))
    assert true > max(by_chance)


def test_all_clips_are_asked_about_in_the_end_and_each_once(source: np.ndarray, spectra: np.ndarray) -> None:
    asked = Asked(spectra[:60], source[:60], np.arange(60) % 2 == 0)
    try:
        for _ in range(9):
            asked.decide(7)
            asked.learn()
        assert asked.decide(7) == []
    finally:
        asked.doubt.close()

    assert sorted(asked.rows) == list(range(60))


def test_closing_twice_does_no_harm(source: np.ndarray, spectra: np.ndarray) -> None:
    asked = Asked(spectra[:10], source[:10], np.arange(10) < 5)

    asked.doubt.close()
    asked.doubt.close()
