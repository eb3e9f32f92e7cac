import errno
import json
import os
import socket
import threading

import pytest
from desk import Desk

from appliance.api.client import Session, ask, control_path
from appliance.api.server import Server
from appliance.errors import ApiError, UsageError


@pytest.fixture
def engine(tmp_path):
    """A pretended engine: says what it is given to whoever asks, and ends the talk."""
    opened = []

    def answering(answer):
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(tmp_path / "control"))
        listener.listen()
        heard = []

        def serve():
            talk, _ = listener.accept()
            with talk:
                heard.append(talk.recv(65_536))
                if answer is None:
                    # Until the client gives up.
                    talk.recv(1)
                else:
                    talk.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        opened.append((listener, thread))
        return heard

    yield answering
    for listener, thread in opened:
        thread.join()
        listener.close()


def test_an_answer_is_handed_over(tmp_path, engine):
    heard = engine(b'{"ok": true, "mood": {"pitch": 0.3}}\n')
    assert ask(tmp_path, {"do": "mood", "set": {"pitch": 0.3}}) == {"ok": True, "mood": {"pitch": 0.3}}
    assert heard[0].endswith(b"\n")
    assert json.loads(heard[0]) == {"do": "mood", "set": {"pitch": 0.3}}


@pytest.mark.parametrize(
    ("answer", "kind", "sentence"),
    [
        (b'{"ok": false, "error": "No such mood.", "exit_code": 2}\n', UsageError, "No such mood."),
        (b'{"ok": false, "error": "The disk is full.", "exit_code": 1}\n', ApiError, "The disk is full."),
        (b"", ApiError, "The engine ended before it had answered; ask again."),
        (b'{"ok": true', ApiError, "The engine ended before it had answered; ask again."),
        (b"hello\n", ApiError, "The engine gives an answer that makes no sense; is it of this version? Restart it."),
        (b"[]\n", ApiError, "The engine gives an answer that makes no sense; is it of this version? Restart it."),
        (b"{}\n", ApiError, "The engine gives an answer that makes no sense; is it of this version? Restart it."),
    ],
)
def test_what_is_not_well_becomes_an_error_of_ours(tmp_path, engine, answer, kind, sentence):
    engine(answer)
    with pytest.raises(kind) as caught:
        ask(tmp_path, {"do": "mood"})
    assert type(caught.value) is kind
    assert str(caught.value) == sentence


def test_an_engine_that_refuses_before_it_has_heard_all(tmp_path, engine):
    engine(b'{"ok": false, "error": "Too long.", "exit_code": 2}\n')
    with pytest.raises(UsageError, match=r"^Too long\.$"):
        ask(tmp_path, {"do": "mood", "set": {"x" * 10_000_000: 0}})


def test_without_an_engine(tmp_path):
    with pytest.raises(ApiError, match=r"^No engine is running; start it with latent play\.$") as caught:
        ask(tmp_path, {"do": "mood"})
    assert caught.value.exit_code == 1


def test_after_an_engine_that_was_killed(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as left:
        left.bind(str(tmp_path / "control"))
    with pytest.raises(ApiError, match=r"^No engine is running, .*; start it with latent play\.$"):
        ask(tmp_path, {"do": "mood"})


def test_an_engine_that_never_answers(tmp_path, engine):
    engine(None)
    with pytest.raises(ApiError, match=r"does not answer within 0\.05 s"):
        ask(tmp_path, {"do": "mood"}, timeout_s=0.05)


def test_an_engine_with_a_queue_that_never_moves(tmp_path):
    path = str(tmp_path / "control")
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as hung,
        socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as first,
    ):
        hung.bind(path)
        hung.listen(0)
        first.connect(path)
        with pytest.raises(ApiError, match=r"does not answer within 0\.05 s"):
            ask(tmp_path, {"do": "mood"}, timeout_s=0.05)


def test_the_engine_of_another_user(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    with pytest.raises(ApiError, match=r"belongs to another user; ask as that user\.$"):
        ask(tmp_path, {"do": "mood"})


def test_a_path_too_long_for_a_socket(tmp_path):
    with pytest.raises(ApiError, match=r"is too long for a socket, .*; set XDG_RUNTIME_DIR to a shorter folder\.$"):
        ask(tmp_path / ("x" * 100), {"do": "mood"})


def test_the_longest_path_a_socket_takes(tmp_path):
    room = 107 - len(os.fsencode(tmp_path)) - len("//control")
    folder = tmp_path / ("x" * room)
    folder.mkdir()
    path = control_path(folder)
    assert len(os.fsencode(path)) == 107
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
    with pytest.raises(ApiError):
        control_path(tmp_path / ("x" * (room + 1)))


def test_a_session_asks_over_one_connection(tmp_path, monkeypatch):
    made = []
    connect = socket.socket.connect
    monkeypatch.setattr(socket.socket, "connect", lambda self, to: made.append(to) or connect(self, to))
    server = Server(control_path(tmp_path), Desk(), pytest.fail)
    with Session(tmp_path) as session:
        for _ in range(5):
            assert session.ask({"do": "next"}) == {"ok": True}
        with pytest.raises(UsageError, match="did you mean next"):
            session.ask({"do": "nxt"})
        assert session.ask({"do": "next"}) == {"ok": True}
    assert len(made) == 1
    server.close()


def test_a_session_outlives_the_engine(tmp_path):
    server = Server(control_path(tmp_path), Desk(), pytest.fail)
    session = Session(tmp_path)
    assert session.ask({"do": "next"}) == {"ok": True}
    server.close()
    for sentence in ("ended before it had answered", "No engine is running"):
        with pytest.raises(ApiError, match=sentence):
            session.ask({"do": "next"})
    server = Server(control_path(tmp_path), Desk(), pytest.fail)
    assert session.ask({"do": "next"}) == {"ok": True}
    session.close()
    session.close()
    server.close()


def test_an_answer_that_comes_late_is_not_taken_for_another(tmp_path, engine):
    engine(None)
    session = Session(tmp_path, timeout_s=0.05)
    with pytest.raises(ApiError, match="does not answer"):
        session.ask({"do": "next"})
    assert session._talk is None
