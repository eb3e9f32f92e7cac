"""An engine that crashes again and again starts with less, and gets it all back once it holds."""

import json
from pathlib import Path

import pytest

from appliance.service.ladder import CRASHES, LIVED_S, RUNGS, SETTLED_S, WINDOW_S, Ladder, Rung


class Machine:
    """Lives of the engine on a machine whose clock is moved by hand."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.s = 50.0

    def start(self) -> tuple[Ladder, Rung]:
        ladder = Ladder(self.folder, lambda: self.s)
        return ladder, ladder.climb()

    def crash(self, after_s: float = 5.0) -> int:
        """One life: the rung it stood on."""
        _, rung = self.start()
        self.s += after_s
        return rung.number

    def live(self, seconds: float) -> tuple[Ladder, int]:
        """A life that is well for so long, and not over yet: the rung it stood on."""
        ladder, rung = self.start()
        until_s = self.s + seconds
        while self.s < until_s:
            ladder.healthy()
            self.s += 1.0
        ladder.healthy()
        return ladder, rung.number


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_each_rung_takes_one_thing_away() -> None:
    assert [(rung.number, rung.controls, rung.own_model, rung.api) for rung in RUNGS] == [
        (0, True, True, True),
        (1, False, True, True),
        (2, False, False, True),
        (3, False, False, False),
    ]


def test_three_crashes_lead_to_the_next_rung_and_the_last_one_is_the_last(machine: Machine) -> None:
    rungs = [machine.crash() for _ in range(15)]

    assert CRASHES == 3
    assert rungs == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3, 3]


def test_two_crashes_are_chance(machine: Machine) -> None:
    machine.crash()
    machine.crash()
    _, rung = machine.live(WINDOW_S)
    assert rung == 0
    assert [machine.crash() for _ in range(3)] == [0, 0, 0]


def test_hanging_at_every_start_counts(machine: Machine) -> None:
    assert [machine.crash(65.0) for _ in range(4)] == [0, 0, 0, 1]


def test_crashes_far_apart_do_not_add_up(machine: Machine) -> None:
    assert {machine.crash(WINDOW_S / 2 + 1.0) for _ in range(20)} == {0}


@pytest.mark.parametrize(("well_s", "rung"), [(LIVED_S - 1.0, 1), (LIVED_S, 0)])
def test_who_lived_a_minute_did_not_crash(machine: Machine, well_s: float, rung: int) -> None:
    machine.crash()
    machine.crash()
    machine.live(well_s)

    assert machine.start()[1].number == rung


@pytest.mark.parametrize(("well_s", "rung"), [(SETTLED_S - 1.0, 1), (SETTLED_S, 0)])
def test_who_settled_starts_with_everything_next_time(machine: Machine, well_s: float, rung: int) -> None:
    for _ in range(CRASHES):
        machine.crash()
    _, stood = machine.live(well_s)

    assert stood == 1
    assert machine.start()[1].number == rung


def test_a_crash_long_after_it_settled_is_one_crash(machine: Machine) -> None:
    machine.live(SETTLED_S + 3_600.0)

    assert [machine.crash() for _ in range(4)] == [0, 0, 0, 1]


def test_a_clean_end_is_no_crash(machine: Machine) -> None:
    for _ in range(2 * CRASHES):
        ladder, rung = machine.start()
        ladder.ended()
        assert rung.number == 0


def test_who_ends_an_engine_that_is_well_gets_everything_next_time(machine: Machine) -> None:
    for _ in range(CRASHES):
        machine.crash()
    ladder, rung = machine.live(2.0)
    assert rung == 1
    ladder.ended()
    assert machine.start()[1].number == 0


def test_who_ends_an_engine_that_never_was_well_does_not(machine: Machine) -> None:
    for _ in range(CRASHES):
        machine.crash()
    ladder, _ = machine.start()
    ladder.ended()
    assert machine.start()[1].number == 1


def test_a_restart_of_the_machine_begins_anew(machine: Machine) -> None:
    machine.s = 10_000.0
    for _ in range(CRASHES):
        machine.crash()
    machine.s = 20.0
    assert machine.crash() == 0


def test_a_rung_alone_does_not_outlive_the_machine_either(machine: Machine) -> None:
    machine.s = 10_000.0
    for _ in range(CRASHES):
        machine.crash()
    machine.live(LIVED_S)
    assert json.loads((machine.folder / "starts").read_text())["open_s"] is None
    machine.s = 20.0
    assert machine.crash() == 0


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\x00",
        b"[]",
        b"3",
        b"null",
        b'{"rung": 2}',
        b'{"noted_s": 1, "rung": 7, "crashed_s": [], "open_s": null}',
        b'{"noted_s": 1, "rung": -1, "crashed_s": [], "open_s": null}',
        b'{"noted_s": 1, "rung": 2.0, "crashed_s": [], "open_s": null}',
        b'{"noted_s": 1, "rung": "x", "crashed_s": [], "open_s": null}',
        b'{"noted_s": 1, "rung": [], "crashed_s": [], "open_s": null}',
        b'{"noted_s": 1, "rung": 2, "crashed_s": ["a"], "open_s": null}',
        b'{"noted_s": 1, "rung": 2, "crashed_s": 4, "open_s": null}',
        b'{"noted_s": 1, "rung": 2, "crashed_s": [], "open_s": {}}',
        b'{"noted_s": 1, "rung": 2, "crashed_s": [], "open_s": NaN}',
        b'{"noted_s": 1, "rung": 2, "crashed_s": [], "open_s": 1e999}',
        b'{"noted_s": ' + b"9" * 400 + b', "rung": 2, "crashed_s": [], "open_s": null}',
        b"[" * 4_000,
        b" " * 5_000 + b'{"noted_s": 1, "rung": 2, "crashed_s": [], "open_s": null}',
    ],
)
def test_foreign_content_counts_as_none(machine: Machine, content: bytes) -> None:
    (machine.folder / "starts").write_bytes(content)
    assert [machine.crash() for _ in range(4)] == [0, 0, 0, 1]


def test_whole_content_is_believed(machine: Machine) -> None:
    (machine.folder / "starts").write_bytes(b'{"noted_s": 1, "rung": 2, "crashed_s": [], "open_s": null}')
    assert machine.start()[1] == RUNGS[2]


def test_a_folder_that_cannot_be_written_does_not_stop_the_engine(tmp_path: Path) -> None:
    machine = Machine(tmp_path / "absent")
    ladder, rung = machine.start()
    ladder.healthy()
    ladder.ended()
    assert rung.number == 0


def test_being_well_costs_few_writes(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    from appliance.service import ladder as module

    writes: list[Path] = []
    write_whole = module.write_whole
    monkeypatch.setattr(module, "write_whole", lambda path, write: (writes.append(path), write_whole(path, write)))
    machine.live(3_600.0)
    assert len(writes) <= 3
