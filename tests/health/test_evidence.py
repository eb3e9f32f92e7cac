"""What is noted of months is little, whatever crashes; and none of it is lost but what the disk had not taken."""

import errno
import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from power_cut import laid_out, recorded

from appliance.health import evidence
from appliance.health.day import Day
from appliance.health.evidence import MOST_BYTES, Evidence, read
from appliance.health.evidence_lines import Change

H = 3600.0
BOOT, OTHER = bytes.fromhex("3f2a9c1e") * 4, bytes.fromhex("00c0ffee") * 4
DAY = Day("2026-11-22", 5 * 60 * 10**9, observed_s=8 * H, sounded_s=8 * H - 60.0, holds=2, held_s=41.0)
WORST = replace(
    DAY,
    observed_s=26 * H,
    sounded_s=26 * H,
    holds=99_999,
    held_s=86_400.0,
    silent_s=86_400.0,
    engine_restarts=9999,
    player_restarts=9999,
    cards_lost=9999,
)


class Disk:
    """The place of the evidence, and who writes there."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "evidence" / "days"
        self.said: list[str] = []

    def keeper(self, boot: bytes = BOOT, up_min: float = 1.0) -> Evidence:
        made = Evidence(self.path, self.said.append, boot)
        made.begin("2026-11-22T09:58", "0.1.0", "1a2b3c4d5e6f", up_min * 60.0)
        return made

    @property
    def text(self) -> str:
        return self.path.read_text() if self.path.exists() else ""


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path)


def test_a_start_and_a_day_are_two_lines(disk: Disk) -> None:
    keeper = disk.keeper()
    keeper.note(DAY, 485 * 60.0, ended=True)
    assert disk.text == (
        "boot 1 2026-11-22T09:58 u1 3f2a9c1e 0.1.0 1a2b3c4d\nday 1 2026-11-22 b5 u485 o480 s479 h2 t41\n"
    )
    told = read(disk.path)
    assert (told.boots[0].number, told.boots[0].version, told.boots[0].model) == (1, "0.1.0", "1a2b3c4d")
    assert told.days[0].label == "2026-11-22"
    assert told.days[0].counts["sounded_min"] == 479
    assert told.days[0].counts["cards_lost"] == 0


def test_starts_are_counted_once_each(disk: Disk) -> None:
    for boot in (BOOT, BOOT, OTHER, OTHER):
        disk.keeper(boot)
    assert [boot.number for boot in read(disk.path).boots] == [1, 2]


def test_an_update_without_a_restart_is_noted(disk: Disk) -> None:
    keeper = disk.keeper()
    keeper.begin("", "0.1.0", None, 30_000 * 60.0)
    keeper.begin("", "0.1.0", "1a2b3c4d5e6f", 30_000 * 60.0)
    assert read(disk.path).changes == ()
    updated = Evidence(disk.path, disk.said.append, BOOT)
    for up_min in (30_240, 30_241):
        updated.begin("", "9.0.0", "1a2b3c4d5e6f", up_min * 60.0)
    Evidence(disk.path, disk.said.append, BOOT).begin("", "9.0.0", "1a2b3c4d5e6f", 30_300 * 60.0)
    told = read(disk.path)
    assert told.changes == (Change(1, 30_240, "9.0.0", "1a2b3c4d"),)
    assert len(told.boots) == 1


def test_a_model_that_was_not_known_at_first_is_none_that_changed(disk: Disk) -> None:
    made = Evidence(disk.path, pytest.fail, BOOT)
    made.begin("", "0.1.0", None, 60.0)
    for minute, model in ((2, "aaaaaaaa"), (3, "bbbbbbbb"), (4, "cccccccc"), (1500, "dddddddd")):
        made.begin("", "0.1.0", model, minute * 60.0)
    assert [(change.written_min, change.model) for change in read(disk.path).changes] == [
        (3, "bbbbbbbb"),
        (1500, "dddddddd"),
    ]


def test_models_that_change_all_day_leave_room_for_the_end_of_the_day(disk: Disk) -> None:
    keeper = disk.keeper()
    for minute in range(5, 1440):
        keeper.begin("", "0.1.0", f"{minute:08x}", minute * 60.0)
        keeper.note(DAY, minute * 60.0)
    keeper.note(replace(DAY, holds=1440), 1440 * 60.0, ended=True)
    assert read(disk.path).days[-1].counts["holds"] == 1440
    assert len(disk.text) <= MOST_BYTES


def test_what_is_not_known_is_a_dash(disk: Disk) -> None:
    made = Evidence(disk.path, pytest.fail, BOOT)
    made.begin("", "0.1 \n", None, 60.0)
    made.note(replace(DAY, label=""), 485 * 60.0, ended=True)
    assert disk.text == "boot 1 - u1 3f2a9c1e 0.1 -\nday 1 - b5 u485 o480 s479 h2 t41\n"
    assert read(disk.path).days[0].label == ""


def test_a_power_cut_in_the_evening_loses_little(disk: Disk) -> None:
    keeper = disk.keeper()
    for minute in range(5, 480):
        keeper.note(replace(DAY, observed_s=(minute - 5) * 60.0, sounded_s=(minute - 5) * 60.0), minute * 60.0)
    told = read(disk.path)
    assert (len(disk.text.splitlines()), len(told.days), told.days[0].counts["sounded_min"]) == (3, 1, 420)


def test_who_is_told_to_stop_notes_what_there_is(disk: Disk) -> None:
    keeper = disk.keeper()
    keeper.note(DAY, 14 * 60.0, stopping=True)
    assert read(disk.path).days == ()
    keeper.note(DAY, 16 * 60.0, stopping=True)
    assert len(read(disk.path).days) == 1


def test_there_is_room_for_the_end_of_the_day(disk: Disk) -> None:
    keeper = disk.keeper()
    for minute in range(5, 1440):
        keeper.note(replace(DAY, holds=minute), minute * 60.0, stopping=True)
    keeper.note(replace(DAY, holds=1440), 1440 * 60.0, ended=True)
    assert read(disk.path).days[0].counts["holds"] == 1440
    assert len(disk.text) <= MOST_BYTES


def test_every_line_fits(disk: Disk) -> None:
    keeper = Evidence(disk.path, pytest.fail, BOOT)
    keeper.begin("2026-11-22T09:58", "v" * 99, "f" * 64, 60.0)
    keeper.note(replace(WORST, begun_ns=10**9 * 60 * 99_999_999), 6e9, ended=True)
    assert len(read(disk.path).days) == 1
    assert len(disk.text) <= MOST_BYTES


DOINGS = st.lists(
    st.tuples(st.sampled_from(("look", "end", "stop", "die", "boot", "change")), st.floats(0.0, 3000.0)), max_size=60
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(DOINGS, st.sampled_from((DAY, WORST)))
def test_never_more_than_its_share_of_any_24_hours_of_any_start(tmp_path_factory, doings, day: Day) -> None:
    """Whatever keeper and clock do: days end at will here, and each name of a day is another."""
    disk = Disk(tmp_path_factory.mktemp("state"))
    boots, up_min = 1, 1.0
    keeper = disk.keeper(boots.to_bytes(4, "big") * 4)
    size = len(disk.text)
    written = [(boots, up_min, size)]
    for number, (what, later_min) in enumerate(doings):
        up_min += later_min
        if what == "boot":
            boots, up_min = boots + 1, 1.0
        if what in ("die", "boot"):
            keeper = disk.keeper(boots.to_bytes(4, "big") * 4, up_min)
        if what == "change":
            keeper.begin("", "v" * 24, f"{number:08x}", up_min * 60.0)
        here = replace(day, label=f"{1970 + number:04}-01-01", begun_ns=int(up_min * 60e9) - number)
        keeper.note(here, up_min * 60.0, ended=what == "end", stopping=what == "stop")
        written.append((boots, up_min, len(disk.text) - size))
        size = len(disk.text)
    for boot, at_min, _ in written:
        share = [more for other, when, more in written if other == boot and at_min - 1439.0 < when <= at_min]
        assert sum(share) <= MOST_BYTES


def test_a_loop_of_crashes_writes_no_more(disk: Disk) -> None:
    for second in range(60, 86_400, 30):
        keeper = disk.keeper(up_min=second / 60.0)
        keeper.note(replace(DAY, begun_ns=second * 10**9), second + 1.0, ended=True)
        keeper.note(replace(DAY, begun_ns=second * 10**9), second + 1.0, stopping=True)
    assert 0 < len(disk.text) <= MOST_BYTES


@pytest.mark.parametrize("torn", ["day 1 2026-11", "boot 2 2026-11-22T09:58 u1 3f2a9c", "\0\0\0\0", "\xff"])
def test_a_torn_line_is_mended(disk: Disk, torn: str) -> None:
    disk.keeper().note(DAY, 485 * 60.0, ended=True)
    whole = disk.text
    disk.path.write_bytes(whole.encode() + torn.encode("latin-1"))
    assert len(read(disk.path).days) == 1
    disk.keeper(OTHER)
    assert disk.text.startswith(whole + "boot 2 ")
    assert disk.text.endswith("\n")


@pytest.mark.parametrize(
    "line",
    ["", "day", "day 1 2026-11-22 b5 u485 o", "day 1 today b5 u4", "day 1 - b5 u4 x1 o" + "9" * 30, "boot 1 2 3", "é"],
)
def test_what_is_no_line_of_it_is_passed_over(disk: Disk, line: str) -> None:
    disk.path.parent.mkdir()
    disk.path.write_text(f"{line}\n")
    disk.keeper()
    assert [boot.number for boot in read(disk.path).boots] == [1]
    assert read(disk.path).days == ()


def test_a_count_from_another_version_does_no_harm(disk: Disk) -> None:
    disk.keeper()
    with disk.path.open("a") as file:
        file.write("day 1 2026-11-22 b5 u485 o480 z7\n")
    assert read(disk.path).days[0].counts["open_min"] == 480


def test_a_power_cut_at_any_instant_leaves_whole_lines(disk: Disk, tmp_path: Path) -> None:
    disk.keeper().note(DAY, 485 * 60.0, ended=True)
    before = disk.text
    with recorded(tmp_path) as recorder:
        disk.keeper(OTHER).note(DAY, 485 * 60.0, ended=True)
    after = disk.text
    states = {tree for moment in recorder.moments for tree in moment.trees()}
    assert len(states) > 3
    for number, tree in enumerate(states):
        folder = tmp_path.parent / f"{tmp_path.name}-{number}"
        laid_out(tree, folder)
        path = folder / "evidence" / "days"
        left = path.read_bytes()
        if left not in (b"", bytes(len(left))) and left.startswith(before.encode()):
            assert [day.boot for day in read(path).days][:1] == [1]
        Evidence(path, pytest.fail, bytes(16)).begin("", "0.1.0", None, 60.0)
        assert path.read_text(errors="replace").endswith("00000000 0.1.0 -\n")
    assert after.startswith(before)


def test_a_disk_that_is_full_is_told_once_and_tried_again(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.pwrite

    def full(handle: int, data: bytes, at: int) -> int:
        return real(handle, data[:7], at)

    keeper = disk.keeper()
    whole = disk.text
    monkeypatch.setattr(os, "pwrite", full)
    for minute in (185, 186, 425, 484):
        keeper.note(DAY, minute * 60.0)
    keeper.note(DAY, 485.5 * 60.0, ended=True)
    assert disk.text == whole
    assert disk.said == [
        f"How the days went cannot be noted in {disk.path} (No space left on device): make room for it or make it"
        " writable."
    ]
    monkeypatch.setattr(os, "pwrite", real)
    keeper.note(replace(DAY, begun_ns=0), 560 * 60.0, ended=True)
    assert len(read(disk.path).days) == 1


def test_a_day_that_ends_soon_after_the_disk_was_full_is_noted(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    keeper = disk.keeper()
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", lambda handle, data, at: 0)
        keeper.note(DAY, 485 * 60.0)
    assert not read(disk.path).days
    keeper.note(DAY, 490 * 60.0, ended=True)
    assert len(read(disk.path).days) == 1


def test_a_state_that_is_read_only_is_borne(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> int:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(evidence.os, "open", refuse)
    keeper = disk.keeper()
    for minute in range(2, 300):
        keeper.begin("", "0.1.0", None, minute * 60.0)
        keeper.note(DAY, minute * 60.0, ended=True)
    assert disk.text == ""
    assert len(disk.said) == 1
    assert "(Read-only file system)" in disk.said[0]


def test_a_path_that_is_a_folder_is_borne(disk: Disk) -> None:
    disk.path.mkdir(parents=True)
    disk.keeper().note(DAY, 485 * 60.0, ended=True)
    assert len(disk.said) == 1


def test_it_is_cut_once_in_a_while_and_keeps_the_newest(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    a_year = 365 * 2 * MOST_BYTES
    assert min(evidence._KEPT_BYTES, evidence._FILE_BYTES - evidence._KEPT_BYTES) >= a_year
    monkeypatch.setattr(evidence, "_KEPT_BYTES", 4000)
    monkeypatch.setattr(evidence, "_FILE_BYTES", 8000)
    sizes = [0]
    for number in range(1, 201):
        keeper = disk.keeper(number.to_bytes(4, "big") * 4)
        keeper.note(DAY, 485 * 60.0, ended=True)
        sizes.append(disk.path.stat().st_size)
    cuts = [at for at in range(1, 201) if sizes[at] < sizes[at - 1]]
    told = read(disk.path)
    assert max(sizes) <= 8000
    assert 1 < len(cuts) < 5
    assert [boot.number for boot in told.boots] == list(range(201 - len(told.boots), 201))
    assert len(told.boots) >= 4000 // 100
    assert len(disk.text.splitlines()) == len(told.boots) + len(told.days)
