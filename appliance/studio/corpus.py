"""The corpus: what was gathered, where each clip came from, and what was decided about it.

A folder with two files. ``spectra.f16`` holds one row of 1233 float16 values (little endian, 0..1) after another; it
only ever grows, and is read through a memory map, so that 45,000 clips (111 MB) cost no memory. ``clips.db`` (SQLite)
holds one line per source and per clip. A source and its clips enter in one transaction after their spectra are on
disk: whatever kills a gathering, the corpus is whole, and the same command goes on from there.
"""

import hashlib
import sqlite3
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from appliance.errors import StudioError
from appliance.spectrum.codec import BINS, Floats

__all__ = ["LOUDNESS_LUFS", "ROW_BYTES", "SPLITS", "Corpus", "load", "mapped", "split_by_name"]

# Clips are brought to this: the master levels anyway, and a decoder that need not learn level learns timbre.
LOUDNESS_LUFS = -24.0
SPLITS = ("train", "tune", "held_out")
# Of a hundred sources, so many are tuned on and so many held out.
_TUNE, _HELD_OUT = 6, 10
ROW_BYTES = 2 * BINS


@dataclass(frozen=True)
class Corpus:
    """The clips to learn from: all but those that somebody rejected.

    Attributes
    ----------
    folder : Path
    spectra : (n, 1233) float16 in 0..1
    split : (n,) int8
        Index into ``SPLITS``. All clips of a source are in the same.
    fit : (n,) bool
    lufs, drift_db, flutter_db, start_s : (n,) float32
        As in `Clip`.
    row : (n,) int64
        Where in ``spectra.f16``.
    source : (n,) int64
        Index into ``sources``.
    sources, licences : tuple of str
    """

    folder: Path
    spectra: npt.NDArray[np.float16]
    split: npt.NDArray[np.int8]
    fit: npt.NDArray[np.bool_]
    lufs: npt.NDArray[np.float32]
    drift_db: npt.NDArray[np.float32]
    flutter_db: npt.NDArray[np.float32]
    start_s: npt.NDArray[np.float32]
    row: npt.NDArray[np.int64]
    source: npt.NDArray[np.int64]
    sources: tuple[str, ...]
    licences: tuple[str, ...]

    def rows(self, split: str) -> npt.NDArray[np.intp]:
        """Indices of the clips of one split."""
        return np.flatnonzero(self.split == SPLITS.index(split))

    def of(self, split: str) -> Floats:
        """Spectra of one split, (n, 1233) float32."""
        return self.spectra[self.rows(split)].astype(np.float32)

    def named(self, split: str) -> tuple[str, ...]:
        """Names of the sources of one split, in order."""
        return tuple(self.sources[number] for number in np.unique(self.source[self.rows(split)]))

    @property
    def digest(self) -> str:
        """A hash of what is learned from; another for another choice of clips."""
        told = hashlib.sha256(np.ascontiguousarray(self.row).tobytes() + self.split.tobytes())
        told.update("\n".join(self.sources).encode())
        told.update(np.ascontiguousarray(self.spectra[:: max(1, len(self.row) // 256)]).tobytes())
        return told.hexdigest()


def load(folder: Path) -> Corpus:
    """Read a corpus.

    With fewer than about thirty sources the hash may leave a split empty: then the sources nearest to it by hash
    serve. With fewer than three there is nothing to hold out.

    Raises
    ------
    StudioError
        If there is none, it is damaged, or all its clips were rejected.
    """
    if not (folder / "clips.db").is_file():
        raise StudioError(f"There is no corpus at {folder}; make one with 'latent studio gather FOLDER'.")
    try:
        # Not read-only: what a kill left half written must be rolled back before anything is read.
        db = sqlite3.connect((folder / "clips.db").absolute().as_uri() + "?mode=rw", uri=True)
        try:
            total = int(db.execute("SELECT COALESCE(MAX(row) + 1, 0) FROM clip").fetchone()[0])
            clips = db.execute(
                "SELECT row, source, start_s, split, fit, lufs, drift_db, flutter_db FROM clip "
                "WHERE kept IS NOT 0 ORDER BY row"
            ).fetchall()
            names = dict(db.execute("SELECT number, name || char(10) || licence FROM source"))
        finally:
            db.close()
        everything = mapped(folder / "spectra.f16", total)
    except FileNotFoundError as error:
        raise StudioError(
            f"{folder} is not a whole corpus (spectra.f16 is missing); gather it again into a new folder."
        ) from error
    except (OSError, ValueError, sqlite3.Error) as error:
        raise StudioError(f"{folder} is not a whole corpus ({error}); gather it again into a new folder.") from error
    if not clips:
        raise StudioError(f"The corpus at {folder} holds no clips to learn from; gather more, or keep some.")
    row, number, start_s, split, fit, lufs, drift_db, flutter_db = zip(*clips, strict=True)
    used = sorted(set(number))
    told = [names[each].split("\n", 1) for each in used]
    splits = _filled(dict(zip(number, split, strict=True)), {at: names[at].split("\n", 1)[0] for at in used})
    rows = np.array(row, dtype=np.int64)
    return Corpus(
        folder=folder,
        spectra=everything if len(rows) == total else everything[rows],
        split=np.array([SPLITS.index(splits[each]) for each in number], dtype=np.int8),
        fit=np.array(fit, dtype=np.bool_),
        lufs=np.array(lufs, dtype=np.float32),
        drift_db=np.array(drift_db, dtype=np.float32),
        flutter_db=np.array(flutter_db, dtype=np.float32),
        start_s=np.array(start_s, dtype=np.float32),
        row=rows,
        source=np.searchsorted(np.array(used), np.array(number)),
        sources=tuple(name for name, _ in told),
        licences=tuple(licence for _, licence in told),
    )


def mapped(path: Path, rows: int) -> npt.NDArray[np.float16]:
    """The first rows of ``spectra.f16``, (rows, 1233) float16, read-only."""
    if rows == 0:
        return np.zeros((0, BINS), dtype=np.float16)
    return np.memmap(path, dtype="<f2", mode="r", shape=(rows, BINS))


def _hash(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") % 100


def split_by_name(name: str) -> str:
    """The split of a source that has none given, by a hash of its name."""
    bucket = _hash(name)
    return "tune" if bucket < _TUNE else "held_out" if bucket < _TUNE + _HELD_OUT else "train"


def _filled(splits: dict[int, str], names: dict[int, str]) -> dict[int, str]:
    """Take a source for each split that has none from the one that has most, as long as it has two."""
    for wanted in SPLITS:
        held = list(splits.values())
        most = max(SPLITS, key=held.count)
        if wanted not in held and held.count(most) > 1:
            nearest = min((at for at in splits if splits[at] == most), key=lambda at: _hash(names[at]))
            splits[nearest] = wanted
    return splits
