"""Doubt: a small classifier that learns from decisions which clips to ask about next, and which it need not ask about.

Uncertainty sampling (Lewis & Gale 1994, "A sequential algorithm for training text classifiers"): the clip whose
probability lies nearest to one half teaches most. Every fifth clip is drawn at random all the same: a classifier that
is asked only about what it doubts never learns where it is surely wrong, and what it says of itself could not be
believed. Before there is anything to learn from, the first clips are as unlike one another as can be, drawn as
k-means++ draws its centres (Arthur & Vassilvitskii 2007).
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from appliance.spectrum.codec import Floats
from appliance.studio.curating.descriptors import features

__all__ = ["SURE", "Bools", "Doubt", "Guess", "Rows", "learn", "spread"]

Rows = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

# A guess this probable may be accepted for a clip that nobody hears, ...
SURE: Final = 0.95
# ... where so many decisions that it was sure about, without having seen them, were so.
_SURE_SEEN, _SURE_RIGHT = 30, 0.95
# Of each kind, before there is anything to learn.
_LEAST: Final = 5
_FOLDS: Final = 5
# Strength of the prior on standardised features: weak enough to learn from forty clips, strong enough to doubt.
_TRUST: Final = 0.1
# Decisions on clips drawn at random, before anything is said of accuracy.
_LEAST_RANDOM: Final = 15
# After so many the order is a plain shuffle.
_SPREAD: Final = 64
_RANDOM_EACH: Final = 5
_SEED: Final = 4


@dataclass(frozen=True)
class Guess:
    """What the classifier makes of all clips after some decisions.

    Attributes
    ----------
    number : int
        Counts the fits.
    learned : int
        Decisions by hand that it has seen.
    keep : (n,) float32 in 0..1
        How probably each clip would be kept.
    accuracy : float or None
        How much of what was drawn at random it would have guessed, without having learned from clips of the same
        source; None where that is too little to tell.
    blind : float or None
        How much of it always giving the more frequent answer would have guessed.
    sure_seen, sure_right : int
        Of all decisions, those that it would have been sure about, and had right.
    """

    number: int
    learned: int
    keep: Floats
    accuracy: float | None
    blind: float | None
    sure_seen: int
    sure_right: int

    @property
    def trusted(self) -> bool:
        """Whether what it is sure about may be accepted unheard."""
        return self.sure_seen >= _SURE_SEEN and self.sure_right >= _SURE_RIGHT * self.sure_seen

    def sure(self, open_: Bools) -> tuple[Rows, Rows]:
        """Rows among the open ones (a mask) that it would surely keep, and surely reject."""
        return np.flatnonzero(open_ & (self.keep > SURE)), np.flatnonzero(open_ & (self.keep < 1.0 - SURE))


def spread(described: Floats, rng: np.random.Generator) -> Rows:
    """Give an order to begin with: the first clips unlike one another, the others shuffled.

    Parameters
    ----------
    described : (n, features) float32

    Returns
    -------
    (n,) int64, each row once
    """
    shuffled = rng.permutation(len(described))
    distance = np.full(len(described), np.inf, dtype=np.float64)
    chosen: list[int] = [int(row) for row in shuffled[:1]]
    while chosen and len(chosen) < min(_SPREAD, len(described)):
        apart = described - described[chosen[-1]]
        distance = np.minimum(distance, np.einsum("ij,ij->i", apart, apart))
        if distance.sum() <= 0.0:
            break
        chosen.append(int(rng.choice(len(described), p=distance / distance.sum())))
    first = np.array(chosen, dtype=np.int64)
    return np.concatenate([first, shuffled[~np.isin(shuffled, first)]])


def learn(number: int, described: Floats, source: Rows, rows: Rows, kept: Bools, random: Bools) -> Guess | None:
    """Learn from decisions and guess the others.

    Parameters
    ----------
    number : int
        Of the guess that comes of it.
    described : (n, features) float32
    source : (n,) int64
        Clips of one source are alike: none is judged by what was learned from another.
    rows : (m,) int64
        Clips that were decided by hand.
    kept : (m,) bool
        How.
    random : (m,) bool
        Which of them were drawn at random; the others are harder than most.

    Returns
    -------
    Guess or None
        None where there are not five of each kind yet.
    """
    if min(np.count_nonzero(kept), np.count_nonzero(~kept)) < _LEAST:
        return None
    seen = described[rows]
    apart = _held_out(seen, source[rows], kept)
    right = (apart > 0.5) == kept
    sure = np.maximum(apart, 1.0 - apart) > SURE
    fair = random & np.isfinite(apart)
    told = np.count_nonzero(fair) >= _LEAST_RANDOM
    return Guess(
        number=number,
        learned=len(rows),
        keep=_fitted(seen, kept, described),
        accuracy=float(right[fair].mean()) if told else None,
        blind=float(max(kept[fair].mean(), 1.0 - kept[fair].mean())) if told else None,
        sure_seen=int(np.count_nonzero(sure)),
        sure_right=int(np.count_nonzero(sure & right)),
    )


def _fitted(seen: Floats, kept: Bools, asked: Floats) -> Floats:
    model = LogisticRegression(C=_TRUST, max_iter=300).fit(seen, kept)
    return np.asarray(model.predict_proba(asked)[:, 1], dtype=np.float32)


def _held_out(seen: Floats, source: Rows, kept: Bools) -> Floats:
    """Probabilities by models that learned from other sources only, (m,); not a number where there was none."""
    names, place = np.unique(source, return_inverse=True)
    # Dealt out in order of what was decided, so that every model sees both kinds.
    share = np.bincount(place, weights=kept) / np.bincount(place)
    fold = np.empty(len(names), dtype=np.int64)
    fold[np.argsort(share, kind="stable")] = np.arange(len(names)) % _FOLDS
    apart = np.full(len(seen), np.nan, dtype=np.float32)
    for each in range(_FOLDS):
        out = fold[place] == each
        if out.any() and len(np.unique(kept[~out])) == 2:
            apart[out] = _fitted(seen[~out], kept[~out], seen[out])
    return apart


class Doubt:
    """Orders the clips that are open, and learns in a thread of its own, so that nobody waits for it.

    Parameters
    ----------
    spectra : (n, 1233) float16
    source : (n,) int64
        Which clips are of one source.
    decided : callable
        Gives rows and how they were decided by hand; called in the thread.
    """

    def __init__(
        self, spectra: npt.NDArray[np.float16], source: Rows, decided: Callable[[], tuple[Rows, Bools]]
    ) -> None:
        # Sums this small take five times as long where they are shared out among threads.
        with threadpool_limits(1):
            self._described = features(spectra)
        self._source = source
        self._decided = decided
        self._start = spread(self._described, np.random.default_rng(_SEED))
        self._random = np.random.default_rng(_SEED + 1).permutation(len(source))
        self._order = self._start
        self._guess: Guess | None = None
        self._fits = 0
        self._changed = threading.Condition()
        self._stale = self._busy = self._closing = False
        self._thread = threading.Thread(target=self._run, name="doubt", daemon=True)
        self._thread.start()

    @property
    def guess(self) -> Guess | None:
        """What was learned last; None before there is anything to learn from."""
        return self._guess

    @property
    def busy(self) -> bool:
        """Whether it is about to know better."""
        return self._stale or self._busy

    def stir(self) -> None:
        """Say that something was decided, or taken back: learn again, as soon as it can."""
        with self._changed:
            self._stale = True
            self._changed.notify()

    def settle(self, patience_s: float) -> bool:
        """Wait until it has learned from all that it was told of; False where that took too long."""
        with self._changed:
            return self._changed.wait_for(lambda: not self.busy, patience_s)

    def close(self) -> None:
        """End the thread; may be called again."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()

    def next(self, open_: Bools, count: int, asked: int) -> list[int]:
        """Rows to ask about next.

        Parameters
        ----------
        open_ : (n,) bool
            Those that may be asked about.
        count : int
            At most so many.
        asked : int
            How many were asked about before: of five in a row, the fifth is drawn at random.
        """
        doubtful, random = self._order[open_[self._order]], self._random[open_[self._random]]
        chosen: list[int] = []
        for turn in range(asked, asked + min(count, len(doubtful))):
            among = random if self._guess and turn % _RANDOM_EACH == _RANDOM_EACH - 1 else doubtful
            chosen.append(next(int(row) for row in among if row not in chosen))
        return chosen

    def _drawn(self, rows: Rows) -> Bools:
        """Which of these are a random sample of all: the head of the shuffled ones, up to the first that is missing.

        Doubt may have asked for one of them first; that changes nothing about who is in the head of a shuffle.
        """
        missing = np.flatnonzero(~np.isin(self._random, rows))
        return np.isin(rows, self._random[: missing[0]] if len(missing) else self._random)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._busy = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._stale or self._closing)
                if self._closing:
                    return
                self._stale, self._busy = False, True
            rows, kept = self._decided()
            self._fits += 1
            with threadpool_limits(1):
                guess = learn(self._fits, self._described, self._source, rows, kept, self._drawn(rows))
            self._order = self._start if guess is None else np.argsort(np.abs(guess.keep - 0.5), kind="stable")
            self._guess = guess
