import errno
import json
import os
import time
from pathlib import Path

import numpy as np
import pytest

from appliance.engine.saved import Saved
from appliance.engine.timeline import Timeline
from appliance.model.bundle import read
from appliance.model.library import find
from appliance.mood import Mood
from appliance.service import mornings
from appliance.service.mornings import Mornings
from appliance.settings import MusicSettings

NEW, SAME, CONTINUE = (MusicSettings(each_morning=name) for name in ("new", "same", "continue"))


class PowerCut(BaseException):
    """Nothing that is running survives it."""


@pytest.fixture(scope="module")
def timeline():
    return Timeline(read(find(None)), 48_000, 2, None, -20.0, -1.0)


@pytest.fixture
def told():
    return []


@pytest.fixture
def boot(tmp_path, told):
    """Start anew, as after a power cut, and say what it begins with."""

    def start(music=NEW, folder=tmp_path / "state"):
        return Mornings(folder, told.append).begin(music)

    return start


def cutting(real, nth):
    """Do as the real one does, so many times; then the power fails."""
    left = nth

    def call(*args, **words):
        nonlocal left
        left -= 1
        if left < 0:
            raise PowerCut
        return real(*args, **words)

    return call


def refuse(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_hundred_boots_in_1970_begin_with_a_hundred_pieces(boot, told, timeline, monkeypatch):
    asked = []
    for clock in ("time", "time_ns"):
        monkeypatch.setattr(time, clock, lambda clock=clock: asked.append(clock) or 0)
    begun = [boot() for _ in range(100)]
    pieces = [timeline.start(morning.seed, Mood()).now.piece for morning in begun]
    assert asked == []
    monkeypatch.undo()
    assert len({morning.seed for morning in begun}) == 100
    assert len({piece.latents for piece in pieces}) == 100
    # Patterns are few; first sounds are not.
    assert len({piece.pattern for piece in pieces}) > 15
    assert [morning.boots for morning in begun] == list(range(1, 101))
    assert all(0 <= morning.seed < 2**63 and morning.resume is None for morning in begun)
    assert told == []


def test_the_same_count_is_the_same_morning(boot, tmp_path):
    """It is the count that makes mornings differ, and not chance."""
    first = [boot().seed for _ in range(5)]
    path = tmp_path / "state" / "mornings.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"boots": 0}))
    assert [boot().seed for _ in range(5)] == first
    assert boot(folder=tmp_path / "elsewhere").seed not in first


def test_a_seed_of_the_settings_is_where_mornings_are_drawn_from(boot, tmp_path):
    music = MusicSettings(seed=7)
    seeds = [boot(music, tmp_path / "a").seed for _ in range(3)]
    assert len({*seeds, 7}) == 4
    assert [boot(music, tmp_path / "b").seed for _ in range(3)] == seeds


def test_the_same_every_morning(boot):
    assert boot(MusicSettings(seed=7, each_morning="same")).seed == 7
    one = boot(SAME)
    assert one.seed == boot(SAME).seed
    assert boot(SAME).boots == one.boots + 2
    assert 0 <= one.seed < 2**63


def test_continuing_where_it_was(tmp_path, told, timeline):
    first = Mornings(tmp_path, told.append)
    begun = first.begin(CONTINUE)
    assert begun.resume is None
    cursor, mood = timeline.start(begun.seed, Mood()), Mood(pitch=0.5)
    for _ in range(3):
        cursor = timeline.advance(cursor, mood)
    first.keep_place(Saved(cursor, mood, -5))
    again = Mornings(tmp_path, told.append).begin(CONTINUE)
    assert again.resume == Saved(cursor, mood, -5)
    assert again.seed == begun.seed
    assert np.array_equal(timeline.step(again.resume.cursor, mood)[1], timeline.step(cursor, mood)[1])
    # A morning that does not go on leaves the place alone.
    other = Mornings(tmp_path, told.append)
    assert other.begin(NEW).resume is None
    other.keep_place(Saved(timeline.start(1, Mood()), mood, 0))
    assert Mornings(tmp_path, told.append).begin(CONTINUE).resume == Saved(cursor, mood, -5)
    assert told == []


def test_without_a_place_it_is_like_the_same(boot, tmp_path, told):
    expected = boot(SAME).seed
    assert boot(CONTINUE).seed == expected
    assert told == []
    (tmp_path / "state" / "place.json").write_bytes(b"{}")
    morning = boot(CONTINUE)
    assert (morning.seed, morning.resume) == (expected, None)
    assert len(told) == 1
    assert "place.json is damaged" in told[0]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 64,
        b"{",
        b"[" * 5_000,
        b"[]",
        b'{"installation": 1}',
        b'{"installation": 1, "boots": -1}',
        b'{"installation": 1, "boots": true}',
        b'{"installation": "1", "boots": 1}',
        b'{"installation": 1, "boots": 1e99}',
        b'{"installation": 99999999999999999999, "boots": 1}',
    ],
)
def test_a_damaged_count_begins_anew_and_says_so(boot, tmp_path, told, content):
    known = boot().seed
    (tmp_path / "state" / "mornings.json").write_bytes(content)
    morning = boot()
    assert morning.boots == 1
    assert morning.seed != known
    assert len(told) == 1
    assert "mornings.json is damaged" in told[0]
    assert boot().boots == 2
    assert len(told) == 1


@pytest.mark.parametrize("music", [NEW, SAME, CONTINUE])
def test_a_full_disk_still_gives_music(boot, told, monkeypatch, music):
    before = [boot(music).seed for _ in range(2)]
    monkeypatch.setattr(mornings, "write_whole", refuse)
    after = [boot(music).seed for _ in range(20)]
    assert len(told) == 20
    assert "mornings.json cannot be written (No space left on device)" in told[0]
    assert told[0].count(".") == 2
    if music is NEW:
        assert len({*before, *after}) == 22
    else:
        assert {*before, *after} == {before[0]}


def test_a_folder_that_cannot_be_made(boot, tmp_path, told):
    (tmp_path / "file").touch()
    assert len({boot(NEW, tmp_path / "file" / "state").seed for _ in range(5)}) == 5
    assert "cannot be" in told[0]


def test_a_full_disk_is_told_once_in_a_run(tmp_path, told, timeline, monkeypatch):
    run = Mornings(tmp_path, told.append)
    run.begin(CONTINUE)
    monkeypatch.setattr(mornings, "write_whole", refuse)
    for seed in range(3):
        run.keep_place(Saved(timeline.start(seed, Mood()), Mood(), 0))
    assert len(told) == 1


def test_a_power_cut_at_any_moment_leaves_the_old_count_or_the_new(boot, tmp_path, monkeypatch):
    """Every call that the writing makes of the system is where the power fails once."""
    path = tmp_path / "state" / "mornings.json"
    calls = [(os, name) for name in ("open", "fdopen", "fchmod", "fsync", "close")] + [(Path, "replace")]
    left = set()
    for owner, name in calls:
        for nth in range(3):
            boot()
            old = json.loads(path.read_text())
            with monkeypatch.context() as power:
                power.setattr(owner, name, cutting(getattr(owner, name), nth))
                try:
                    boot()
                except PowerCut:
                    new = json.loads(path.read_text())
                    left.add(new["boots"] - old["boots"])
                    assert new["installation"] == old["installation"]
            assert boot().boots == json.loads(path.read_text())["boots"]
    assert left == {0, 1}


def test_one_write_a_boot(boot, monkeypatch):
    written = []
    monkeypatch.setattr(mornings, "write_whole", lambda path, _: written.append(path.name))
    for music in (NEW, SAME, CONTINUE):
        boot(music)
    assert written == ["mornings.json"] * 3
