"""A model is judged from its corpus and checkpoint, and the page holds all of it."""

import base64
import io
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from click.testing import CliRunner
from judged import chords, good

from appliance.cli.studio import studio
from appliance.errors import StudioError
from appliance.spectrum import codec
from appliance.studio import corpus
from appliance.studio.judging import assess, report, report_sounds, verdict
from appliance.studio.judging.assess import AssessSettings
from appliance.studio.judging.judgement import Example, Judgement
from appliance.studio.ledger import Clip, Entry, Ledger
from appliance.studio.training import checkpoint as kept
from appliance.studio.training import train
from appliance.studio.training.checkpoint import Checkpoint, TrainSettings
from appliance.studio.training.net import Shape

# More threads than idle cores make a small network a hundred times slower.
torch.set_num_threads(1)

_CLIPS = 4


@pytest.fixture(scope="module")
def gathered(tmp_path_factory: pytest.TempPathFactory) -> corpus.Corpus:
    folder = tmp_path_factory.mktemp("work") / "corpus"
    splits = ["train"] * 14 + ["tune"] * 3 + ["held_out"] * 3
    with Ledger(folder) as ledger:
        for number, split in enumerate(splits):
            clips = [Clip(2.0 * at, row, -24.0, 0.0, 0.0) for at, row in enumerate(chords(_CLIPS, number))]
            ledger.add(Entry(f"file {number}", licence="CC0" if number % 2 else "", clips=clips, split=split))
    return corpus.load(folder)


@pytest.fixture(scope="module")
def model(gathered: corpus.Corpus, tmp_path_factory: pytest.TempPathFactory) -> tuple[Checkpoint, Path]:
    path = tmp_path_factory.mktemp("model") / "model.pt"
    shape = Shape(encoder=32, block=16, blocks=1, last=32)
    settings = TrainSettings(epochs=1, least_steps=150, batch=32, rate=5e-3, shape=shape)
    return train.train(gathered, path, settings, lambda progress: None), train.history_of(path)


@pytest.fixture(scope="module")
def judged(gathered: corpus.Corpus, model: tuple[Checkpoint, Path]) -> Judgement:
    return assess.assess(gathered, model[0], AssessSettings(model[1], recordings=Path("/nowhere")))


class _Page(HTMLParser):
    """What a page points to, and what it leaves open."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.pictures: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        if tag not in ("meta", "path", "use", "rect", "br"):
            self.open.append(tag)
        self.ids += [told["id"] or ""] if "id" in told else []
        self.links += [told[name] or "" for name in ("src", "href") if name in told and tag != "use"]
        self.pictures += [told.get("aria-label") or ""] if tag == "svg" else []

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("path", "use", "rect"):
            assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("path", "use", "rect"):
            self.handle_starttag(tag, attrs)
            self.open.pop()

    def handle_data(self, data: str) -> None:
        self.text += data


def test_everything_is_judged(judged: Judgement, gathered: corpus.Corpus, model: tuple[Checkpoint, Path]) -> None:
    held = judged.parts["held_out"]
    assert (held.clips, held.sources) == (3 * _CLIPS, 3)
    again = torch.from_numpy(gathered.of("held_out"))
    by_pca = train.pca(torch.from_numpy(gathered.of("train")), again)
    assert held.pca_rms_db == pytest.approx(float((by_pca - again).square().mean().sqrt()) * 96.0, rel=1e-4)
    # A place lends a training clip all that the network left out of it.
    assert judged.parts["train"].rms_db < 0.5 * judged.parts["train"].alone_rms_db
    assert judged.places == 14 * _CLIPS
    assert {one.name for one in judged.sources} == {"file 17", "file 18", "file 19"}
    assert [one.rms_db for one in judged.sources] == sorted((one.rms_db for one in judged.sources), reverse=True)
    assert judged.precision is not None
    assert judged.precision.off_db < 1.0
    assert judged.training is not None
    assert judged.training.step[-1] == 150.0
    assert sorted(judged.material.licences) == [("", 10, 40), ("CC0", 10, 40)]
    assert [one.kind for one in judged.examples] == ["worst"] * 3 + ["usual"] * 3 + ["neighbours"] * 3 + ["draws"]
    assert "recordings" not in judged.parts
    assert any("/nowhere" in sentence for sentence in judged.missing)
    assert any("by chance" in sentence for sentence in judged.missing)


def test_the_same_model_is_judged_the_same(
    judged: Judgement, gathered: corpus.Corpus, model: tuple[Checkpoint, Path]
) -> None:
    again = assess.assess(gathered, model[0], AssessSettings(model[1], recordings=Path("/nowhere")))
    one, two = verdict.as_dict(judged), verdict.as_dict(again)
    for told in (one, two):
        del told["took_s"], told["precision"], told["scores"]
    assert one == two


def test_with_nothing_held_out_it_says_so(gathered: corpus.Corpus, model: tuple[Checkpoint, Path]) -> None:
    rows = gathered.rows("train")[:10]
    names = ("spectra", "split", "fit", "lufs", "drift_db", "flutter_db", "start_s", "row", "source")
    few = replace(gathered, **{name: getattr(gathered, name)[rows] for name in names})
    found = assess.assess(few, model[0], AssessSettings(Path("/nowhere/history.csv"), Path("/nowhere")))
    assert list(found.parts) == ["train"]
    assert (found.precision, found.training, found.places) == (None, None, 0)
    said = " ".join(found.missing)
    for part in ("not those that the model was trained on", "Nothing was held out", "without an atlas", "history.csv"):
        assert part in said
    assert "Is int8 as good" not in report.page(found)
    with pytest.raises(StudioError, match="7 clips to train on"):
        assess.assess(
            replace(few, **{name: getattr(few, name)[:7] for name in names}), model[0], AssessSettings(Path("/nowhere"))
        )


def test_a_damaged_history_is_named(gathered: corpus.Corpus, model: tuple[Checkpoint, Path], tmp_path: Path) -> None:
    (tmp_path / "history.csv").write_text("step,tune_rms_db\n400,five\n")
    with pytest.raises(StudioError, match=r"history\.csv is damaged"):
        assess.assess(gathered, model[0], AssessSettings(tmp_path / "history.csv", Path("/nowhere")))


def test_the_page_is_whole_and_needs_nothing_else(judged: Judgement, tmp_path: Path) -> None:
    path = tmp_path / "work" / "report.html"
    report.write(judged, path)
    assert 100_000 < path.stat().st_size < 8_000_000
    text = path.read_text()
    assert "$" not in re.sub(r"data:audio[^\"]*", "", text)
    page = _Page(text)
    assert page.open == []
    assert all(link.startswith(("#", "data:audio/flac;base64,")) for link in page.links)
    assert not re.search(r"(?:https?:)?//(?!www\.w3\.org)\w+\.\w", re.sub(r"data:audio[^\"]*", "", text))
    anchors = [link[1:] for link in page.links if link.startswith("#")]
    assert len(anchors) >= 11
    assert set(anchors) <= set(page.ids)
    assert len(page.pictures) >= 12
    assert all(page.pictures)
    # Pictures within one page must not take each other's clip paths.
    clip_paths = re.findall(r'<clipPath id="([^"]+)"', text)
    assert len(clip_paths) == len(set(clip_paths)) >= 12
    assert sum(link.startswith("data:") for link in page.links) == 6 * 2 + 3 * 3 + 6


def test_what_the_page_says(judged: Judgement) -> None:
    fine = _Page(report.page(good())).text
    assert "Good: it passes all 9 bars" in fine
    assert "latent studio export mine.latent" in fine
    assert "missed" not in fine
    text = _Page(report.page(judged)).text
    assert "Gather more: 56 clips are few" in text
    assert "missed" in text
    assert "none stated" in text


def test_a_score_is_a_sentence_where_it_is_printed() -> None:
    assert (
        str(verdict.Score("Peaks, off by", 1.234, 4.0, "dB"))
        == "Peaks, off by: 1.23 dB, should be at most 4.00 dB, passed"
    )
    assert str(verdict.Score("Active", 27, 28, "", at_least=True)) == "Active: 27, should be at least 28, missed"
    assert str(verdict.Score("Of no use", 3.0, 2.0, "%")) == "Of no use: 3.0 %, should be at most 2.0 %, missed"


def test_the_command_prints_scores_and_what_cannot_be_told(
    gathered: corpus.Corpus,
    model: tuple[Checkpoint, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shutil.copytree(gathered.folder, tmp_path / "corpus")
    kept.save(tmp_path / "model.pt", model[0])
    monkeypatch.setattr(assess, "assess", lambda *_: replace(good(), missing=("Nothing is held out.",)))
    said = CliRunner().invoke(studio, ["report", "--work", str(tmp_path)], catch_exceptions=False)
    lines = said.output.splitlines()
    assert lines[:-2] == [str(score) for score in verdict.scores(good())]
    assert lines[-2] == "Nothing is held out."
    assert lines[-1].startswith(f"{tmp_path / 'report.html'}: ")
    assert (tmp_path / "report.html").is_file()


def test_names_cannot_become_markup() -> None:
    name = '<b>"loud" & $1 $2</b>'
    sounds = (chords(1, 1)[0], chords(1, 2)[0])
    shown = replace(good(), corpus=name, examples=(Example("worst", name, (name, name), sounds),))
    text = report.page(shown)
    assert "<b>" not in text
    assert _Page(text).text.count(name) >= 4


def test_a_sound_in_the_page_has_its_spectrum() -> None:
    spectrum = chords(1, 3)[0]
    player = report_sounds.player("bell", spectrum)
    data = base64.b64decode(re.findall(r"base64,([^\"]+)", player)[0])
    sound, rate = soundfile.read(io.BytesIO(data), dtype="float32")
    assert rate == 44_100
    assert 2.0 <= len(sound) / rate < 2.1
    heard = codec.analyse(sound, rate)
    loud = spectrum > 0.5
    assert np.abs(heard - spectrum)[loud].mean() * 96.0 < 6.0
    other = codec.analyse(soundfile.read(io.BytesIO(report_sounds.flac(chords(1, 4)[0])), dtype="float32")[0], rate)
    assert np.abs(other - spectrum)[loud].mean() * 96.0 > 12.0


def test_a_page_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StudioError, match="cannot be written"):
        report.write(good(), tmp_path / "file" / "report.html")
