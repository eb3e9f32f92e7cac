"""`latent snapcast` as a process of its own."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sawtooth import RATE, Player, Server, longest

from appliance.cli.main import main

HOUSE = Path(__file__).parents[2]
PATIENCE_S = 20.0


def test_settings_without_a_server_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "latent.toml"
    path.touch()
    with pytest.raises(SystemExit) as caught:
        main(["snapcast", "--config", str(path)])
    assert caught.value.code == 2
    assert "add a table [snapcast]" in capsys.readouterr().err


def test_the_command_sends_until_it_is_told_to_stop(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    player, server = Player(tmp_path / "run"), Server()
    player.send(3.0)
    (tmp_path / "latent.toml").write_text(f"[snapcast]\nport = {server.port}\n")
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "from appliance.cli.main import main; main()",
            "snapcast",
            "--config",
            str(tmp_path / "latent.toml"),
        ],
        env=os.environ | {"RUNTIME_DIRECTORY": str(tmp_path / "run")},
        cwd=HOUSE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        server.accept()
        for _ in range(40):
            player.send(0.032)
            time.sleep(0.032)
        assert longest(server.wait_for(0.5 * RATE)) > 0.4 * RATE
    finally:
        process.terminate()
        _, said = process.communicate(timeout=PATIENCE_S)
        server.close()
    assert process.returncode == 0, said
    assert "is there" in said
