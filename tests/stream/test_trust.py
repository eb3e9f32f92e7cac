"""A clock is gone by once it is known to be right, and no longer when somebody moved it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from appliance.stream import trust as trust_module
from appliance.stream.trust import EARLIEST_S, Trust, chip_s, kernel_synced, sync_mark

NOW_S = EARLIEST_S + 30 * 86_400.0
YEAR_S = 365 * 86_400.0


class Machine:
    """A machine whose clock may be moved."""

    def __init__(self, wall_s: float = NOW_S) -> None:
        self.wall_s = wall_s
        self.up_s = 100.0
        self.synced = False
        self.marked: int | None = None
        self.chip: float | None = None
        self.chip_reads = 0
        self.trust = Trust(lambda: self.synced, lambda: self.marked, self._chip)

    def _chip(self) -> float | None:
        self.chip_reads += 1
        return self.chip

    def after(self, seconds: float = 1.0, step_s: float = 0.0) -> bool:
        self.up_s += seconds
        self.wall_s += seconds + step_s
        return self.trust.look(self.wall_s, self.up_s)


def synced(machine: Machine) -> None:
    machine.synced = True


def marked(machine: Machine) -> None:
    machine.marked = 17


def chipped(machine: Machine) -> None:
    machine.chip = machine.wall_s + 20.0


def test_a_clock_of_which_nothing_is_known_is_not_trusted() -> None:
    machine = Machine()
    assert not any(machine.after() for _ in range(100))


@pytest.mark.parametrize("known", [synced, marked, chipped])
def test_once_known_to_be_right_it_stays_so(known: Callable[[Machine], None]) -> None:
    machine = Machine()
    known(machine)
    assert machine.after()
    # The network is gone, and the kernel forgets after some hours.
    machine.synced, machine.marked, machine.chip = False, None, None
    assert all(machine.after(3600.0, step_s=0.2) for _ in range(100))


@pytest.mark.parametrize("step_s", [-YEAR_S * 56, -YEAR_S, -3600.0, 60.0, YEAR_S, YEAR_S * 12])
def test_a_clock_that_somebody_moved_is_not_trusted_until_it_is_known_again(step_s: float) -> None:
    machine = Machine(NOW_S + 2 * YEAR_S)
    machine.marked = 17
    assert machine.after()
    assert not machine.after(step_s=step_s)
    assert not machine.after()
    # It is set right by the network, which first steps it and then leaves its mark.
    assert not machine.after(step_s=-step_s)
    machine.marked = 18
    assert machine.after()


def test_a_step_by_whoever_keeps_it_right_costs_no_trust() -> None:
    machine = Machine()
    machine.synced = True
    assert machine.after()
    assert machine.after(step_s=5000.0)
    # Nor does one whose mark came before we looked.
    machine.synced = False
    machine.marked = 18
    assert machine.after(step_s=-5000.0)


@pytest.mark.parametrize("known", [synced, marked, chipped])
def test_before_this_was_written_no_clock_is_right(known: Callable[[Machine], None]) -> None:
    machine = Machine(1_000.0)
    known(machine)
    assert not machine.after()


def test_a_clock_chip_that_says_another_time_proves_nothing_and_is_not_asked_all_the_time() -> None:
    machine = Machine()
    machine.chip = machine.wall_s - 600.0
    assert not any(machine.after() for _ in range(120))
    assert machine.chip_reads == 2
    machine.chip = machine.wall_s + 60.0
    assert machine.after(60.0)


def test_the_machine_itself_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert kernel_synced() in (True, False)
    for name, look in (("_SYNC_MARK", sync_mark), ("_CHIP", chip_s)):
        monkeypatch.setattr(trust_module, name, tmp_path / name)
        assert look() is None
        (tmp_path / name).write_text("1790000000\n")
        assert look() is not None
    assert chip_s() == 1_790_000_000.0
    (tmp_path / "_CHIP").write_text("broken")
    assert chip_s() is None


@pytest.mark.parametrize(("state", "is_synced"), [(0, True), (4, True), (5, False), (-1, False)])
def test_what_the_kernel_answers(monkeypatch: pytest.MonkeyPatch, state: int, is_synced: bool) -> None:
    class Libc:
        def adjtimex(self, buffer: object) -> int:
            assert not any(bytes(buffer))
            return state

    monkeypatch.setattr(trust_module, "_libc", Libc)
    assert kernel_synced() is is_synced
