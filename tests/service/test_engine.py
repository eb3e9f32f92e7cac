"""The engine's process from within: rings that come and go, its control socket, its ladder."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from engine_thread import RESERVE_S, SETTINGS, Engine, full, keep_to, play
from patience import until

from appliance.api.client import ask
from appliance.engine.log import read
from appliance.errors import ApiError, RingError, UsageError
from appliance.health.watchdog import Watchdog
from appliance.model.library import digest, shipped
from appliance.mood import Mood
from appliance.service import engine as engine_module
from appliance.service.engine import run
from appliance.service.ladder import Ladder
from appliance.settings import MusicSettings, Settings
from appliance.stream.layout import Word
from appliance.stream.ring import Ring, create


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    keep_to(tmp_path, monkeypatch)
    folder = tmp_path / "run"
    folder.mkdir()
    engine = Engine(folder)
    yield engine
    if engine.thread.ident is not None:
        engine.end()


@pytest.fixture
def ring(engine: Engine) -> Ring:
    return create(engine.folder, 48_000, 2, RESERVE_S)


def test_it_fills_the_ring_and_says_that_it_is_well(engine: Engine, ring: Ring) -> None:
    engine.start()
    until(lambda: full(ring))
    until(lambda: "WATCHDOG=1" in engine.supervisor.words)
    assert engine.supervisor.words.index("READY=1") < engine.supervisor.words.index("WATCHDOG=1")
    assert np.abs(ring.lanes[0, : 3 * ring.rate]).max() > 0.05
    facts = json.loads(ring.facts.read() or b"")
    known = {"model": "default", "digest": digest(shipped()["default"]), "boots": 1, "rung": 0}
    assert facts == known | {"seed": facts["seed"]}
    engine.end()
    assert engine.error is None
    assert engine.supervisor.words[-1] == "STOPPING=1"


def test_it_waits_for_a_player(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "_PATIENCE_S", 0.05)
    engine.start()
    until(lambda: engine.said)
    assert "waits for the player" in engine.said[0]
    ring = create(engine.folder, 48_000, 2, RESERVE_S)
    until(lambda: full(ring))


def test_hands_reach_it(engine: Engine, ring: Ring) -> None:
    engine.start()
    until(lambda: full(ring))
    answer = ask(engine.folder, {"do": "mood", "set": {"pitch": -0.25, "volume": 0.5}})
    assert answer["mood"] == Mood(pitch=-0.25, volume=0.5).quantities()
    until(lambda: ring.words[Word.REWINDS] == 1)
    play(ring, 0.5)
    status = ask(engine.folder, {"do": "status"})["status"]
    assert status["mood"]["pitch"] == -0.25
    assert (status["piece"], set(status["pattern"])) == (0, set("ABCDE"))
    assert status["uptime_s"] > 0.0
    ask(engine.folder, {"do": "next"})
    until(lambda: ring.words[Word.REWINDS] == 2)
    play(ring, 0.5)
    log = read(ask(engine.folder, {"do": "log"})["log"].encode(), "the log")
    assert [turn.mood.pitch for turn in log.turns][-2:] == [-0.25, -0.25]
    assert log.turns[-1].cursor.next is not None
    with pytest.raises(UsageError, match="pich"):
        ask(engine.folder, {"do": "mood", "set": {"pich": 1.0}})


def test_another_engine_is_refused(engine: Engine, ring: Ring) -> None:
    engine.start()
    until(lambda: full(ring))
    epoch = ring.words[Word.EPOCH]
    with pytest.raises(RingError, match="Another engine runs already"):
        run(SETTINGS, engine.folder, threading.Event(), engine.said.append, Watchdog())
    assert ring.words[Word.EPOCH] == epoch


def test_it_follows_the_player_to_a_ring_of_another_rate_with_the_same_piece(engine: Engine, ring: Ring) -> None:
    engine.start()
    until(lambda: full(ring))
    ask(engine.folder, {"do": "mood", "set": {"pitch": -1.0}})
    until(lambda: ring.words[Word.REWINDS] == 1)
    play(ring, 0.5)
    before = ask(engine.folder, {"do": "log"})["log"]
    other = create(engine.folder, 44_100, 1, RESERVE_S)
    until(lambda: full(other))
    assert np.abs(other.lanes[0, : 3 * other.rate]).max() > 0.05
    status = ask(engine.folder, {"do": "status"})["status"]
    assert status["mood"]["pitch"] == -1.0
    after = read(ask(engine.folder, {"do": "log"})["log"].encode(), "the log")
    piece = read(before.encode(), "the log").turns[-1].cursor.now.piece
    assert after.turns[0].cursor.now.piece == piece
    assert json.loads(other.facts.read() or b"")["seed"] == json.loads(ring.facts.read() or b"")["seed"]


def test_another_life_goes_on_where_the_first_one_was(engine: Engine, ring: Ring) -> None:
    engine.start()
    until(lambda: full(ring))
    engine.end()
    made = ring.words[Word.END_0]
    again = Engine(engine.folder).start()
    until(lambda: again.supervisor.words)
    play(ring, 2.0)
    until(lambda: ring.words[Word.END_0] > made)
    again.end()
    assert ring.words[Word.REWINDS] == 0


def test_it_stops_soon(engine: Engine, ring: Ring) -> None:
    engine.start()
    until(lambda: full(ring))
    engine.stop.set()
    engine.thread.join(5.0)
    assert not engine.thread.is_alive()
    assert not (engine.folder / "control").exists()


# --- the ladder


def crash(folder: Path, lives: int) -> None:
    """Leave what so many lives that crashed would."""
    for _ in range(lives):
        Ladder(folder).climb()


def test_after_crashes_no_hands_are_taken(engine: Engine, ring: Ring) -> None:
    crash(engine.folder, 3)
    engine.start()
    until(lambda: full(ring))
    until(lambda: "READY=1" in engine.supervisor.words)
    assert any("without controls" in each for each in engine.said)
    assert ask(engine.folder, {"do": "mood"})["mood"]["pitch"] == 0.5
    with pytest.raises(UsageError, match="takes no controls"):
        ask(engine.folder, {"do": "mood", "set": {"pitch": 0.0}})
    assert json.loads(ring.facts.read() or b"")["rung"] == 1


def test_after_more_crashes_the_shipped_model_plays(engine: Engine, ring: Ring) -> None:
    crash(engine.folder, 6)
    engine.settings = Settings(music=MusicSettings(model="/nowhere/of-my-own.latent", beds="none"))
    engine.start()
    until(lambda: full(ring))
    facts = json.loads(ring.facts.read() or b"")
    assert (facts["rung"], facts["model"]) == (2, "default")


@pytest.mark.parametrize(
    ("music", "says"),
    [
        ({"model": "/nowhere/of-my-own.latent"}, "/nowhere/of-my-own.latent does not exist"),
        ({"beds": "/nowhere/of-my-own"}, "/nowhere/of-my-own"),
        ({"model": "glas", "beds": "/nowhere/of-my-own"}, "did you mean 'glass'"),
    ],
)
def test_what_the_settings_name_and_is_not_there_is_told_and_something_else_plays(
    engine: Engine, ring: Ring, music: dict[str, str], says: str
) -> None:
    engine.settings = Settings(music=MusicSettings(**({"beds": "none"} | music)))
    engine.start()
    until(lambda: full(ring))
    assert json.loads(ring.facts.read() or b"")["model"] == "default"
    told = ask(engine.folder, {"do": "status"})["status"]["settings_trouble"]
    assert says in told
    assert told.count("Meanwhile") == len(music)
    assert engine.error is None


def test_after_still_more_crashes_there_is_no_socket(engine: Engine, ring: Ring) -> None:
    crash(engine.folder, 9)
    engine.start()
    until(lambda: full(ring))
    until(lambda: "READY=1" in engine.supervisor.words)
    with pytest.raises(ApiError, match="No engine is running"):
        ask(engine.folder, {"do": "status"})
    assert json.loads(ring.facts.read() or b"")["rung"] == 3


def test_a_socket_that_cannot_be_made_does_not_keep_it_from_playing(engine: Engine, ring: Ring) -> None:
    (engine.folder / "control").mkdir()
    engine.start()
    until(lambda: full(ring))
    assert any("no socket; move it away" in each for each in engine.said)
