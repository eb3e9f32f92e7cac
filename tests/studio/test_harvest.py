"""Gathering real folders, in real processes, some of which are killed."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import joblib
import mixed_folder
import numpy as np
import pytest
from mixed_folder import chord, noise, write

from appliance.errors import StudioError
from appliance.spectrum import traits
from appliance.studio import corpus as store
from appliance.studio.gathering.crew import work
from appliance.studio.gathering.harvest import Harvest, HarvestSettings, harvest
from appliance.studio.gathering.listen import Order
from appliance.studio.ledger import Ledger

RATE = 22_050


def gather(folder: Path, corpus: Path, jobs: int | None = 1, settings: HarvestSettings | None = None) -> Harvest:
    return harvest(folder, corpus, settings or HarvestSettings(), jobs, lambda done, of: None)


def everything(corpus: Path) -> tuple[bytes, list[Any]]:
    """All that a corpus holds: its spectra, and all that is told of them."""
    with sqlite3.connect(corpus / "clips.db") as db:
        told = [
            db.execute(f"SELECT * FROM {table} ORDER BY rowid").fetchall() for table in ("source", "clip", "rejection")
        ]
    db.close()
    return (corpus / "spectra.f16").read_bytes(), told


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight small files: six sounds, one of them twice, and one that is broken."""
    folder = tmp_path_factory.mktemp("few") / "few"
    for number, hz in enumerate((110.0, 147.0, 196.0, 262.0)):
        write(folder / f"{number}.wav", chord(5.0, RATE, (hz, 1.5 * hz)), RATE)
    write(folder / "rain.flac", noise(5.0, RATE, 1, 300, 8_000), RATE)
    write(folder / "wind.flac", noise(5.0, RATE, 2, 40, 900, 1.0), RATE)
    shutil.copy(folder / "2.wav", folder / "x again.wav")
    (folder / "broken.wav").write_bytes(b"no sound")
    return folder


@pytest.fixture(scope="module")
def undisturbed(few: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, list[Any]]:
    corpus = tmp_path_factory.mktemp("undisturbed") / "corpus"
    gather(few, corpus)
    return everything(corpus)


def test_a_mixed_folder_gives_its_steady_sounds_and_a_reason_for_the_rest(tmp_path: Path) -> None:
    folder, corpus = tmp_path / "my sounds", tmp_path / "corpus"
    good = {f"my sounds/{name}" for name in mixed_folder.make(folder, 5.0)}
    steps: list[tuple[int, int]] = []

    done = harvest(folder, corpus, HarvestSettings(licence="mine"), 1, lambda at, of: steps.append((at, of)))

    assert steps == [(at, 44) for at in range(45)]
    with Ledger(corpus) as ledger:
        told, rejections = ledger.told(), ledger.rejections()
    assert {one.source for one in told} == good
    assert set(Counter(one.source for one in told).values()) <= {2, 3}
    why = {name.removeprefix("my sounds/"): reason for name, _, reason in rejections if name not in good}
    assert why == {
        **dict.fromkeys(mixed_folder.DRUMS, "transients"),
        **dict.fromkeys(mixed_folder.SILENT, "silence"),
        **dict.fromkeys(mixed_folder.CLIPPED, "clipping"),
        **dict.fromkeys(mixed_folder.COPIES, "near-duplicate"),
        **dict.fromkeys(mixed_folder.SHORT, "too short"),
    }
    assert [name for name, _ in done.unreadable] == [f"my sounds/{name}" for name in mixed_folder.UNREADABLE]
    assert (done.files, done.skipped, done.others, done.clips) == (44, 0, 2, len(told))
    assert all(Path(one.path).samefile(folder.parent / one.source) for one in told)
    for one in told:
        assert one.licence == ("CC0 1.0: no rights reserved" if "/field/" in one.source else "mine")
    kept = store.load(corpus)
    assert np.abs(traits.level(kept.spectra.astype(np.float32)) - store.LOUDNESS_LUFS).max() < 0.3
    report = str(done)
    assert f"{len(told)} clips from 44 files" in report
    assert "near-duplicate 6, transients 5" in report
    assert "broken: letter.wav holds no sound" in report


def test_what_is_known_is_skipped_and_what_is_new_is_added(few: Path, tmp_path: Path) -> None:
    folder, corpus = tmp_path / "sounds", tmp_path / "corpus"
    shutil.copytree(few, folder)
    first = gather(folder, corpus)
    assert (first.files, first.skipped, first.unreadable[0][0]) == (8, 0, "sounds/broken.wav")
    assert first.rejected == {"near-duplicate": 2}
    write(folder / "new.wav", chord(5.0, RATE, (87.0, 123.0)), RATE)
    # A copy of what an earlier run gathered, in another folder.
    shutil.copy(folder / "0.wav", folder / "z.wav")

    second = gather(folder, corpus)

    assert (second.files, second.skipped, second.clips, second.total) == (2, 8, 2, first.total + 2)
    assert second.rejected == {"near-duplicate": 2}
    assert "8 files skipped" in str(second)


def test_processes_do_not_matter(few: Path, tmp_path: Path, undisturbed: tuple[bytes, list[Any]]) -> None:
    assert len(undisturbed[1][1]) == 12
    gather(few, tmp_path / "corpus", jobs=2)
    assert everything(tmp_path / "corpus") == undisturbed


def test_a_cluster_takes_the_work(few: Path, tmp_path: Path, undisturbed: tuple[bytes, list[Any]]) -> None:
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None, protocol="inproc"
        ) as cluster,
        distributed.Client(cluster),
        joblib.parallel_config("dask"),
    ):
        gather(few, tmp_path / "corpus", jobs=None)
        done = sum(prefix.state_counts["memory"] for prefix in cluster.scheduler.task_prefixes.values())
    assert done >= 8
    assert everything(tmp_path / "corpus") == undisturbed


@pytest.mark.parametrize("after", [4])
def test_a_run_that_was_killed_goes_on_to_the_same_corpus(
    few: Path, tmp_path: Path, undisturbed: tuple[bytes, list[Any]], after: int
) -> None:
    code = f"""
import os, signal
from pathlib import Path
from appliance.studio.gathering.harvest import HarvestSettings, harvest
def tell(done, of):
    if done == {after}:
        os.kill(os.getpid(), signal.SIGKILL)
if __name__ == "__main__":
    harvest(Path({str(few)!r}), Path({str(tmp_path / "corpus")!r}), HarvestSettings(), 1, tell)
"""
    killed = subprocess.run([sys.executable, "-c", code], check=False)
    assert killed.returncode == -signal.SIGKILL
    with Ledger(tmp_path / "corpus") as ledger:
        assert len(ledger.known()) == after

    done = gather(few, tmp_path / "corpus")

    assert (done.files, done.skipped) == (8 - after, after)
    assert everything(tmp_path / "corpus") == undisturbed


class Hostile:
    """A path that does something to the process in which it is unpacked, as a file may that its decoder cannot bear."""

    def __init__(self, name: str, call: Any, argument: Any) -> None:
        self.name, self._call, self._argument = name, call, argument

    def __reduce__(self) -> tuple[Any, tuple[Any]]:
        return self._call, (self._argument,)


@pytest.mark.parametrize("jobs", [1, 2])
def test_files_that_kill_or_hold_up_their_worker_are_named(few: Path, jobs: int) -> None:
    paths: list[Any] = [few / f"{number}.wav" for number in range(4)]
    paths.insert(1, Hostile("deadly.wav", os._exit, 9))
    paths.insert(3, Hostile("endless.wav", time.sleep, 600))
    orders = [Order(path, path.name) for path in paths]

    heard = list(work(orders, jobs, patience_s=3.0))

    assert [one.entry.name for one in heard] == [order.name for order in orders]
    assert [one.entry.problem for one in heard if one.entry.problem] == [
        "deadly.wav makes its reader crash; leave it out or convert it to WAV.",
        "endless.wav was not read within 3 s; leave it out or convert it to WAV.",
    ]
    assert all(len(one.entry.clips) == 2 for one in heard if not one.entry.problem)


def test_missing_ffmpeg_ends_the_run_before_anything_is_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "sounds" / "a.m4a", chord(3.0, RATE, (220.0,)), RATE)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(StudioError, match=r"a\.m4a cannot be read without ffmpeg"):
        gather(tmp_path / "sounds", tmp_path / "corpus")
    monkeypatch.undo()
    assert gather(tmp_path / "sounds", tmp_path / "corpus").clips == 1


def test_a_name_that_is_no_text_is_to_be_renamed(few: Path, tmp_path: Path) -> None:
    folder = tmp_path / "sounds"
    folder.mkdir()
    odd = Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.wav"))
    shutil.copy(few / "1.wav", odd)
    shutil.copy(few / "0.wav", folder / "line\nend.wav")

    done = gather(folder, tmp_path / "corpus")

    assert done.unreadable == [
        ("sounds/caf\\xe9.wav", "The name caf\\xe9.wav is not UTF-8; rename it and gather again.")
    ]
    assert store.load(tmp_path / "corpus").sources == ("sounds/line\\nend.wav",)
    odd.rename(folder / "café.wav")
    assert gather(folder, tmp_path / "corpus").clips == 2


def test_a_second_run_beside_the_first_is_refused(few: Path, tmp_path: Path) -> None:
    with Ledger(tmp_path / "corpus"), pytest.raises(StudioError, match="Another step is at work on"):
        gather(few, tmp_path / "corpus")


def test_another_folder_of_the_same_name_is_refused_but_a_moved_one_is_known(few: Path, tmp_path: Path) -> None:
    shutil.copytree(few, tmp_path / "disk" / "sounds")
    gather(tmp_path / "disk" / "sounds", tmp_path / "corpus")
    write(tmp_path / "other" / "sounds" / "0.wav", chord(3.0, RATE, (97.0,)), RATE)
    with pytest.raises(StudioError, match=r"Another sounds/0\.wav was gathered from .*; rename one of the two folders"):
        gather(tmp_path / "other" / "sounds", tmp_path / "corpus")
    (tmp_path / "disk").rename(tmp_path / "moved")
    assert gather(tmp_path / "moved" / "sounds", tmp_path / "corpus").skipped == 8


def test_folders_without_recordings_are_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(StudioError, match="holds no recordings"):
        gather(tmp_path, tmp_path / "corpus")
    with pytest.raises(StudioError, match="There is no folder"):
        gather(tmp_path / "absent", tmp_path / "corpus")
    assert not (tmp_path / "corpus").exists()
