import json
import os
import struct
import threading

import pytest

from appliance.errors import LatentError, UsageError
from appliance.names import CORNERS
from appliance.service.places import MOST_SPOTS, Places

DIGEST = "0123456789abcdef" * 4


def latent(value):
    return struct.pack("<32f", *(value + number / 7 for number in range(32)))


@pytest.fixture
def open_places(tmp_path):
    def start(digest=DIGEST, say=pytest.fail):
        return Places(tmp_path, digest, say, lambda: 1000.5)

    return start


def test_corners_are_kept_bit_by_bit_and_cleared(open_places):
    places = open_places()
    assert places.corners == {}
    for number, which in enumerate(CORNERS):
        places.set_corner(which, latent(number))
    places.set_corner("top-left", latent(9))
    assert open_places().corners == {
        which: latent(9 if number == 0 else number) for number, which in enumerate(CORNERS)
    }
    places.clear_corner("top-left")
    places.clear_corner("top-left")
    assert sorted(open_places().corners) == sorted(CORNERS[1:])


@pytest.mark.parametrize(
    "ask", [lambda places: places.set_corner("topleft", latent(0)), lambda places: places.clear_corner("topleft")]
)
def test_a_corner_that_is_none(open_places, ask):
    with pytest.raises(UsageError, match=r"^There is no corner called 'topleft', did you mean top-left\?$"):
        ask(open_places())


def test_spots_are_numbered_once_and_for_all(open_places):
    places = open_places()
    first, second = places.keep(latent(0), 0.5), places.ban(latent(1), 2.0)
    assert (first.number, first.banned, second.number, second.banned) == (1, False, 2, True)
    again = open_places()
    assert again.kept == (first,)
    assert again.banned == (second,)
    assert again.banned[0].latent == latent(1)
    assert again.forget(2) == second
    assert again.keep(latent(2), 0.1).number == 3
    assert again.listed() == [
        {"spot": 1, "banned": False, "radius": 0.5, "saved_at": 1000.5},
        {"spot": 3, "banned": False, "radius": 0.1, "saved_at": 1000.5},
    ]
    with pytest.raises(UsageError, match=r"^There is no spot 2: latent keep --list"):
        again.forget(2)


def test_each_model_has_its_own(open_places, tmp_path):
    open_places().keep(latent(0), 0.5)
    other = open_places("f" * 64)
    assert other.spots == ()
    other.ban(latent(1), 0.5)
    assert sorted(each.name for each in (tmp_path / "places").iterdir()) == [
        "0123456789abcdef.json",
        "ffffffffffffffff.json",
    ]
    assert len(open_places(DIGEST.upper()).kept) == 1


@pytest.mark.parametrize("digest", ["", "0123", "../../../etc/passwd", "x" * 64])
def test_a_digest_that_is_none(open_places, digest):
    with pytest.raises(ValueError, match="is no digest"):
        open_places(digest)


@pytest.mark.parametrize(
    ("data", "radius"),
    [
        (b"", 0.5),
        (latent(0) + b"\x00", 0.5),
        (struct.pack("<32f", float("nan"), *[0.0] * 31), 0.5),
        (struct.pack("<32f", 1e9, *[0.0] * 31), 0.5),
        (latent(0), 0.05),
        (latent(0), 2.5),
        (latent(0), float("nan")),
    ],
)
def test_what_is_no_place_is_not_kept(open_places, tmp_path, data, radius):
    with pytest.raises(ValueError, match=r"."):
        open_places().keep(data, radius)
    assert not (tmp_path / "places").exists()


def spots_of(count):
    return {
        "spots": [
            {"number": 1, "banned": True, "latent": "A" * 171 + "=", "radius": 0.12345678901234567, "saved_at": 1e9}
        ]
        * count
    }


def test_when_it_is_full_it_says_so_in_one_sentence(open_places, tmp_path):
    path = tmp_path / "places" / "0123456789abcdef.json"
    path.parent.mkdir()
    path.write_text(json.dumps(spots_of(MOST_SPOTS - 1)))
    assert open_places().ban(latent(0.1), 0.12345678901234567).number == 2
    full = open_places()
    assert len(full.spots) == MOST_SPOTS
    with pytest.raises(LatentError, match=r"^There are 500 kept and banned spots, and no more fit: forget one first"):
        full.keep(latent(0), 0.5)
    full.forget(2)
    full.keep(latent(0), 0.5)


@pytest.mark.parametrize(
    "content",
    [
        "{",
        json.dumps({"corners": {"top": "A" * 171 + "="}}),
        json.dumps({"corners": {"top-left": "AAAA"}}),
        json.dumps({"corners": {"top-left": "!" * 172}}),
        json.dumps(spots_of(MOST_SPOTS + 1)),
        json.dumps({"last": -1}),
        json.dumps({"last": True}),
    ],
)
def test_a_damaged_file_is_set_aside(open_places, tmp_path, content):
    path = tmp_path / "places" / "0123456789abcdef.json"
    path.parent.mkdir()
    path.write_text(content)
    told = []
    places = open_places(say=told.append)
    assert (places.corners, places.spots) == ({}, ())
    assert path.with_name(f"{path.name}.damaged").read_text() == content
    assert len(told) == 1


def test_a_disk_that_fails_leaves_all_as_it_was(open_places, monkeypatch):
    places = open_places()
    places.set_corner("top-left", latent(0))
    places.keep(latent(1), 0.5)

    def refuse(*_):
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", refuse)
        for change in (
            lambda: places.keep(latent(2), 0.5),
            lambda: places.forget(1),
            lambda: places.clear_corner("top-left"),
        ):
            with pytest.raises(LatentError, match=r"cannot be written \(Input/output error\)"):
                change()
    for each in (places, open_places()):
        assert len(each.spots) == len(each.corners) == 1
    assert places.keep(latent(2), 0.5).number == 2


def test_a_button_and_a_command_at_once_lose_nothing(open_places):
    places = open_places()
    threads = [
        threading.Thread(target=lambda act=act: [act(latent(0), 0.5) for _ in range(20)])
        for act in (places.keep, places.ban)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(spot.number for spot in open_places().spots) == list(range(1, 41))
    assert len(places.kept) == len(places.banned) == 20
