"""The room: what was kept and banned reaches the music, in rests and through changes of ring."""

import struct
import threading
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from appliance.errors import ApiError
from appliance.mood import PLACES
from appliance.names import CORNERS
from appliance.score.taste import Taste
from appliance.service.room import Room

RESTING = {name: each.rest for name, each in PLACES.items()}


class Space:
    def whiten(self, latents):
        return latents * 2.0


@dataclass
class FakeTimeline:
    model: str = "0123456789abcdef"
    space: Space = field(default_factory=Space)
    taste: Taste | None = None

    def adopt(self, taste):
        self.taste = taste


@dataclass
class FakeWriter:
    sounds: tuple[bytes, ...] = ()
    taste: Taste | None = None
    axes: float = 0.0

    def sounding(self, shifted=True):
        return (
            tuple(latent(struct.unpack("<32f", each)[0] + self.axes) for each in self.sounds)
            if shifted
            else self.sounds
        )

    def adopt(self, taste):
        self.taste = taste


def latent(value: float) -> bytes:
    return struct.pack("<32f", *([value] * 32))


def a_room(folder: Path) -> tuple[Room, FakeTimeline, FakeWriter, list[str]]:
    said: list[str] = []
    room, timeline, writer = Room(folder, said.append), FakeTimeline(), FakeWriter((latent(0.5), latent(0.1)))
    room.enter(timeline)
    room.play(writer, None)
    return room, timeline, writer, said


def test_the_loudest_is_kept_and_banned_and_the_music_knows(tmp_path: Path) -> None:
    room, _, writer, _ = a_room(tmp_path)
    assert room.keep(None) == {"spot": 1, "kept": 1, "banned": 0}
    assert room.never(0.3) == {"spot": 2, "kept": 1, "banned": 1}
    assert (writer.taste.kept[0].latent, writer.taste.banned[0].radius) == (latent(0.5), 0.3)
    assert room.forget(2) == {"spot": 2, "kept": 1, "banned": 0}
    assert writer.taste.banned == ()


def test_in_a_rest_it_is_about_what_sounded_last(tmp_path: Path) -> None:
    room, _, writer, _ = a_room(tmp_path)
    room.listen()
    writer.sounds = ()
    room.listen()
    room.never(None)
    assert writer.taste.banned[0].latent == latent(0.5)


def test_before_anything_sounded_it_is_told_so(tmp_path: Path) -> None:
    room, _, writer, _ = a_room(tmp_path)
    writer.sounds = ()
    with pytest.raises(ApiError, match="Nothing has sounded yet"):
        room.keep(None)


def test_a_ban_survives_a_change_of_ring(tmp_path: Path) -> None:
    room, _, _, _ = a_room(tmp_path)
    room.never(None)
    other, following = FakeTimeline(), FakeWriter()
    room.enter(other)
    assert len(other.taste.banned) == 1
    # The writer before still plays as somebody bans.
    room.never(None)
    room.play(following, None)
    assert len(following.taste.banned) == 2
    assert len(a_room(tmp_path)[0].places.banned) == 2


def test_another_model_has_places_of_its_own(tmp_path: Path) -> None:
    room, _, _, _ = a_room(tmp_path)
    room.never(None)
    other = FakeTimeline("fedcba9876543210")
    room.enter(other)
    assert other.taste.banned == ()


def test_bans_from_many_threads_are_all_known_to_the_music(tmp_path: Path) -> None:
    room, _, writer, _ = a_room(tmp_path)
    threads = [threading.Thread(target=room.never, args=(None, latent(0.1 * each))) for each in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10.0)
    assert len(writer.taste.banned) == 12


def test_four_corners_span_a_plane(tmp_path: Path) -> None:
    room, _, writer, _ = a_room(tmp_path)
    assert room.place(RESTING).target == ()
    for number, which in enumerate(CORNERS):
        writer.sounds = (latent(float(number)),)
        stored = room.corner(which)
    assert all(stored.values())
    corners = {"top-left": (0.0, 1.0), "top-right": (1.0, 1.0), "bottom-left": (0.0, 0.0), "bottom-right": (1.0, 0.0)}
    for number, which in enumerate(CORNERS):
        x, y = corners[which]
        place = room.place(RESTING | {"x": x, "y": y, "draw": 1.0})
        assert place.target == pytest.approx([2.0 * number] * 32)
    assert room.place(RESTING).target == pytest.approx([3.0] * 32)
    room.clear_corner("top-left")
    assert room.place(RESTING).target == ()


def test_what_the_axes_shift_is_banned_as_it_sounds_and_stored_as_it_was(tmp_path: Path) -> None:
    room, _, writer, _ = a_room(tmp_path)
    writer.axes = 0.25
    room.never(None)
    room.corner("top-left")
    assert writer.taste.banned[0].latent == latent(0.75)
    assert room.places.corners["top-left"] == latent(0.5)


def test_corners_where_no_music_is_draw_nothing(tmp_path: Path) -> None:
    room, _, writer, said = a_room(tmp_path)
    writer.sounds = (latent(900.0),)
    for which in CORNERS:
        room.corner(which)
    assert room.place(RESTING).target == ()
    assert "store them anew" in said[0]


def test_axes_shift_and_those_at_rest_cost_nothing(tmp_path: Path) -> None:
    room, *_ = a_room(tmp_path)
    assert room.place(RESTING).shift == ()
    assert room.place(RESTING | {"axis2": -0.5}).shift == (0.0, -1.0)
    assert np.allclose(room.place(RESTING | {"axis8": 1.0}).shift, [0.0] * 7 + [2.0])
