"""Gather: walk a folder of recordings, take the steadiest clips of each, keep their spectra and where they came from.

Only one process writes: workers listen, in any order; what they heard is taken in the order of the names, so that
the corpus depends neither on how many there are nor on how often the run was broken off and begun again.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from appliance.errors import StudioError
from appliance.folders import shown
from appliance.studio.gathering.alike import Known
from appliance.studio.gathering.crew import work
from appliance.studio.gathering.listen import Heard, Order
from appliance.studio.gathering.recordings import Found, find, require_ffmpeg
from appliance.studio.gathering.steady import Limits
from appliance.studio.ledger import Clip, Entry, Ledger, Rejection

__all__ = ["Harvest", "HarvestSettings", "harvest"]

_LICENCES = ("licence", "licence.md", "licence.txt", "license", "license.md", "license.txt", "copying", "copying.txt")
_NOTE_LETTERS = 120


@dataclass(frozen=True)
class HarvestSettings:
    """What to take.

    Attributes
    ----------
    clips_per_file : int
        Fifteen thousand songs give 45,000 clips.
    licence : str
        A note on recordings that have none of their own: the first line of a file called LICENSE, LICENCE or COPYING
        beside them, or in a folder around them within the gathered one.
    windows : int
    window_s : float
        Listened to: twelve stretches of six seconds, so that an hour costs no more than five minutes.
    limits : Limits
    """

    clips_per_file: int = 3
    licence: str = ""
    windows: int = 12
    window_s: float = 6.0
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class Harvest:
    """What came of a run.

    Attributes
    ----------
    files : int
        Audio files listened to.
    skipped : int
        Audio files that were in the corpus already.
    others : int
        Files that are no audio by their names.
    clips : int
        New ones.
    total : int
        Clips in the corpus now.
    unreadable : sequence of (name, problem)
    rejected : mapping of reason to count
        Stretches that were turned down, most frequent first.
    """

    files: int
    skipped: int
    others: int
    clips: int
    total: int
    unreadable: Sequence[tuple[str, str]]
    rejected: Mapping[str, int]

    def lines(self) -> list[str]:
        """The report, a line each."""
        told = [f"{_counted(self.clips, 'clip')} from {_counted(self.files, 'file')}; the corpus holds {self.total}"]
        if self.skipped:
            told.append(f"{_counted(self.skipped, 'file')} skipped, for the corpus has them already")
        if self.others:
            told.append(f"{_counted(self.others, 'other file')} left alone")
        if self.rejected:
            reasons = ", ".join(f"{reason} {count}" for reason, count in self.rejected.items())
            told.append(f"stretches turned down: {reasons}")
        if self.unreadable:
            told.append(f"{_counted(len(self.unreadable), 'file')} could not be read:")
            told += [f"  {PurePosixPath(name).parent}: {problem}" for name, problem in self.unreadable]
        return told

    def __str__(self) -> str:
        return "\n".join(self.lines())


def harvest(
    folder: Path, corpus: Path, settings: HarvestSettings, jobs: int | None, tell: Callable[[int, int], None]
) -> Harvest:
    """Gather the recordings of a folder into a corpus; may be killed at any moment and run again.

    Parameters
    ----------
    folder : Path
        Looked through with all folders within.
    corpus : Path
        Made where it is missing, added to where it is not.
    settings : HarvestSettings
    jobs : int or None
        Processes; None is one for each core, or all of the cluster that `joblib.parallel_config` names.
    tell : callable
        Told how many files are done, of how many.

    Raises
    ------
    StudioError
        If there is no such folder, it holds no audio, ffmpeg is needed and missing, the corpus cannot be written,
        another run writes to it, or another folder of the same name was gathered.
    """
    folder = folder.absolute()
    found = find(folder)
    if not found.files:
        raise StudioError(f"{shown(folder)} holds no recordings; put sound files there, as WAV, FLAC, MP3 or M4A.")
    require_ffmpeg(found.files)
    with Ledger(corpus) as ledger:
        orders = _orders(folder, found, settings)
        known = ledger.known()
        news = [order for order in orders if order.name not in known]
        _refuse_namesakes(orders, ledger)
        take = _Taking(ledger)
        for order in (order for order in news if _unnameable(order.path)):
            take(_unnamed(order))
        readable = [order for order in news if not _unnameable(order.path)]
        tell(len(news) - len(readable), len(news))
        for done, heard in enumerate(work(readable, jobs), len(news) - len(readable) + 1):
            take(heard)
            tell(done, len(news))
        for closed in found.closed:
            take.unreadable.append((_name(folder, closed), "This folder cannot be read; give yourself the right to."))
        files = (len(news), len(orders) - len(news), found.others)
        return Harvest(*files, take.clips, len(ledger), take.unreadable, dict(take.rejected.most_common()))


class _Taking:
    """Enters what was heard into the ledger, but for near-duplicates, and keeps count."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._known = Known(ledger)
        self.clips = 0
        self.unreadable: list[tuple[str, str]] = []
        self.rejected: Counter[str] = Counter()

    def __call__(self, heard: Heard) -> None:
        entry = heard.entry
        if entry.problem:
            self.unreadable.append((entry.name, entry.problem))
        # What stands in the way today may be gone tomorrow: not in the ledger is not known.
        if heard.for_now:
            return
        # Clips of one recording may resemble each other: it was asked for several.
        clips: list[Clip] = []
        rejections = list(entry.rejections)
        for clip in entry.clips:
            if self._known.has(clip.spectrum):
                rejections.append(Rejection(clip.start_s, "near-duplicate"))
            else:
                clips.append(clip)
        self._ledger.add(replace(entry, clips=clips, rejections=rejections))
        self._known.catch_up()
        self.clips += len(clips)
        self.rejected.update(rejection.reason for rejection in rejections)


def _orders(folder: Path, found: Found, settings: HarvestSettings) -> list[Order]:
    """One order for each file; of names that differ by nothing that can be printed, the first."""
    notes: dict[Path, str] = {}
    orders: dict[str, Order] = {}
    for path in found.files:
        name = _name(folder, path)
        licence = _licence(folder, path.parent, notes) or settings.licence
        listened = (settings.clips_per_file, settings.windows, settings.window_s, settings.limits)
        orders.setdefault(name, Order(path, name, licence, *listened))
    return list(orders.values())


def _name(folder: Path, path: Path) -> str:
    return shown(f"{folder.name}/{path.relative_to(folder).as_posix()}")


def _licence(folder: Path, inner: Path, notes: dict[Path, str]) -> str:
    """First line of the licence beside a recording, or of the nearest in the folders around it."""
    if inner not in notes:
        around = "" if inner == folder else _licence(folder, inner.parent, notes)
        notes[inner] = _first_line(inner) or around
    return notes[inner]


def _first_line(inner: Path) -> str:
    for path in sorted(inner.iterdir()):
        if path.name.lower() in _LICENCES and path.is_file():
            try:
                with path.open("rb") as file:
                    lines = file.read(4096).decode("utf-8", "replace").splitlines()
            except OSError as error:
                raise StudioError(
                    f"{shown(path)} cannot be read ({error.strerror}); mend that, or name the licence yourself."
                ) from error
            return shown(next((line.strip() for line in lines if line.strip()), ""))[:_NOTE_LETTERS]
    return ""


def _unnameable(path: Path) -> bool:
    """Whether a name has bytes that are no UTF-8, which neither the ledger nor a web page can hold."""
    return any("\udc80" <= letter <= "\udcff" for letter in str(path))


def _unnamed(order: Order) -> Heard:
    problem = f"The name {shown(order.path.name)} is not UTF-8; rename it and gather again."
    return Heard(Entry(order.name, problem=problem), for_now=True)


def _refuse_namesakes(orders: Sequence[Order], ledger: Ledger) -> None:
    """Another folder of the same name would be skipped without a word."""
    known = {one.source: one.path for one in ledger.told() if one.path}
    for order in orders:
        path = known.get(order.name, "")
        # Where the old place is empty the folder was moved.
        if path and path != str(order.path) and Path(path).exists() and not order.path.samefile(path):
            raise StudioError(
                f"Another {order.name} was gathered from {Path(path).parent}; rename one of the two folders."
            )


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
