"""Status tells the truth of what lives and what does not, from whatever is left of it."""

import json
import os
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from appliance.api.client import control_path
from appliance.api.server import Server
from appliance.engine.cursor import Cursor, Passage
from appliance.engine.saved import dump
from appliance.errors import RingError
from appliance.mood import Mood
from appliance.score.piece import Piece
from appliance.service.status import Memory, memory_of, status
from appliance.stream.layout import Word
from appliance.stream.ring import Ring, create
from appliance.stream.sign import Rule
from appliance.stream.state import Gains, State

NOW_NS = 1_000_000_000_000
S = 1_000_000_000
ENGINE, PLAYER = 123, 124
SMAPS = """\
55d5f7a00000-55d5f7a01000 r--p 00000000 fe:00 1836 {other}
Rss:                   4 kB
Pss:                1000 kB
Pss_Dirty:           999 kB
7f2000000000-7f2004000000 rw-s 00000000 00:19 77 {ring}
Pss:                3000 kB
7f3000000000-7f3004000000 rw-s 00000000 00:19 70 {ring} (deleted)
Pss:                 500 kB
7f4000000000-7f4000001000 rw-p 00000000 00:00 0
Pss:                 250 kB
VmFlags: rd wr mr mw me ac sd
"""


class Box:
    """A runtime folder with a ring, and what the system shows of two processes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "run"
        self.processes = folder / "proc"
        self.folder.mkdir()
        self.ring: Ring = create(self.folder, 48_000, 2, 2.0)
        self.ring.gains.write(Gains().pack())
        for who, pid in (("ENGINE", ENGINE), ("PLAYER", PLAYER)):
            self.ring.words[Word[f"{who}_PID"]] = pid
            self.ring.words[Word[f"{who}_START_NS"]] = NOW_NS - 100 * S
            self.ring.words[Word[f"{who}_BEAT_NS"]] = NOW_NS - S // 10
            (self.processes / str(pid)).mkdir(parents=True)
        self.ring.words[Word.STATE] = State.PLAYING

    def look(self):
        report = status(self.folder, lambda: NOW_NS, self.processes)
        assert json.loads(json.dumps(report, allow_nan=False)) == report
        return report

    def gone(self, pid: int) -> None:
        (self.processes / str(pid)).rmdir()


class Engine:
    """What a living engine answers."""

    def __init__(self, **told: object) -> None:
        self.told = {"mood": {"pitch": 0.5}, "piece": 9, "pattern": "AABB", "health": "the reserve is full"} | told

    def status(self):
        return self.told


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path)


@pytest.fixture
def engine(box: Box):
    made = Engine()
    server = Server(control_path(box.folder), made, pytest.fail)
    yield made
    server.close()


def saved(number: int, pattern: str = "CDCD", seed: int = 7) -> bytes:
    """A cursor as the engine leaves it."""
    piece = Piece(number, pattern, b"", (), (), b"", (), (), 0, 0.0, (60.0, 0.0), (), b"", 1.0, 30.0, 1.0)
    return dump(Cursor(0, seed, "digest", Passage(piece, 0.0), None, 0, Mood(), None, ()), Mood(), 0)


def test_all_is_well(box: Box, engine: Engine) -> None:
    report = box.look()
    assert report["healthy"] is True
    assert report["reason"] == report["state"] == "playing"
    assert report["engine"] == {"alive": True, "pid": ENGINE, "uptime_s": 100.0, "beat_age_s": 0.1, "answers": True}
    assert report["player"] == {"alive": True, "pid": PLAYER, "uptime_s": 100.0, "beat_age_s": 0.1}
    assert report["uptime_s"] == 100.0
    assert (report["piece"], report["pattern"], report["mood"]) == (9, "AABB", {"pitch": 0.5})
    assert report["engine_health"] == "the reserve is full"


@pytest.mark.parametrize(("pid", "who"), [(ENGINE, "engine"), (PLAYER, "player")])
def test_a_process_that_is_gone_is_named(box: Box, pid: int, who: str) -> None:
    box.gone(pid)
    report = box.look()
    assert report["healthy"] is False
    assert report["reason"] == f"the {who} is not running"
    assert report[who]["alive"] is False
    assert report[who]["uptime_s"] is None
    assert report["memory_mb"][who] is None
    assert (report["uptime_s"] is None) == (who == "player")


@pytest.mark.parametrize("who", ["engine", "player"])
@pytest.mark.parametrize(("age_s", "alive"), [(4.9, True), (5.1, False)])
def test_a_process_without_a_sign_of_life_is_named(box: Box, who: str, age_s: float, alive: bool) -> None:
    box.ring.words[Word[f"{who.upper()}_BEAT_NS"]] = NOW_NS - round(age_s * S)
    report = box.look()
    assert report["healthy"] is report[who]["alive"] is alive
    assert report["reason"] == ("playing" if alive else f"the {who} has given no sign of life for 5 s")


@pytest.mark.parametrize("who", ["engine", "player"])
def test_one_that_has_only_just_begun_is_alive(box: Box, who: str) -> None:
    box.ring.words[Word[f"{who.upper()}_BEAT_NS"]] = 0
    assert box.look()["healthy"] is False
    box.ring.words[Word[f"{who.upper()}_START_NS"]] = NOW_NS - S
    assert box.look()["healthy"] is True


def test_both_can_be_gone(box: Box) -> None:
    box.gone(ENGINE)
    box.gone(PLAYER)
    assert box.look()["reason"] == "the engine is not running; the player is not running"


def test_nobody_has_begun(box: Box) -> None:
    for word in range(128):
        box.ring.words[word] = 0
    report = box.look()
    assert report["reason"] == "the engine has not begun; the player has not begun"
    assert report["healthy"] is False


def test_a_player_that_waits_for_a_card_is_well(box: Box) -> None:
    box.gone(PLAYER)
    box.ring.words[Word.STATE] = State.WAITING_FOR_CARD
    report = box.look()
    assert (report["healthy"], report["reason"]) == (True, "waiting for a sound card")
    box.ring.words[Word.PLAYER_BEAT_NS] = NOW_NS - 6 * S
    assert box.look()["healthy"] is False


@pytest.mark.parametrize(
    ("state", "volume", "reason"),
    [
        (State.PLAYING, 0.0, "silent as it should be"),
        (State.HOLDING, 1.0, "holding what was heard before, for want of fresh sound"),
        (State.STARTING, 1.0, "waiting for the first sound"),
    ],
)
def test_what_the_player_does_is_told_in_words(box: Box, state: State, volume: float, reason: str) -> None:
    box.ring.words[Word.STATE] = state
    box.ring.gains.write(Gains(volume=volume).pack())
    assert (box.look()["healthy"], box.look()["reason"]) == (True, reason)


def test_an_engine_that_says_it_is_ill_is_believed(box: Box, engine: Engine) -> None:
    engine.told |= {"healthy": False, "health": "no sound was made for 12 s though the reserve is not full"}
    report = box.look()
    assert report["healthy"] is False
    assert "no sound was made for 12 s" in report["reason"]
    assert report["engine"]["alive"] is True


def test_without_an_answer_the_cursors_tell(box: Box) -> None:
    box.ring.words[Word.READ] = 100_000
    for lane, numbers in ((0, (1, 2, 3)), (1, (7, 8, 9))):
        for hop, number in enumerate(numbers):
            box.ring.save(lane, hop, hop * 96_000, saved(number))
    report = box.look()
    assert (report["piece"], report["pattern"], report["seed"]) == (2, "CDCD", 7)
    assert report["engine"]["answers"] is False
    assert report["mood"] is report["engine_health"] is None
    box.ring.words[Word.PLAYING] = 1
    assert box.look()["piece"] == 8


@pytest.mark.parametrize("scribble", [b"{}", b"[" * 9000, b"\xff", b'{"cursor": {"now": {"piece": 1}}}'])
def test_a_cursor_that_is_none_is_passed_over(box: Box, scribble: bytes) -> None:
    box.ring.words[Word.READ] = 100_000
    box.ring.save(0, 0, 0, saved(1))
    box.ring.save(0, 1, 96_000, scribble)
    assert box.look()["piece"] == 1


def test_before_the_first_hop_its_own_cursor_tells(box: Box) -> None:
    box.ring.save(0, 0, 96_000, saved(4))
    assert box.look()["piece"] == 4


def test_facts_are_told_where_they_can_be(box: Box) -> None:
    box.ring.facts.write(json.dumps({"seed": 3, "model": "mine\n", "boots": True, "rung": 10**300}).encode())
    report = box.look()
    assert (report["seed"], report["model"], report["boots"], report["rung"]) == (3, "mine\\n", None, None)


def test_an_answer_that_makes_no_sense_does_no_harm(box: Box, engine: Engine) -> None:
    engine.told |= {"mood": {"pitch": "high"}, "piece": "one", "pattern": 5, "health": None}
    report = box.look()
    assert (report["mood"], report["piece"], report["pattern"]) == ({"pitch": None}, None, None)
    engine.told = "well"
    assert box.look()["engine"]["answers"] is False


def test_it_only_looks(box: Box) -> None:
    before = (box.folder / "ring").read_bytes()
    box.look()
    assert (box.folder / "ring").read_bytes() == before


def test_with_no_ring_nothing_plays(tmp_path: Path) -> None:
    with pytest.raises(RingError, match="Nothing plays on this machine"):
        status(tmp_path)


def test_memory_is_told_without_the_ring(box: Box) -> None:
    ring = box.folder / "ring"
    text = SMAPS.format(ring=ring, other=f"{ring}s")
    (box.processes / str(PLAYER) / "smaps").write_text(text)
    assert memory_of(PLAYER, box.folder, box.processes) == Memory(1250 * 1.024e-3, 4750 * 1.024e-3)
    report = box.look()
    assert report["memory_mb"] == {"engine": None, "player": 1.28}
    assert report["memory_with_ring_mb"] == {"engine": None, "player": 4.864}


def test_memory_of_a_real_process_is_what_the_system_says(box: Box) -> None:
    box.ring.lanes[:] = 1.0
    found = memory_of(os.getpid(), box.folder)
    said = re.search(r"^Pss: +(\d+) kB", Path("/proc/self/smaps_rollup").read_text(), re.MULTILINE)
    assert found.whole_mb == pytest.approx(int(said[1]) * 1.024e-3, rel=0.05)
    assert found.whole_mb - found.own_mb > box.ring.lanes.nbytes / 1e6 * 0.9


def test_memory_that_is_not_ours_to_know_is_left_out(box: Box) -> None:
    assert memory_of(None, box.folder) is None
    assert memory_of(1 << 22, box.folder) is None


def test_hands_in_trouble_are_told_and_harm_nothing(box: Box, engine: Engine) -> None:
    engine.told |= {"controls": 3, "troubles": {"tilt": "reads noise\n", 7: 8}, "awake": 0.25, "osc": {"refused": 2}}
    report = box.look()
    assert report["healthy"] is True
    assert (report["controls"], report["awake"], report["osc"]) == (3, 0.25, {"refused": 2})
    assert report["troubles"] == {"tilt": r"reads noise\n", "7": None}


def test_without_an_answer_nothing_is_known_of_hands(box: Box) -> None:
    report = box.look()
    assert (report["controls"], report["troubles"], report["awake"], report["osc"]) == (None, None, None, None)


# --- opening hours

SUNDAY = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("rule", "hours", "sign"),
    [
        (Rule.ALWAYS, "always", "always open"),
        (Rule.UNTRUSTED, "untrusted clock", "open, since the time of day cannot be trusted yet"),
        (Rule.OPEN, "open", "open"),
        (Rule.QUIET, "quiet", "open, and quiet"),
    ],
)
def test_by_what_the_room_is_open_is_told(box: Box, rule: Rule, hours: str, sign: str) -> None:
    box.ring.words[Word.RULE] = rule
    report = box.look()
    assert (report["hours"], report["hours_sign"], report["next_change"]) == (hours, sign, None)
    assert report["reason"] == "playing"


def test_closed_hours_are_well_and_say_until_when(box: Box) -> None:
    box.ring.words[Word.STATE] = State.CLOSED
    box.ring.words[Word.RULE] = Rule.CLOSED
    box.ring.words[Word.CHANGE_S] = round(datetime(2026, 11, 23, 9, 0, tzinfo=UTC).timestamp())
    box.ring.words[Word.CHANGE_OFFSET_S] = 86_400 + 3600
    report = status(box.folder, lambda: NOW_NS, box.processes, lambda: SUNDAY)
    assert (report["healthy"], report["reason"], report["state"]) == (True, "closed until tomorrow 10:00", "closed")
    assert (report["hours"], report["hours_sign"]) == ("closed", "closed until tomorrow 10:00")
    assert report["next_change"] == "2026-11-23T10:00:00+01:00"
    box.gone(PLAYER)
    assert (box.look()["hours"], box.look()["next_change"]) == (None, None)


@pytest.mark.parametrize(("at", "offset"), [(0, 86_400), (1, 0), (1 << 63, 86_400), (1_800_000_000, 1 << 63)])
def test_a_change_that_cannot_be_is_left_out(box: Box, at: int, offset: int) -> None:
    box.ring.words[Word.RULE] = Rule.CLOSED
    box.ring.words[Word.CHANGE_S], box.ring.words[Word.CHANGE_OFFSET_S] = at, offset
    assert box.look()["next_change"] is None
    box.ring.words[Word.RULE] = 77
    assert box.look()["hours"] is None
