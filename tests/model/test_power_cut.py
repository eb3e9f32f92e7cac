"""A power cut at any instant leaves what was chosen before or what is chosen now, and bundles that are whole."""

import hashlib
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from power_cut import Tree, laid_out, recorded
from stocked import DAY, NOON, played, pointed, stocked

from appliance.model.choice import Choice, Entry, Pointer, Probation
from appliance.model.store import Store

Evening = list[tuple[str, Callable[[Store], object]]]
CHOIR = Pointer(digest="c" * 64, name="choir", shipped=True)


def evening() -> Evening:
    """All that can happen to a store, each as one step."""

    def named(store: Store, name: str) -> Pointer:
        return pointed(store.find(name))

    def on_probation(store: Store) -> None:
        trial = Probation(digest=store.find("glass").digest, boot="b1")
        store.note(lambda choice: choice.model_copy(update={"probation": trial, "played_s": 9.0}))

    def dropped(store: Store) -> None:
        copy = store.private()
        copy.write_bytes(b"half a mod")
        copy.unlink()

    return [
        ("add fog", lambda store: stocked(store, "fog", at=NOON - 900 * DAY)),
        ("choose fog", lambda store: store.choose(named(store, "fog"), "default")),
        ("drop a copy", dropped),
        ("add glass", lambda store: stocked(store, "glass", at=NOON - 800 * DAY)),
        ("choose glass", lambda store: store.choose(named(store, "glass"), "default")),
        ("probation", on_probation),
        ("go back", lambda store: store.go_back()),
        ("go back again", lambda store: store.go_back()),
        ("fail", lambda store: store.go_back("The engine died.")),
        ("add glass again", lambda store: stocked(store, "glass", at=NOON - 700 * DAY)),
        ("add rain", lambda store: stocked(store, "rain")),
        ("add snow", lambda store: stocked(store, "snow")),
        ("choose the shipped one", lambda store: store.choose(CHOIR, "default")),
        ("prune", lambda store: store.prune(8, 365.0, NOON)),
        ("remove snow", lambda store: store.remove(store.find("snow").digest)),
        ("choose rain", lambda store: store.choose(named(store, "rain"), "glass")),
        ("choose that of the settings", lambda store: store.choose(None, "default")),
        ("tidy", lambda store: store.tidy()),
    ]


def told(store: Store) -> tuple[Choice, list[Entry]]:
    return store.choice(), store.entries()


def is_whole(store: Store, digest: str) -> bool:
    path = store.path(digest)
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == digest


def broken_promises(store: Store, allowed: list[tuple[Choice, list[Entry]]]) -> list[str]:
    """Say what is not as it was before a step, nor as it was after."""
    found = []
    choice, entries = told(store)
    if choice not in [each for each, _ in allowed]:
        found.append(f"neither the old choice nor the new: {choice!r}")
    found += [f"{entry.verdict.name} is listed and not whole" for entry in entries if not is_whole(store, entry.digest)]
    for pointer in (choice.current, choice.previous):
        if pointer is not None and not pointer.shipped and not is_whole(store, pointer.digest):
            found.append(f"{pointer.name} was chosen and is not whole")
    here = {entry.digest for entry in entries}
    lists = [{entry.digest for entry in each} for _, each in allowed]
    if not set.intersection(*lists) <= here <= set.union(*lists):
        found.append("what is listed was neither before nor after")
    if len(allowed) == 1 and told(store) != allowed[0]:
        found.append("what was done and told of is lost")
    return found


def goes_on(store: Store) -> list[str]:
    """Say what is not right once the store was tidied and worked on."""
    before = told(store)
    store.tidy()
    found = [] if told(store) == before else ["tidying changed what there is"]
    left = [path.name for path in store.folder.rglob(".*") if path.name not in (".lock", ".copying")]
    left += [path.name for path in store.folder.glob("store/*.latent") if not path.with_suffix(".json").exists()]
    found += [f"{name} is left over" for name in left]
    wind = pointed(stocked(store, "wind"))
    played(store, wind)
    if store.choice().current != wind or store.go_back().current not in (before[0].current, before[0].previous):
        found.append("it does not work on")
    return found


def nothing(_: pytest.MonkeyPatch) -> None:
    """Plant no defect."""


def cuts(tmp_path: Path, steps: Evening, plant: Callable[[pytest.MonkeyPatch], None] = nothing) -> Iterator[list[str]]:
    """Cut the power after every operation; gives what is wrong with each state that the disk may then be in."""
    root = tmp_path / "state"
    root.mkdir()
    store = Store(root / "models")
    stood = [told(store)]
    with recorded(root) as recorder, pytest.MonkeyPatch.context() as patch:
        plant(patch)
        for number, (_, step) in enumerate(steps):
            recorder.label = str(number)
            step(store)
            recorder.label = f"{number} done"
            recorder.note()
            stood.append(told(store))
    looked_at: set[tuple[str, Tree]] = set()
    for moment in recorder.moments:
        number, *done = moment.label.split()
        allowed = stood[int(number) + 1 :][:1] if done else stood[int(number) :][:2]
        for tree in moment.trees():
            if (moment.label, tree) not in looked_at:
                looked_at.add((moment.label, tree))
                yield [f"{steps[int(number)][0]}: {each}" for each in promises(tmp_path / "cut", tree, allowed)]


def promises(folder: Path, tree: Tree, allowed: list[tuple[Choice, list[Entry]]]) -> list[str]:
    laid_out(tree, folder)
    store = Store(folder / "models")
    found = broken_promises(store, allowed) or goes_on(store)
    shutil.rmtree(folder)
    return found


def test_the_old_choice_or_the_new_one_never_neither(tmp_path: Path) -> None:
    states = list(cuts(tmp_path, evening() * 2))
    assert [wrong for wrong in states if wrong] == []
    assert len(states) > 600


def no_sync_of(is_such: Callable[[int], bool]) -> Callable[[pytest.MonkeyPatch], None]:
    def planted(patch: pytest.MonkeyPatch) -> None:
        real = os.fsync
        patch.setattr(os, "fsync", lambda handle: None if is_such(os.fstat(handle).st_mode) else real(handle))

    return planted


def no_sync_of_bundles(patch: pytest.MonkeyPatch) -> None:
    real = os.fsync
    patch.setattr(os, "fsync", lambda handle: None if os.fstat(handle).st_mode & 0o777 == 0o444 else real(handle))


def two_moves_for_one(patch: pytest.MonkeyPatch) -> None:
    def replace(self: Path, target: Path) -> None:
        target.unlink(missing_ok=True)
        self.rename(target)

    patch.setattr(Path, "replace", replace)


@pytest.mark.parametrize(
    ("plant", "complaint"),
    [
        (no_sync_of(stat.S_ISREG), "neither the old choice nor the new"),
        (no_sync_of(stat.S_ISDIR), "what was done and told of is lost"),
        (no_sync_of_bundles, "is listed and not whole"),
        (no_sync_of_bundles, "was chosen and is not whole"),
        (two_moves_for_one, "neither the old choice nor the new"),
    ],
)
def test_a_planted_defect_is_caught(
    tmp_path: Path, plant: Callable[[pytest.MonkeyPatch], None], complaint: str
) -> None:
    assert any(complaint in each for wrong in cuts(tmp_path, evening(), plant) for each in wrong)
