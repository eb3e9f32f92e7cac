"""The control socket with real sockets and hostile clients; only the clock is made up."""

import contextlib
import json
import os
import selectors
import socket
import stat
import threading
from pathlib import Path

import pytest

from appliance.api.protocol import LONGEST_REQUEST
from appliance.api.server import Server
from appliance.errors import ApiError
from appliance.mood import QUANTITIES

# So long a wait means that it will never come.
PATIENT_S = 20.0


class Desk:
    def __init__(self):
        self.standing = {name: each.rest for name, each in QUANTITIES.items()}
        self.pieces = 0
        self.called_in = set()

    def mood(self, changes):
        self.called_in.add(threading.current_thread().name)
        self.standing |= changes
        return self.standing

    def status(self):
        return {"pieces": self.pieces}

    def next_piece(self):
        self.pieces += 1

    def log(self):
        return b"x" * 3_000_000


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


class Room:
    """A server, and hands to talk to it."""

    def __init__(self, path):
        self.path = path
        self.desk = Desk()
        self.clock = Clock()
        self.said = []
        self.server = Server(path, self.desk, self.said.append, self.clock)

    def enter(self):
        talk = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        talk.settimeout(PATIENT_S)
        talk.connect(str(self.path))
        return talk

    def ask(self, **request):
        with self.enter() as talk:
            return say(talk, json.dumps(request))


def say(talk, line):
    talk.sendall(line.encode() + b"\n")
    return hear(talk)


def hear(talk):
    """The next answer; None where the server has ended the talk."""
    heard = b""
    while not heard.endswith(b"\n"):
        try:
            piece = talk.recv(65_536)
        except ConnectionResetError:
            piece = b""
        if not piece:
            assert heard == b""
            return None
        heard += piece
    return json.loads(heard)


def descriptors():
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def push(talk):
    """Send without end."""
    while True:
        talk.sendall(b" " * 1000)


@pytest.fixture
def room(tmp_path):
    made = Room(tmp_path / "control")
    yield made
    # Whatever was done to it, it answers still, and nobody was told of anything.
    assert made.ask(do="status")["ok"] is True
    made.server.close()
    assert made.said == []
    assert not any(thread.name == "control" for thread in threading.enumerate())


def test_it_answers(room):
    assert room.ask(do="mood", set={"pitch": 0.3})["mood"] == room.desk.standing
    assert room.desk.standing["pitch"] == 0.3
    assert room.ask(do="next") == {"ok": True}
    assert room.ask(do="status") == {"ok": True, "status": {"pieces": 1}}
    assert room.desk.called_in == {"control"}


def test_a_talk_may_hold_several_requests_at_once(room):
    with room.enter() as talk:
        talk.sendall(b'{"do": "next"}\n{"do": "status"}\n{"do": "mood"}\nnonsense\n{"do": "status"}\n{"do"')
        heard = b""
        while heard.count(b"\n") < 5:
            heard += talk.recv(65_536)
        answers = [json.loads(line) for line in heard.splitlines()]
        assert [answer["ok"] for answer in answers] == [True, True, True, False, True]
        assert answers[1]["status"] == {"pieces": 1}


def test_who_says_no_more_is_still_answered(room):
    with room.enter() as talk:
        talk.sendall(b'{"do": "status"}\n' * 3)
        talk.shutdown(socket.SHUT_WR)
        heard = b""
        while piece := talk.recv(65_536):
            heard += piece
        assert heard.count(b"\n") == 3


def test_the_socket_is_for_its_owner_alone(room):
    mode = room.path.stat().st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600


def test_closing_is_idempotent_and_removes_the_socket(tmp_path):
    room = Room(tmp_path / "control")
    talk = room.enter()
    assert say(talk, '{"do": "status"}')["ok"]
    before = descriptors()
    room.server.close()
    room.server.close()
    assert not room.path.exists()
    assert hear(talk) is None
    talk.close()
    # Listener, wake-up pair, selector, our talk and the server's end of it.
    assert descriptors() == before - 6


def test_closing_leaves_the_socket_of_another(tmp_path):
    room = Room(tmp_path / "control")
    room.path.unlink()
    other = Room(room.path)
    room.server.close()
    assert other.ask(do="status")["ok"]
    other.server.close()
    assert not room.path.exists()


def test_what_a_killed_engine_left_is_replaced(tmp_path):
    path = tmp_path / "control"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as left:
        left.bind(str(path))
        left.listen()
    assert path.exists()
    room = Room(path)
    assert room.ask(do="status")["ok"]
    room.server.close()


def test_a_living_engine_is_not_pushed_aside(room):
    with pytest.raises(ApiError, match=r"Another engine listens at .*; stop it first\."):
        Room(room.path)
    assert room.ask(do="status")["ok"]


def test_an_engine_that_hangs_with_a_full_queue_is_alive(tmp_path):
    path = tmp_path / "control"
    with contextlib.ExitStack() as opened:
        hung = opened.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        hung.bind(str(path))
        hung.listen(0)
        opened.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)).connect(str(path))
        with pytest.raises(ApiError, match="Another engine"):
            Room(path)


def test_what_is_no_socket_is_left_alone(tmp_path):
    path = tmp_path / "control"
    path.write_text("precious")
    with pytest.raises(ApiError, match="no socket; move it away"):
        Room(path)
    assert path.read_text() == "precious"


@pytest.mark.parametrize("where", ["x" * 120, "missing/control"])
def test_a_place_that_cannot_be_is_one_sentence_and_leaves_nothing_open(tmp_path, where):
    before = descriptors()
    with pytest.raises(ApiError, match=r"^The control socket .* cannot be made \(.+\); check its folder\.$"):
        Room(tmp_path / where)
    assert descriptors() == before


def is_waiting(talk, steady):
    """Whether one is not answered while another is, time and again."""
    for _ in range(5):
        assert say(steady, '{"do": "status"}')["ok"]
    talk.setblocking(False)
    try:
        return talk.recv(1) is None
    except BlockingIOError:
        return True
    finally:
        talk.settimeout(PATIENT_S)


def test_a_hundred_clients_at_once(room):
    answers = []

    def come():
        answers.append(room.ask(do="mood", set={"pitch": 0.5}))

    threads = [threading.Thread(target=come) for _ in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENT_S)
    assert [answer["ok"] for answer in answers] == [True] * 100


def test_silent_clients_in_every_place_make_room_for_one_who_asks(room):
    with contextlib.ExitStack() as opened:
        silent = [opened.enter_context(room.enter()) for _ in range(32)]
        assert say(silent[-1], '{"do": "status"}')["ok"]
        late = opened.enter_context(room.enter())
        late.sendall(b'{"do": "status"}\n')
        assert is_waiting(late, silent[-1])
        room.clock.now += 1.0
        # Part of a request wakes the server, and is none.
        silent[0].sendall(b" ")
        assert hear(late)["ok"] is True
        assert [hear(each) for each in silent[:-1]] == [None] * 31


def test_the_silent_and_the_slow_are_dropped(room):
    with room.enter() as silent, room.enter() as slow, room.enter() as busy:
        assert say(busy, '{"do": "status"}')["ok"]
        slow.sendall(b'{"do": "ne')
        for _ in range(3):
            room.clock.now += 3.0
            slow.sendall(b" ")
            assert say(busy, '{"do": "status"}')["ok"]
        room.clock.now += 3.0
        assert say(busy, '{"do": "status"}')["ok"]
        assert hear(silent) is None
        assert hear(slow) is None
        assert say(busy, '{"do": "status"}')["ok"]
    assert room.desk.pieces == 0


def test_a_client_that_never_reads_is_dropped_and_disturbs_nobody(room):
    with room.enter() as deaf:
        deaf.sendall(b'{"do": "log"}\n' * 4000)
        assert deaf.recv(1) == b"{"
        assert room.ask(do="status")["ok"]
        room.clock.now += 10.0
        assert room.ask(do="status")["ok"]
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            push(deaf)


def test_answers_that_nobody_takes_are_not_heaped_up(room, monkeypatch):
    monkeypatch.setattr("appliance.api.server._MOST_UNTAKEN", 5_000_000)
    with contextlib.ExitStack() as opened:
        deaf = []
        for _ in range(3):
            deaf.append(opened.enter_context(room.enter()))
            deaf[-1].sendall(b'{"do": "log"}\n')
            assert deaf[-1].recv(1) == b"{"
            assert room.ask(do="status")["ok"]
            room.clock.now += 0.1
        assert [len(take(each)) > 2_999_999 for each in deaf] == [False, False, True]


def take(talk):
    """All up to the end of an answer, or of the talk."""
    heard = b""
    while not heard.endswith(b"\n") and (piece := talk.recv(1 << 20)):
        heard += piece
    return heard


def test_a_long_answer_arrives_whole(room):
    assert room.ask(do="log")["log"] == "x" * 3_000_000


def test_a_line_that_is_too_long_is_refused_before_its_end(room):
    with room.enter() as talk:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            talk.sendall(b"[" * 10_000_000)
        assert hear(talk) == {"ok": False, "error": "A request takes at most 65536 bytes a line.", "exit_code": 2}
        assert hear(talk) is None


def test_the_longest_line_that_is_not_too_long(room):
    with room.enter() as talk:
        assert say(talk, '{"do": "status"}'.ljust(LONGEST_REQUEST))["ok"] is True
        assert say(talk, '{"do": "status"}'.ljust(LONGEST_REQUEST + 1))["ok"] is False


@pytest.mark.parametrize("what", [b"", b'{"do": "mo', b"\x00\xff\n" * 1000, b"\n" * 60_000, os.urandom(50_000)])
def test_those_who_leave_in_the_middle_disturb_nobody(room, what):
    with room.enter() as steady:
        for _ in range(50):
            with room.enter() as talk:
                talk.sendall(what)
        assert say(steady, '{"do": "status"}')["ok"] is True


def test_garbage_is_answered_and_the_talk_goes_on(room):
    with room.enter() as talk:
        assert say(talk, "\x00\x01\x7f")["ok"] is False
        assert say(talk, "[" * 60_000)["ok"] is False
        assert say(talk, '{"do": "mood", "set": {"pitch": NaN}}')["ok"] is False
        assert say(talk, '{"do": "status"}')["ok"] is True


def test_a_flood_takes_turns_with_the_others(room):
    stop = threading.Event()

    def flood():
        with room.enter() as talk:
            talk.setblocking(False)
            while not stop.is_set():
                with contextlib.suppress(BlockingIOError):
                    talk.send(b"{}\n" * 10_000)
                with contextlib.suppress(BlockingIOError):
                    talk.recv(1_000_000)

    thread = threading.Thread(target=flood)
    thread.start()
    try:
        for _ in range(20):
            assert room.ask(do="status")["ok"] is True
    finally:
        stop.set()
        thread.join(PATIENT_S)


def test_a_handler_that_fails_is_told_and_the_server_goes_on(room):
    room.desk.status = lambda: 1 / 0
    answer = room.ask(do="status")
    assert answer["ok"] is False
    assert room.said == [answer["error"]]
    del room.desk.status
    room.said.clear()


def test_nobody_to_be_told_is_no_reason_to_end(room):
    def torn(_):
        raise BrokenPipeError

    room.desk.status = lambda: 1 / 0
    room.server._say = torn
    assert room.ask(do="status")["ok"] is False
    del room.desk.status


def test_with_no_descriptor_left_it_waits_until_there_is_one(room, monkeypatch):
    accept = socket.socket.accept

    def none_left(self):
        monkeypatch.setattr(socket.socket, "accept", accept)
        raise OSError(24, "Too many open files")

    steady = room.enter()
    assert say(steady, '{"do": "status"}')["ok"]
    monkeypatch.setattr(socket.socket, "accept", none_left)
    with room.enter() as late:
        late.sendall(b'{"do": "status"}\n')
        while not room.said:
            assert say(steady, '{"do": "status"}')["ok"]
        assert room.said == ["The control socket lets nobody in for the moment (Too many open files)."]
        room.said.clear()
        assert is_waiting(late, steady)
        room.clock.now += 1.0
        assert say(steady, '{"do": "status"}')["ok"]
        assert hear(late)["ok"]
    steady.close()


def test_it_waits_without_polling(tmp_path, monkeypatch):
    waits = []
    select = selectors.DefaultSelector.select

    def watched(self, timeout=None):
        waits.append(timeout)
        return select(self, timeout)

    monkeypatch.setattr(selectors.DefaultSelector, "select", watched)
    room = Room(tmp_path / "control")
    with room.enter() as talk:
        assert say(talk, '{"do": "status"}')["ok"]
        assert set(waits) <= {None, 10.0}
    room.server.close()
    assert len(waits) <= 6
    assert waits[0] is None
