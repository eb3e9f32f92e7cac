"""How long a hand waits until the room answers, from the recording: against the same seed, unturned.

The unturned sound is rendered; the recording equals it up to the turn but for rounding, so no fluctuation is mistaken
for an answer. The request's time is laid beside the tape by the earliest arrival of any of its pieces: the figure is
too large by what the monitor needs to deliver, 20 ms at most, and by up to the 43 ms of the spectrum that shows it.
"""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from chaos.measure import RATE, band_change_frame, match
from chaos.reference import reference
from chaos.room import SETTINGS, Room

__all__ = ["ANSWERS", "Answer", "answer_row"]

_BAR_S = 0.3
_SETTLE_S = 2.0
_COMPARED_S = 1.0
_ROUNDING = 1e-3


@dataclass(frozen=True)
class Answer:
    """A turn of one knob, from where it rests."""

    name: str
    quantity: str
    value: float


ANSWERS = (
    Answer("answer to pitch", "pitch", 1.0),
    Answer("answer to nature", "nature", 1.0),
    Answer("answer to tonality", "tonality", 1.0),
    Answer("answer to weirdness", "weirdness", 1.0),
    Answer("answer to level", "level", -1.0),
)


def answer_row(answer: Answer) -> dict[str, Any]:
    """Turn a knob in a room of its own; the fields of its line in the table."""
    with tempfile.TemporaryDirectory(prefix="latent-chaos-") as folder:
        with Room(Path(folder), SETTINGS.format(card="", music=""), {}) as room:
            room.play()
            room.await_sound()
            room.await_well(20.0)
            time.sleep(_SETTLE_S)
            asked_s = time.monotonic()
            room.ask(do="mood", set={answer.quantity: answer.value})
            time.sleep(_COMPARED_S + 0.5)
            counts = room.counts()
            own_ms = room.own_answer_ms()
            room.stop()
            audio = room.tape.audio()
        asked = room.tape.frame_at(asked_s)
    turned = audio[asked - RATE : asked + round(_COMPARED_S * RATE)]
    calm = reference(60.0)
    at = match(turned[: RATE * 3 // 4], calm)
    unturned = calm[at : at + len(turned)]
    same = bool(np.abs(turned - unturned)[: RATE * 3 // 4].max() < _ROUNDING)
    frame = band_change_frame(turned, unturned)
    heard_s = float("inf") if frame is None else (frame - RATE) / RATE
    problems = [] if same else ["before the turn the recording is not the undisturbed one"]
    if heard_s > _BAR_S:
        problems.append(f"heard only after {1000 * heard_s:.0f} ms")
    notes = [f"heard {1000 * heard_s:.0f} ms after the request, {own_ms:.0f} by the player's own count"]
    return {"counts": counts, "notes": notes, "problems": problems}
