"""A shipped model from its recipe, through the command line."""

import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from appliance.cli.main import main
from appliance.cli.studio import studio
from appliance.model import bundle
from appliance.model.decoder import open_decoder
from appliance.studio.corpus import Corpus
from appliance.studio.exporting import measure
from appliance.studio.sources import compose, make
from appliance.studio.sources.recipe import read
from appliance.studio.training import checkpoint, train
from appliance.studio.training.checkpoint import TrainSettings

_RECIPE = """
name = "small"
licence = "CC0"
author = "Ada Example"
character = "Strings on glass."
seed = 5
clips = 40
test_clips = 3
epochs = 2
places = 20

[[soundfonts]]
name = "FluidR3"
file = "/usr/share/sounds/sf2/FluidR3_GM.sf2"
package = "fluid-soundfont-gm"
licence = "FluidR3_GM, MIT"
share = 0.5
programs = [48, 89, 41, 94]

[[textures]]
licence = "synthesised, MIT"
share = 0.5
patches = { glass = 10 }
"""
# What is measured anew each time (how long things take) is told in these.
_TIMED = {"manifest.json", "CARD.md"}


@pytest.fixture
def recipe_file(tmp_path: Path, settings: TrainSettings, corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(make, "TrainSettings", lambda: replace(settings, least_steps=40))
    monkeypatch.setattr(train, "_ROUND_STEPS", 20)
    monkeypatch.setattr(measure, "steady_recordings", lambda folder: corpus.of("held_out")[:5])
    monkeypatch.setattr(measure, "time_us", lambda decoders, z: [20.0, 10.0])
    (tmp_path / "small.toml").write_text(_RECIPE)
    return tmp_path / "small.toml"


def _make(recipe: Path, *arguments: object) -> str:
    command = ["make", str(recipe), "--jobs", "1", *map(str, arguments)]
    result = CliRunner().invoke(studio, command, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def _members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as held:
        return {name: held.read(name) for name in held.namelist()}


def test_a_recipe_becomes_a_model_and_again_the_same(
    recipe_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work, out = tmp_path / "work", tmp_path / "small.latent"
    said = _make(recipe_file, "--work", work)
    assert "step 40 of 40" in said
    made = bundle.read(out)
    assert said.endswith(f"{made.parts.card}\n")
    assert (tmp_path / "small.md").read_text() == made.parts.card
    manifest = made.manifest
    assert (manifest.name, manifest.licence, manifest.author) == ("small", "CC0", "Ada Example")
    for told in (
        "Strings on glass.",
        f"Made by `latent studio make {recipe_file}`: 0 minutes for the corpus and 0 for the training",
        "Trained on: 36 clips of 10 sources: FluidR3/strings, FluidR3/warm pad, glass (8).",
        "Held out (the score): 6 clips of 2 sources: FluidR3/halo pad, glass.",
        "- FluidR3_GM, MIT\n- synthesised, MIT",
    ):
        assert told in made.parts.card, told
    assert made.parts.atlas.shape[1] == 32
    assert 16 <= len(made.parts.atlas) <= 20
    assert open_decoder(made).decode(made.parts.atlas).shape == (len(made.parts.atlas), 1233)
    assert checkpoint.load(work / "model.pt").settings.seed == 5
    assert checkpoint.load(work / "model.pt").settings.epochs == 2

    first = _members(out)
    monkeypatch.setattr(compose, "play", None)
    monkeypatch.setattr(train, "loss", None)
    assert "step" not in _make(recipe_file, "--work", work, "--out", tmp_path / "again.latent").split("# small")[0]
    again = _members(tmp_path / "again.latent")
    assert again.keys() == first.keys()
    assert {name for name in first if first[name] != again[name]} <= _TIMED


def test_a_making_broken_off_while_it_measures_trains_no_second_time(
    recipe_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(make.export, "export", stop)
    with pytest.raises(KeyboardInterrupt):
        make.make(*_arguments(recipe_file, tmp_path, []))
    monkeypatch.setattr(make.export, "export", lambda clips, made, out, wanted: made)
    rounds: list[train.Progress] = []
    make.make(*_arguments(recipe_file, tmp_path, rounds))
    assert rounds == []
    other = tmp_path / "other.toml"
    other.write_text(_RECIPE.replace("epochs = 2", "epochs = 30"))
    make.make(*_arguments(other, tmp_path, rounds))
    assert [progress.step for progress in rounds] == [20, 40]


def _arguments(recipe: Path, folder: Path, rounds: list[train.Progress]) -> tuple[object, ...]:
    steps = make.Steps(lambda done, of: None, rounds.append)
    return read(recipe), recipe.name, folder / "work", folder / "small.latent", 1, steps


def test_what_is_wrong_with_a_recipe_is_said_in_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "small.toml"
    for content, said in (
        (None, "There is no recipe"),
        ("name = 3", "is not a recipe"),
        (_RECIPE.replace("48, 89", "0, 89"), "asks for program 0, which nothing plays; mend it."),
        (_RECIPE.replace("/usr/share/sounds", "/nowhere"), "apt install fluid-soundfont-gm"),
        (_RECIPE.replace("epochs = 2", "weights = { loud = 1 }\nepochs = 2"), "no use for a weight called loud; there"),
    ):
        if content:
            path.write_text(content)
        with pytest.raises(SystemExit) as caught:
            main(["studio", "make", str(path), "--work", str(tmp_path / "work")])
        assert caught.value.code == 1
        err = capsys.readouterr().err
        assert err.startswith("latent: ")
        assert said in err
        assert err.count("\n") == 1
    assert not (tmp_path / "small.latent").exists()
