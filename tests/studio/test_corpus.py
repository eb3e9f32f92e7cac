"""What is learned from: which clips, and which of them only to be scored on."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.errors import StudioError
from appliance.spectrum.codec import BINS
from appliance.studio import corpus
from appliance.studio.ledger import Clip, Entry, Ledger


def _gathered(folder: Path, names: list[str], split: str = "") -> Path:
    """Two clips of each source, fit and unfit."""
    with Ledger(folder) as ledger:
        for name in names:
            level = sum(name.encode()) % 97 / 100
            clips = [
                Clip(1.5 * at, np.full(BINS, level + at / 256), -20.0 - at, 0.1 + at, 0.2 + at, fit=at == 0)
                for at in range(2)
            ]
            ledger.add(Entry(name, licence=f"CC0, {name}", clips=clips, split=split))
    return folder


def test_everything_that_was_noted_comes_back(tmp_path: Path) -> None:
    names = [f"n{at}" for at in range(40)]
    loaded = corpus.load(_gathered(tmp_path, names))
    assert loaded.folder == tmp_path
    assert isinstance(loaded.spectra, np.memmap)
    assert loaded.spectra.dtype == np.float16
    assert loaded.spectra.shape == (80, BINS)
    assert loaded.sources == tuple(names)
    assert loaded.licences == tuple(f"CC0, {name}" for name in names)
    assert loaded.source.tolist() == [at // 2 for at in range(80)]
    assert loaded.row.tolist() == list(range(80))
    assert loaded.fit[:4].tolist() == [True, False, True, False]
    told = {"lufs": [-20.0, -21.0], "drift_db": [0.1, 1.1], "flutter_db": [0.2, 1.2], "start_s": [0.0, 1.5]}
    for name, values in told.items():
        assert np.allclose(getattr(loaded, name)[:2], values), name
    levels = np.array([sum(name.encode()) % 97 / 100 for name in names])
    assert np.allclose(loaded.spectra[::2, 7], levels, atol=1e-3)
    for split in corpus.SPLITS:
        assert np.array_equal(loaded.of(split), loaded.spectra[loaded.rows(split)].astype(np.float32))
        assert loaded.of(split).dtype == np.float32
    assert sorted(sum((loaded.named(split) for split in corpus.SPLITS), ())) == sorted(names)


def test_a_spectrum_may_be_written_only_by_the_ledger(tmp_path: Path) -> None:
    loaded = corpus.load(_gathered(tmp_path, ["a", "b", "c"]))
    with pytest.raises(ValueError, match="read-only"):
        loaded.spectra[0, 0] = 0.5


def test_more_sources_change_no_split_and_a_source_is_never_divided(tmp_path: Path) -> None:
    names = [f"garden/{at}.wav" for at in range(50)]
    before = corpus.load(_gathered(tmp_path / "few", names[:35]))
    after = corpus.load(_gathered(tmp_path / "all", names[::-1]))
    for loaded in (before, after):
        assert all(len(np.unique(loaded.split[loaded.source == at])) == 1 for at in range(len(loaded.sources)))
    for split in corpus.SPLITS:
        assert set(before.named(split)) == {name for name in after.named(split) if name in names[:35]}
        assert set(after.named(split)) == {name for name in names if corpus.split_by_name(name) == split}
    assert len(after.named("train")) > 30


def test_the_hash_gives_each_split_its_share() -> None:
    found = [corpus.split_by_name(f"source {at}") for at in range(5000)]
    assert abs(found.count("tune") / 5000 - 0.06) < 0.01
    assert abs(found.count("held_out") / 5000 - 0.10) < 0.015


@settings(max_examples=15, deadline=None)
@given(st.integers(3, 8), st.integers(0, 10_000))
def test_a_small_corpus_too_has_something_of_each(
    tmp_path_factory: pytest.TempPathFactory, count: int, first: int
) -> None:
    folder = tmp_path_factory.mktemp("small")
    loaded = corpus.load(_gathered(folder, [f"s{first + at}" for at in range(count)]))
    assert all(len(loaded.rows(split)) for split in corpus.SPLITS)


@pytest.mark.parametrize("split", corpus.SPLITS)
def test_three_sources_of_one_kind_are_divided(tmp_path: Path, split: str) -> None:
    names = [name for name in (f"x{at}" for at in range(500)) if corpus.split_by_name(name) == split][:3]
    loaded = corpus.load(_gathered(tmp_path, names))
    assert [len(loaded.named(each)) for each in corpus.SPLITS] == [1, 1, 1]


def test_two_sources_leave_nothing_to_hold_out(tmp_path: Path) -> None:
    loaded = corpus.load(_gathered(tmp_path, ["a", "b"]))
    assert len(loaded.rows("train")) == 2
    assert not len(loaded.rows("held_out"))


def test_the_digest_is_that_of_what_is_learned_from(tmp_path: Path) -> None:
    names = [f"n{at}" for at in range(9)]
    one, same, fewer = (_gathered(tmp_path / name, names[:count]) for name, count in (("a", 9), ("b", 9), ("c", 8)))
    assert corpus.load(one).digest == corpus.load(same).digest
    assert corpus.load(one).digest != corpus.load(fewer).digest
    with (same / "spectra.f16").open("r+b") as file:
        file.write(np.full(BINS, 0.3, "<f2").tobytes())
    assert corpus.load(one).digest != corpus.load(same).digest


def test_what_is_no_corpus_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(StudioError, match=r"There is no corpus at .*latent studio gather"):
        corpus.load(tmp_path / "absent")
    with Ledger(tmp_path / "empty") as ledger:
        ledger.add(Entry("broken.wav", problem="not a recording"))
    with pytest.raises(StudioError, match="holds no clips to learn from"):
        corpus.load(tmp_path / "empty")
    _gathered(tmp_path / "all", ["a", "b", "c"])
    with Ledger(tmp_path / "all") as ledger:
        ledger.accept(dict.fromkeys(range(6), False))
    with pytest.raises(StudioError, match="holds no clips to learn from"):
        corpus.load(tmp_path / "all")


@pytest.mark.parametrize("content", [b"", b"text" * 500, b"SQLite format 3\0" + bytes(4096)])
def test_a_damaged_database_is_refused_in_a_sentence(tmp_path: Path, content: bytes) -> None:
    _gathered(tmp_path, ["a", "b", "c"])
    (tmp_path / "clips.db").write_bytes(content)
    with pytest.raises(StudioError, match="is not a whole corpus"):
        corpus.load(tmp_path)


@pytest.mark.parametrize("left", [None, 0, 5 * corpus.ROW_BYTES])
def test_missing_spectra_are_noticed(tmp_path: Path, left: int | None) -> None:
    _gathered(tmp_path, ["a", "b", "c"])
    path = tmp_path / "spectra.f16"
    if left is None:
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(StudioError, match="is not a whole corpus"):
        corpus.load(tmp_path)
