"""From nothing to a model that plays, through the command line."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from appliance.cli.studio import studio
from appliance.errors import StudioError
from appliance.model import bundle
from appliance.model.decoder import open_decoder, open_encoder
from appliance.studio import export, train
from appliance.studio.atlas import AtlasSettings
from appliance.studio.gather import Corpus

_SHIPPED = Path(__file__).parents[2] / "models" / "default.latent"


def _run(*arguments: str) -> str:
    result = CliRunner().invoke(studio, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_gather_train_and_export_make_a_model_that_plays(tmp_path: Path) -> None:
    corpus, checkpoint, out = (str(tmp_path / name) for name in ("corpus.npz", "checkpoint.pt", "small.latent"))
    _run("gather", "--out", corpus, "--clips", "60", "--tune-clips", "4", "--test-clips", "6", "--jobs", "1")
    said = _run("train", "--corpus", corpus, "--out", checkpoint, "--epochs", "2", "--threads", "1")
    assert re.search(r"held-out instruments, RMS: network \d+\.\d\d dB, PCA-32 \d+\.\d\d dB", said)
    card = _run("export", out, "--corpus", corpus, "--checkpoint", checkpoint, "--places", "16")
    assert "reed organ" in card
    assert (tmp_path / "small.md").read_text() in card
    made = bundle.read(Path(out))
    assert made.parts.card == (tmp_path / "small.md").read_text()
    assert made.manifest.name == "small"
    spectra = open_decoder(made).decode(made.parts.atlas)
    assert spectra.shape == (16, 1233)
    assert open_encoder(made).encode(spectra).shape == (16, 32)


def test_help_of_every_step_has_an_example() -> None:
    for arguments in ((), ("gather",), ("train",), ("export",)):
        assert "Example:" in _run(*arguments, "--help")


def test_without_torch_a_sentence_says_what_to_install() -> None:
    line = "import sys; sys.modules['torch'] = None; from appliance.cli.main import main; main(['studio', 'train'])"
    done = subprocess.run([sys.executable, "-c", line], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "latent: torch is missing; install it with 'pip install .[studio]'.\n"


def test_no_held_out_clips_no_score(corpus: Corpus, checkpoint: train.Checkpoint, tmp_path: Path) -> None:
    rows = corpus.rows("train")
    blind = Corpus(
        *(values[rows] for values in (corpus.spectra, corpus.split, corpus.programs, corpus.notes)),
        corpus.drift_db[rows],
        corpus.flutter_db[rows],
        corpus.settings,
    )
    with pytest.raises(StudioError, match="no held-out clips"):
        export.export(blind, checkpoint, tmp_path / "m.latent", export.ExportSettings(atlas=AtlasSettings(places=16)))


def test_the_shipped_model_keeps_what_its_card_promises() -> None:
    shipped = bundle.read(_SHIPPED)
    scores = shipped.manifest.statistics.scores
    assert scores["model_held_out_rms_db"] < scores["pca_held_out_rms_db"] - 0.5
    assert scores["model_held_out_peaks_db"] > scores["pca_held_out_peaks_db"] + 5.0
    assert scores["int8_off_db"] <= export.INT8_LIMIT_DB
    assert shipped.parts.card == _SHIPPED.with_suffix(".md").read_text()
    decoder, places = open_decoder(shipped), shipped.parts.atlas
    once = decoder.decode(places[:64])
    assert once.min() >= 0.0
    assert once.max() <= 1.0
    again = decoder.decode(open_encoder(shipped).encode(once))
    assert np.sqrt(np.mean((again - once) ** 2)) * 96.0 < 6.0
    axes = np.array(shipped.manifest.pca_axes)
    assert np.allclose(axes @ axes.T, np.eye(32), atol=1e-5)
