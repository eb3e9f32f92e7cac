import json
from dataclasses import replace

import numpy as np
import pytest

from appliance.engine.cursor import Passage
from appliance.engine.heed import Heed
from appliance.engine.saved import MOST_BYTES, Saved, dump, load
from appliance.mood import Mood, Place
from appliance.score.piece import FIGURES

REST = Mood()
HANDS = Mood(pitch=0.3, density=1.0, pace=4.0, nature=0.9, wander=1.0)


@pytest.fixture(scope="module")
def walk(make_timeline):
    """Ten minutes under moving hands, with beds, and the place of each hop."""
    timeline = make_timeline()
    cursor = timeline.start(2**63 - 1, REST)
    cursors = [cursor]
    for hop in range(600):
        cursor = timeline.advance(cursor, HANDS if hop % 100 > 40 else REST)
        cursors.append(cursor)
    return cursors


@pytest.fixture
def place(walk):
    """A place in a hand-over, as JSON that a test may spoil."""
    cursor = next(each for each in walk if each.next is not None and each.handover == 5)
    return json.loads(dump(cursor, HANDS, -7))


def test_a_place_comes_back_bit_by_bit(walk):
    for cursor in walk:
        saved = load(dump(cursor, HANDS, -48_000))
        assert saved == Saved(cursor, HANDS, -48_000)
        # Equal numbers may differ in their sign of zero; what they are written as does not.
        assert repr(saved.cursor) == repr(cursor)


def test_the_music_goes_on_with_the_same_bits(walk, make_timeline):
    handing_over = next(cursor for cursor in walk if cursor.next is not None and cursor.handover == 5)
    fading = next(cursor for cursor in walk if cursor.bed.faded > 0)
    gliding = walk[45]
    assert gliding.mood not in (REST, HANDS)
    timeline, other = make_timeline(), make_timeline()
    for cursor in (walk[0], walk[1], handing_over, fading, gliding):
        saved = load(dump(cursor, HANDS, 0))
        for _ in range(2):
            cursor, hop = timeline.step(cursor, HANDS)
            again, same = other.step(saved.cursor, saved.mood)
            assert again == cursor
            assert np.array_equal(hop, same)
            saved = load(dump(again, HANDS, 0))


def test_without_beds(make_timeline):
    timeline = make_timeline(with_beds=False)
    cursor = timeline.start(3, REST)
    for _ in range(3):
        cursor = timeline.advance(cursor, REST)
    saved = load(dump(cursor, REST, 0))
    assert saved.cursor == cursor
    assert np.array_equal(timeline.step(saved.cursor, REST)[1], timeline.step(cursor, REST)[1])


def test_a_place_is_small(walk):
    assert max(len(dump(cursor, HANDS, -(1 << 40))) for cursor in walk) < 0.75 * MOST_BYTES


def test_the_largest_place_there_can_be_is_taken(walk, make_timeline):
    """Amid a hand-over and between two letters, all figures of both pieces sound, and every number is written long."""
    timeline = make_timeline()
    place = Place((-10 / 3,) * 32, 1 / 3, (-10 / 7,) * 8)
    crowded = Mood(pitch=1 / 3, density=1.0, wander=0.9, nature=1 / 7, pace=1 / 3, place=place)
    cursor = next(each for each in walk if each.next is not None and each.handover == 5)
    number = (1 << 48) - 3
    now, following = (full(passage, number + step) for step, passage in enumerate((cursor.now, cursor.next)))
    hop = (1 << 48) - 9
    trail = tuple(replace(frame, hop=hop - 2 + at) for at, frame in enumerate(cursor.trail))
    now, following = (replace(passage, under=crowded) for passage in (now, following))
    heed = Heed(20 / 7, 100 / 7)
    cursor = replace(cursor, hop=hop, now=now, next=following, mood=crowded, trail=trail, heed=heed)
    for _ in range(2):
        cursor = timeline.advance(cursor, crowded)
    assert [len(frame.sounds) for frame in cursor.trail] == [2 * (2 + FIGURES)] * 2
    data = dump(cursor, crowded, -(1 << 47))
    assert len(data) < 0.9 * MOST_BYTES
    assert load(data).cursor == cursor


def full(passage, number):
    """The piece where all that it has sounds at once, with the longest pattern of the grammar and a rest in each."""
    piece, phase = passage.piece, 1.5 + 1 / 7
    cycles = tuple((79.0, (-phase * piece.letter_s) % 79.0 + 1.0 + 1 / 7, 1 / 7) for _ in range(FIGURES))
    rests = tuple((at + 2 / 3, 20 / 3) for at in (9, 13, 17))
    changes = {"pattern": "ABABABCDCDABABABEE", "cycles": cycles, "rests": rests, "number": number}
    return Passage(replace(piece, **changes), phase)


@pytest.mark.parametrize(
    ("path", "value", "part"),
    [
        ("base", 1 << 60, "base"),
        ("base", 1.5, "base"),
        ("base", "7", "base"),
        ("mood.pace", 0.0, "pace takes a number"),
        ("mood.pace", None, "mood.pace"),
        ("mood.colour", 1.0, "mood.colour"),
        ("cursor.hop", -1, "hop"),
        ("cursor.hop", 3, "trail"),
        ("cursor.hop", True, "cursor.hop"),
        ("cursor.seed", 1 << 63, "seed"),
        ("cursor.model", 5, "cursor.model"),
        ("cursor.now", None, "cursor.now"),
        ("cursor.now.phase", -0.5, "phase"),
        ("cursor.now.phase", 1e300, "phase"),
        ("cursor.now.piece.number", 900, "number"),
        ("cursor.now.piece.pattern", "", "pattern"),
        ("cursor.now.piece.pattern", "ABQD", "pattern"),
        ("cursor.now.piece.latents", "AAAA", "a latent's length"),
        ("cursor.now.piece.latents", "not base64 at all", "latents"),
        ("cursor.now.piece.latents", "_" * 852 + "_w==", "a latent"),
        ("cursor.now.piece.coil", "", "a latent's length"),
        ("cursor.now.piece.shifts", [1, 2, 3, 4], "shifts"),
        ("cursor.now.piece.shifts", [1, 2, 3, 4, 5000], "shifts"),
        ("cursor.now.piece.octaves", [], "octaves"),
        ("cursor.now.piece.offsets_lu", [0.0, 0.0, 0.0, 0.0, 99.0], "offsets_lu"),
        ("cursor.now.piece.companions", [0.5], "companions"),
        ("cursor.now.piece.figures", "AAAA", "a latent's length"),
        ("cursor.now.piece.figures", "_" * 512, "a latent"),
        ("cursor.now.piece.figures", None, "figures"),
        ("cursor.now.piece.figure_shifts", [1, 2], "figure_shifts"),
        ("cursor.now.piece.figure_shifts", [1, 2, 5000], "figure_shifts"),
        ("cursor.now.piece.figure_shifts", [1, 2, 0.5], "figure_shifts"),
        ("cursor.now.piece.cycles", [], "cycles"),
        ("cursor.now.piece.cycles", [[37.0, 1.0, 0.5]] * 2, "cycles"),
        ("cursor.now.piece.cycles", [[37.0, 1.0]] * 3, "cycles"),
        ("cursor.now.piece.cycles.1", [0.0, 1.0, 0.5], "period"),
        ("cursor.now.piece.cycles.1", [-37.0, 1.0, 0.5], "period"),
        ("cursor.now.piece.cycles.1", [1e9, 1.0, 0.5], "period"),
        ("cursor.now.piece.cycles.2", [37.0, -1.0, 0.5], "cycles"),
        ("cursor.now.piece.cycles.2", [37.0, 1e9, 0.5], "cycles"),
        ("cursor.now.piece.cycles.0", [37.0, 1.0, 1.5], "cycles"),
        ("cursor.now.piece.cycles.0", [37.0, 1.0, -0.5], "cycles"),
        ("cursor.now.piece.tonic", 120, "tonic"),
        ("cursor.now.piece.tonic", -1, "tonic"),
        ("cursor.now.piece.tonic", 1.5, "tonic"),
        ("cursor.now.piece.level_lu", 400.0, "level_lu"),
        ("cursor.now.piece.level_lu", -400.0, "level_lu"),
        ("cursor.now.piece.swell", [0.0, 0.5], "period"),
        ("cursor.now.piece.swell", [-90.0, 0.5], "period"),
        ("cursor.now.piece.swell", [90.0, 1.5], "swell"),
        ("cursor.now.piece.swell", [90.0], "swell"),
        ("cursor.now.piece.rests", [[-1.0, 5.0]], "rests"),
        ("cursor.now.piece.rests", [[99.0, 5.0]], "rests"),
        ("cursor.now.piece.rests", [[1.65, -5.0]], "rests"),
        ("cursor.now.piece.rests", [[1.65, 3600.0]], "rests"),
        ("cursor.now.piece.rests", [[1.0, 5.0]] * 65, "rests"),
        ("cursor.now.piece.rests", [[1.65]], "rests"),
        ("cursor.now.piece.reach", 1.5, "reach"),
        ("cursor.now.piece.reach", -0.1, "reach"),
        ("cursor.now.piece.turn_s", 0.0, "turn_s"),
        ("cursor.now.piece.letter_s", 1e9, "letter_s"),
        ("cursor.next", None, "handover"),
        ("cursor.handover", -1, "handover"),
        ("cursor.heed.still_s", -1.0, "heed"),
        ("cursor.heed.since_s", 1e9, "heed"),
        ("cursor.now.under.pitch", 3.0, "pitch takes a number"),
        ("mood.place.target", [1.0], "coordinates"),
        ("mood.place.shift", [9.0], "from -4 to 4"),
        ("cursor.bed.fade", 0, "fade"),
        ("cursor.bed.bed", -1, "bed"),
        ("cursor.bed.place", 1e400, "cursor.bed.place"),
        ("cursor.trail.0.strand.sounds", None, "sounds"),
        ("cursor.trail.0.strand.sounds.0.share", -1.0, "share"),
        ("cursor.trail.0.strand.sounds.0.share", 1e6, "share"),
        ("cursor.trail.0.strand.sounds.0.latent", "", "a latent's length"),
        ("cursor.trail.0.strand.sounds.0.shift_bins", 9_999, "shift_bins"),
        ("cursor.trail.1.seed", 4, "trail"),
        ("cursor.trail.1.offset_lu", 1.0, "offset_lu"),
        ("cursor.trail.1.width", 1.5, "width"),
        ("cursor.trail.1.bed.faded", 77, "fade"),
    ],
)
def test_what_cannot_be_is_refused_by_name(place, path, value, part):
    *way, last = path.split(".")
    at = place
    for name in way:
        at = at[int(name)] if isinstance(at, list) else at[name]
    at[int(last) if isinstance(at, list) else last] = value
    with pytest.raises(ValueError, match=part) as caught:
        load(json.dumps(place).encode())
    assert "\n" not in str(caught.value)


def test_more_sounds_than_music_has_are_refused(place):
    strand = place["cursor"]["trail"][0]["strand"]
    strand["sounds"] = [{**strand["sounds"][0], "share": 0.01}] * 33
    with pytest.raises(ValueError, match="share"):
        load(json.dumps(place).encode())


def test_a_place_in_a_rest_comes_back(walk, make_timeline):
    """Where nothing sounds there is nothing to write, and the music begins again from it."""
    resting = [cursor for cursor in walk if cursor.trail and not cursor.trail[-1].sounds]
    assert resting
    timeline, other = make_timeline(), make_timeline()
    saved = load(dump(resting[0], REST, 0))
    assert saved.cursor == resting[0]
    assert np.array_equal(timeline.step(resting[0], REST)[1], other.step(saved.cursor, REST)[1])


def test_numbers_that_are_none_are_refused(place):
    text = json.dumps(place).encode()
    assert load(text).base == -7
    phase = json.dumps(place["cursor"]["now"]["phase"]).encode()
    for word in (b"NaN", b"Infinity", b"-Infinity", b"1e999"):
        with pytest.raises(ValueError, match="no saved place"):
            load(text.replace(b'"phase": ' + phase, b'"phase": ' + word))


@pytest.mark.parametrize("data", [b"", b"{}", b"null", b"\0" * 400, b"[" * 9_000, b"\xff\xfe", b"x" * (MOST_BYTES + 1)])
def test_what_is_no_place_at_all_is_refused(data):
    with pytest.raises(ValueError, match="saved place"):
        load(data)


def test_what_a_hostile_hand_scribbled_is_refused_or_can_be_played(walk, make_timeline):
    """Some flipped bits only move a number; whatever is taken must step without a failure."""
    timeline, rng = make_timeline(), np.random.default_rng(4)
    data = dump(walk[300], HANDS, 0)
    refused = taken = 0
    for _ in range(400):
        spoilt = np.frombuffer(data, dtype=np.uint8).copy()
        for at in rng.integers(0, len(data), rng.integers(1, 4)):
            spoilt[at] ^= 1 << rng.integers(0, 8)
        try:
            saved = load(spoilt.tobytes())
        except ValueError:
            refused += 1
            continue
        taken += 1
        if taken > 40 or saved.cursor.models != walk[300].models:
            continue
        # Which beds there are only the engine knows.
        beds = [bed for bed in (saved.cursor.bed, *(frame.bed for frame in saved.cursor.trail)) if bed is not None]
        if all(max(bed.bed, bed.next_bed) < 6 for bed in beds):
            after, hop = timeline.step(saved.cursor, saved.mood)
            assert np.isfinite(hop).all()
            load(dump(after, saved.mood, 0))
    assert refused > 50
    assert taken > 10


def test_the_checks_would_find_a_cursor_that_was_made_wrong(walk):
    with pytest.raises(ValueError, match="trail"):
        load(dump(replace(walk[20], hop=21), REST, 0))
