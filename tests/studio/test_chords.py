"""What the corpus plays stays on the keyboard."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from appliance.studio.sources.chords import HIGHEST, LOWEST, VOICES, chord


@given(st.integers(0, 2**32))
def test_a_chord_is_one_to_eight_different_notes_in_range(seed: int) -> None:
    notes = chord(np.random.default_rng(seed))
    assert 1 <= len(notes) <= VOICES
    assert list(notes) == sorted(set(notes))
    assert notes[0] >= LOWEST
    assert notes[-1] <= HIGHEST


def test_open_and_close_chords_and_single_notes_all_come() -> None:
    rng = np.random.default_rng(0)
    drawn = [chord(rng) for _ in range(400)]
    counts = {len(notes) for notes in drawn}
    assert counts == set(range(1, VOICES + 1))
    wide = sum(notes[-1] - notes[0] > 24 for notes in drawn)
    assert wide > 100
