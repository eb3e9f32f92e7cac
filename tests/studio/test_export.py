"""From a corpus to a model that plays, through the command line; and what the shipped models promise."""

import functools
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from appliance.cli.main import main
from appliance.cli.studio import studio
from appliance.errors import StudioError, UsageError
from appliance.model import bundle
from appliance.model.decoder import open_decoder, open_encoder
from appliance.studio.corpus import Corpus
from appliance.studio.exporting import atlas, export, measure, motion
from appliance.studio.exporting.atlas import AtlasSettings
from appliance.studio.ledger import Ledger
from appliance.studio.training import checkpoint as kept
from appliance.studio.training import train as training
from appliance.studio.training.checkpoint import Checkpoint, TrainSettings
from appliance.studio.training.loss import decode_mean, rms_db

_MODELS = Path(__file__).parents[2] / "models"
_SHIPPED = sorted(path for path in _MODELS.glob("*.latent") if path.with_suffix(".toml").is_file())
_BARS = ("held_out_rms", "recordings_rms", "active", "unusable", "int8", "peaks")


def _run(*arguments: object) -> str:
    result = CliRunner().invoke(studio, [str(each) for each in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(autouse=True)
def _recordings(monkeypatch: pytest.MonkeyPatch, corpus: Corpus) -> None:
    """The independent test set need not be installed."""
    monkeypatch.setattr(measure, "steady_recordings", lambda folder: corpus.of("held_out")[:5])


@pytest.fixture
def work(corpus: Corpus, checkpoint: Checkpoint, tmp_path: Path) -> Path:
    """A work folder where all but the export is done."""
    shutil.copytree(corpus.folder, tmp_path / "work" / "corpus")
    kept.save(tmp_path / "work" / "model.pt", checkpoint)
    return tmp_path / "work"


def test_train_and_export_make_a_model_that_plays(
    work: Path, settings: TrainSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (work / "model.pt").unlink()
    tiny = functools.partial(TrainSettings, least_steps=40, batch=32, shape=settings.shape)
    monkeypatch.setattr(kept, "TrainSettings", tiny)
    said = _run("train", "--work", work, "--epochs", 1, "--seed", 7)
    assert re.search(r"^step 40 of 40: train \d+\.\d\d dB, tune \d+\.\d\d dB, kept; 0 min left  .$", said, re.MULTILINE)
    assert re.search(r"held-out sources, RMS: network \d+\.\d\d dB, PCA-32 \d+\.\d\d dB", said)
    assert kept.load(work / "model.pt").settings.seed == 7
    out = tmp_path / "small.latent"
    card = _run(
        *("export", out, "--work", work, "--places", 16),
        *("--author", "Ada Example", "--licence", "CC0", "--character", "Small."),
    )
    made = bundle.read(out)
    assert card == made.parts.card + "\n" == (tmp_path / "small.md").read_text() + "\n"
    manifest = made.manifest
    assert (manifest.name, manifest.author, manifest.licence) == ("small", "Ada Example", "CC0")
    spectra = open_decoder(made).decode(made.parts.atlas)
    assert spectra.shape == (16, 1233)
    assert open_encoder(made).encode(spectra).shape == (16, 32)
    again = open_decoder(made).decode(made.parts.golden_latents)
    assert np.sqrt(np.mean((again - made.parts.golden_spectra) ** 2)) * 96.0 <= made.parts.golden_tolerance_db


def test_the_card_and_the_manifest_tell_what_was_measured(work: Path, tmp_path: Path) -> None:
    card = _run("export", tmp_path / "small.latent", "--work", work, "--places", 16)
    for told in ("Small.", "Ada Example"):
        assert told not in card
    for told in ("FluidR3/halo pad", "glass (8)", "FluidR3_GM, MIT", "Licence of the model: all rights reserved."):
        assert told in card, told
    manifest = bundle.read(tmp_path / "small.latent").manifest
    scores = manifest.statistics.scores
    for name in ("held_out", "recordings"):
        ratio = scores[f"model_{name}_rms_db"] / scores[f"pca_{name}_rms_db"]
        assert f"over that of PCA-32 | {ratio:.2f} |" in card
    assert f"| active dimensions | {scores['active_dimensions']:.0f} | >= 28 |" in card
    assert f"| {scores['prior_unusable']:.1%} | < 2 % |" in card
    assert f"{scores['int8_us']:.0f} us" in card
    assert {"model_prior_peaks_db", "data_train_peaks_db", "int8_off_db", "fp32_us"} <= scores.keys()
    assert len(manifest.pca_names) == len(manifest.pca_axes) == len(manifest.pca_scale) == 15
    assert all(re.fullmatch(r"mixed|\w+ [+-]\d+\.\d", name) for name in manifest.pca_names)
    assert ", ".join(manifest.pca_names[:8]) in card
    assert set(manifest.directions) == {"pitch", "level", "tonality"}
    assert manifest.statistics.wiggle_speed > 0.0


def test_a_hand_stops_training_in_a_sentence(
    work: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(training, "loss", lambda *_: signal.raise_signal(signal.SIGINT))
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(SystemExit) as caught:
        main(["studio", "train", "--work", str(work)])
    assert caught.value.code == 1
    assert capsys.readouterr().err == "latent: Stopped; the same command goes on from there.\n"
    assert signal.getsignal(signal.SIGINT) == before


def test_an_export_into_no_folder_is_refused_before_anything_is_measured(
    work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["studio", "export", str(tmp_path / "absent" / "m.latent"), "--work", str(work)])
    assert caught.value.code == 2
    assert "absent; make it, or name another." in capsys.readouterr().err
    assert not (tmp_path / "absent").exists()


def test_a_checkpoint_of_other_clips_is_refused(work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Ledger(work / "corpus") as ledger:
        ledger.decide(3, False)
    with pytest.raises(SystemExit) as caught:
        main(["studio", "export", str(tmp_path / "m.latent"), "--work", str(work), "--places", "16"])
    assert caught.value.code == 1
    said = "latent: The checkpoint was trained on other clips than are kept now; run 'latent studio train'.\n"
    assert capsys.readouterr().err == said
    assert not (tmp_path / "m.latent").exists()


def test_no_held_out_clips_no_score(corpus: Corpus, checkpoint: Checkpoint, tmp_path: Path) -> None:
    blind = replace(corpus, split=np.minimum(corpus.split, 1))
    with pytest.raises(StudioError, match="no held-out clips"):
        export.export(
            blind,
            replace(checkpoint, corpus=blind.digest),
            tmp_path / "m.latent",
            export.ExportSettings("m", "CC0", "Ada", atlas=AtlasSettings(places=16)),
        )


@pytest.mark.parametrize("faster", ["int8", "float32"])
def test_the_faster_decoder_ships(
    corpus: Corpus, checkpoint: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, faster: str
) -> None:
    taken_us = {"int8": [20.0, 10.0], "float32": [10.0, 20.0]}[faster]
    monkeypatch.setattr(measure, "time_us", lambda decoders, z: taken_us)
    wanted = export.ExportSettings("m", "CC0", "Ada", created="2026-01-01", atlas=AtlasSettings(places=16))
    made = export.export(corpus, checkpoint, tmp_path / "m.latent", wanted).bundle
    assert f"The decoder is {faster}" in made.parts.card
    assert (b"MatMulInteger" in made.parts.decoder) == (faster == "int8")
    scores = made.manifest.statistics.scores
    assert (scores["int8_us"] < scores["fp32_us"]) == (faster == "int8")
    assert scores["int8_off_db"] > 0.0
    assert faster != "int8" or export.export(corpus, checkpoint, made.path, wanted).bundle.digest == made.digest


def _tune_rms_db(corpus: Corpus, checkpoint: Checkpoint, model: atlas.LendingDecoder) -> tuple[float, float]:
    """Error on the tuning clips with detail lent and without."""
    tune = torch.from_numpy(corpus.of("tune"))
    with torch.no_grad():
        lent = model.decode(checkpoint.encoder(tune)[0].numpy())
    alone = rms_db(decode_mean(checkpoint.encoder, checkpoint.decoder, tune), tune)
    return measure.rms_db(lent, tune.numpy()), alone


def test_lending_costs_the_tuning_clips_hardly_anything(corpus: Corpus, checkpoint: Checkpoint) -> None:
    settings = AtlasSettings(places=64)
    places, spectra = atlas.choose(corpus, checkpoint.encoder, settings)
    lent, alone = _tune_rms_db(corpus, checkpoint, export.lending(corpus, checkpoint, places, spectra, settings))
    assert lent <= alone + 0.03


def test_places_with_the_wrong_detail_nearby_lend_less_far(corpus: Corpus, checkpoint: Checkpoint) -> None:
    with torch.no_grad():
        tune = checkpoint.encoder(torch.from_numpy(corpus.of("tune")))[0]
    rng = torch.Generator().manual_seed(0)
    away = torch.randn(tune.shape, generator=rng)
    nearest = atlas.nearest_median(tune)
    places = tune + 0.8 * nearest * away / away.norm(dim=1, keepdim=True)
    noise = torch.rand(len(places), 1233, generator=rng)
    settings = AtlasSettings(places=len(places))
    eager = atlas.LendingDecoder(checkpoint.decoder, places, noise, settings)
    lent, alone = _tune_rms_db(corpus, checkpoint, eager)
    assert lent > alone + 1.0
    careful = export.lending(corpus, checkpoint, places, noise, settings)
    assert careful.settings.reach < 1.0
    assert _tune_rms_db(corpus, checkpoint, careful)[0] <= alone + 0.03


def test_help_of_every_step_has_an_example() -> None:
    for arguments in ((), ("gather",), ("curate",), ("train",), ("report",), ("export",), ("make",)):
        assert "Example:" in _run(*arguments, "--help")


def test_a_model_must_be_called_one(work: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"must end in \.latent, as in mine\.latent"):
        _run("export", tmp_path / "mine.zip", "--work", work)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("beta=1", "no weight called 'beta'; there are kl, "),
        ("kl=soft", "The weight kl must be a number, as in kl="),
        ("kl=-1", "The weight kl must be 0 or more"),
        ("kl=inf", "The weight kl must be 0 or more"),
    ],
)
def test_a_weight_that_cannot_be_is_refused(work: Path, given: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        _run("train", "--work", work, "--weight", given)


def test_without_torch_a_sentence_says_what_to_install() -> None:
    line = "import sys; sys.modules['torch'] = None; from appliance.cli.main import main; main(['studio', 'train'])"
    done = subprocess.run([sys.executable, "-c", line], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "latent: torch is missing; install it with 'pip install .[studio]'.\n"


def _kept(scores: dict[str, float]) -> dict[str, bool]:
    """Which bars a model keeps."""
    lost = {
        name: scores[f"data_{data}_peaks_db"] - scores[f"model_{name}_peaks_db"]
        for name, data in (("held_out", "held_out"), ("recordings", "recordings"), ("prior", "train"))
    }
    return {
        "held_out_rms": scores["model_held_out_rms_db"] <= 0.75 * scores["pca_held_out_rms_db"],
        "recordings_rms": scores["model_recordings_rms_db"] <= 0.95 * scores["pca_recordings_rms_db"],
        "active": scores["active_dimensions"] >= 28,
        "unusable": scores["prior_unusable"] < 0.02,
        "int8": scores["int8_off_db"] <= 0.5 and scores["int8_us"] < scores["fp32_us"],
        "peaks": abs(lost["held_out"]) <= 4.0 and abs(lost["recordings"]) <= 8.0 and abs(lost["prior"]) <= 6.0,
    }


def test_a_model_that_misses_a_bar_would_be_seen() -> None:
    good = {
        "pca_held_out_rms_db": 8.0, "model_held_out_rms_db": 5.9,
        "pca_recordings_rms_db": 8.0, "model_recordings_rms_db": 7.5,
        "active_dimensions": 28.0, "prior_unusable": 0.019, "int8_off_db": 0.4, "int8_us": 60.0, "fp32_us": 80.0,
        "data_held_out_peaks_db": 41.0, "model_held_out_peaks_db": 37.5,
        "data_recordings_peaks_db": 31.0, "model_recordings_peaks_db": 24.0,
        "data_train_peaks_db": 40.0, "model_prior_peaks_db": 45.0,
    }  # fmt: skip
    assert set(_kept(good)) == set(_BARS)
    assert all(_kept(good).values())
    for name, value, bar in (
        ("model_held_out_rms_db", 6.1, "held_out_rms"),
        ("model_recordings_rms_db", 7.7, "recordings_rms"),
        ("active_dimensions", 27.0, "active"),
        ("prior_unusable", 0.02, "unusable"),
        ("int8_us", 80.0, "int8"),
        ("int8_off_db", 0.6, "int8"),
        ("model_held_out_peaks_db", 36.0, "peaks"),
        ("model_recordings_peaks_db", 22.0, "peaks"),
        ("model_prior_peaks_db", 47.0, "peaks"),
    ):
        assert [each for each, fine in _kept({**good, name: value}).items() if not fine] == [bar]


def test_models_are_shipped_with_their_recipes() -> None:
    assert "default" in {path.stem for path in _SHIPPED}


@pytest.mark.parametrize("path", _SHIPPED, ids=[path.stem for path in _SHIPPED])
def test_the_shipped_model_keeps_what_its_card_promises(path: Path) -> None:
    shipped = bundle.read(path)
    assert shipped.parts.card == path.with_suffix(".md").read_text()
    assert path.stat().st_size < 10 * 2**20
    scores = shipped.manifest.statistics.scores
    assert "active_dimensions" in scores, f"{path.name} was exported before all was measured; make it again"
    missed = {name for name, fine in _kept(scores).items() if not fine}
    assert not missed, f"{path.name} misses {missed}"


@pytest.mark.parametrize("path", _SHIPPED, ids=[path.stem for path in _SHIPPED])
def test_the_shipped_model_goes_there_and_back(path: Path) -> None:
    shipped = bundle.read(path)
    decoder, places = open_decoder(shipped), shipped.parts.atlas
    assert len(places) >= 2048
    once = decoder.decode(places[:64])
    assert once.min() >= 0.0
    assert once.max() <= 1.0
    again = decoder.decode(open_encoder(shipped).encode(once))
    assert np.sqrt(np.mean((again - once) ** 2)) * 96.0 < 6.0
    # Music is the same to the bit however many sounds are decoded together.
    far = np.random.default_rng(6).standard_normal((64, places.shape[1])).astype(np.float32)
    alone = np.concatenate([decoder.decode(row[np.newaxis]) for row in far])
    assert all(np.array_equal(decoder.decode(far[first:]), alone[first:]) for first in range(0, 61, 5))
    axes = np.array(shipped.manifest.pca_axes)
    assert np.allclose(axes @ axes.T, np.eye(32), atol=1e-5)


@pytest.mark.parametrize("path", _SHIPPED, ids=[path.stem for path in _SHIPPED])
def test_the_directions_of_the_shipped_model_move_their_own_trait(path: Path) -> None:
    shipped = bundle.read(path)
    ways = {name: np.array(way, dtype=np.float32) for name, way in shipped.manifest.directions.items()}
    told = motion.movements(
        shipped.parts.atlas, *motion.principal_axes(shipped.parts.atlas), ways, open_decoder(shipped).decode
    )
    for name, one in told.items():
        assert one.steady, name
        assert one.moved.pop(name) > 0.7, name
        assert all(abs(moved) < 0.5 for moved in one.moved.values()), (name, one.moved)
