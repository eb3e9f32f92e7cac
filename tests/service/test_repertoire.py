"""What is to play, while the disk does not know yet."""

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from patience import until
from stocked import played

from appliance.model.library import pointer_to
from appliance.model.store import Store
from appliance.service.repertoire import PROBATION_S, Repertoire
from appliance.settings import Settings


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "models")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def repertoire(store: Store, clock: Clock, said: list[str]) -> Iterator[Repertoire]:
    played(store, pointer_to("choir", store))
    store.choose(pointer_to("glass", store), "default")
    repertoire = Repertoire(store, Settings(), said.append, "boot", clock)
    yield repertoire
    repertoire.close()


def opened(repertoire: Repertoire) -> str:
    return repertoire.opened(lambda path, bounds: path.stem, own=True)


def test_what_was_taken_back_is_not_opened_again_while_another_keeps_the_disk_waiting(
    repertoire: Repertoire, store: Store, said: list[str]
) -> None:
    assert opened(repertoire) == "glass"
    until(lambda: store.choice().probation.boot == "boot")
    lock = os.open(store.folder / ".lock", os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)
    repertoire.failed(repertoire.playing, "It fell silent.")
    page = store.folder / "choice.json"
    # Something that was asked for earlier gets through.
    page.write_bytes(page.read_bytes())
    assert opened(repertoire) == "choir"
    assert repertoire.wanted().name == "choir"
    os.close(lock)
    until(lambda: store.choice().current.name == "choir")
    assert repertoire.wanted().name == "choir"
    assert said == ["It fell silent."]


def test_whoever_chooses_it_again_gets_it_again(repertoire: Repertoire, store: Store) -> None:
    assert opened(repertoire) == "glass"
    repertoire.failed(repertoire.playing, "It fell silent.")
    until(lambda: store.choice().current.name == "choir")
    assert opened(repertoire) == "choir"
    store.choose(pointer_to("glass", store), "default")
    assert repertoire.wanted().name == "glass"


def test_after_ten_minutes_it_counts_as_proven(repertoire: Repertoire, store: Store, clock: Clock) -> None:
    assert opened(repertoire) == "glass"
    clock.now_s += PROBATION_S - 1.0
    repertoire.tick()
    assert repertoire.probation_s == pytest.approx(1.0)
    clock.now_s += 2.0
    repertoire.tick()
    assert repertoire.probation_s is None
    until(lambda: store.choice().probation is None)
    repertoire.tick()
    assert repertoire.probation_s is None


def test_an_engine_that_crashed_again_and_again_plays_nothing_of_its_own(repertoire: Repertoire) -> None:
    assert repertoire.opened(lambda path, bounds: path.stem, own=False) == "default"
    assert repertoire.playing is None
