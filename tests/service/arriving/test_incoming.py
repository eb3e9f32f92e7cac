"""When a file has arrived: one table, and no sleep."""

import math
import stat

import pytest

from appliance.model.outside import SIZE_LIMIT
from appliance.service.arriving.incoming import Incoming, Kind, Stamp, Step, kind_of, parted

PLAIN = stat.S_IFREG | 0o644
FOLDER = stat.S_IFDIR | 0o755
DAY_S = 86_400.0


def stamp(size: int = 1000, mode: int = PLAIN, ctime_ns: int = 1, inode: int = 1) -> Stamp:
    return Stamp(1, inode, size, 7, ctime_ns, mode)


def steps(incoming: Incoming, now_s: float) -> list[tuple[str, Step]]:
    return [(name, step) for name, _, step in incoming.due(now_s)]


@pytest.mark.parametrize(
    ("name", "mode", "kind"),
    [
        ("mine.latent", PLAIN, Kind.MODEL),
        ("two words.latent", PLAIN, Kind.MODEL),
        (".mine.latent.Xy12Ab", PLAIN, Kind.TEMPORARY),
        (".mine.latent", PLAIN, Kind.TEMPORARY),
        (".rsync-partial", FOLDER, Kind.TEMPORARY),
        ("mine.latent.filepart", PLAIN, Kind.TEMPORARY),
        ("mine.latent.part", PLAIN, Kind.TEMPORARY),
        ("mine.latent.partial", PLAIN, Kind.TEMPORARY),
        ("mine.latent.tmp", PLAIN, Kind.TEMPORARY),
        ("mine.latent.crdownload", PLAIN, Kind.TEMPORARY),
        ("mine.latent~", PLAIN, Kind.TEMPORARY),
        ("MINE.LATENT", PLAIN, Kind.MODEL),
        ("MINE.LATENT.PART", PLAIN, Kind.TEMPORARY),
        ("mine.zip", PLAIN, Kind.FOREIGN),
        ("latent", PLAIN, Kind.FOREIGN),
        ("mine.latent", FOLDER, Kind.FOLDER),
        ("mine.latent", stat.S_IFLNK | 0o777, Kind.ODD),
        ("mine.latent", stat.S_IFIFO | 0o644, Kind.ODD),
        (".hidden", stat.S_IFCHR | 0o644, Kind.ODD),
    ],
)
def test_what_a_name_stands_for(name: str, mode: int, kind: Kind) -> None:
    assert kind_of(name, mode) is kind


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("mine.latent", ("mine", ".latent")),
        ("MINE.Latent", ("MINE", ".Latent")),
        ("a.latent.latent", ("a.latent", ".latent")),
        ("latent", ("latent", "")),
        ("mine.zip", ("mine.zip", "")),
    ],
)
def test_a_name_parts_from_its_ending(name: str, parts: tuple[str, str]) -> None:
    assert parted(name) == parts


@pytest.mark.parametrize(
    ("name", "mode", "after_s", "step"),
    [
        ("a.latent", PLAIN, 1.0, Step.LOOK),
        ("a.latent", stat.S_IFLNK, 5.0, Step.REJECT),
        ("a.latent", stat.S_IFIFO, 5.0, Step.REJECT),
        ("a.wav", PLAIN, 60.0, Step.REJECT),
        ("folder", FOLDER, 60.0, Step.REJECT),
        ("a.latent.filepart", PLAIN, DAY_S, Step.ABANDON),
    ],
)
def test_how_long_each_must_not_have_changed(name: str, mode: int, after_s: float, step: Step) -> None:
    incoming = Incoming()
    incoming.see({name: stamp(mode=mode)}, 100.0)

    assert incoming.patience_s(100.0) == after_s
    assert steps(incoming, 100.0 + after_s - 0.01) == []
    assert steps(incoming, 100.0 + after_s) == [(name, step)]


@pytest.mark.parametrize(
    "change", [{"size": 1001}, {"ctime_ns": 2}, {"inode": 2}, {"mode": stat.S_IFREG | 0o600}], ids=str
)
def test_any_change_begins_anew(change: dict[str, int]) -> None:
    incoming = Incoming()
    incoming.see({"a.latent": stamp()}, 0.0)
    incoming.see({"a.latent": stamp(**change)}, 0.9)

    assert steps(incoming, 1.8) == []
    assert steps(incoming, 1.9) == [("a.latent", Step.LOOK)]


def test_a_copy_that_stops_is_tried_told_and_given_up() -> None:
    incoming = Incoming()
    incoming.see({"a.latent": stamp()}, 0.0)
    incoming.half("a.latent")
    assert incoming.due(14.9) == []
    assert steps(incoming, 15.0) == [("a.latent", Step.TRY)]
    incoming.cut("a.latent", "It is cut short.")
    assert steps(incoming, 15.0) == [("a.latent", Step.TELL)]
    incoming.told("a.latent")
    assert incoming.due(3599.0) == []
    assert incoming.patience_s(15.0) == 3585.0
    assert steps(incoming, 3600.0) == [("a.latent", Step.REJECT)]
    assert incoming.reason("a.latent") == "It is cut short."


def test_a_copy_that_is_resumed_makes_what_was_told_outdated() -> None:
    incoming = Incoming()
    incoming.see({"a.latent": stamp(), "b.latent": stamp()}, 0.0)
    incoming.cut("a.latent", "")
    incoming.told("a.latent")

    assert incoming.see({"a.latent": stamp(2000)}, 20.0) == ["a.latent"]
    assert steps(incoming, 21.0) == [("a.latent", Step.LOOK)]


def test_what_is_whole_and_refused_waits_a_little_for_its_copy_to_go_on() -> None:
    incoming = Incoming()
    incoming.see({"a.latent": stamp()}, 0.0)
    incoming.refused("a.latent", "It is silent.")

    assert incoming.due(4.9) == []
    assert steps(incoming, 5.0) == [("a.latent", Step.REJECT)]


def test_without_room_it_is_tried_each_minute() -> None:
    incoming = Incoming()
    incoming.see({"a.latent": stamp()}, 0.0)
    assert incoming.no_room("a.latent", 1.0)
    assert not incoming.no_room("a.latent", 1.0)

    assert incoming.due(60.9) == []
    assert steps(incoming, 61.0) == [("a.latent", Step.TRY)]
    assert incoming.see({}, 62.0) == ["a.latent"]


@pytest.mark.parametrize("name", ["a.latent", "a.wav", "a.latent.filepart"])
def test_what_is_far_too_large_goes_while_it_grows(name: str) -> None:
    incoming = Incoming()
    incoming.see({name: stamp(SIZE_LIMIT)}, 0.0)
    assert incoming.due(0.0) == []
    incoming.see({name: stamp(SIZE_LIMIT + 1)}, 0.1)
    assert steps(incoming, 0.1) == [(name, Step.DISCARD)]


def test_what_is_left_is_let_be_until_it_changes() -> None:
    incoming = Incoming()
    incoming.see({"a.latent": stamp()}, 0.0)
    incoming.leave("a.latent")
    assert incoming.due(1e9) == []
    assert incoming.patience_s(0.0) == math.inf
    incoming.see({"a.latent": stamp(ctime_ns=5)}, 1.0)
    assert steps(incoming, 2.0) == [("a.latent", Step.LOOK)]


def test_several_come_in_the_order_in_which_they_were_last_touched() -> None:
    incoming = Incoming()
    ages = {"c.latent": 3, "a.latent": 1, "b.latent": 2}
    incoming.see({name: stamp(ctime_ns=age) for name, age in ages.items()}, 0.0)

    assert [name for name, _ in steps(incoming, 1.0)] == ["a.latent", "b.latent", "c.latent"]
