"""Reading many sources in one thread: what breaks, hangs or comes later takes nothing else with it."""

import threading
from collections import deque
from collections.abc import Callable, Sequence

import pytest

from appliance.controls.reader import Reader, Told
from appliance.controls.source import Event, Position, Press, Source, SourceError, Step


class Fake:
    """A source that gives what is put into it, or breaks."""

    def __init__(self, every_s: float = 0.01) -> None:
        self.every_s = every_s
        self.events: list[Event] = []
        self.error: Exception | None = None
        self.reads = 0
        self.opened = 0
        self.closed = 0
        self.refusal: Exception | None = None

    def open(self) -> Source:
        if self.refusal is not None:
            raise self.refusal
        self.opened += 1
        return self

    def read(self) -> Sequence[Event]:
        self.reads += 1
        events, self.events = self.events, []
        if self.error is not None:
            raise self.error
        return events

    def close(self) -> None:
        self.closed += 1


class Bus:
    """A reader, and the time."""

    def __init__(self, **sources: Fake) -> None:
        self.now_s = 50.0
        self.inbox: deque[Told] = deque()
        self.sources = sources
        self.reader = Reader({name: each.open for name, each in sources.items()}, lambda: self.now_s, self.inbox)

    def run(self, seconds: float) -> list[Told]:
        """Let it read for some time; gives what was told."""
        end_s = self.now_s + seconds
        while self.now_s < end_s:
            wait_s = self.reader.turn()
            self.now_s = min(self.now_s + max(wait_s, 1e-3), end_s)
        told = list(self.inbox)
        self.inbox.clear()
        return told


def test_each_is_read_as_often_as_it_wants() -> None:
    quick, slow = Fake(0.01), Fake(0.5)
    Bus(quick=quick, slow=slow).run(2.0)
    assert quick.reads == pytest.approx(200, abs=4)
    assert slow.reads == pytest.approx(4, abs=1)


def test_events_are_told_once_and_in_order() -> None:
    knob = Fake()
    bus = Bus(knob=knob)
    events: list[Event] = [Position(0.1, 1.0), Press(2.0), Step(0.5, 3.0)]
    knob.events = list(events)
    told = bus.run(1.0)
    assert [event for each in told for event in each.events] == events
    assert {each.trouble for each in told} == {None}
    assert told[0].at_s == 50.0


@pytest.mark.parametrize(
    ("error", "trouble"),
    [
        (SourceError("no echo for 1.2 s"), "no echo for 1.2 s"),
        (OSError(5, "Input/output error"), "failed (OSError: [Errno 5] Input/output error)"),
        (ZeroDivisionError("a\nb\x1b[2J"), "failed (ZeroDivisionError: a\\nb\\x1b[2J)"),
    ],
)
def test_one_that_breaks_is_told_and_the_others_go_on(error: Exception, trouble: str) -> None:
    bad, good = Fake(), Fake()
    bad.error = error
    told = Bus(bad=bad, good=good).run(1.0)
    assert {each.trouble for each in told if each.name == "bad"} == {trouble}
    assert {each.trouble for each in told if each.name == "good"} == {None}
    assert good.reads > 90


def test_one_that_cannot_be_opened_is_tried_again_until_it_can() -> None:
    late = Fake()
    late.refusal = SourceError("there is no SPI")
    bus = Bus(late=late)
    told = bus.run(10.0)
    assert 4 <= len(told) <= 6
    assert {each.trouble for each in told} == {"there is no SPI"}
    late.refusal = None
    late.events = [Position(0.5, 60.0)]
    told = bus.run(3.0)
    assert [event for each in told for event in each.events] == [Position(0.5, 60.0)]


def test_what_stays_in_trouble_is_opened_anew_now_and_then() -> None:
    bad = Fake()
    bad.error = SourceError("is stuck")
    Bus(bad=bad).run(16.0)
    assert (bad.opened, bad.closed) == (3, 2)


def test_a_pin_that_floats_presses_nothing_each_time_that_it_is_opened_anew() -> None:
    class Floating(Fake):
        """Needs a while to notice that no hand switches it, and presses meanwhile."""

        def open(self) -> Source:
            self.since = 0
            return super().open()

        def read(self) -> Sequence[Event]:
            self.since += 1
            if self.since > 40:
                raise SourceError("switches 50 times a second")
            return [Position(0.0, 1.0), Press(1.0), Step(0.1, 1.0)]

    bus = Bus(floating=Floating())
    bus.run(2.0)
    told = bus.run(60.0)
    assert [event for each in told for event in each.events] == []
    assert {each.trouble for each in told} == {"switches 50 times a second"}


def test_one_that_is_well_after_it_was_opened_anew_tells_where_it_stands() -> None:
    button = Fake()
    bus = Bus(button=button)
    button.error = SourceError("is stuck")
    bus.run(4.9)
    button.error = None
    told = bus.run(0.05)
    assert told[-1].trouble is None
    button.error = SourceError("is stuck")
    bus.run(7.5)
    button.error = None
    button.events = [Position(0.0, 1.0), Press(1.5), Position(1.0, 1.5)]
    told = bus.run(1.4)
    assert {(each.trouble, tuple(each.events)) for each in told} == {("is stuck", ())}
    button.events = [Press(9.0)]
    told = bus.run(0.2)
    assert [event for each in told for event in each.events] == [Position(1.0, 1.5)]
    button.events = [Press(9.5)]
    assert [event for each in bus.run(0.1) for event in each.events] == [Press(9.5)]


def test_closing_lets_go_of_all_and_may_be_repeated() -> None:
    class Stubborn(Fake):
        def close(self) -> None:
            super().close()
            raise OSError("busy")

    first, second = Stubborn(), Fake()
    bus = Bus(first=first, second=second)
    bus.run(0.1)
    bus.reader.close()
    bus.reader.close()
    assert (first.closed, second.closed) == (1, 1)


def threaded(source: Fake, look: Callable[[], bool]) -> Reader:
    inbox: deque[Told] = deque()
    reader = Reader({"source": source.open}, lambda: 0.0, inbox)
    reader.start("bench")
    for _ in range(1000):
        if look():
            break
        threading.Event().wait(0.005)
    return reader


def test_in_a_thread_of_its_own_it_reads_and_stops() -> None:
    source = Fake()
    reader = threaded(source, lambda: source.reads > 0)
    reader.close()
    assert source.reads > 0
    assert source.closed == 1
    assert "bench" not in {each.name for each in threading.enumerate()}


def test_one_that_hangs_is_left_behind() -> None:
    release = threading.Event()

    class Hung(Fake):
        def read(self) -> Sequence[Event]:
            super().read()
            release.wait(10.0)
            return []

    source = Hung()
    reader = threaded(source, lambda: source.reads > 0)
    reader.close(patience_s=0.01)
    assert source.closed == 0
    release.set()
