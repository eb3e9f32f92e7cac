"""Corpora to curate, the page served in a thread, and a client that asks as a browser does."""

import contextlib
import http.client
import io
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import soundfile
import uvicorn
from starlette.applications import Starlette

from appliance.spectrum import codec, traits
from appliance.studio.corpus import LOUDNESS_LUFS
from appliance.studio.curating.curate import app
from appliance.studio.ledger import Clip, Entry, Ledger

RATE = 44_100
PATIENCE_S = 20.0


def recorded(kind: str, seed: int, seconds: float = 6.0) -> np.ndarray:
    """A chord or a noise, (frames, 2) float32."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(round(seconds * RATE)) / RATE
    if kind == "noise":
        return (0.1 * rng.standard_normal((len(time_s), 2))).astype(np.float32)
    chord = sum(np.sin(2 * np.pi * hz * time_s + rng.uniform(0, 6)) for hz in rng.uniform(110, 880, 4))
    return np.repeat((0.08 * chord)[:, np.newaxis], 2, axis=1).astype(np.float32)


def clip(frames: np.ndarray, start_s: float) -> Clip:
    """As gathering makes it."""
    at = round(start_s * RATE)
    spectrum = codec.analyse(frames[at : at + 2 * RATE], RATE)
    lufs = float(traits.level(spectrum[np.newaxis])[0])
    levelled = np.clip(spectrum + (lufs - LOUDNESS_LUFS) / codec.FLOOR_DB, 0.0, 1.0)
    return Clip(start_s, levelled.astype(np.float32), lufs, 0.0, 0.0)


def gathered(folder: Path, sources: int = 8) -> Path:
    """A corpus of real recordings, two clips of each, half of them chords and half noises."""
    corpus = folder / "corpus"
    with Ledger(corpus) as ledger:
        for number in range(sources):
            kind = ("chord", "noise")[number % 2]
            path = folder / f"{kind}-{number}.wav"
            frames = recorded(kind, number)
            soundfile.write(path, frames, RATE, subtype="PCM_16")
            clips = [clip(frames, start_s) for start_s in (0.5, 3.0)]
            ledger.add(Entry(f"garden/{path.name}", path=str(path), licence="CC0-1.0", clips=clips))
    return corpus


def synthesised(corpus: Path, count: int, seed: int = 1) -> np.ndarray:
    """A corpus without recordings, ten clips of each source; gives which are tones (the others are noises)."""
    rng = np.random.default_rng(seed)
    tones = rng.random(count) < 0.5
    clips = []
    for tone in tones:
        spectrum = np.clip(rng.normal(0.15 if tone else 0.45, 0.03, codec.BINS), 0.0, 1.0)
        if tone:
            spectrum[rng.integers(300, 1000, 12)] = 0.75
        lufs = float(traits.level(spectrum[np.newaxis].astype(np.float32))[0])
        clips.append(Clip(0.0, spectrum.astype(np.float32), lufs, 0.0, 0.0))
    with Ledger(corpus) as ledger:
        for first in range(0, count, 10):
            ledger.add(Entry(f"made {first}", clips=clips[first : first + 10]))
    return tones


@contextlib.contextmanager
def served(corpus: Path) -> Iterator[tuple[str, Starlette]]:
    """The page at a free port: its address, and the application behind it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        application = app(corpus)
        config = uvicorn.Config(application, log_level="warning", access_log=False, ws="none", lifespan="on")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}", application
        finally:
            server.should_exit = True
            thread.join(PATIENCE_S)
        assert not thread.is_alive()


class Client:
    """Asks as a browser does."""

    def __init__(self, url: str) -> None:
        self.port = urlsplit(url).port

    def __call__(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, named)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def get(self, path: str) -> dict[str, Any]:
        status, _, body = self("GET", path)
        assert status == 200, body
        told: dict[str, Any] = json.loads(body)
        return told

    def post(self, path: str, **body: object) -> dict[str, Any]:
        status, _, answer = self("POST", path, json.dumps(body).encode(), content_type="application/json")
        assert status == 200, answer
        told: dict[str, Any] = json.loads(answer)
        return told

    def refused(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, str]:
        if method == "POST" and "content_type" not in headers:
            headers["content_type"] = "application/json"
        status, _, answer = self(method, path, body, **headers)
        return status, json.loads(answer)["error"]

    def sound(self, row: int, kind: str) -> tuple[np.ndarray, int]:
        status, headers, body = self("GET", f"/api/clips/{row}/{kind}.wav")
        assert status == 200, body
        assert headers["content-type"] == "audio/wav"
        assert soundfile.info(io.BytesIO(body)).subtype == "PCM_16"
        return soundfile.read(io.BytesIO(body), dtype="float32", always_2d=True)
