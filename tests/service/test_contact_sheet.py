"""A contact sheet holds what a render of its pieces holds, with silence between, and the pieces are far apart."""

import numpy as np
import pytest

from appliance.errors import UsageError
from appliance.mood import Mood
from appliance.service.build import build_timeline
from appliance.service.contact_sheet import GAP_S, STRIDE, ContactSheet
from appliance.service.render import Excerpt, Excerpted
from appliance.settings import SoundSettings

RATE, SEED, SECONDS = 16_000, 7, 4.25
FADE = RATE


@pytest.fixture(scope="module")
def timeline():
    return build_timeline(None, RATE, 1, "none", SoundSettings(), print)


@pytest.fixture(scope="module")
def sheet(timeline):
    return ContactSheet(timeline, SEED, Mood(), 3, SECONDS)


@pytest.fixture(scope="module")
def sound(sheet):
    return np.concatenate(list(sheet))


def excerpt_of(sound, shown):
    return sound[round(shown.at_s * RATE) :][: round(SECONDS * RATE)]


def test_it_is_as_long_as_it_says(sheet, sound):
    assert sheet.seconds == 3 * SECONDS + 2 * GAP_S
    assert len(sound) == round(sheet.seconds * RATE)


def test_each_excerpt_is_what_a_render_of_its_piece_plays_there(timeline, sheet, sound):
    for shown in sheet.shown:
        rendered = []
        for hop in Excerpted(timeline, Excerpt(SEED, Mood(), shown.number, shown.start_s)):
            rendered.append(hop)
            if len(rendered) * timeline.hop_s > SECONDS:
                break
        expected = np.concatenate(rendered)[: round(SECONDS * RATE)]
        assert np.array_equal(excerpt_of(sound, shown)[FADE:-FADE], expected[FADE:-FADE])


def test_excerpts_fade_and_between_them_is_silence(sheet, sound):
    for shown in sheet.shown:
        excerpt = excerpt_of(sound, shown)
        assert np.sqrt(np.mean(excerpt[FADE:-FADE] ** 2)) > 0.01
        assert 0.0 < np.abs(excerpt[:80]).max() < 1e-3
        assert 0.0 < np.abs(excerpt[-80:]).max() < 1e-3
    for shown in sheet.shown[1:]:
        first = round(shown.at_s * RATE)
        assert not sound[first - round(GAP_S * RATE) : first].any()


def test_pieces_are_far_apart_and_shown_from_a_third_on(timeline, sheet):
    assert [shown.number for shown in sheet.shown] == [0, STRIDE, 2 * STRIDE]
    for shown in sheet.shown:
        piece = timeline.start(SEED, Mood(), shown.number).now.piece
        assert shown.length_s == len(piece.pattern) * piece.letter_s
        assert shown.pattern == piece.pattern
        assert 0.0 <= shown.length_s / 3.0 - shown.start_s < 1.0


def test_at_a_quick_pace_a_piece_is_shorter_and_its_middle_shown(timeline):
    quick = Mood(pace=4.0)
    piece = timeline.start(SEED, quick).now.piece
    length_s = len(piece.pattern) * piece.letter_s / 4.0

    shown = ContactSheet(timeline, SEED, quick, 1, length_s / 2.0).shown[0]

    assert shown.length_s == length_s
    assert 0.0 <= length_s / 4.0 - shown.start_s < 1.0


def test_more_than_a_piece_has_is_refused(timeline):
    with pytest.raises(UsageError, match=r"Piece 0 lasts .* show fewer seconds"):
        ContactSheet(timeline, SEED, Mood(pace=4.0), 1, 1000.0)


def test_pieces_are_told_by_what_the_file_holds(sheet):
    second = sheet.shown[1]

    assert [note.number for note in sheet.pieces(second.at_s)] == [0]
    notes = sheet.pieces(second.at_s + 0.1)
    assert [note.number for note in notes] == [0, STRIDE]
    assert notes[1].start_s == pytest.approx(second.at_s - second.start_s)
    assert sheet.within(sheet.seconds) == sheet.shown
