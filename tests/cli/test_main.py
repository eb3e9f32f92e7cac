import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from appliance.cli.main import cli, main


def test_without_arguments_it_says_what_there_is(latent):
    outcome = latent()
    assert outcome.code == 2
    assert "render" in outcome.out


@pytest.mark.parametrize("command", [[], ["render"], ["play"], ["studio"]])
def test_every_command_has_help_with_an_example(latent, command):
    outcome = latent(*command, "--help")
    assert outcome.code == 0
    assert re.search(r"Example:\s+latent ", outcome.out)


def test_a_misspelt_command_is_recognised(latent):
    outcome = latent("rendr", "x.wav")
    assert outcome.code == 2
    assert outcome.err == "latent: There is no command called 'rendr': did you mean render?\n"


def test_a_misspelt_option_is_one_sentence(latent):
    outcome = latent("render", "x.wav", "--secnds", "3")
    assert outcome.code == 2
    assert outcome.err.count("\n") == 1
    assert "--seconds" in outcome.err


def test_version(latent):
    assert latent("--version").out.startswith("latent, version ")


def test_what_nobody_foresaw_is_one_sentence_too(latent, monkeypatch):
    def fail(*_):
        raise RuntimeError("on\nfire")

    monkeypatch.setattr("appliance.cli.render.Mood.parse", fail)
    outcome = latent("render", "x.wav")
    assert outcome.code == 1
    assert outcome.err == "latent: That did not work (RuntimeError: on fire); LATENT_DEBUG=1 shows where.\n"
    monkeypatch.setenv("LATENT_DEBUG", "1")
    with pytest.raises(RuntimeError):
        main(["render", "x.wav"])


@pytest.mark.parametrize("words", [["--help"], ["--version"]])
def test_a_full_output_is_one_sentence(words):
    with open("/dev/full", "w") as full:  # noqa: PTH123
        command = [sys.executable, "-c", "from appliance.cli.main import main; main()", *words]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])
    assert done.returncode == 1
    assert done.stderr == "latent: That did not work (No space left on device); LATENT_DEBUG=1 shows where.\n"


def test_a_model_is_exported_as_a_latent_file_or_not_at_all(latent):
    outcome = latent("studio", "export", "studio-work/corpus.npz")
    assert outcome.code == 2
    assert outcome.err == "latent: studio-work/corpus.npz must end in .latent, as in corpus.latent.\n"


@pytest.mark.parametrize(("command", "threads"), [("render", "1"), ("engine", "1"), ("studio", "8")])
def test_sound_is_made_by_one_thread_so_that_it_is_the_same_everywhere(
    monkeypatch: pytest.MonkeyPatch, command: str, threads: str
) -> None:
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.setenv(variable, "8")
    assert cli.get_command(click.Context(cli), command) is not None
    assert os.environ["OMP_NUM_THREADS"] == os.environ["OPENBLAS_NUM_THREADS"] == threads
