"""What is told by OSC, as a plain socket hears it."""

import dataclasses
import random
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from patience import PATIENCE_S, until
from pythonosc.osc_message import OscMessage

from appliance.controls.osc_out import OscSender
from appliance.controls.source import SourceError
from appliance.controls.telling import State

LONG = "a" * 99


class Ear:
    """A socket that hears what is told."""

    def __init__(self, family: int = socket.AF_INET, host: str = "127.0.0.1") -> None:
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.bind((host, 0))
        self.number = self.socket.getsockname()[1]
        self.socket.settimeout(0.2)

    def heard(self) -> dict[str, object]:
        """All that waits: loopback delivers before sendto returns."""
        heard = {}
        self.socket.setblocking(False)
        while True:
            try:
                parsed = OscMessage(self.socket.recv(65_536))
            except BlockingIOError:
                return heard
            assert parsed.address not in heard
            (heard[parsed.address],) = parsed.params


@pytest.fixture
def ear() -> Iterator[Ear]:
    ear = Ear()
    yield ear
    ear.socket.close()


class FakeClock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def state(pitch: float = 0.0) -> State:
    return State({"pitch": pitch, "volume": 1.0}, {"x": 0.25}, 3, "AABB", -20.5, 2)


WHOLE = {
    "/latent/mood/pitch": 0.0,
    "/latent/mood/volume": 1.0,
    "/latent/place/x": 0.25,
    "/latent/piece": 3,
    "/latent/pattern": "AABB",
    "/latent/loudness": -20.5,
    "/latent/sounding": 2,
}


def test_what_changes_is_told_and_all_of_it_every_five_seconds(ear: Ear) -> None:
    clock = FakeClock()
    sender = OscSender([f"127.0.0.1:{ear.number}"], clock)

    sender.tell(state())
    assert ear.heard() == WHOLE
    clock.now_s += 1.0
    sender.tell(state(pitch=0.0009))
    assert ear.heard() == {}
    sender.tell(state(pitch=0.5))
    assert ear.heard() == {"/latent/mood/pitch": 0.5}
    clock.now_s += 0.05
    sender.tell(state(pitch=0.25))
    assert ear.heard() == {}
    clock.now_s += 0.06
    sender.tell(state(pitch=0.25))
    assert ear.heard() == {"/latent/mood/pitch": 0.25}
    clock.now_s += 4.0
    sender.tell(state())
    assert ear.heard() == WHOLE
    assert sender.counts == {"sent": 16, "lost": 0}
    sender.close()
    sender.close()


def test_a_value_that_never_rests_is_told_ten_times_a_second(ear: Ear) -> None:
    clock = FakeClock()
    sender = OscSender([f"127.0.0.1:{ear.number}"], clock)
    told = 0
    for turn in range(80):
        sender.tell(state(pitch=turn / 80))
        told += "/latent/mood/pitch" in ear.heard()
        clock.now_s += 0.05
    assert 30 <= told <= 41
    sender.close()


def test_what_is_not_known_is_not_told(ear: Ear) -> None:
    sender = OscSender([f"127.0.0.1:{ear.number}"], FakeClock())

    sender.tell(State({"pitch": float("nan")}, {}, None, None, None, 0))

    assert ear.heard() == {"/latent/sounding": 0}
    sender.close()


def test_unreachable_targets_are_counted_and_keep_nobody_waiting(ear: Ear) -> None:
    asked = threading.Event()
    answer = threading.Event()

    def resolve(host: str, port: int, **hints: int) -> list[tuple[object, ...]]:
        if host[0].isdigit() or hints["flags"]:
            return socket.getaddrinfo(host, port, **hints)
        asked.set()
        if host == "nowhere.invalid":
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        if host == LONG:
            raise UnicodeError("label too long")
        answer.wait(PATIENCE_S)
        return socket.getaddrinfo("127.0.0.1", port, **hints)

    targets = ["nowhere.invalid:9000", f"slow.example:{ear.number}", f"{LONG}:9000"]
    sender = OscSender(targets, FakeClock(), resolve)
    assert asked.wait(PATIENCE_S)

    started_s = time.monotonic()
    sender.tell(state())
    assert time.monotonic() - started_s < 0.5
    assert sender.counts["sent"] == 0
    assert sender.counts["lost"] == len(WHOLE) * len(targets)

    answer.set()
    until(lambda: sender.tell(state(pitch=random.random())) or sender._changes.forget() or sender.counts["sent"])
    assert ear.heard()
    sender.close()


@pytest.mark.parametrize("unfit", [{"piece": 2**80}, {"pattern": "A" * 70_000}])
def test_what_does_not_fit_is_lost(ear: Ear, unfit: dict[str, object]) -> None:
    sender = OscSender([f"127.0.0.1:{ear.number}"], FakeClock())

    sender.tell(dataclasses.replace(state(), **unfit))

    assert len(ear.heard()) == len(WHOLE) - 1
    assert sender.counts == {"sent": len(WHOLE) - 1, "lost": 1}
    sender.close()


@pytest.mark.parametrize("target", ["", "9000", "host", "host:", ":9000", "host:port", "host:0", "host:70000", "a:²"])
def test_a_target_is_host_and_port(target: str) -> None:
    with pytest.raises(SourceError, match="write host:port, as in"):
        OscSender([target], FakeClock())


def test_the_newer_internet_works_too() -> None:
    try:
        ear = Ear(socket.AF_INET6, "::1")
    except OSError:
        pytest.skip("this machine has no IPv6")
    sender = OscSender([f"[::1]:{ear.number}"], FakeClock())
    sender.tell(state())
    assert ear.heard() == WHOLE
    sender.close()
    ear.socket.close()
