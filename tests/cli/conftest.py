from dataclasses import dataclass

import pytest

from appliance.cli.main import main


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
