"""From a folder as artists have them to music of their own, through the command line."""

import functools
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import listening
import mixed_folder
import pytest
from curating import PATIENCE_S, Client

from appliance.cli.main import main
from appliance.model import bundle
from appliance.studio.ledger import Ledger
from appliance.studio.training import checkpoint as kept
from appliance.studio.training.checkpoint import TrainSettings

_LATENT = "from appliance.cli.main import main; main()"

Latent = Callable[..., str]


@pytest.fixture
def latent(
    settings: TrainSettings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Latent:
    """Run a command where the artist works; gives what it prints. Training takes a moment instead of minutes."""
    tiny = functools.partial(TrainSettings, least_steps=60, batch=16, shape=settings.shape)
    monkeypatch.setattr(kept, "TrainSettings", tiny)
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> str:
        with pytest.raises(SystemExit) as caught:
            main(list(words))
        printed = capsys.readouterr()
        assert not caught.value.code, printed.err
        return printed.out

    return run


def _curated(rejected: list[int], of: int) -> None:
    """Reject these and keep the others, on the page that `latent studio curate` serves, and press Ctrl-C."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-c", _LATENT, "studio", "curate", "--port", str(port)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"}
    ) as page:
        assert page.stdout is not None
        url = f"http://127.0.0.1:{port}"
        assert url in page.stdout.readline()
        client = Client(url)
        for row in range(of):
            state = client.post("/api/decide", row=row, keep=row not in rejected)
        assert (state["kept"], state["rejected"]) == (of - len(rejected), len(rejected))
        page.send_signal(signal.SIGINT)
        assert page.wait(PATIENCE_S) == 0


def test_a_mixed_folder_becomes_music_in_five_commands(latent: Latent, tmp_path: Path) -> None:
    good = mixed_folder.make(tmp_path / "my recordings")

    said = latent("studio", "gather", "my recordings", "--licence", "CC0", "--jobs", "1")
    assert "clips from 44 files" in said
    assert "latent studio train" in said
    with Ledger(tmp_path / "studio-work" / "corpus") as ledger:
        rows = ledger.told()
    assert {one.source.removeprefix("my recordings/") for one in rows} == set(good)

    unloved = [at for at, one in enumerate(rows) if one.source == "my recordings/chord.wav"]
    _curated(unloved, len(rows))

    said = latent("studio", "train")
    assert re.search(r"^step (\d+) of \1: ", said, re.MULTILINE)
    assert "latent studio export mine.latent" in said

    said = latent("studio", "report")
    assert re.search(r"PCA-32", said)
    assert "<svg" in (tmp_path / "studio-work" / "report.html").read_text()

    card = latent("studio", "export", "mine.latent", "--author", "Ada Example", "--licence", "CC-BY-4.0")
    assert "chord.wav" not in card
    made = bundle.read(tmp_path / "mine.latent")
    assert made.manifest.author == "Ada Example"
    assert len(made.parts.atlas) <= len(rows) - len(unloved)

    latent("render", "first.flac", "--model", "mine.latent", "--seconds", "20", "--seed", "3", "--beds", "none")
    lufs, dbtp = listening.loudness_by_ffmpeg(tmp_path / "first.flac")
    # A few seconds are as loud as their piece, which may lie 4 LU under the loudest and swell.
    assert lufs == pytest.approx(-20.0, abs=5.0)
    assert dbtp <= -1.0
