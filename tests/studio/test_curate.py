"""The page's server, over a real socket: decisions, undo, sounds, and what it refuses."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from curating import PATIENCE_S, RATE, Client, clip, gathered, recorded, served, synthesised

from appliance.errors import StudioError
from appliance.spectrum import codec, traits
from appliance.studio.corpus import LOUDNESS_LUFS, load
from appliance.studio.curating.curate import app, serve
from appliance.studio.curating.curation import Curation
from appliance.studio.ledger import Entry, Ledger


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return gathered(tmp_path)


@pytest.fixture
def client(corpus: Path) -> Iterator[Client]:
    with served(corpus) as (url, _):
        yield Client(url)


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A page on which nothing is ever decided."""
    with served(gathered(tmp_path_factory.mktemp("untouched"))) as (url, _):
        client = Client(url)
        yield client
        assert client.get("/api/state")["steps"] == 0


def test_it_tells_how_far_one_is_and_deals_a_hand(untouched: Client) -> None:
    state = untouched.get("/api/state")

    assert [state[each] for each in ("total", "kept", "rejected", "guessed", "steps")] == [16, 0, 0, 0, 0]
    assert state["guess"] is None
    assert len({card["row"] for card in state["cards"]}) == 4
    card = state["cards"][0]
    assert card["source"].startswith("garden/")
    assert card["licence"] == "CC0-1.0"
    assert card["start_s"] in (0.5, 3.0)
    assert card["gone"] == ""
    assert len(card["curve"]) == codec.BINS
    assert 0 <= min(card["curve"]) < max(card["curve"]) <= 255


def test_a_decision_counts_and_tops_the_hand_up(client: Client) -> None:
    hand = [card["row"] for card in client.get("/api/state")["cards"]]

    state = client.post("/api/decide", row=hand[0], keep=True, hand=hand)

    assert (state["kept"], state["rejected"], state["steps"]) == (1, 0, 1)
    assert state["open"] == hand[1:]
    assert len(state["cards"]) == 1
    assert state["cards"][0]["row"] not in hand


def test_decisions_outlive_the_server_and_training_heeds_them(corpus: Path) -> None:
    with served(corpus) as (url, _):
        client = Client(url)
        client.post("/api/decide", row=3, keep=False)
        client.post("/api/decide", row=5, keep=True)
    with served(corpus) as (url, _):
        state = Client(url).get("/api/state")

    assert (state["kept"], state["rejected"], state["steps"]) == (1, 1, 2)
    assert not {3, 5} & {card["row"] for card in state["cards"]}
    assert 3 not in load(corpus).row
    assert 5 in load(corpus).row


def test_undo_goes_back_step_by_step_and_past_a_restart(corpus: Path) -> None:
    with served(corpus) as (url, _):
        for row in (3, 5, 7):
            Client(url).post("/api/decide", row=row, keep=row != 5)
    with served(corpus) as (url, _):
        client = Client(url)
        undone = [client.post("/api/undo") for _ in range(4)]

    assert [[card["row"] for card in each["back"]] for each in undone] == [[7], [5], [3], []]
    assert [each["undone"] for each in undone] == [1, 1, 1, 0]
    assert [(each["kept"], each["rejected"], each["steps"]) for each in undone] == [
        (1, 1, 2),
        (1, 0, 1),
        (0, 0, 0),
        (0, 0, 0),
    ]
    assert undone[0]["open"] == [7]
    assert 7 not in [card["row"] for card in undone[0]["cards"]]


def test_to_say_the_same_twice_changes_nothing_and_the_opposite_is_refused(client: Client) -> None:
    client.post("/api/decide", row=3, keep=True)

    assert client.post("/api/decide", row=3, keep=True)["steps"] == 1
    status, sentence = client.refused("POST", "/api/decide", b'{"row": 3, "keep": false}')
    assert status == 409
    assert sentence.startswith("This clip was kept in another window")
    assert client.get("/api/state")["kept"] == 1


def test_all_decided_leaves_no_cards(client: Client) -> None:
    for row in range(16):
        state = client.post("/api/decide", row=row, keep=row % 3 == 0)

    assert state["cards"] == []
    assert state["kept"] + state["rejected"] == state["total"]


def test_the_codec_is_heard_as_two_seconds_that_loop_in_two_phases(untouched: Client) -> None:
    frames, rate = untouched.sound(2, "codec")

    assert frames.shape == (2 * rate, 2)
    assert 0.01 < np.abs(frames).max() < 0.9
    left, right = frames.T
    assert abs(np.corrcoef(left, right)[0, 1]) < 0.3
    steps = np.abs(np.diff(frames, axis=0)).max()
    assert np.abs(frames[0] - frames[-1]).max() <= steps
    heard = codec.analyse(frames, rate)
    assert float(traits.level(heard[np.newaxis])[0]) == pytest.approx(LOUDNESS_LUFS, abs=0.5)
    meant, another = (clip(recorded(kind, number), 0.5).spectrum for kind, number in (("noise", 1), ("chord", 0)))
    assert np.corrcoef(heard, meant)[0, 1] > 0.9
    assert np.corrcoef(heard, another)[0, 1] < 0.8
    again, _ = untouched.sound(2, "codec")
    np.testing.assert_array_equal(frames, again)


def test_the_original_is_heard_as_loud_and_where_it_was(client: Client, tmp_path: Path) -> None:
    frames, rate = client.sound(1, "original")

    assert rate == RATE
    assert frames.shape == (2 * RATE, 2)
    level = float(traits.level(codec.analyse(frames, rate)[np.newaxis])[0])
    assert level == pytest.approx(LOUDNESS_LUFS, abs=0.5)
    recording, _ = soundfile.read(tmp_path / "chord-0.wav", dtype="float32")
    inner = slice(RATE // 2, RATE)
    there = recording[3 * RATE : 5 * RATE, 0][inner]
    assert np.corrcoef(frames[inner, 0], there)[0, 1] > 0.999
    elsewhere = recording[: 2 * RATE, 0][inner]
    assert abs(np.corrcoef(frames[inner, 0], elsewhere)[0, 1]) < 0.95


def test_a_recording_that_is_gone_is_said_so(client: Client, tmp_path: Path) -> None:
    for path in tmp_path.glob("*.wav"):
        path.unlink()

    status, sentence = client.refused("GET", "/api/clips/0/original.wav")

    assert status == 410
    assert sentence == f"The recording is no longer at {tmp_path / 'chord-0.wav'}; put it back to hear it."
    assert all("no longer" in card["gone"] for card in client.get("/api/state")["cards"])
    assert len(client.sound(0, "codec")[0])


@pytest.mark.parametrize(("content", "why"), [(b"RIFF no more", "cannot be heard"), (None, "shorter than it was")])
def test_a_recording_that_was_replaced_is_said_so(
    client: Client, tmp_path: Path, content: bytes | None, why: str
) -> None:
    path = tmp_path / "chord-0.wav"
    if content is None:
        soundfile.write(path, np.zeros(100), RATE)
    else:
        path.write_bytes(content)

    status, sentence = client.refused("GET", "/api/clips/1/original.wav")

    assert status == 410
    assert why in sentence


def test_what_was_synthesised_has_no_original(tmp_path: Path) -> None:
    synthesised(tmp_path / "corpus", 12)
    with served(tmp_path / "corpus") as (url, _):
        status, sentence = Client(url).refused("GET", "/api/clips/0/original.wav")

    assert status == 410
    assert "synthesised" in sentence


def test_the_guess_decides_what_it_is_sure_about_in_one_step(tmp_path: Path) -> None:
    tones = synthesised(tmp_path, 400)
    with Curation(tmp_path) as curation:
        while curation.state([])["kept"] + curation.state([])["rejected"] < 160:
            for card in curation.state([])["cards"]:
                curation.decide(card["row"], bool(tones[card["row"]]), [])
            assert curation.doubt.settle(PATIENCE_S)
        guess = curation.state([])["guess"]
        assert guess["trusted"]
        assert guess["accuracy"] > 0.9
        with pytest.raises(StudioError, match="The guess has changed"):
            curation.accept(guess["number"] - 1, [])

        state = curation.accept(guess["number"], [])

        assert state["accepted"] == guess["sure_keep"] + guess["sure_reject"] > 100
        assert state["guessed"] == state["accepted"]
        assert curation.state([])["guess"]["learned"] == 160
    with Ledger(tmp_path) as ledger:
        guessed = [told for told in ledger.told() if told.guessed]
    assert len(guessed) == state["accepted"]
    assert np.mean([told.kept == tones[told.row] for told in guessed]) > 0.97
    with Curation(tmp_path) as curation:
        assert curation.doubt.settle(PATIENCE_S)
        after = curation.state([])
        assert after["guess"]["learned"] == 160, "what was guessed taught it"
        assert after["guessed"] == state["accepted"]
        back = curation.undo([])
        assert (back["undone"], back["back"], back["guessed"]) == (state["accepted"], [], 0)
        assert back["kept"] + back["rejected"] == 160


def test_a_guess_that_is_not_trusted_decides_nothing(untouched: Client) -> None:
    status, sentence = untouched.refused("POST", "/api/accept", b'{"number": 1}')

    assert status == 409
    assert "changed" in sentence
    assert untouched.get("/api/state")["kept"] == 0


@pytest.mark.parametrize(
    ("path", "body", "status", "sentence"),
    [
        ("decide", b'{"row": 99, "keep": true}', 404, "The corpus has no clip 99; reload the page."),
        ("decide", b'{"row": -1, "keep": true}', 404, "The corpus has no clip -1; reload the page."),
        ("decide", b'{"row": 1, "keep"', 400, "This is not JSON."),
        ("decide", b"\xff", 400, "This is not JSON."),
        ("decide", b"[" * 4000, 400, "This is not JSON."),
        ("decide", b"[1]", 400, "A request is a JSON object."),
        ("decide", b'{"row": true, "keep": true}', 400, "A decision takes a row and keep, true or false."),
        ("decide", b'{"row": 1, "keep": 1}', 400, "A decision takes a row and keep, true or false."),
        ("decide", b'{"row": 1, "keep": true, "hand": ["a"]}', 400, "The hand is a list of rows."),
        ("decide", b'{"hand": [' + b" " * 9000 + b"]}", 413, "A request takes at most 4096 bytes."),
        ("accept", b"{}", 400, "To accept a guess takes its number."),
        ("nothing", b"{}", 405, "Method Not Allowed"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(
    untouched: Client, path: str, body: bytes, status: int, sentence: str
) -> None:
    assert untouched.refused("POST", f"/api/{path}", body) == (status, sentence)
    assert untouched.get("/api/state")["steps"] == 0


@pytest.mark.parametrize("path", ["/api/clips/99/codec.wav", "/api/clips/99/original.wav"])
def test_a_clip_that_is_not_there_is_not_found(untouched: Client, path: str) -> None:
    assert untouched.refused("GET", path) == (404, "The corpus has no clip 99; reload the page.")


def test_rows_that_are_not_there_do_not_disturb_the_hand(untouched: Client) -> None:
    state = untouched.get(f"/api/state?hand=99,-3,{10**30},1,1,2")

    assert state["open"] == [1, 2]
    assert untouched.refused("GET", "/api/state?hand=a")[0] == 400


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "text/json", ""])
def test_a_form_on_another_site_cannot_decide(untouched: Client, content_type: str) -> None:
    body = b'{"row": 1, "keep": true}'

    assert untouched.refused("POST", "/api/decide", body, content_type=content_type)[0] == 415
    assert untouched.get("/api/state")["kept"] == 0
    assert untouched("OPTIONS", "/api/decide", origin="http://evil.example")[0] == 405


@pytest.mark.parametrize(("host", "status"), [("evil.example", 400), ("localhost:8420", 200), ("[::1]:1", 200)])
def test_a_name_that_was_pointed_here_is_not_answered(untouched: Client, host: str, status: int) -> None:
    assert untouched("GET", "/api/state", host=host)[0] == status


def test_the_page_is_served_whole_and_reaches_for_nothing_elsewhere(untouched: Client) -> None:
    status, headers, page = untouched("GET", "/")

    assert status == 200
    assert headers["content-security-policy"].startswith("default-src 'self'")
    assert headers["cache-control"] == "no-store"
    for name in ("curate.js", "curate.css", "sound.js", "drawing.js", "swipe.js", "studio.js"):
        status, headers, content = untouched("GET", f"/{name}")
        assert status == 200
        assert headers["content-type"].split(";")[0] in ("text/javascript", "text/css")
        assert b"http://" not in content
        assert b"https://" not in content
    assert b"<script>" not in page
    assert untouched("GET", "/../curate.py")[0] == 404


def test_many_hands_at_once_lose_no_decision(client: Client) -> None:
    threads = [
        threading.Thread(target=client.post, args=("/api/decide",), kwargs={"row": row, "keep": row % 2 == 0})
        for row in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    state = client.get("/api/state")
    assert (state["kept"], state["rejected"], state["steps"]) == (8, 8, 16)


def test_where_nothing_was_gathered_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(StudioError, match=r"There is no corpus at .*gather"):
        app(tmp_path / "corpus")
    assert not (tmp_path / "corpus").exists()
    with Ledger(tmp_path / "empty") as ledger:
        ledger.add(Entry("silence.wav", problem="It is silent."))
    with pytest.raises(StudioError, match=r"is empty.*gather"):
        app(tmp_path / "empty")


def test_a_port_that_is_taken_is_said_in_a_sentence(corpus: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(StudioError, match=rf"at 127.0.0.1, port {port} \([\w ]+\); .*--port"):
            serve(corpus, "127.0.0.1", port, print)
    with pytest.raises(StudioError, match=r"no-such-host\.invalid"):
        serve(corpus, "no-such-host.invalid", 0, print)


SERVE = """
import sys
from pathlib import Path
from appliance.studio.curating.curate import serve
serve(Path(sys.argv[1]), sys.argv[2], 0, lambda sentence: print(sentence, flush=True))
print("closed in order", flush=True)
"""


@pytest.mark.parametrize(
    ("host", "number", "warned"),
    [("127.0.0.1", signal.SIGINT, False), ("localhost", signal.SIGTERM, False), ("0.0.0.0", signal.SIGINT, True)],
)
def test_it_serves_until_it_is_stopped(corpus: Path, host: str, number: int, warned: bool) -> None:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [sys.executable, "-c", SERVE, str(corpus), host],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        assert process.stdout is not None
        told = [process.stdout.readline()]
        if warned:
            told.append(process.stdout.readline())
        link = next(word for word in told[-1].split() if word.startswith("http"))
        client = Client(link)
        assert client.post("/api/decide", row=1, keep=True)["kept"] == 1
        foreign = client("GET", "/api/state", host="studio.local")[0]
        process.send_signal(number)
        rest, errors = process.communicate(timeout=PATIENCE_S)

    assert ("Anyone in the network" in told[0]) == warned
    assert foreign == (200 if warned else 400)
    assert (rest, errors, process.returncode) == ("closed in order\n", "", 0)
    with Ledger(corpus) as ledger:
        assert ledger.told()[1].kept is True
