"""OSC over real sockets: python-osc's own client speaks to the port."""

import errno
import os
import random
import socket
import struct
import threading
import time
from collections.abc import Iterator

import pytest
from patience import until
from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder
from pythonosc.udp_client import SimpleUDPClient

from appliance.controls.osc import OscCommand, OscPort, OscSource
from appliance.controls.source import Position, SourceError

NOW_S = 7.0


@pytest.fixture
def port() -> Iterator[OscPort]:
    port = OscPort("127.0.0.1", 0, lambda: NOW_S, pytest.fail)
    yield port
    port.close()


@pytest.fixture
def client(port: OscPort) -> Iterator[SimpleUDPClient]:
    client = SimpleUDPClient("127.0.0.1", port.number)
    yield client
    client.close()


def message(address: str, *arguments: object) -> bytes:
    builder = OscMessageBuilder(address)
    for each in arguments:
        builder.add_arg(each)
    return builder.build().dgram


def bundle(*elements: bytes) -> bytes:
    return b"#bundle\0" + struct.pack(">Q", 1) + b"".join(struct.pack(">i", len(each)) + each for each in elements)


def settle(port: OscPort, client: SimpleUDPClient, mark: OscSource) -> None:
    """Wait until all that was sent before has been looked at: one thread reads all, in order."""
    client.send_message(mark.address, 1.0)
    until(mark.read)


@pytest.mark.parametrize(
    ("given", "stands"),
    [(0, 0.0), (5, 0.5), (2.5, 0.25), (True, 0.1), (False, 0.0), (99, 1.0), (-1e30, 0.0), (2**40, 1.0)],
)
def test_a_number_is_where_it_stands(port: OscPort, client: SimpleUDPClient, given: float, stands: float) -> None:
    fader = port.source("/1/fader1", 0.0, 10.0)

    client.send_message("/1/fader1", given)

    assert until(fader.read) == [Position(pytest.approx(stands), NOW_S)]


def test_a_way_may_go_down(port: OscPort, client: SimpleUDPClient) -> None:
    fader = port.source("/tilt", 1.0, -1.0)

    client.send_message("/tilt", -0.5)

    assert until(fader.read) == [Position(0.75, NOW_S)]


def test_a_way_to_nowhere_is_refused(port: OscPort) -> None:
    with pytest.raises(SourceError, match="let from_low and from_high differ"):
        port.source("/tilt", 1.0, 1.0)


@pytest.mark.parametrize("given", [float("nan"), float("inf"), "loud", b"blob", [], None])
def test_what_is_no_number_is_refused(port: OscPort, client: SimpleUDPClient, given: object) -> None:
    fader, mark = port.source("/1/fader1"), port.source("/mark")

    client.send_message("/1/fader1", given)
    settle(port, client, mark)

    assert fader.read() == []
    assert port.counts == {"received": 1, "refused": 1, "unknown": 0, "dropped": 0}


def test_several_listen_to_one_address_until_they_close(port: OscPort, client: SimpleUDPClient) -> None:
    fader, other, mark = port.source("/x"), port.source("/x", 0.0, 2.0), port.source("/mark")

    client.send_message("/x", 1.0)
    settle(port, client, mark)
    assert (fader.read()[0].value, other.read()[0].value) == (1.0, 0.5)

    fader.close()
    fader.close()
    client.send_message("/x", 1.0)
    settle(port, client, mark)
    assert (fader.read(), len(other.read())) == ([], 1)

    other.close()
    client.send_message("/x", 1.0)
    settle(port, client, mark)
    assert port.counts["unknown"] == 1


@pytest.mark.parametrize(
    ("address", "arguments", "path", "kept"),
    [
        ("/latent/mood/pitch", [0.5], ("mood", "pitch"), (0.5,)),
        ("/latent/mood/volume", [1], ("mood", "volume"), (1.0,)),
        ("/latent/place/axis3", [-1.0], ("place", "axis3"), (-1.0,)),
        ("/latent/next", [], ("next",), ()),
        ("/latent/keep", [1.0], ("keep",), ()),
        ("/latent/never", [True], ("never",), ()),
        ("/latent/scene", ["evening"], ("scene",), ("evening",)),
        ("/latent/scene/evening", [1], ("scene",), ("evening",)),
    ],
)
def test_our_own_addresses_are_commands(
    port: OscPort, client: SimpleUDPClient, address: str, arguments: list[object], path: object, kept: object
) -> None:
    client.send_message(address, arguments)

    assert until(port.commands) == [OscCommand(path, kept, NOW_S)]
    assert port.commands() == []


@pytest.mark.parametrize(
    ("address", "arguments", "counted"),
    [
        ("/latent/next", [0.0], "received"),
        ("/latent/scene/evening", [0], "received"),
        ("/latent/mood/pitch", [], "refused"),
        ("/latent/mood/pitch", ["high"], "refused"),
        ("/latent/mood/pitch", [float("nan")], "refused"),
        ("/latent/mood/pitch", [0.1, 0.2], "refused"),
        ("/latent/mood", [0.1], "refused"),
        ("/latent/scene", [1.0], "refused"),
        ("/latent/next", [[1.0]], "refused"),
        ("/latent/poweroff", [], "unknown"),
        ("/latent", [], "unknown"),
        ("/latent/", [], "unknown"),
        ("/other", [1.0], "unknown"),
    ],
)
def test_what_asks_for_nothing_is_counted(
    port: OscPort, client: SimpleUDPClient, address: str, arguments: list[object], counted: str
) -> None:
    mark = port.source("/mark")

    client.send_message(address, arguments)
    settle(port, client, mark)

    assert port.commands() == []
    assert port.counts == {"received": 1, "refused": 0, "unknown": 0, "dropped": 0} | {
        counted: 1 + (counted == "received")
    }


def test_a_bundle_for_later_is_taken_now_and_in_order(port: OscPort, client: SimpleUDPClient) -> None:
    fader = port.source("/x")
    later, inner = OscBundleBuilder(time.time() + 3600), OscBundleBuilder(IMMEDIATELY)
    inner.add_content(OscMessage(message("/x", 0.2)))
    later.add_content(OscMessage(message("/x", 0.1)))
    later.add_content(inner.build())
    later.add_content(OscMessage(message("/x", 0.3)))

    client.send(later.build())

    until(lambda: port.counts["received"] == 3)
    assert [event.value for event in fader.read()] == pytest.approx([0.1, 0.2, 0.3])


def test_bundles_go_to_any_depth(port: OscPort, client: SimpleUDPClient) -> None:
    fader = port.source("/x")
    packet = message("/x", 0.5)
    while len(packet) < 60_000:
        packet = bundle(packet)

    client._sock.sendto(packet, ("127.0.0.1", port.number))

    assert until(fader.read) == [Position(0.5, NOW_S)]


def test_a_flood_drops_the_oldest(port: OscPort, client: SimpleUDPClient) -> None:
    fader, mark = port.source("/x", 0.0, 1000.0), port.source("/mark")

    packet = bundle(*(message("/x", number) for number in range(500)), *[message("/latent/next")] * 500)
    client._sock.sendto(packet, ("127.0.0.1", port.number))
    settle(port, client, mark)

    assert [event.value for event in fader.read()] == [number / 1000 for number in range(436, 500)]
    assert len(port.commands()) == 64
    assert port.counts["dropped"] == 436 * 2


def hostile(rng: random.Random) -> bytes:
    """Random bytes, damaged packets, wrong sizes, deep bundles, and 60 kB of any of them."""
    sound = [
        message("/x", 0.5),
        message("/latent/mood/pitch", 1.0, "a", 3, b"blob", True, [1, [2]]),
        bundle(message("/x", 1), bundle(message("/latent/scene", "é"))),
        b"/x\0\0,thd\0\0\0\0" + rng.randbytes(24),
    ]
    kind = rng.randrange(8)
    if kind == 0:
        return rng.randbytes(rng.choice([0, 1, 3, 4, 16, 17, 100, 1500, 60_000]))
    if kind == 1:
        return (b"/" if rng.random() < 0.5 else b"#bundle\0") + rng.randbytes(rng.randrange(200))
    if kind == 2:
        # python-osc would go round for ever on the first, and log a line for each of the second.
        return bundle() + rng.choice([struct.pack(">i", -4), b"\0\0\0\0" * 9000, struct.pack(">i", 2**31 - 1)])
    if kind == 3:
        return b"/x\0\0," + bytes(rng.choices(b"IifdsbTFN[]hmtrcS", k=rng.randrange(900))) + rng.randbytes(8)
    if kind == 4:
        return rng.choice([b"/" * 60_000, b"/x\0\0," + b"[" * 60_000, bundle(*sound * 10)])
    packet = bytearray(rng.choice(sound))
    if kind == 5:
        return bytes(packet[: rng.randrange(len(packet))])
    for _ in range(rng.randrange(1, 6)):
        packet[rng.randrange(len(packet))] = rng.randrange(256)
    for _ in range(rng.randrange(3) * 30):
        packet = bytearray(bundle(bytes(packet)))
    return bytes(packet)


def test_whatever_comes_does_nothing_worse_than_be_counted(
    port: OscPort, client: SimpleUDPClient, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    rng = random.Random(6)
    fader, mark = port.source("/x"), port.source("/still here")
    for _ in range(2500):
        # Two of 60 kB are what the kernel keeps.
        for _ in range(2):
            client._sock.sendto(hostile(rng), ("127.0.0.1", port.number))
        settle(port, client, mark)
        assert all(isinstance(event, Position) and 0.0 <= event.value <= 1.0 for event in fader.read())
        assert all(isinstance(each, OscCommand) for each in port.commands())

    assert port.counts["refused"] > 2000
    assert port.why is None
    assert capfd.readouterr() == ("", "")
    assert not caplog.records


def test_a_service_that_may_open_no_port_says_what_lets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))

    monkeypatch.setattr(socket, "socket", refuse)
    said: list[str] = []
    OscPort("127.0.0.1", 9000, lambda: NOW_S, said.append).mend()
    assert said == ["OSC is not heard: the service may open no port: let it with systemd/osc.conf, as the guide says."]


def test_a_taken_port_is_said_once_and_opened_when_it_is_free() -> None:
    said: list[str] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        number = taken.getsockname()[1]
        port = OscPort("127.0.0.1", number, lambda: NOW_S, said.append)
        port.mend()
        fader = port.source("/x")
        with pytest.raises(SourceError, match=f"UDP port {number} is in use: choose another in \\[osc\\]"):
            fader.read()
    assert said == [f"OSC is not heard: UDP port {number} is in use: choose another in [osc]."]

    port.mend()

    assert fader.read() == []
    client = SimpleUDPClient("127.0.0.1", number)
    client.send_message("/x", 1.0)
    assert until(fader.read) == [Position(1.0, NOW_S)]
    client.close()
    port.close()
    port.close()
    with pytest.raises(SourceError, match="closed"):
        fader.read()


@pytest.mark.parametrize(
    ("host", "complaint"),
    [
        ("localhost.", "'localhost.' is no address in numbers: listen at 127.0.0.1"),
        ("ä" * 99, "is no address in numbers"),
        ("203.0.113.9", "this machine has no address 203.0.113.9"),
    ],
)
def test_an_address_that_cannot_be_listened_at_names_the_remedy(host: str, complaint: str) -> None:
    port = OscPort(host, 0, lambda: NOW_S, lambda sentence: None)

    with pytest.raises(SourceError, match=complaint):
        port.source("/x").read()
    port.close()


def test_a_dead_thread_is_seen_and_mended() -> None:
    said: list[str] = []
    broken = threading.Event()

    def clock() -> float:
        if broken.is_set():
            raise ZeroDivisionError("by zero")
        return NOW_S

    port = OscPort("127.0.0.1", 0, clock, said.append)
    fader = port.source("/x")
    broken.set()
    client = SimpleUDPClient("127.0.0.1", port.number)
    client.send_message("/x", 1.0)

    until(lambda: said)
    assert said == [
        "OSC is not heard: the OSC port broke (ZeroDivisionError: by zero) and is opened again in a moment."
    ]
    with pytest.raises(SourceError, match="broke"):
        fader.read()

    broken.clear()
    until(lambda: port.mend() or port.why is None)
    client.send_message("/x", 1.0)
    assert until(fader.read) == [Position(1.0, NOW_S)]
    client.close()
    port.close()


def test_a_pad_sends_two_numbers(port: OscPort, client: SimpleUDPClient) -> None:
    across, up = port.source("/pad", argument=1), port.source("/pad", argument=2)

    client.send_message("/pad", [0.25, 0.75])

    assert until(up.read) == [Position(0.75, NOW_S)]
    assert across.read() == [Position(0.25, NOW_S)]
