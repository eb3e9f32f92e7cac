import dataclasses
import hashlib
import json

import numpy as np
import pytest

from appliance.engine.log import Inputs, Log, Turn, inputs_of, read
from appliance.errors import UsageError
from appliance.mood import Mood
from appliance.settings import SoundSettings
from appliance.synth.beds import Beds
from appliance.synth.weather import weather

RATE = 48_000
REST = Mood()
FAST = Mood(pace=4.0)


@pytest.fixture(scope="module")
def inputs(make_timeline):
    return inputs_of(make_timeline(), SoundSettings())


@pytest.fixture(scope="module")
def walk(make_timeline):
    """Six hundred hops of quick pieces."""
    timeline = make_timeline()
    cursors = [timeline.start(5, FAST)]
    for _ in range(600):
        cursors.append(timeline.advance(cursors[-1], FAST))
    return cursors


def kept(log, end_frame=10 * RATE):
    return read(log.to_json(end_frame), "night.json")


def spoilt(data, change):
    """A log with a changed content and a checksum that fits."""
    head, content, _ = data.split(b"\n")
    words = json.loads(content)
    change(words)
    content = json.dumps(words).encode()
    fitting = json.loads(head) | {"sha256": hashlib.sha256(content).hexdigest()}
    return json.dumps(fitting).encode() + b"\n" + content + b"\n"


def test_a_log_comes_back(inputs, walk):
    log = Log(inputs)
    turns = [Turn(0, -5_000, walk[0], FAST), Turn(7 * RATE, -5_000, walk[7], Mood(pitch=0.1))]
    for turn in turns:
        log.add(turn)
    logged = kept(log)
    assert logged.inputs == inputs
    assert logged.turns == tuple(turns)
    assert repr(logged.turns[1].cursor) == repr(walk[7])
    assert logged.end_frame == 10 * RATE
    assert logged.pieces[0].latents == walk[0].now.piece.latents


def test_inputs_tell_what_decides_the_bits(inputs, make_timeline, bundle):
    assert (inputs.rate, inputs.channels, inputs.model) == (RATE, 2, bundle.digest)
    assert (inputs.target_lufs, inputs.ceiling_dbtp) == (-20.0, -1.0)
    assert set(inputs.versions) == {"latent-appliance", "numpy", "scipy", "onnxruntime"}
    assert inputs.machine
    assert inputs_of(make_timeline(), SoundSettings()) == inputs
    assert inputs_of(make_timeline(with_beds=False), SoundSettings()).beds is None


def test_other_beds_have_another_digest(inputs, make_timeline):
    timeline = make_timeline()
    for change in (lambda bed: bed.loop[5 * RATE :] * 1.001, lambda bed: bed.loop[: 10 * RATE]):
        loops = weather(RATE, 2, np.random.default_rng(1))
        other = dataclasses.replace(loops[2], loop=change(loops[2]))
        timeline.beds = Beds([*loops[:2], other, *loops[3:]], RATE, RATE)
        assert inputs_of(timeline, SoundSettings()).beds not in (None, inputs.beds)
    timeline.beds = Beds(weather(RATE, 2, np.random.default_rng(1)), RATE, RATE)
    assert inputs_of(timeline, SoundSettings()) == inputs


def test_the_oldest_turns_are_dropped(inputs, walk):
    log = Log(inputs, limit=10)
    for hop in range(50):
        log.add(Turn(hop * RATE, 0, walk[hop], FAST))
    assert [turn.frame for turn in kept(log).turns] == [hop * RATE for hop in range(40, 50)]
    assert len(kept(log).pieces) <= 10


def test_the_longest_log_is_bearable(inputs, walk):
    log = Log(inputs)
    largest = max(walk, key=lambda cursor: (cursor.next is not None, len(repr(cursor))))
    for number in range(2_100):
        log.add(Turn((largest.hop + number) * RATE, number * RATE, largest, FAST))
    data = log.to_json(5_000 * RATE)
    assert len(data) < 22e6
    assert len(read(data, "night.json").turns) == 2_000


def test_every_piece_is_noted_once_with_the_frame_it_began_at(inputs, walk):
    log = Log(inputs)
    log.add(Turn(0, -700, walk[0], FAST))
    for cursor in walk:
        log.follow(cursor)
    pieces = kept(log).pieces
    assert [piece.number for piece in pieces] == list(range(len(pieces)))
    assert len(pieces) > 3
    began = next(cursor for cursor in walk if cursor.next is not None)
    assert pieces[0].frame == 0
    assert pieces[1].frame == began.hop * RATE - 700
    assert pieces[1].latents == began.next.piece.latents
    assert pieces[1].seed == 5


def test_pieces_that_a_turn_prevented_are_forgotten(inputs, walk, make_timeline):
    """The engine is ahead of the ear: what begins in what was rendered ahead may never be heard."""
    began = next(cursor.hop for cursor in walk if cursor.next is not None)
    timeline, strange = make_timeline(), Mood(pace=4.0, weirdness=1.0, pitch=1.0)
    log = Log(inputs)
    log.add(Turn(0, 0, walk[0], FAST))
    for cursor in walk[: began + 10]:
        log.follow(cursor)
    assert [piece.number for piece in kept(log).pieces] == [0, 1]
    cursor = timeline.advance(walk[began - 5], strange)
    log.add(Turn((began - 4) * RATE + 300, 0, cursor, strange))
    assert [piece.number for piece in kept(log).pieces] == [0]
    while cursor.next is None:
        cursor = timeline.advance(cursor, strange)
        log.follow(cursor)
    pieces = kept(log).pieces
    assert [piece.number for piece in pieces] == [0, 1]
    assert pieces[1].latents == cursor.next.piece.latents != walk[began].next.piece.latents


def test_turns_that_cannot_follow_are_refused(inputs, walk):
    log = Log(inputs)
    with pytest.raises(ValueError, match="before the hop of its cursor"):
        log.add(Turn(RATE - 1, 0, walk[1], FAST))
    with pytest.raises(ValueError, match="without a turn"):
        log.to_json(0)
    log.add(Turn(RATE, 0, walk[1], FAST))
    log.add(Turn(RATE + 2_400, 0, walk[1], FAST))
    assert len(kept(log).turns) == 2


def test_a_turn_before_the_fade_of_the_last_is_complete_takes_its_place(inputs, walk):
    log = Log(inputs)
    log.add(Turn(RATE, 0, walk[1], FAST))
    log.add(Turn(3 * RATE, 0, walk[2], FAST))
    log.add(Turn(3 * RATE + 2_399, -9 * RATE, walk[3], Mood()))
    assert [(turn.frame, turn.mood) for turn in kept(log).turns] == [(RATE, FAST), (3 * RATE + 2_399, Mood())]


@pytest.mark.parametrize(
    ("data", "part"),
    [
        (b"", "no log of this program"),
        (b"\0" * 100, "no log of this program"),
        (b"[" * 100_000, "no log of this program"),
        (b"[]\n{}", "no log of this program"),
        (b'{"kind": "song"}\n{}', "no log of this program"),
        (b'{"kind": "latent log", "format": 9}\n{}', "another version"),
        (b'{"kind": "latent log", "format": 1}\n{}', "another version"),
        (b'{"kind": "latent log", "format": 3}\n{}', "damaged"),
        (b'{"kind": "latent log", "format": 3, "sha256": 5}', "damaged"),
    ],
)
def test_what_is_no_log_gets_one_sentence(data, part):
    with pytest.raises(UsageError, match=part) as caught:
        read(data, "night.json")
    told = str(caught.value)
    assert told.startswith("night.json ")
    assert told.endswith(".")
    assert "\n" not in told


def test_every_damaged_byte_is_noticed(inputs, walk):
    log = Log(inputs)
    log.add(Turn(0, 0, walk[0], FAST))
    data = log.to_json(RATE)
    for at in np.random.default_rng(2).integers(0, len(data) - 1, 200):
        broken = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        try:
            assert read(broken, "night.json") == read(data, "night.json")
        except UsageError:
            continue
        # Blanks of the first line and the case of nothing else may change.
        assert at < data.index(b"\n")
    for length in (0, 10, len(data) // 2, len(data) - 2):
        with pytest.raises(UsageError):
            read(data[:length], "night.json")


def no_turns(words):
    words["turns"] = []


def out_of_order(words):
    words["turns"].reverse()


def bad_cursor(words):
    words["turns"][0]["cursor"]["now"]["piece"]["pattern"] = "Q"


def absurd_rate(words):
    words["inputs"]["rate"] = 0


def absurd_loudness(words):
    words["inputs"]["target_lufs"] = 50.0


def bad_mood(words):
    words["turns"][0]["mood"]["pace"] = 99.0


def more(words):
    words["more"] = 1


@pytest.mark.parametrize("change", [no_turns, out_of_order, bad_cursor, absurd_rate, absurd_loudness, bad_mood, more])
def test_what_no_run_can_have_logged_is_refused(inputs, walk, change):
    log = Log(inputs)
    for hop in (0, 5):
        log.add(Turn(hop * RATE, 0, walk[hop], FAST))
    data = log.to_json(9 * RATE)
    assert read(spoilt(data, lambda words: None), "night.json") == read(data, "night.json")
    with pytest.raises(UsageError, match="holds what no run can have logged"):
        read(spoilt(data, change), "night.json")


def test_inputs_are_plain(inputs):
    assert dataclasses.replace(inputs) == inputs
    assert dataclasses.replace(inputs, machine="abacus") != inputs
    assert isinstance(inputs, Inputs)
