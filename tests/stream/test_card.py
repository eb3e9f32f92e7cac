"""Sound comes out of a real sound server whole, and a card that is not there is one plain sentence."""

import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from appliance.errors import CardError
from appliance.stream import card
from appliance.stream.card import FakeCard, open_card

RATE = 48_000
SINE_HZ = 441.7

PLAY_A_SINE = f"""
import threading
import numpy as np
from appliance.stream.card import open_card
from appliance.stream.reader import Reader
from appliance.stream.ring import Ring

card = open_card(None, {RATE}, 2)
print(card.name, card.rate, card.channels)
ring = Ring(card.rate, card.channels)
turns = 2.0 * np.pi * {SINE_HZ} * np.arange(4 * card.rate) / card.rate
sine = (0.5 * np.sin(turns)).astype(np.float32)[:, np.newaxis].repeat(2, axis=1)
threading.Thread(target=ring.write, args=(sine,)).start()
reader = Reader(ring, card)
ring.wait_filled(card.rate, 5.0)
card.start()
while reader.counters.frames < 2 * card.rate:
    reader.turn()
reader.fade_out()
ring.close()
card.close()
card.close()
print(reader.counters.underruns)
"""


def test_a_sine_comes_out_whole_with_its_fades(sound_server: Any) -> None:
    recorder = sound_server.listen()
    try:
        said = sound_server.run(PLAY_A_SINE)
        heard = recorder.stop()
    finally:
        recorder.close()
    assert said.split() == ["default", "48000", "2", "0"]
    np.testing.assert_array_equal(heard[:, 0], heard[:, 1])
    sound = heard[:, 0].astype(np.float64)
    first, last = np.flatnonzero(sound)[[0, -1]]
    assert first > 0
    sound = sound[first : last + 1]
    assert 3 * RATE - 480 < len(sound) < 3 * RATE + 2048
    # Each sample of a sine follows from the two before it; one frame lost, doubled or torn is a step far above the
    # curvature of a fade.
    turn = 2.0 * np.cos(2.0 * np.pi * SINE_HZ / RATE)
    assert np.abs(sound[2:] + sound[:-2] - turn * sound[1:-1]).max() < 1e-3
    height = np.abs(sound[: len(sound) // 120 * 120]).reshape(-1, 120).max(axis=1)
    assert np.allclose(height[240 : 2 * 400 - 5], 0.5, atol=2e-3)
    assert 0.2 < height[100] < 0.3
    assert 0.2 < height[-200] < 0.3
    assert height[0] < 0.001
    assert height[-1] < 0.001


def test_a_name_in_part_and_a_name_misspelt(sound_server: Any) -> None:
    said = sound_server.run(
        "from appliance.errors import CardError\n"
        "from appliance.stream.card import open_card\n"
        "card = open_card('PUL', 44100, 1)\n"
        "print(card.name, card.rate, card.channels)\n"
        "card.close()\n"
        "try:\n    open_card('pluse', 48000, 2)\n"
        "except CardError as error:\n    print(error)\n"
    )
    assert said.splitlines() == [
        "pulse 44100 1",
        "There is no sound card called 'pluse'; did you mean 'pulse'; there are: 'pulse', 'default'.",
    ]


def test_no_portaudio() -> None:
    script = (
        "import ctypes.util, sys\n"
        "ctypes.util.find_library = lambda name: None\n"
        "from appliance.errors import CardError\n"
        "from appliance.stream.card import open_card\n"
        "try:\n    open_card(None, 48000, 2)\nexcept CardError as error:\n    sys.exit(str(error))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "PortAudio is not installed; run `sudo apt install libportaudio2`.\n"


def test_importing_it_does_not_touch_the_sound_system() -> None:
    script = "import sys, appliance.stream.card; sys.exit('sounddevice' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


class PortAudioError(Exception):
    """As sounddevice has it."""


class Stream:
    def __init__(self, world: "World", samplerate: int, channels: int, **_: object) -> None:
        if samplerate not in world.rates or world.busy:
            raise PortAudioError(f"Error opening RawOutputStream: {world.says} [PaErrorCode -9997]")
        self.samplerate = float(samplerate)
        self.channels = channels
        self.latency = 0.1
        self._started = False
        self._world = world

    @property
    def active(self) -> bool:
        return self._started

    def start(self) -> None:
        self._work()
        self._started = True

    def write(self, block: np.ndarray) -> None:
        self._work()

    def stop(self) -> None:
        self._work()

    def close(self) -> None:
        self._work()

    def _work(self) -> None:
        if self._world.pulled_out:
            raise PortAudioError("Error writing: Unanticipated host error [PaErrorCode -9999]: 'gone' [ALSA error -19]")


class World:
    """A sounddevice whose cards refuse what we tell them to: no real card does that on demand."""

    PortAudioError = PortAudioError

    def __init__(self) -> None:
        self.rates = {44_100}
        self.busy = False
        self.pulled_out = False
        self.says = "Invalid sample rate"
        self.cards = [("Mic", 0), ("Mono Speaker", 1), ("USB Audio: left", 2), ("USB Audio: right", 2)]
        self.default = SimpleNamespace(device=[0, 2])

    def query_devices(self) -> list[dict[str, object]]:
        return [{"name": name, "max_output_channels": n, "default_samplerate": 44_100.0} for name, n in self.cards]

    def RawOutputStream(self, **wanted: Any) -> Stream:  # noqa: N802
        return Stream(self, **wanted)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    monkeypatch.setattr(card, "_sounddevice", lambda: made)
    return made


def test_a_card_that_refuses_the_rate_gets_its_own(world: World) -> None:
    opened = open_card(None, 48_000, 2)
    assert (opened.name, opened.rate, opened.channels) == ("USB Audio: left", 44_100, 2)


def test_a_card_with_one_channel_gets_one(world: World) -> None:
    assert open_card("mono", 44_100, 2).channels == 1


def test_without_a_default_the_first_that_plays(world: World) -> None:
    world.default.device = [-1, -1]
    assert open_card(None, 44_100, 2).name == "Mono Speaker"


def test_a_card_that_refuses_everything(world: World) -> None:
    world.busy = True
    world.says = "Device unavailable"
    with pytest.raises(CardError) as caught:
        open_card("left", 48_000, 2)
    assert str(caught.value) == (
        "The sound card 'USB Audio: left' refuses 2 channels at 48000 and 44100 Hz (Device unavailable); "
        "check that nothing else holds it, or name another with --device."
    )


def test_no_card_that_plays(world: World) -> None:
    world.cards = [("Mic", 0)]
    with pytest.raises(CardError, match=r"^There is no sound card; plug one in, or check `aplay -l`\.$"):
        open_card(None, 48_000, 2)


def test_a_name_that_several_have(world: World) -> None:
    with pytest.raises(CardError, match=r"More than one .* 'usb'; name one of 'USB Audio: left', 'USB Audio: right'\."):
        open_card("usb", 48_000, 2)


def test_a_microphone_is_no_card(world: World) -> None:
    with pytest.raises(CardError, match=r"no sound card called 'Mic'; there are: 'Mono Speaker', 'USB Audio: left'"):
        open_card("Mic", 48_000, 2)


def test_a_card_pulled_out(world: World) -> None:
    opened = open_card(None, 48_000, 2)
    opened.start()
    world.pulled_out = True
    with pytest.raises(CardError, match=r"'USB Audio: left' stopped taking sound \(Unanticipated host error\); check"):
        opened.write(np.zeros((8, 2), dtype=np.float32))
    with pytest.raises(CardError, match="does not start"):
        opened.start()
    opened.close()


def test_the_fake_card_keeps_what_it_is_given() -> None:
    slept: list[float] = []
    fake = FakeCard(48_000, 1, sleep=slept.append)
    block = np.full((480, 1), 0.5, dtype=np.float32)
    with pytest.raises(CardError, match="start it"):
        fake.write(block)
    fake.start()
    fake.write(block)
    block[:] = 0.0
    fake.write(block)
    fake.close()
    assert fake.closed
    assert slept == [0.01, 0.01]
    np.testing.assert_array_equal(fake.frames, np.repeat(np.float32([[0.5], [0.0]]), 480, axis=0))
    with pytest.raises(CardError):
        fake.write(block)
