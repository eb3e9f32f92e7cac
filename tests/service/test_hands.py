"""Hands: what controls tell becomes moves of the room, whatever breaks, hangs or floods."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from gallery import FakeRoom, Played, Switchboard, Time

from appliance.controls.desk import Action
from appliance.controls.source import Position, Press, SourceError
from appliance.errors import UsageError
from appliance.mood import Mood
from appliance.service.hands import Hands
from appliance.settings import Settings

SETTINGS = Settings.model_validate(
    {
        "scenes": {"morph_s": 4.0},
        "presence": {"sensors": ["door"], "after_min": 1.0, "dim_s": 10.0},
        "controls": {
            "knob": {"source": "osc", "address": "/1", "moves": "pitch"},
            "loud": {"source": "osc", "address": "/2", "moves": "volume"},
            "bad": {"source": "button", "pin": 5, "does": "never"},
            "good": {"source": "button", "pin": 6, "does": "keep"},
            "dusk": {"source": "button", "pin": 7, "does": "save dusk"},
            "door": {"source": "motion", "pin": 8},
        },
        "osc": {"port": 9000},
    }
)


class Rig:
    """Hands whose controls are played, in a room that only notes."""

    def __init__(self, folder: Path, settings: Settings = SETTINGS, clock: Callable[[], float] | None = None) -> None:
        self.clock = clock or Time()
        self.said: list[str] = []
        self.room = FakeRoom(self.clock)
        self.folder = folder
        for each in ("run", "state"):
            (folder / each).mkdir(exist_ok=True)
        self.wires = Switchboard(settings, folder / "run", self.said.append, self.clock)
        self.hands = Hands(
            settings, self.room, self.wires, folder / "run", folder / "state", self.said.append, self.clock
        )

    def begin(self, mood: Mood | None = None, goes_on: bool = False) -> "Rig":
        self.hands.begin(mood or Mood(), goes_on)
        return self

    def step(self, seconds: float = 0.01) -> None:
        self.clock.now_s += seconds
        self.hands.readings.turn()
        self.hands.turn()

    def tell(self, name: str, *events: object) -> None:
        self.wires.played[name].events.extend(events)

    def puts(self, name: str, value: float) -> None:
        self.tell(name, Position(value, self.clock()))
        self.step()


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    monkeypatch.setattr("appliance.controls.osc.OscPort.mend", lambda port: None)
    rig = Rig(tmp_path)
    yield rig
    rig.hands.close()


def until(holds: Callable[[], object], seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.002)


def test_a_hand_moves_the_room_in_the_same_turn(rig: Rig) -> None:
    rig.begin().puts("knob", 0.75)
    assert rig.room.moves == [(rig.clock(), Mood(pitch=0.5))]
    rig.step()
    assert len(rig.room.moves) == 1


def test_presses_are_done_once(rig: Rig) -> None:
    rig.begin()
    rig.tell("bad", Press(rig.clock()))
    rig.tell("good", Press(rig.clock()), Press(rig.clock()))
    rig.step()
    rig.step()
    assert sorted(rig.room.did) == ["keep", "keep", "never"]


def test_a_press_when_nothing_sounded_is_told_and_breaks_nothing(rig: Rig) -> None:
    rig.begin()
    rig.room.rests = True
    rig.tell("bad", Press(rig.clock()))
    rig.step()
    assert rig.said == ["Nothing has sounded yet: ask again when something does."]
    rig.puts("knob", 1.0)
    assert rig.room.mood.pitch == 1.0


def test_what_glides_by_itself_goes_in_steps_and_the_fader_smoothly(rig: Rig) -> None:
    rig.begin()
    rig.hands.set({"pitch": 1.0, "volume": 0.0}, 4.0)
    before = len(rig.room.moves)
    for _ in range(400):
        rig.step()
    moods = [mood for _, mood in rig.room.moves[before:]]
    assert len({mood.pitch for mood in moods}) <= 5
    assert len({mood.volume for mood in moods}) > 300
    for _ in range(160):
        rig.step()
    assert rig.room.mood == Mood(pitch=1.0, volume=0.0)


def test_a_silent_source_is_in_trouble_and_well_again(rig: Rig) -> None:
    rig.begin().puts("knob", 0.75)
    # A reader that hangs gives nothing, not even that nothing happened.
    for _ in range(110):
        rig.clock.now_s += 0.01
        rig.hands.turn()
    assert rig.hands.troubles()["knob"].startswith("has given no reading for 1.0")
    rig.step()
    assert rig.hands.troubles() == {}


def test_a_source_error_is_told_by_its_words(rig: Rig) -> None:
    rig.begin().puts("knob", 0.75)
    rig.wires.played["knob"].error = SourceError("is not plugged in")
    rig.step()
    assert rig.hands.troubles() == {"knob": "is not plugged in"}
    listed = {each["name"]: each for each in rig.hands.controls()}
    assert listed["knob"]["trouble"] == "is not plugged in"
    assert listed["loud"]["trouble"] is None


def test_a_fault_of_ours_in_one_control_holds_up_no_other(rig: Rig) -> None:
    rig.begin()
    rig.tell("knob", "no event at all")
    rig.tell("loud", Position(0.5, rig.clock()))
    rig.step()
    assert "cannot be followed" in rig.hands.troubles()["knob"]
    assert rig.room.mood.volume == 0.5


def test_the_control_socket_and_a_scene_move_it(rig: Rig) -> None:
    rig.begin()
    rig.hands.set({"pitch": 0.25})
    assert rig.room.mood.pitch == 0.25
    rig.tell("dusk", Press(rig.clock()))
    rig.step()
    rig.hands.act(Action("rest", ""))
    for _ in range(600):
        rig.step()
    assert rig.room.mood == Mood()
    assert rig.hands.recall_scene("dusk", 0.0) == 0.0
    assert rig.room.mood.pitch == 0.25
    with pytest.raises(UsageError, match="no scene called"):
        rig.hands.recall_scene("dawn", None)


def test_a_flood_of_what_cannot_be_done_is_told_sparingly(rig: Rig) -> None:
    rig.begin()
    for number in range(500):
        rig.hands.act(Action("scene", f"none {number % 40}"))
    assert len(rig.said) == 20
    rig.clock.now_s += 61.0
    rig.hands.act(Action("scene", "none 1"))
    assert len(rig.said) == 21


def test_calibration_is_asked_for_by_name(rig: Rig) -> None:
    rig.begin()
    with pytest.raises(UsageError, match="no control called 'nob'"):
        rig.hands.calibrate("nob", None)
    rig.hands.calibrate("knob", (0.2, 0.6))
    assert next((each["low"], each["high"]) for each in rig.hands.controls()) == (0.2, 0.6)


def test_another_life_goes_on_without_a_move(rig: Rig, tmp_path: Path) -> None:
    rig.begin().puts("knob", 0.75)
    rig.hands.set({"x": 0.1})
    for _ in range(20):
        rig.step()
    other = Rig(tmp_path, clock=rig.clock).begin(rig.room.mood, goes_on=True)
    other.step()
    assert other.room.moves == []
    assert (other.hands.standing()["pitch"], other.hands.standing()["x"]) == (0.5, 0.1)
    fresh = Rig(tmp_path, clock=rig.clock).begin(Mood())
    assert fresh.hands.standing()["pitch"] == 0.0


def test_a_room_that_was_dimmed_wakes_slowly_in_another_life(rig: Rig, tmp_path: Path) -> None:
    rig.begin()
    rig.tell("door", Position(0.0, rig.clock()))
    for _ in range(100):
        rig.step(0.9)
    assert rig.room.mood.volume == pytest.approx(0.3)
    other = Rig(tmp_path, clock=rig.clock).begin(rig.room.mood, goes_on=True)
    assert other.room.moves == []
    before = 0.3
    for _ in range(500):
        other.step()
        assert other.room.mood.volume - before < 0.01 or not other.room.moves
        before = other.room.mood.volume if other.room.moves else 0.3
    assert other.room.mood.volume == 1.0


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{", b'{"pitch": "high"}', b'{"pitch": NaN, "x": 1e999}', b"[" * 60_000, b"\xff"]
)
def test_a_damaged_note_of_where_all_stood_breaks_nothing(rig: Rig, content: bytes) -> None:
    (rig.folder / "run" / "hands").write_bytes(content)
    rig.begin(Mood(pitch=0.5), goes_on=True)
    rig.step()
    assert rig.hands.standing()["pitch"] == 0.5


def test_what_a_new_day_goes_on_with(rig: Rig, tmp_path: Path) -> None:
    rig.begin()
    rig.hands.set({"x": 0.1, "pitch": 0.5})
    rig.hands.keep()
    (tmp_path / "run" / "hands").unlink(missing_ok=True)
    other = Rig(tmp_path, clock=rig.clock).begin(Mood(pitch=0.5), goes_on=True)
    assert other.hands.standing()["x"] == 0.1


def test_a_state_that_cannot_be_told_does_not_keep_knobs_waiting(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = Rig(tmp_path, clock=time.monotonic)

    def broken(*_: object) -> None:
        raise RuntimeError("no ring")

    monkeypatch.setattr(live.room, "listen", broken)
    live.begin().hands.start()
    live.tell("knob", Position(0.75, time.monotonic()))
    until(lambda: live.room.mood.pitch == 0.5)
    until(lambda: live.said)
    began_s = time.monotonic()
    live.tell("knob", Position(0.25, time.monotonic()))
    until(lambda: live.room.mood.pitch == -0.5)
    assert time.monotonic() - began_s < 1.0
    assert live.said == ["The hands stumbled (RuntimeError: no ring); they go on."]
    live.hands.close()


def test_a_slow_disk_keeps_no_knob_waiting(rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    live, disk = Rig(tmp_path, clock=time.monotonic), threading.Event()
    monkeypatch.setattr(live.room, "never", lambda radius, heard: disk.wait(10.0) and live.room.did.append("never"))
    live.begin().hands.start()
    live.tell("bad", Press(time.monotonic()))
    live.tell("knob", Position(0.75, time.monotonic()))
    until(lambda: live.room.mood.pitch == 0.5)
    live.tell("knob", Position(0.25, time.monotonic()))
    until(lambda: live.room.mood.pitch == -0.5)
    assert live.room.did == []
    disk.set()
    until(lambda: live.room.did == ["never"])
    live.hands.close()


def test_it_ends_soon_though_readers_hang(rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    live, plug = Rig(tmp_path, clock=time.monotonic), threading.Event()
    monkeypatch.setattr(Played, "read", lambda source: plug.wait(20.0) and [])
    live.begin().hands.start()
    until(lambda: set(live.hands.troubles()) == set(SETTINGS.controls))
    began_s = time.monotonic()
    live.hands.close()
    live.hands.close()
    assert time.monotonic() - began_s < 3.5
    plug.set()


def test_it_may_be_closed_before_it_began(rig: Rig) -> None:
    rig.hands.close()
