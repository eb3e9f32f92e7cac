import json
import math
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.errors import LatentError, UsageError
from appliance.mood import PLACES, QUANTITIES
from appliance.service.scenes import MOST_SCENES, Scenes

KNOWN = QUANTITIES | PLACES
NAMES = st.text(st.characters(exclude_characters="/"), min_size=1, max_size=40).filter(
    lambda name: name.isprintable() and name == name.strip()
)


@pytest.fixture
def told():
    return []


@pytest.fixture
def scenes(tmp_path, told):
    return Scenes(tmp_path / "state", told.append, lambda: 1000.5)


def refuse(*_, **__):
    raise OSError(28, "No space left on device")


@settings(deadline=None, max_examples=30)
@given(
    st.dictionaries(
        NAMES,
        st.fixed_dictionaries({}, optional={name: st.floats(each.low, each.high) for name, each in KNOWN.items()}),
        max_size=6,
    )
)
def test_what_was_saved_is_recalled_bit_by_bit_after_a_restart(wanted):
    with tempfile.TemporaryDirectory() as folder:
        for name, values in wanted.items():
            assert Scenes(Path(folder), pytest.fail).save(name, values) is False
        again = Scenes(Path(folder), pytest.fail)
        assert {name: again.recall(name) for name in again.names()} == wanted


def test_a_scene_is_replaced_removed_and_listed(scenes, told):
    assert scenes.listed() == []
    assert scenes.save(" dusk ", {"pitch": 0.5}) is False
    assert scenes.save("dusk", {"pitch": -0.5}) is True
    scenes.save("Dawn", {"x": 1.0})
    assert scenes.names() == ("Dawn", "dusk")
    assert scenes.listed()[1] == {"name": "dusk", "saved_at": 1000.5, "values": {"pitch": -0.5}}
    json.dumps(scenes.listed(), allow_nan=False)
    scenes.remove(" dusk")
    assert scenes.names() == ("Dawn",)
    assert told == []


def test_a_name_that_is_unknown_gets_the_nearest(scenes):
    with pytest.raises(UsageError, match=r"^There is no scene called 'dusk', there is none yet\.$"):
        scenes.recall("dusk")
    scenes.save("dusk", {})
    for ask in (scenes.recall, scenes.remove):
        with pytest.raises(UsageError, match=r"^There is no scene called 'dsk', did you mean dusk\?$"):
            ask("dsk")


@pytest.mark.parametrize("name", ["", "  ", "a/b", "a\nb", "x" * 41, "\ud800"])
def test_a_name_that_cannot_be(scenes, name):
    with pytest.raises(UsageError, match="choose 1 to 40 printable characters without a slash"):
        scenes.save(name, {})
    assert scenes.names() == ()


def test_what_is_unknown_or_out_of_range_today_is_dropped_or_brought_in(tmp_path, scenes, told):
    scenes.save("dusk", {"pitch": 0.5, "nonsense": 1.0, "pace": math.nan})
    assert scenes.recall("dusk") == {"pitch": 0.5}
    path = tmp_path / "state" / "scenes.json"
    file = json.loads(path.read_text())
    file["scenes"]["dusk"]["values"] |= {"smell": 3.0, "pace": 99.0, "axis1": -7, "x": 0.25}
    path.write_text(json.dumps(file))
    again = Scenes(path.parent, told.append)
    assert again.recall("dusk") == {"pitch": 0.5, "pace": 4.0, "axis1": -1.0, "x": 0.25}
    again.save("dawn", {})
    assert "smell" in path.read_text()
    assert told == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\x00" * 4096,
        b"[]",
        b'{"scenes": {"a": {"saved_at": 1.0, "values": {"pitch": NaN}}}}',
        b'{"scenes": {"a": {"saved_at": 1.0, "values": {"pitch": "0"}}}}',
        b'{"scenes": {"a": {"saved_at": 1e300, "values": {}}}}',
        b'{"scenes": {"' + b"x" * 41 + b'": {"saved_at": 1.0, "values": {}}}}',
        b'{"scenes": {}}' + b" " * (5 << 20),
        b"[" * 100_000,
    ],
)
def test_a_damaged_file_is_set_aside_and_told_of_once(tmp_path, told, content):
    path = tmp_path / "scenes.json"
    for number in range(2):
        path.write_bytes(content)
        scenes = Scenes(tmp_path, told.append)
        assert scenes.names() == ()
        assert len(told) == number + 1
        scenes.save("dusk", {"pitch": 0.5})
        assert Scenes(tmp_path, pytest.fail).names() == ("dusk",)
    for name in ("scenes.json.damaged", "scenes.json.damaged-2"):
        assert (tmp_path / name).read_bytes() == content
    assert told[0].endswith("is damaged: it is set aside as scenes.json.damaged, and a new one begins.")


def test_too_many(tmp_path, told):
    (tmp_path / "scenes.json").write_text(
        json.dumps({"scenes": {f"s{n}": {"saved_at": 1.0, "values": {}} for n in range(MOST_SCENES)}})
    )
    scenes = Scenes(tmp_path, told.append)
    with pytest.raises(LatentError, match=r"^There are 200 scenes, and no more fit: remove one first\.$"):
        scenes.save("one more", {})
    assert scenes.save("s7", {"x": 1.0}) is True
    scenes.remove("s8")
    scenes.save("one more", {})
    assert told == []


def test_the_most_that_can_be_is_read_again(tmp_path):
    scenes = Scenes(tmp_path, pytest.fail)
    values = {f"{number:02}" + "\U0001f41d" * 38: -1.2345678901234567e-200 for number in range(64)}
    (tmp_path / "scenes.json").write_text(
        json.dumps(
            {"scenes": {f"{n:03}" + "\U0001f41d" * 37: {"saved_at": 1.0, "values": values} for n in range(199)}},
            ensure_ascii=False,
        )
    )
    scenes = Scenes(tmp_path, pytest.fail)
    assert len(scenes.names()) == 199
    scenes.save("last", {name: each.high for name, each in KNOWN.items()})
    assert len(Scenes(tmp_path, pytest.fail).names()) == 200


def test_a_disk_that_fails_leaves_all_as_it_was(tmp_path, scenes, monkeypatch):
    scenes.save("dusk", {"pitch": 0.5})
    path = tmp_path / "state" / "scenes.json"
    before = path.read_bytes()
    for call in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(*((os, "fsync") if call == "fsync" else (Path, "replace")), refuse)
            for change in (lambda: scenes.save("dawn", {}), lambda: scenes.remove("dusk")):
                with pytest.raises(LatentError, match=r"scenes\.json cannot be written \(No space left on device\)"):
                    change()
        assert scenes.names() == ("dusk",)
        assert path.read_bytes() == before
        assert [each.name for each in path.parent.iterdir()] == ["scenes.json"]
    scenes.save("dawn", {})
    assert scenes.names() == ("dawn", "dusk")


def test_what_cannot_be_read_is_never_written_over(tmp_path, told, monkeypatch):
    Scenes(tmp_path, told.append).save("dusk", {})
    real = Path.open
    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", refuse)
        scenes = Scenes(tmp_path, told.append)
        assert scenes.names() == ()
        assert len(told) == 1
        assert "cannot be read" in told[0]
        with pytest.raises(LatentError, match="cannot be read"):
            scenes.save("dawn", {})
    assert Path.open is real
    scenes.save("dawn", {})
    assert scenes.names() == ("dawn", "dusk")


def test_a_damaged_file_that_cannot_be_set_aside_stays(tmp_path, told, monkeypatch):
    path = tmp_path / "scenes.json"
    path.write_text("{")
    monkeypatch.setattr(Path, "rename", refuse)
    scenes = Scenes(tmp_path, told.append)
    assert scenes.names() == ()
    with pytest.raises(LatentError, match="is damaged and cannot be set aside"):
        scenes.save("dawn", {})
    assert path.read_text() == "{"
    assert len(told) == 1
