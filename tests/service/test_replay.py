import dataclasses

import numpy as np
import pytest
import soundfile

from appliance.engine.log import Log, Turn, inputs_of, read
from appliance.engine.timeline import Timeline
from appliance.errors import UsageError
from appliance.model.library import digest, shipped
from appliance.mood import Mood
from appliance.service.build import build_timeline
from appliance.service.render import write
from appliance.service.replay import Replay, open_log, replayed, timeline_of
from appliance.settings import SoundSettings
from appliance.stream.fades import LANE_FADE_S, blend_lanes, lane_fade

RATE = 48_000
FADE = round(LANE_FADE_S * RATE)
BLOCK = 1_024
AHEAD = 6
REST = Mood()
FAST = Mood(pace=4.0)


class Lane:
    """A chain rendered hop by hop, as into a lane of the ring; frames are those of the stream."""

    def __init__(self, timeline, base, cursor, mood):
        self.timeline, self.base, self.mood = timeline, base, mood
        self.first = base + cursor.hop * timeline.hop_frames
        self.cursors, self.sound = {cursor.hop: cursor}, np.empty((0, timeline.channels), dtype=np.float32)
        self.last = cursor.hop

    def render(self):
        cursor, hop = self.timeline.step(self.cursors[self.last], self.mood)
        self.last += 1
        self.cursors[self.last] = cursor
        self.sound = np.concatenate([self.sound, hop])

    def fill(self, frame):
        """Render up to a frame, and give the cursors of the new hops."""
        before = self.last
        while self.first + len(self.sound) < frame:
            self.render()
        return [self.cursors[hop] for hop in range(before, self.last)]

    def frames(self, start, stop):
        return self.sound[start - self.first : stop - self.first]

    def hop_at(self, frame):
        return (frame - self.base) // self.timeline.hop_frames


class Room:
    """An engine that renders ahead and turns, a player that cross-fades in blocks, and the log they leave."""

    def __init__(self, timeline, inputs, seed, base):
        self.timeline, self.log, self.played, self.position = timeline, Log(inputs), [], 0
        self.lane = Lane(timeline, base, timeline.start(seed, FAST), FAST)
        self.log.add(Turn(0, base, self.lane.cursors[0], FAST))

    def play(self, until):
        while self.position < until:
            stop = min(self.position + BLOCK, until)
            self._ahead(stop)
            self.played.append(self.lane.frames(self.position, stop))
            self.position = stop

    def turn(self, mood):
        """Rewind: the hop that sounds is made anew, under another mood."""
        hop = self.lane.hop_at(self.position)
        self._ahead(self.position)
        cursor = self.timeline.advance(self.lane.cursors[hop - 1], mood)
        new = Lane(self.timeline, self.lane.base, cursor, mood)
        # Another turn may follow within this hop.
        new.cursors[hop - 1] = self.lane.cursors[hop - 1]
        self._switch(new)

    def begin(self, seed, mood):
        """Begin other music at once."""
        self._switch(Lane(self.timeline, self.position, self.timeline.start(seed, mood), mood))

    def _ahead(self, frame):
        for cursor in self.lane.fill(frame + AHEAD * RATE):
            self.log.follow(cursor)

    def _switch(self, new):
        old, self.lane = self.lane, new
        self.log.add(Turn(self.position, new.base, new.cursors[new.last], new.mood))
        self._ahead(self.position + FADE)
        gain = lane_fade(FADE)
        for done in range(0, FADE, BLOCK):
            part = slice(done, min(done + BLOCK, FADE))
            start, stop = self.position + part.start, self.position + part.stop
            self.played.append(blend_lanes(old.frames(start, stop), new.frames(start, stop), gain[part]))
        self.position += FADE


@pytest.fixture(scope="module")
def timelines():
    """The same engine twice, so that a replay finds nothing at hand."""
    return [build_timeline(None, RATE, 2, "weather", SoundSettings(), print) for _ in range(2)]


@pytest.fixture(scope="module")
def night(timelines):
    """A minute and a half with hands on the knobs: what was played, and the log of it."""
    timeline = timelines[0]
    room = Room(timeline, inputs_of(timeline, SoundSettings()), 11, -31_000)
    rng = np.random.default_rng(8)
    room.play(30 * RATE + 77)
    for _ in range(12):
        # As fast as turns may follow each other, and slowly.
        room.turn(Mood(pitch=rng.uniform(-1, 1), pace=4.0, nature=rng.uniform(0, 1)))
        room.play(room.position + int(rng.choice([0, 1, 700, RATE, 3 * RATE])))
    # The very last frame of a hop, and its first.
    for frame in (-31_000 + 60 * RATE - 1, -31_000 + 64 * RATE):
        room.play(frame)
        room.turn(Mood(width=rng.uniform(0, 1), pace=4.0))
    room.play(70 * RATE)
    room.begin(12, Mood(pace=4.0, weirdness=1.0))
    room.play(85 * RATE + 5)
    played = np.concatenate(room.played)
    return played, read(room.log.to_json(room.position), "night.json")


def test_a_replay_is_what_the_ring_carried_bit_by_bit(timelines, night):
    played, log = night
    assert len(log.turns) == 16
    assert len({(piece.seed, piece.number) for piece in log.pieces}) == 3
    again = np.concatenate(list(replayed(timelines[1], log)))
    assert again.dtype == np.float32
    assert np.array_equal(again, played)


def test_a_turn_left_out_would_be_noticed(timelines, night):
    played, log = night
    fewer = dataclasses.replace(log, turns=(*log.turns[:5], *log.turns[6:]))
    again = np.concatenate(list(replayed(timelines[1], fewer)))
    turned = log.turns[5].frame
    assert np.array_equal(again[:turned], played[:turned])
    assert not np.array_equal(again[turned : turned + RATE], played[turned : turned + RATE])


def test_beginning_anywhere(timelines, night):
    played, log = night
    frames = [0, 1, 40 * RATE + 13, 84 * RATE]
    for turn in log.turns[1:4] + log.turns[-2:]:
        frames += [turn.frame - 1, turn.frame, turn.frame + 1, turn.frame + FADE - 1, turn.frame + FADE]
    for first in frames:
        short = dataclasses.replace(log, end_frame=min(first + RATE // 3, log.end_frame))
        part = np.concatenate(list(replayed(timelines[1], short, first)))
        assert np.array_equal(part, played[first : short.end_frame]), first


def test_two_files_have_the_same_bytes_and_the_samples_of_the_ring(timelines, night, tmp_path):
    played, log = night
    names = [tmp_path / name for name in ("a.wav", "b.wav")]
    for name, timeline in zip(names, timelines, strict=True):
        replay = Replay(timeline, log, 0.0, pytest.fail)
        assert replay.seed == 11
        result = write(replay, timeline, (replay.seconds, 0.0), name, lambda _: None)
        assert result.seconds == len(played) / RATE
        assert [piece.number for piece in result.pieces][:2] == [0, 1]
        assert result.pieces[0].start_s == 0.0
        assert result.realtime_factor > 1.0
    assert names[0].read_bytes() == names[1].read_bytes()
    soundfile.write(tmp_path / "ring.wav", played, RATE, "PCM_24")
    ring, again = (soundfile.read(tmp_path / name, dtype="int32")[0] for name in ("ring.wav", "a.wav"))
    assert np.array_equal(ring, again)


def test_other_choices_are_told_once(timelines, night):
    _, log = night
    told = []
    changed = [dataclasses.replace(piece, latents=bytes(640)) for piece in log.pieces[2:]]
    flipped = dataclasses.replace(log, pieces=(*log.pieces[:2], *changed))
    blocks = list(Replay(timelines[1], flipped, 0.0, told.append))
    assert len(told) == 1
    assert told[0].startswith(f"From piece {log.pieces[2].number} on, this machine chooses other sounds")
    assert sum(len(block) for block in blocks) == log.end_frame
    assert list(replayed(timelines[1], dataclasses.replace(log, end_frame=0))) == []


def test_a_start_after_the_end_is_refused(timelines, night):
    _, log = night
    with pytest.raises(UsageError, match=r"The log holds 85\.0 s"):
        Replay(timelines[1], log, 90.0, pytest.fail)


def with_inputs(log, **changes):
    return dataclasses.replace(log, inputs=dataclasses.replace(log.inputs, **changes))


def test_the_same_inputs_are_taken_without_a_word(night):
    timeline = timeline_of(night[1], None, None, pytest.fail)
    assert isinstance(timeline, Timeline)
    assert (timeline.rate, timeline.channels) == (RATE, 2)


@pytest.mark.parametrize(
    ("changes", "beds", "part"),
    [
        ({"model": "0" * 64}, None, r"another model \(00000000\): name its file with --model"),
        ({"beds": "0" * 64}, None, "other beds: name its folder of recordings with --beds"),
        ({}, "none", "other beds: name its folder"),
        ({"beds": None}, "weather", "no beds: leave out --beds"),
        ({"rate": 44_100}, None, "other beds"),
    ],
)
def test_other_inputs_are_refused(night, changes, beds, part):
    with pytest.raises(UsageError, match=part):
        timeline_of(with_inputs(night[1], **changes), None, beds, pytest.fail)


def test_a_model_of_this_machine_is_found_by_its_digest(night):
    glass = digest(shipped()["glass"])
    assert timeline_of(with_inputs(night[1], model=glass), None, None, pytest.fail).model == glass


def test_without_beds_none_are_made(night):
    assert timeline_of(with_inputs(night[1], beds=None), None, None, pytest.fail).beds is None


def test_another_machine_or_version_is_told(night):
    told = []
    versions = night[1].inputs.versions | {"numpy": "1.26.0"}
    timeline_of(with_inputs(night[1], versions=versions, machine="abacus"), None, None, told.append)
    assert told == ["The log was made with numpy 1.26.0, abacus: the sound may differ a little from what was heard."]


def test_logs_that_cannot_be_opened(tmp_path):
    with pytest.raises(UsageError, match="cannot be read"):
        open_log(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="cannot be read"):
        open_log(tmp_path)
    (tmp_path / "song").write_bytes(b"la la la")
    with pytest.raises(UsageError, match="song is no log"):
        open_log(tmp_path / "song")
