"""What the control socket asks for reaches the parts that know; after crashes nothing is moved."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from gallery import Gallery, Time, pretend

from appliance.api.handlers import Handlers
from appliance.errors import UsageError
from appliance.mood import PLACES, QUANTITIES
from appliance.service.asked import Asked
from appliance.settings import Settings

SETTINGS = Settings.model_validate(
    {
        "controls": {"knob": {"source": "mcp3008", "channel": 0, "moves": "pitch"}},
        "scenes": {"morph_s": 3.0},
        "osc": {"port": 9000},
    }
)


@pytest.fixture
def gallery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gallery]:
    clock = Time()
    pretend(monkeypatch, clock)
    gallery = Gallery(SETTINGS, tmp_path, clock)
    yield gallery
    gallery.close()


def asked(gallery: Gallery, movable: bool = True) -> Asked:
    return Asked(gallery.room, gallery.hands, gallery.wires, lambda: {"piece": 3}, movable)


def test_it_has_all_that_the_socket_may_ask_for(gallery: Gallery) -> None:
    engine: Handlers = asked(gallery)
    assert [name for name in vars(Handlers) if not name.startswith("_") and not hasattr(engine, name)] == []


def test_mood_and_place_are_moved_and_told(gallery: Gallery) -> None:
    engine = asked(gallery)
    assert engine.mood({"pitch": 0.5}) == {name: each.rest for name, each in QUANTITIES.items()} | {"pitch": 0.5}
    assert engine.place({"x": 0.25}) == {name: each.rest for name, each in PLACES.items()} | {"x": 0.25}
    assert gallery.room.mood.pitch == 0.5
    assert gallery.room.placed["x"] == 0.25
    moves = len(gallery.room.moves)
    assert engine.mood({})["pitch"] == 0.5
    assert len(gallery.room.moves) == moves


def test_status_tells_of_hands(gallery: Gallery) -> None:
    gallery.step()
    gallery.board.adc(0).break_("hang")
    gallery.hung.add("spi")
    gallery.wait(1.5, 0.1)
    status = asked(gallery).status()
    assert (status["piece"], status["controls"], status["awake"]) == (3, 1, 1.0)
    assert "no reading" in status["troubles"]["knob"]
    assert status["mood"]["pitch"] == 0.0
    assert status["osc"]["received"] == 0
    assert "[osc]" not in status["troubles"]


def test_status_tells_where_nobody_can_be_heard(gallery: Gallery) -> None:
    asked(gallery)
    gallery.wires._osc.why = "UDP port 9000 is in use: choose another in [osc]"
    assert asked(gallery).status()["troubles"] == {"[osc]": "UDP port 9000 is in use: choose another in [osc]"}


def test_scenes_are_saved_recalled_and_removed(gallery: Gallery) -> None:
    engine = asked(gallery)
    engine.mood({"pitch": 0.5})
    assert engine.save_scene("dusk") is False
    engine.mood({"pitch": 0.0})
    assert engine.recall_scene("dusk", None) == 3.0
    gallery.wait(5.0, 0.1)
    assert gallery.room.mood.pitch == 0.5
    assert [each["name"] for each in engine.scenes()] == ["dusk"]
    engine.remove_scene("dusk")
    assert engine.scenes() == []


def test_ends_are_learned_and_forgotten(gallery: Gallery) -> None:
    engine = asked(gallery)
    engine.calibrate("knob", 0.1, 0.9)
    assert (engine.controls()[0]["low"], engine.controls()[0]["high"]) == (0.1, 0.9)
    engine.calibrate("knob", None, None)
    assert engine.controls()[0]["low"] is None
    engine.turn("knob", 0.4)
    gallery.wait(0.5)
    assert engine.controls()[0]["raw"] == pytest.approx(0.4, abs=0.01)


def test_after_crashes_nothing_is_moved_but_all_is_told(gallery: Gallery) -> None:
    engine = asked(gallery, movable=False)
    gallery.hands.scenes.save("dusk", {"pitch": 1.0})
    for ask in (
        lambda: engine.mood({"pitch": 1.0}),
        lambda: engine.place({"x": 1.0}),
        lambda: engine.recall_scene("dusk", 0.0),
    ):
        with pytest.raises(UsageError, match="takes no controls"):
            ask()
    assert engine.mood({})["pitch"] == 0.0
    assert gallery.room.moves == []
