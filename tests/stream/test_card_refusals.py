"""Cards that refuse what is wished for, on a PortAudio of our own making."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from appliance.errors import CardError
from appliance.stream import card
from appliance.stream.card import open_card, refresh


class PortAudioError(Exception):
    """As sounddevice has it."""


class Stream:
    def __init__(self, world: "World", samplerate: int, channels: int, latency: float, **_: object) -> None:
        if samplerate not in world.rates or channels in world.refused_channels or world.busy:
            raise PortAudioError(f"Error opening RawOutputStream: {world.says} [PaErrorCode -9997]")
        self.samplerate = samplerate - 0.01
        self.channels = channels
        self.latency = latency
        self.closings = 0
        self._started = False
        self._world = world
        world.streams.append(self)

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
        self.closings += 1
        self._work()

    def _work(self) -> None:
        if self._world.pulled_out:
            raise PortAudioError(
                "Error writing: Unanticipated host error [PaErrorCode -9999]: 'No such device' [ALSA error -19]"
            )


class World:
    """A sounddevice whose cards refuse what we tell them to: no real card does that on demand."""

    PortAudioError = PortAudioError

    def __init__(self) -> None:
        self.rates = {44_100}
        self.refused_channels: set[int] = set()
        self.busy = False
        self.pulled_out = False
        self.says = "Invalid sample rate"
        self.cards = [("Mic", 0), ("Mono Speaker", 1), ("USB: left (hw:1,0)", 2), ("USB: right (hw:1,1)", 10)]
        self.default = SimpleNamespace(device=[0, 2])
        self.streams: list[Stream] = []
        self._initialized = 1

    def query_devices(self) -> list[dict[str, object]]:
        return [{"name": name, "max_output_channels": n, "default_samplerate": 96_000.0} for name, n in self.cards]

    def RawOutputStream(self, **wanted: Any) -> Stream:  # noqa: N802
        return Stream(self, **wanted)

    def _terminate(self) -> None:
        assert self._initialized == 1
        self._initialized = 0

    def _initialize(self) -> None:
        if self.pulled_out:
            raise PortAudioError("Error initializing PortAudio: Unanticipated host error [PaErrorCode -9999]")
        self._initialized = 1


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    monkeypatch.setattr(card, "_sounddevice", lambda: made)
    return made


def came_to(opened: card.Card) -> tuple[str, int, int]:
    return opened.name, opened.rate, opened.channels


def test_a_card_that_refuses_the_rate_gets_its_own_or_a_common_one(world: World) -> None:
    assert came_to(open_card([], 48_000, 2)) == ("USB: left (hw:1,0)", 44_100, 2)
    world.rates = {44_100, 96_000}
    assert came_to(open_card([], 22_050, 2)) == ("USB: left (hw:1,0)", 96_000, 2)
    assert world.streams[-1].latency == 0.08


def test_a_card_gets_the_channels_that_it_has_and_takes(world: World) -> None:
    assert open_card(["mono"], 44_100, 2).channels == 1
    world.refused_channels = {1}
    assert open_card(["left"], 44_100, 1).channels == 2
    world.refused_channels = {1, 2}
    assert open_card(["right"], 44_100, 1).channels == 8


def test_without_a_default_the_first_that_plays(world: World) -> None:
    world.default.device = [-1, -1]
    assert open_card([], 44_100, 2).name == "Mono Speaker"


def test_a_stable_id_and_the_card_behind_it(world: World, tmp_path: Path) -> None:
    file = tmp_path / "cards"
    file.write_text(" 0 [PCH            ]: HDA-Intel - PCH\n 1 [Two            ]: USB-Audio - Two\n")
    opened = open_card(["hw:CARD=Two"], 44_100, 2, cards_file=file)
    assert (opened.name, opened.alsa_card) == ("USB: left (hw:1,0)", 1)
    assert open_card(["mono"], 44_100, 2, cards_file=file).alsa_card is None
    with pytest.raises(CardError, match="called 'hw:CARD=Two'"):
        open_card(["hw:CARD=Two"], 44_100, 2, cards_file=tmp_path / "none")


def test_after_a_minute_another_plays_and_says_so(world: World) -> None:
    with pytest.raises(CardError, match="called 'DAC'"):
        open_card(["DAC"], 44_100, 2, waited_s=59.0)
    opened = open_card(["DAC"], 44_100, 2, waited_s=61.0)
    assert opened.remark == "There is no sound card called 'DAC'; playing on 'USB: left (hw:1,0)' instead."
    assert open_card([], 44_100, 2, waited_s=61.0).remark == ""


def test_a_mere_name_is_one_name(world: World) -> None:
    assert open_card("left", 44_100, 2).name == "USB: left (hw:1,0)"


def test_a_card_that_refuses_everything(world: World) -> None:
    world.busy = True
    world.says = "Device unavailable"
    with pytest.raises(CardError) as caught:
        open_card(["left"], 48_000, 2)
    assert str(caught.value) == (
        "The sound card 'USB: left (hw:1,0)' refuses 2 channels at 48000 or 96000 or 44100 Hz (Device unavailable); "
        "check that nothing else holds it, or name another with --device."
    )


def test_no_card_that_plays(world: World) -> None:
    world.cards = [("Mic", 0)]
    with pytest.raises(CardError, match=r"^There is no sound card; plug one in, or check `aplay -l`\.$"):
        open_card([], 48_000, 2)


def test_a_microphone_is_no_card(world: World) -> None:
    with pytest.raises(CardError, match=r"no sound card called 'Mic'; there are: 'Mono Speaker', 'USB: left"):
        open_card(["Mic"], 48_000, 2)


def test_a_card_pulled_out(world: World) -> None:
    opened = open_card([], 48_000, 2)
    opened.start()
    world.pulled_out = True
    with pytest.raises(CardError, match=r"'USB: left .*' stopped taking sound \(No such device\); check"):
        opened.write(np.zeros((8, 2), dtype=np.float32))
    with pytest.raises(CardError, match="does not start"):
        opened.start()
    opened.close()
    opened.close()
    assert world.streams[-1].closings == 1


def test_portaudio_looks_anew_even_after_a_start_that_failed(world: World) -> None:
    refresh()
    world.pulled_out = True
    for _ in range(2):
        with pytest.raises(CardError, match=r"PortAudio does not start again \(Unanticipated host error\); check"):
            refresh()
    world.pulled_out = False
    refresh()
