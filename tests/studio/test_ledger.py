"""What enters a corpus enters whole, whenever the process is killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from appliance.errors import StudioError
from appliance.spectrum.codec import BINS
from appliance.studio import corpus
from appliance.studio.corpus import ROW_BYTES
from appliance.studio.ledger import Clip, Entry, Ledger, Rejection

# Each clip of a source has one value in all its bins, which only its source and place in it decide.
_ADDING = """
import sys
from pathlib import Path
import numpy as np
from appliance.studio.ledger import Clip, Entry, Ledger
with Ledger(Path(sys.argv[1])) as ledger:
    for number in range(len(ledger.known()), 10_000):
        clips = [Clip(float(at), np.full(1233, (3 * number + at) % 1000 / 1000), -24.0, 0.0, 0.0) for at in range(3)]
        ledger.add(Entry(f"garden/{number}.wav", clips=clips))
        print(number, flush=True)
"""
# A cache of one page: what is written reaches the disk before it is committed, as in a large transaction.
_DYING = """
import os, signal, sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("PRAGMA cache_size = 1")
for row in range(6, 3000):
    db.execute("INSERT INTO clip VALUES (?, 1, 0, 'train', 1, 0, 0, 0, 0)", (row,))
os.kill(os.getpid(), signal.SIGKILL)
"""


def _clips(*values: float) -> list[Clip]:
    return [Clip(2.0 * at, np.full(BINS, value, np.float32), -30.0, 0.5, 0.7) for at, value in enumerate(values)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three sources with two clips each, and one that could not be read."""
    with Ledger(tmp_path / "corpus") as ledger:
        for at, name in enumerate(("a.wav", "b.wav", "c.wav")):
            rejections = [Rejection(9.0, "onset"), Rejection(4.0, "silence")] if name == "b.wav" else []
            clips = _clips(at / 4, at / 4 + 0.125)
            ledger.add(Entry(f"garden/{name}", f"/music/{name}", "CC0", clips, rejections, split=corpus.SPLITS[at]))
        ledger.add(Entry("garden/d.wav", "/music/d.wav", problem="not a recording"))
    return tmp_path / "corpus"


def test_what_was_added_is_told_as_it_was(folder: Path) -> None:
    with Ledger(folder) as ledger:
        told = ledger.told()
        assert len(ledger) == len(told) == 6
        assert ledger.known() == {f"garden/{name}.wav" for name in "abcd"}
        assert ledger.problems() == [("garden/d.wav", "not a recording")]
        assert ledger.rejections() == [("garden/b.wav", 4.0, "silence"), ("garden/b.wav", 9.0, "onset")]
        assert np.array_equal(ledger.spectra()[:, 0], [0.0, 0.125, 0.25, 0.375, 0.5, 0.625])
        assert isinstance(ledger.spectra(), np.memmap)
    assert [one.row for one in told] == list(range(6))
    third = told[3]
    assert (third.source, third.path, third.start_s, third.licence) == ("garden/b.wav", "/music/b.wav", 2.0, "CC0")
    assert third.lufs == -30.0
    assert {one.kept for one in told} == {None}


def test_a_source_that_is_there_is_refused_and_leaves_no_trace(folder: Path) -> None:
    with Ledger(folder) as ledger:
        with pytest.raises(StudioError, match=r"garden/a\.wav is in the corpus already"):
            ledger.add(Entry("garden/a.wav", clips=_clips(0.9)))
        assert ledger.add(Entry("garden/e.wav", clips=_clips(0.75))) == 6
        assert ledger.spectra()[6, 0] == 0.75
    assert (folder / "spectra.f16").stat().st_size == 7 * ROW_BYTES


def test_spectra_without_their_transaction_are_not_there(folder: Path) -> None:
    with (folder / "spectra.f16").open("ab") as file:
        file.write(np.full(3 * BINS // 2, 0.9, "<f2").tobytes())
    assert len(corpus.load(folder).spectra) == 6
    assert corpus.load(folder).spectra.max() < 0.9
    with Ledger(folder) as ledger:
        assert ledger.add(Entry("garden/e.wav", clips=_clips(0.75))) == 6
    assert corpus.load(folder).spectra[6].tolist() == [0.75] * BINS
    assert (folder / "spectra.f16").stat().st_size == 7 * ROW_BYTES


def test_rejected_clips_are_not_learned_from_and_undecided_are(folder: Path) -> None:
    before = corpus.load(folder)
    with Ledger(folder) as ledger:
        ledger.decide(1, False)
        ledger.decide(2, True)
        ledger.decide(3, False)
        ledger.decide(3, None)
        assert [one.kept for one in ledger.told()] == [None, False, True, None, None, None]
    after = corpus.load(folder)
    assert isinstance(before.spectra, np.memmap)
    assert after.row.tolist() == [0, 2, 3, 4, 5]
    assert after.spectra[:, 0].tolist() == [0.0, 0.25, 0.375, 0.5, 0.625]
    assert after.digest != before.digest
    with Ledger(folder) as ledger:
        ledger.decide(1, True)
    assert corpus.load(folder).digest == before.digest


def test_steps_are_undone_one_by_one(folder: Path) -> None:
    with Ledger(folder) as ledger:
        ledger.decide(4, True)
        ledger.accept({4: False, 5: False})
        assert ledger.steps() == 2
        assert [one.guessed for one in ledger.told()] == [False] * 4 + [True] * 2
        assert ledger.undo() == [4, 5]
        assert [one.kept for one in ledger.told()] == [None] * 4 + [True, None]
        assert ledger.undo() == [4]
        assert ledger.undo() == []
        assert {one.kept for one in ledger.told()} == {None}


def test_a_decision_about_no_clip_changes_nothing(folder: Path) -> None:
    with Ledger(folder) as ledger:
        with pytest.raises(StudioError, match="no clip 77"):
            ledger.accept({1: False, 77: False})
        assert {one.kept for one in ledger.told()} == {None}
        assert ledger.steps() == 0


def test_where_no_corpus_can_be_a_sentence_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(StudioError, match="choose another folder with --work"):
        Ledger(tmp_path / "file")
    (tmp_path / "clips.db").write_bytes(b"no database" * 100)
    with pytest.raises(StudioError, match="choose another folder with --work"):
        Ledger(tmp_path)


def test_a_kill_within_a_transaction_leaves_the_corpus_as_it_was(folder: Path) -> None:
    before = corpus.load(folder).digest
    done = subprocess.run([sys.executable, "-c", _DYING, str(folder / "clips.db")], check=False)
    assert done.returncode == -signal.SIGKILL
    assert (folder / "clips.db-journal").exists()
    assert corpus.load(folder).digest == before
    with Ledger(folder) as ledger:
        assert len(ledger) == 6


def test_a_kill_at_any_moment_leaves_spectra_that_match_their_rows(tmp_path: Path) -> None:
    folder, told = tmp_path / "corpus", 0
    for wait_s in (0.0, 0.011, 0.023):
        process = subprocess.Popen([sys.executable, "-c", _ADDING, str(folder)], stdout=subprocess.PIPE, text=True)
        assert process.stdout
        told = max(told, int(process.stdout.readline()))
        time.sleep(wait_s)
        os.kill(process.pid, signal.SIGKILL)
        rest = process.stdout.read().split("\n")[:-1]
        told = max([told, *map(int, rest)])
        process.stdout.close()
        assert process.wait() == -signal.SIGKILL
        whole = corpus.load(folder)
        number = np.array([int(name.removesuffix(".wav").removeprefix("garden/")) for name in whole.sources])
        assert set(range(told + 1)) <= set(number)
        assert np.unique(whole.source, return_counts=True)[1].tolist() == [3] * len(number)
        wanted = (3 * number[whole.source] + whole.start_s.astype(int)) % 1000 / 1000
        assert np.abs(whole.spectra - wanted[:, np.newaxis]).max() < 1e-3


def test_a_corpus_that_lost_its_end_is_refused_and_left_as_it_is(folder: Path) -> None:
    spectra = folder / "spectra.f16"
    spectra.write_bytes(spectra.read_bytes()[:-ROW_BYTES])
    with pytest.raises(StudioError, match=r"not a whole corpus \(the end of spectra.f16 is missing\)"):
        Ledger(folder)
    assert spectra.stat().st_size == 5 * ROW_BYTES


def test_a_damaged_table_is_refused(folder: Path) -> None:
    tables = folder / "clips.db"
    Ledger(folder).close()
    content = tables.read_bytes()
    tables.write_bytes(content[: len(content) // 2])
    with pytest.raises(StudioError, match=r"not a whole corpus|cannot hold a corpus"):
        Ledger(folder)
