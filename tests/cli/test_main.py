import re

import pytest


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
