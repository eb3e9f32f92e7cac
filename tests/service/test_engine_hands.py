"""The engine with hands on pins that only pretend: what is turned there is played."""

import base64
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from engine_thread import RESERVE_S, Engine, full, keep_to, play
from gpiozero import Device
from patience import until

from appliance.api.client import ask
from appliance.engine.saved import Saved, load
from appliance.errors import LatentError
from appliance.service.build import build_timeline
from appliance.service.ladder import Ladder
from appliance.settings import MusicSettings, Settings
from appliance.stream.layout import Word
from appliance.stream.ring import Ring, create

CONTROLS: dict[str, Any] = {
    "knob": {"source": "mcp3008", "channel": 0, "moves": "pitch"},
    "across": {"source": "mcp3008", "channel": 1, "moves": "x"},
    "bad": {"source": "button", "pin": 17, "does": "never"},
}
MUSIC = MusicSettings(seed=7, beds="none", each_morning="same")


def wired(**tables: Any) -> Settings:
    return Settings.model_validate({"music": MUSIC.model_dump()} | {"controls": CONTROLS} | tables)


@pytest.fixture
def begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Engine]]:
    keep_to(tmp_path, monkeypatch)
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "mock")
    folder = tmp_path / "run"
    folder.mkdir()
    begun: list[Engine] = []

    def begin(settings: Settings) -> Engine:
        # Another life has pins of its own.
        monkeypatch.setattr(Device, "pin_factory", None)
        engine = Engine(folder)
        engine.settings = settings
        begun.append(engine.start())
        return engine

    yield begin
    for engine in begun:
        engine.end()


@pytest.fixture
def ring(tmp_path: Path, begin: Callable[..., Engine]) -> Ring:
    return create(tmp_path / "run", 48_000, 2, RESERVE_S)


def planned(ring: Ring) -> list[Saved]:
    """What is to be played from now on."""
    lane = ring.words[Word.PLAYING] & 1
    return [load(data) for frame, data in sorted(ring.saved(lane).items()) if frame >= ring.words[Word.READ]]


def turn(engine: Engine, name: str, value: float | None, begin: float = 0.5) -> None:
    """Turn a knob as a hand does, through all between."""
    for way in () if value is None else np.linspace(begin, value, 12):
        ask(engine.folder, {"do": "turn", "name": name, "value": float(way)})
        threading.Event().wait(0.02)
    if value is None:
        ask(engine.folder, {"do": "turn", "name": name, "press": True})


def ready(engine: Engine, ring: Ring) -> None:
    """Wait until it plays, and knobs that stand half way are known."""
    until(lambda: full(ring))
    for name in ("knob", "across"):
        ask(engine.folder, {"do": "turn", "name": name, "value": 0.5})
    until(lambda: seen(engine, "knob") is not None and seen(engine, "across") is not None)
    until(lambda: play(ring, 0.1) or full(ring))


def seen(engine: Engine, name: str) -> float | None:
    controls = ask(engine.folder, {"do": "controls"})["controls"]
    return next(each["mapped"] for each in controls if each["name"] == name)


def status(engine: Engine) -> dict[str, Any]:
    return ask(engine.folder, {"do": "status"})["status"]


def test_a_turned_knob_is_in_what_is_planned_and_goes_on_in_another_life(begin, ring: Ring) -> None:
    engine = begin(wired())
    ready(engine, ring)
    turn(engine, "knob", 0.9)
    until(lambda: status(engine)["mood"]["pitch"] > 0.7)
    until(lambda: play(ring, 0.1) or (planned(ring) and planned(ring)[-1].mood.pitch > 0.7))
    stood = status(engine)["mood"]
    engine.end()
    again = begin(wired())
    until(lambda: again.supervisor.words)
    assert status(again)["mood"] == pytest.approx(stood)
    until(lambda: planned(ring) and planned(ring)[-1].mood.pitch == pytest.approx(stood["pitch"]))


def test_what_is_banned_by_a_button_is_planned_no_more_and_survives(begin, ring: Ring, tmp_path: Path) -> None:
    engine = begin(wired())
    ready(engine, ring)
    play(ring, 2.5)
    turn(engine, "bad", None)
    (spot,) = until(lambda: ask(engine.folder, {"do": "spots"})["spots"])
    assert spot["banned"]
    (kept,) = (tmp_path / "state" / "latent" / "places").glob("*.json")
    (told,) = json.loads(kept.read_text())["spots"]
    latent = told["latent"].translate(str.maketrans("-_", "+/"))
    centre = np.frombuffer(base64.b64decode(latent + "=" * (-len(latent) % 4)), dtype="<f4")
    timeline = build_timeline("default", 48_000, 2, "none", engine.settings.sound, print)
    radius = told["radius"] * timeline.space.usual
    until(lambda: ring.words[Word.REWINDS] >= 1)
    play(ring, 1.5)
    until(lambda: play(ring, 0.1) or full(ring))
    for saved in planned(ring)[1:]:
        for sound in saved.cursor.trail[-1].sounds:
            apart = np.linalg.norm(np.frombuffer(sound.latent, dtype="<f4").astype(np.float64) - centre)
            assert apart >= radius * (1.0 - 1e-5)
    engine.end()
    again = begin(wired())
    until(lambda: again.supervisor.words)
    assert ask(again.folder, {"do": "spots"})["spots"] == [spot]


def test_corners_that_were_stored_make_a_plane_for_a_knob(begin, ring: Ring) -> None:
    engine = begin(wired())
    ready(engine, ring)
    for which in ("top-left", "bottom-left", "top-right", "bottom-right"):
        play(ring, 2.5)
        ask(engine.folder, {"do": "corner", "which": which})
    until(lambda: play(ring, 0.1) or (planned(ring) and planned(ring)[-1].mood.place.target))
    before = planned(ring)[-1].mood.place.target
    turn(engine, "across", 0.95)
    until(lambda: play(ring, 0.1) or (planned(ring) and planned(ring)[-1].mood.place.target != before))
    engine.end()
    again = begin(wired())
    until(lambda: again.supervisor.words)
    assert all(ask(again.folder, {"do": "corner"})["corners"].values())
    assert ask(again.folder, {"do": "place"})["place"]["x"] > 0.85


def test_trouble_is_in_its_status_and_bad_wiring_never_stops_it(begin, ring: Ring) -> None:
    bad = {
        "dead": {"source": "mcp3008", "channel": 0, "device": 1, "moves": "pace"},
        "gone": {"source": "midi", "port": "x", "cc": 1, "moves": "width"},
    }
    engine = begin(
        wired(
            controls=CONTROLS | bad, osc={"port": 1, "send_to": ["localhost:99999"]}, midi={"send_to": "none of these"}
        )
    )
    until(lambda: full(ring))
    until(lambda: "gone" in status(engine)["troubles"])
    assert status(engine)["healthy"]
    assert engine.error is None


def test_after_crashes_no_source_is_opened(begin, ring: Ring, tmp_path: Path) -> None:
    for _ in range(3):
        Ladder(tmp_path / "run").climb()
    engine = begin(wired(osc={"port": 9123}))
    until(lambda: full(ring))
    assert status(engine)["controls"] == 0
    assert Device.pin_factory is None
    names = {thread.name for thread in threading.enumerate()}
    assert not names & {"spi", "pins", "network", "osc", "midi in"}


def test_killed_and_started_again_it_goes_on_with_hands_where_they_were(begin, ring: Ring, tmp_path: Path) -> None:
    settings = tmp_path / "latent.toml"
    settings.write_text(
        '[music]\nseed = 7\nbeds = "none"\n\n[controls.knob]\nsource = "mcp3008"\nchannel = 0\nmoves = "pitch"\n'
    )
    surroundings = os.environ | {"RUNTIME_DIRECTORY": str(tmp_path / "run")}

    def life() -> subprocess.Popen[bytes]:
        command = [
            sys.executable,
            "-c",
            "from appliance.cli.main import main; main()",
            "engine",
            "--config",
            str(settings),
        ]
        return subprocess.Popen(command, env=surroundings, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def mood() -> dict[str, float] | None:
        try:
            return ask(tmp_path / "run", {"do": "mood"})["mood"]
        except LatentError:
            return None

    first = life()
    try:
        until(lambda: full(ring) and mood())
        ask(tmp_path / "run", {"do": "mood", "set": {"pitch": -0.75, "pace": 2.0}})
        ask(tmp_path / "run", {"do": "place", "set": {"x": 0.125}})
        threading.Event().wait(0.5)
        stood = mood()
        first.send_signal(signal.SIGKILL)
        first.wait(10.0)
        second = life()
        try:
            assert until(mood) == stood
            assert ask(tmp_path / "run", {"do": "place"})["place"]["x"] == 0.125
        finally:
            second.terminate()
            second.wait(10.0)
    finally:
        first.kill()
        first.wait(10.0)
