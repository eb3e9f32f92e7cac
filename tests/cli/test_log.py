import re

import pytest

from appliance.api.client import control_path
from appliance.api.server import Server
from appliance.folders import runtime_folder

LOG = ('{"seed": 7, "moved": [0.1, 1e-300]}\n' + '{"é": "' + "x" * 3_000_000 + '"}\n').encode()


class Desk:
    def log(self):
        return LOG


@pytest.fixture
def nobody(tmp_path, monkeypatch):
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path / "run"))


@pytest.fixture
def desk(nobody):
    server = Server(control_path(runtime_folder()), Desk(), pytest.fail)
    yield
    server.close()


def test_help_has_an_example(latent):
    assert re.search(r"Example:\s+latent log", latent("log", "--help").out)


def test_the_log_is_written_as_the_engine_gives_it(latent, desk, tmp_path):
    file = tmp_path / "a night.json"
    file.write_text("an older one")
    outcome = latent("log", file)
    assert outcome.code == 0, outcome.err
    assert file.read_bytes() == LOG
    assert outcome.out == f"{file}: 3.0 MB. Hear it again with: latent render again.flac --replay '{file}'\n"


def test_without_an_engine_the_older_file_stays(latent, nobody, tmp_path):
    file = tmp_path / "night.json"
    file.write_text("an older one")
    outcome = latent("log", file)
    assert outcome.code == 1
    assert outcome.err == "latent: No engine is running; start it with latent play.\n"
    assert file.read_text() == "an older one"


@pytest.mark.parametrize(
    ("where", "part"),
    [
        ("/dev/null", "/dev/null is not an ordinary file"),
        ("/missing/night.json", "There is no folder /missing"),
        ("/proc/night.json", "/proc/night.json cannot be written"),
        ("/tmp", "is a directory"),
    ],
)
def test_a_place_that_cannot_be_is_one_sentence(latent, desk, where, part):
    outcome = latent("log", where)
    assert outcome.code in (1, 2)
    assert part in outcome.err
    assert outcome.err.count("\n") == 1
