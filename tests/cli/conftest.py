from dataclasses import dataclass

import pytest
from desk import Desk

from appliance.api.client import control_path
from appliance.api.server import Server
from appliance.cli.main import main
from appliance.folders import runtime_folder


@dataclass
class Outcome:
    code: int
    out: str
    err: str


@pytest.fixture
def latent(capsys):
    """Run the command line in this process: exit code and what it printed."""

    def run(*args: object) -> Outcome:
        with pytest.raises(SystemExit) as caught:
            main([str(arg) for arg in args])
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err
        return Outcome(int(caught.value.code or 0), printed.out, printed.err)

    return run


@pytest.fixture
def nobody(tmp_path, monkeypatch):
    """A runtime folder in which no engine is."""
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path / "run"))


@pytest.fixture
def desk(nobody):
    """An engine that only pretends, behind a real control socket."""
    made = Desk()
    server = Server(control_path(runtime_folder()), made, pytest.fail)
    yield made
    server.close()
