"""Curation: which clips are kept, as whoever listens decides, one at a time and in an order that saves swipes.

All of it is called from the threads that answer the page; a lock lets them in one after another. What is decided is in
the ledger before the answer goes out.
"""

import io
import threading
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import soundfile

from appliance.errors import LatentError, StudioError
from appliance.folders import shown
from appliance.spectrum.codec import Floats, synthesise
from appliance.spectrum.traits import level
from appliance.studio.corpus import LOUDNESS_LUFS
from appliance.studio.curating.doubt import Bools, Doubt, Guess, Rows
from appliance.studio.gathering.recordings import Recording
from appliance.studio.ledger import Ledger, Told

__all__ = ["Curation", "DecidedError", "SilentError", "UnknownClipError"]

# Cards that the page holds: it fetches the sound of the next while one listens to the first.
HAND: Final = 4
_CLIP_S: Final = 2.0
# Whole frames for two seconds, and periods of the synthesis fit into them.
_RATE: Final = 48_000
_HIGHEST_PEAK: Final = 0.89
# A recording does not run into itself where it is cut.
_EDGE_S: Final = 0.015
_CURVE_STEPS: Final = 255


class UnknownClipError(StudioError):
    """There is no such clip."""


class DecidedError(StudioError):
    """It was decided otherwise meanwhile."""


class SilentError(StudioError):
    """The recording cannot be heard."""


class Curation:
    """A corpus that is listened to; use it in a ``with`` statement.

    Raises
    ------
    StudioError
        If there is no corpus, or it holds no clips.
    """

    def __init__(self, folder: Path) -> None:
        if not (folder / "clips.db").is_file():
            raise StudioError(f"There is no corpus at {shown(folder)}; make one with 'latent studio gather FOLDER'.")
        self._lock = threading.Lock()
        self._ledger = Ledger(folder)
        self._clips = self._ledger.told()
        if not self._clips:
            self._ledger.close()
            raise StudioError(f"The corpus at {shown(folder)} is empty; add to it with 'latent studio gather FOLDER'.")
        self._spectra = self._ledger.spectra()
        self._kept = np.array([-1 if clip.kept is None else int(clip.kept) for clip in self._clips], dtype=np.int8)
        self._guessed = np.array([clip.guessed for clip in self._clips], dtype=np.bool_)
        numbers = {name: number for number, name in enumerate(dict.fromkeys(clip.source for clip in self._clips))}
        source = np.array([numbers[clip.source] for clip in self._clips], dtype=np.int64)
        self.doubt = Doubt(self._spectra, source, self._by_hand)
        self.doubt.stir()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop learning and close the ledger; may be called again."""
        self.doubt.close()
        with self._lock:
            self._ledger.close()

    def state(self, hand: list[int]) -> dict[str, Any]:
        """What the page shows.

        Parameters
        ----------
        hand : list of int
            Rows of the cards that it holds.

        Returns
        -------
        dict
            ``total, kept, rejected, guessed, steps`` (how often one may undo), ``busy`` (a better guess is about to
            come), ``guess`` (None at first), ``open`` (which of the hand nobody decided meanwhile), ``keep`` (how
            probably each open card of the hand, and each of the new ones, would be kept) and ``cards`` (new ones, in
            order, so that it holds four again).
        """
        with self._lock:
            return self._state(hand)

    def decide(self, row: int, keep: bool, hand: list[int]) -> dict[str, Any]:
        """Keep or reject a clip; gives `state`.

        To say the same again changes nothing: a page that heard no answer asks twice.

        Raises
        ------
        UnknownClipError
            If there is no such clip.
        DecidedError
            If it was decided otherwise in another window.
        """
        with self._lock:
            self._told(row)
            if self._kept[row] == -1:
                self._ledger.decide(row, keep)
                self._kept[row] = keep
                self.doubt.stir()
            elif bool(self._kept[row]) != keep:
                what = "kept" if self._kept[row] else "rejected"
                raise DecidedError(f"This clip was {what} in another window meanwhile; undo it there.")
            return self._state([each for each in hand if each != row])

    def undo(self, hand: list[int]) -> dict[str, Any]:
        """Take the last step back; gives `state`, with ``undone`` (how many clips) and ``back`` (the card, if one)."""
        with self._lock:
            rows = self._ledger.undo()
            guessed = bool(self._guessed[rows].any())
            self._kept[rows] = -1
            self._guessed[rows] = False
            self.doubt.stir()
            back = [self._card(rows[0])] if len(rows) == 1 and not guessed else []
            held = [each for each in hand if each not in rows] + [card["row"] for card in back]
            return {"undone": len(rows), "back": back, **self._state(held)}

    def accept(self, number: int, hand: list[int]) -> dict[str, Any]:
        """Let the guess decide, in one step, what it is sure about; gives `state`, with ``accepted`` (how many).

        Parameters
        ----------
        number : int
            Of the guess that was looked at.

        Raises
        ------
        DecidedError
            If there is another guess by now, or it is not to be trusted yet.
        """
        with self._lock:
            guess = self.doubt.guess
            if guess is None or guess.number != number or not guess.trusted:
                raise DecidedError("The guess has changed meanwhile; look at its figures again.")
            keep, reject = guess.sure(self._kept == -1)
            decisions = {int(row): True for row in keep} | {int(row): False for row in reject}
            if decisions:
                self._ledger.accept(decisions)
            for rows, kept in ((keep, True), (reject, False)):
                self._kept[rows] = kept
                self._guessed[rows] = True
            return {"accepted": len(decisions), **self._state(hand)}

    def codec(self, row: int) -> bytes:
        """What the codec makes of a clip: two seconds that loop without a seam, two channels, as a WAV file."""
        self._told(row)
        spectrum = np.asarray(self._spectra[row], dtype=np.float32)
        # The same at each hearing.
        rng = np.random.default_rng(row)
        frames = np.stack([synthesise(spectrum, _RATE, rng) for _ in range(2)], axis=1)
        return _wav(frames, _RATE, LOUDNESS_LUFS - float(level(spectrum[np.newaxis])[0]))

    def original(self, row: int) -> bytes:
        """The recording that a clip was taken from, as loud as what the codec makes of it, as a WAV file.

        Raises
        ------
        UnknownClipError
            If there is no such clip.
        SilentError
            If it was synthesised, or the recording is gone.
        """
        told = self._told(row)
        why = _gone(told)
        if why:
            raise SilentError(why)
        try:
            recording = Recording(Path(told.path))
            frames = np.nan_to_num(recording.read(told.start_s, _CLIP_S)[:, :2], posinf=0.0, neginf=0.0)
        except (LatentError, OSError) as error:
            raise SilentError(f"The recording cannot be heard: {error}") from error
        if not len(frames):
            raise SilentError(f"The recording {shown(told.path)} is shorter than it was; gather it again.")
        edge = max(1, min(round(_EDGE_S * recording.rate), len(frames) // 2))
        fade = np.sin(0.5 * np.pi * np.arange(edge) / edge)[:, np.newaxis].astype(np.float32)
        frames[:edge] *= fade
        frames[-edge:] *= fade[::-1]
        return _wav(frames, recording.rate, LOUDNESS_LUFS - told.lufs)

    def _told(self, row: int) -> Told:
        if not 0 <= row < len(self._clips):
            raise UnknownClipError(f"The corpus has no clip {row}; reload the page.")
        return self._clips[row]

    def _by_hand(self) -> tuple[Rows, Bools]:
        """What is learned from; called in the thread that learns."""
        with self._lock:
            rows = np.flatnonzero((self._kept != -1) & ~self._guessed)
            return rows, self._kept[rows] == 1

    def _state(self, hand: list[int]) -> dict[str, Any]:
        open_ = self._kept == -1
        held = [row for row in dict.fromkeys(hand) if 0 <= row < len(open_) and open_[row]]
        free = open_.copy()
        free[held] = False
        asked = int(np.count_nonzero(~open_ & ~self._guessed)) + len(held)
        new = self.doubt.next(free, max(0, HAND - len(held)), asked)
        guess = self.doubt.guess
        return {
            "total": len(open_),
            "kept": int(np.count_nonzero(self._kept == 1)),
            "rejected": int(np.count_nonzero(self._kept == 0)),
            "guessed": int(np.count_nonzero(self._guessed)),
            "steps": self._ledger.steps(),
            "busy": self.doubt.busy,
            "guess": None if guess is None else _figures(guess, open_),
            "open": held,
            "keep": {} if guess is None else {row: round(float(guess.keep[row]), 3) for row in (*held, *new)},
            "cards": [self._card(row) for row in new],
        }

    def _card(self, row: int) -> dict[str, Any]:
        told = self._clips[row]
        curve = np.round(np.clip(self._spectra[row].astype(np.float32), 0.0, 1.0) * _CURVE_STEPS)
        return {
            "row": row,
            "source": shown(told.source),
            "start_s": told.start_s,
            "licence": shown(told.licence),
            "curve": curve.astype(int).tolist(),
            "gone": _gone(told),
        }


def _figures(guess: Guess, open_: Bools) -> dict[str, Any]:
    keep, reject = guess.sure(open_)
    return {
        "number": guess.number,
        "learned": guess.learned,
        "accuracy": guess.accuracy,
        "blind": guess.blind,
        "trusted": guess.trusted,
        "sure_seen": guess.sure_seen,
        "sure_right": guess.sure_right,
        "sure_keep": len(keep),
        "sure_reject": len(reject),
    }


def _gone(told: Told) -> str:
    """Why the original cannot be heard, in a sentence; empty where it can."""
    if not told.path:
        return "It was synthesised: there is no recording."
    if not Path(told.path).is_file():
        return f"The recording is no longer at {shown(told.path)}; put it back to hear it."
    return ""


def _wav(frames: Floats, rate: int, gain_db: float) -> bytes:
    """A WAV file of 16 bits, (frames, channels) brought up or down, as far as its peaks allow."""
    gain = min(10.0 ** (gain_db / 20.0), _HIGHEST_PEAK / max(float(np.abs(frames).max()), 1e-9))
    file = io.BytesIO()
    soundfile.write(file, frames * np.float32(gain), rate, format="WAV", subtype="PCM_16")
    return file.getvalue()
