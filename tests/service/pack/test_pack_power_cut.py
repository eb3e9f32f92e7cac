"""A power cut while a pack is unpacked leaves what was there, or what unpacking it again completes."""

import os
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import astuple
from pathlib import Path

import pytest
from power_cut import Tree, laid_out, recorded
from taught import Machine, Told

from appliance.service.pack import unpacking
from appliance.service.pack.file import Pack
from appliance.service.state import BEFORE, UNFINISHED

_MOST_STATES = 300


def nothing(_: pytest.MonkeyPatch) -> None:
    """Plant no defect."""


def sealed(path: Path) -> dict[str, str]:
    with Pack(path) as pack:
        return {name: member.sha256 for name, member in pack.manifest.members.items()}


class Cut:
    """An old machine, a pack that is unpacked there, and all that may lie on the disk meanwhile."""

    def __init__(self, tmp_path: Path, plant: Callable[[pytest.MonkeyPatch], None] = nothing) -> None:
        self.folder = tmp_path / "cut"
        self.pack = tmp_path / "pack"
        Machine(tmp_path / "other").taught("fog", "rain", scene="dusk").pack(self.pack)
        machine = Machine(tmp_path / "machine").taught("snow", "fog", scene="noon").lived()
        self.old = machine.told
        machine.pack(tmp_path / "old")
        self.kept = sealed(tmp_path / "old")
        with recorded(machine.root) as recorder, pytest.MonkeyPatch.context() as patch:
            plant(patch)
            machine.unpack(self.pack, force=True)
            recorder.label = "done"
            recorder.note()
        self.new = machine.told
        self.moments = recorder.moments

    def states(self) -> list[tuple[bool, Tree]]:
        """Some of all that may lie on the disk, and whether all was done by then."""
        found = dict.fromkeys((moment.label == "done", tree) for moment in self.moments for tree in moment.trees())
        few = [each for each in found if each[0]]
        many = [each for each in found if not each[0]]
        return few + random.Random(7).sample(many, min(len(many), _MOST_STATES))

    def wrong(self) -> Iterator[list[str]]:
        with pytest.MonkeyPatch.context() as patch:
            # What lies there afterwards is looked at, and not what a further power cut would leave.
            patch.setattr(os, "fsync", lambda _: None)
            for done, tree in self.states():
                laid_out(tree, self.folder)
                yield self.broken(done)
                shutil.rmtree(self.folder)

    def broken(self, done: bool) -> list[str]:
        """Say what is not as it was promised."""
        machine = Machine(self.folder)
        told, unfinished = machine.told, (machine.state / UNFINISHED).exists()
        if done and told != self.new:
            return ["what was done and told of is lost"]
        if not unfinished and told not in (self.old, self.new):
            return ["it is half done, and nothing says so"]
        found = self.torn(told, machine)
        if unfinished and sealed(machine.state / BEFORE) != self.kept:
            found.append("what was there before is not kept")
        machine.unpack(self.pack, force=True)
        if machine.told != self.new or (machine.state / UNFINISHED).exists():
            found.append("unpacking again does not complete it")
        if (unfinished or told == self.old) and sealed(machine.state / BEFORE) != self.kept:
            found.append("unpacking again forgets what was there before")
        return found

    def torn(self, told: Told, machine: Machine) -> list[str]:
        """Say which file is neither the old nor the new one, and whether what plays is there."""
        found = []
        for name in told.pages.keys() | self.old.pages.keys() | self.new.pages.keys():
            if told.pages.get(name) not in (self.old.pages.get(name), self.new.pages.get(name)):
                found.append(f"{name} is torn")
        if told.settings not in (self.old.settings, self.new.settings):
            found.append("the settings are torn")
        if astuple(told)[3:] not in (astuple(self.old)[3:], astuple(self.new)[3:]):
            found.append("the choice is torn")
        if told.current not in [entry.verdict.name for entry in machine.store.entries()]:
            found.append("what was chosen is not there")
        return found


def test_the_old_state_or_one_that_unpacking_again_completes(tmp_path: Path) -> None:
    cut = Cut(tmp_path)
    assert cut.old != cut.new
    states = list(cut.wrong())
    assert [wrong for wrong in states if wrong] == []
    assert len(states) > 250


def unsafe_mark(patch: pytest.MonkeyPatch) -> None:
    real = unpacking._put

    def put(path: Path, content: bytes) -> None:
        if path.name == UNFINISHED:
            path.touch()
        else:
            real(path, content)

    patch.setattr(unpacking, "_put", put)


def in_place(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(unpacking, "_put", Path.write_bytes)


def choice_first(patch: pytest.MonkeyPatch) -> None:
    real = unpacking._change

    def change(looked, settings, target, store, path):
        store.note(lambda _: looked.choice)
        return real(looked, settings, target, store, path)

    patch.setattr(unpacking, "_change", change)


@pytest.mark.parametrize(
    ("plant", "complaint"),
    [
        (unsafe_mark, "it is half done, and nothing says so"),
        (in_place, "is torn"),
        (choice_first, "what was chosen is not there"),
    ],
)
def test_a_planted_defect_is_caught(
    tmp_path: Path, plant: Callable[[pytest.MonkeyPatch], None], complaint: str
) -> None:
    assert any(complaint in each for wrong in Cut(tmp_path, plant).wrong() for each in wrong)
