"""The status light tells the truth of what sounds, whoever is dead."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from gpiozero import Device
from gpiozero.pins.mock import MockFactory

from appliance.api.client import control_path
from appliance.api.server import Server
from appliance.cli.main import main
from appliance.controls.gpio.light import Light
from appliance.controls.source import SourceError
from appliance.errors import LatentError
from appliance.health.watchdog import Watchdog
from appliance.service.light import Seen, Watch, decide, run
from appliance.stream.layout import Word
from appliance.stream.ring import Ring, create
from appliance.stream.state import State

S = 1_000_000_000
PATIENCE_S = 10.0


@pytest.mark.parametrize(
    ("state", "beat_age_s", "engine_well", "shown"),
    [
        (State.PLAYING, 0.01, True, "sounding"),
        (State.PLAYING, 1.4, True, "sounding"),
        # The engine is gone, or hangs; what it left is fresh.
        (State.PLAYING, 0.01, None, "sounding"),
        (State.PLAYING, 0.01, False, "fault"),
        (State.PLAYING, 1.6, True, "fault"),
        (State.PLAYING, None, True, "fault"),
        (State.CLOSED, 0.01, True, "sounding"),
        (State.CLOSED, 0.01, None, "sounding"),
        (State.CLOSED, 1.6, True, "fault"),
        (State.CLOSED, 0.01, False, "fault"),
        (State.HOLDING, 0.01, True, "hold"),
        (State.HOLDING, 0.01, None, "hold"),
        (State.HOLDING, 1.6, None, "fault"),
        (State.HOLDING, 0.01, False, "fault"),
        (State.STARTING, 0.01, None, "hold"),
        (State.STARTING, 4.0, None, "hold"),
        (State.STARTING, 6.0, None, "fault"),
        (State.WAITING_FOR_CARD, 4.0, True, "hold"),
        (State.WAITING_FOR_CARD, 6.0, True, "fault"),
        (None, None, None, "fault"),
        (None, 0.01, True, "fault"),
    ],
)
def test_what_is_shown(state: State | None, beat_age_s: float | None, engine_well: bool | None, shown: str) -> None:
    assert decide(Seen(state, beat_age_s, engine_well)) == shown


class Room:
    """A runtime folder whose ring says what the test wants."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now_ns = 1000 * S
        self.ring: Ring | None = None

    def play(self, state: State = State.PLAYING) -> None:
        self.ring = create(self.folder, 48_000, 2, 2.0)
        self.ring.words[Word.STATE] = state
        self.beat()

    def beat(self) -> None:
        self.ring.words[Word.PLAYER_BEAT_NS] = self.now_ns

    def clock_ns(self) -> int:
        return self.now_ns

    def wait(self, seconds: float) -> None:
        self.now_ns += round(seconds * S)


class Engine:
    """What a living engine answers."""

    def __init__(self) -> None:
        self.healthy = True
        self.asked = 0

    def status(self):
        self.asked += 1
        return {"healthy": self.healthy}


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


def test_it_follows_the_ring_wherever_it_goes(room: Room) -> None:
    watch = Watch(room.folder, room.clock_ns)
    assert decide(watch.look()) == "fault"
    room.play()
    assert decide(watch.look()) == "sounding"
    room.ring.words[Word.STATE] = State.HOLDING
    assert decide(watch.look()) == "hold"
    room.wait(1.6)
    assert decide(watch.look()) == "fault"
    # Another card: another ring in its place.
    room.play(State.WAITING_FOR_CARD)
    assert decide(watch.look()) == "hold"
    (room.folder / "ring").unlink()
    assert decide(watch.look()) == "fault"


def test_a_ring_that_was_scribbled_on_is_a_fault(room: Room) -> None:
    room.play()
    watch = Watch(room.folder, room.clock_ns)
    assert decide(watch.look()) == "sounding"
    room.ring.words[Word.STATE] = 77
    assert decide(watch.look()) == "fault"


def test_the_engine_is_asked_once_a_second(room: Room) -> None:
    room.play()
    engine = Engine()
    server = Server(control_path(room.folder), engine, pytest.fail)
    try:
        watch = Watch(room.folder, room.clock_ns)
        assert decide(watch.look()) == "sounding"
        engine.healthy = False
        room.wait(0.9)
        room.beat()
        assert decide(watch.look()) == "sounding"
        room.wait(0.2)
        room.beat()
        assert decide(watch.look()) == "fault"
        assert engine.asked == 2
    finally:
        server.close()
    room.wait(1.1)
    room.beat()
    assert decide(watch.look()) == "sounding"


def test_a_look_is_cheap(room: Room) -> None:
    room.play()
    watch = Watch(room.folder, room.clock_ns)
    watch.look()
    began_s = time.process_time()
    for _ in range(100):
        watch.look()
    assert time.process_time() - began_s < 1.0


def test_it_runs_until_told_to_stop_and_goes_out(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Device, "pin_factory", None)
    factory = MockFactory()
    stop, said = threading.Event(), []

    def work() -> None:
        def lamp(pin: int, active_high: bool, _: Path) -> Light:
            return Light(pin, active_high, factory)

        run(25, True, room.folder, stop, said.append, Watchdog(), lamp)

    thread = threading.Thread(target=work)
    thread.start()
    wait_for(lambda: said == ["The light shows: fault."])
    pin = factory.pin(25)
    wait_for(lambda: len(pin.states) > 4)
    room.now_ns = time.monotonic_ns() + S
    room.play()
    wait_for(lambda: said[-1] == "The light shows: sounding." and pin.state)
    stop.set()
    thread.join(PATIENCE_S)
    assert not thread.is_alive()
    assert pin.function == "input"


def wait_for(true) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


def test_a_light_that_cannot_be_lit_is_told(room: Room) -> None:
    def refuse(*_: object) -> Light:
        raise SourceError("there are no GPIO pins on this machine")

    with pytest.raises(LatentError, match=r"The status light cannot be lit: there are no GPIO pins on this machine\.$"):
        run(25, True, room.folder, threading.Event(), pytest.fail, Watchdog(), refuse)


class Failing:
    """A lamp whose pin fails."""

    def __init__(self) -> None:
        self.closed = False

    def show(self, state: str) -> None:
        pass

    def turn(self, now_s: float) -> None:
        raise SourceError("pin 25 cannot be used (gone)")

    def close(self) -> None:
        self.closed = True


def test_a_light_that_fails_later_is_told_and_let_go(room: Room) -> None:
    lamp = Failing()
    with pytest.raises(LatentError, match=r"cannot be lit any more: pin 25 cannot be used \(gone\)"):
        run(25, True, room.folder, threading.Event(), lambda _: None, Watchdog(), lambda *_: lamp)
    assert lamp.closed


def test_the_command_without_a_light_in_the_settings_says_what_to_add(tmp_path: Path, capsys) -> None:
    (tmp_path / "latent.toml").write_text("")
    with pytest.raises(SystemExit) as ended:
        main(["light", "--config", str(tmp_path / "latent.toml")])
    assert ended.value.code == 2
    said = "latent: The settings name no light: add a table [light] with the BCM number of its pin, as pin = 25.\n"
    assert capsys.readouterr().err == said


def test_the_command_shows_that_nothing_runs_and_ends_when_told(tmp_path: Path) -> None:
    (tmp_path / "latent.toml").write_text("[light]\npin = 25\n")
    run_it = "from appliance.cli.main import main; main()"
    command = [sys.executable, "-c", run_it, "light", "--config", str(tmp_path / "latent.toml")]
    surroundings = os.environ | {"GPIOZERO_PIN_FACTORY": "mock", "RUNTIME_DIRECTORY": str(tmp_path)}
    process = subprocess.Popen(command, env=surroundings, stderr=subprocess.PIPE, text=True)
    assert process.stderr.readline() == "The light shows: fault.\n"
    process.terminate()
    assert process.communicate(timeout=PATIENCE_S)[1] == ""
    assert process.returncode == 0


def test_it_loads_no_pins_before_it_has_to() -> None:
    code = "import sys, appliance.service.light, appliance.controls.i2c"
    code += "; print({'gpiozero', 'lgpio', 'smbus2'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
