"""Buttons, switches, motion and touch: pressed on the pin, told by the source."""

import pytest

from appliance.controls.source import Position, Press, SourceError


def test_a_button_presses_and_springs_back(bench) -> None:
    button = bench.open("button", pin=17)
    assert button.read() == [Position(0.0, 100.0)]
    bench.factory.pin(17).drive_low()
    assert button.read() == [Position(1.0, 100.0), Press(100.0)]
    bench.wait(0.25)
    bench.factory.pin(17).drive_high()
    assert button.read() == [Position(0.0, 100.25)]
    assert button.read() == []


def test_no_press_is_lost_or_doubled_by_bounce(bench) -> None:
    button = bench.open("button", pin=17)
    button.read()
    found = []
    for _ in range(50):
        for move in (bench.board.press, bench.board.release):
            move(17, bounces=3)
            for _ in range(10):
                found.extend(button.read())
                bench.wait(0.01)
    assert [each.value for each in found if isinstance(each, Position)] == [1.0, 0.0] * 50
    assert sum(isinstance(each, Press) for each in found) == 50


def test_a_tap_shorter_than_its_bounce_ends_released(bench) -> None:
    button = bench.open("button", pin=17)
    button.read()
    bench.board.press(17)
    bench.wait(0.02)
    bench.board.release(17)
    assert [type(each) for each in button.read()] == [Position, Press]
    bench.wait(0.03)
    assert button.read() == [Position(0.0, bench.now_s)]


@pytest.mark.parametrize(("pull", "active_high"), [("up", False), ("down", True), ("none", True)])
def test_it_is_on_when_it_pulls_against_its_pull(bench, pull: str, active_high: bool) -> None:
    switch = bench.open("switch", pin=5, pull=pull)
    assert switch.read()[0].value == 0.0
    pin = bench.factory.pin(5)
    (pin.drive_high if active_high else pin.drive_low)()
    assert switch.read() == [Position(1.0, 100.0)]


@pytest.mark.parametrize("kind", ["switch", "button"])
def test_one_that_is_on_as_it_begins_says_so_and_is_not_pressed(bench, kind: str) -> None:
    bench.factory.pin(6).drive_high()
    assert bench.open(kind, pin=6, pull="none").read() == [Position(1.0, 100.0)]


@pytest.mark.parametrize(("kind", "presses"), [("motion", False), ("digital", False), ("touch", True)])
def test_the_others_are_on_when_high(bench, kind: str, presses: bool) -> None:
    source = bench.open(kind, pin=22)
    assert source.read()[0].value == 0.0
    bench.board.press(22)
    found = source.read()
    assert found[0] == Position(1.0, 100.0)
    assert (Press(100.0) in found) is presses


def test_a_loose_wire_is_told_and_heard_once_at_most_and_comes_back(bench) -> None:
    button = bench.open("button", pin=17)
    button.read()
    found, told = [], []
    for _ in range(240):
        bench.wait(1 / 120)
        bench.board.hum(17, 1)
        try:
            found.extend(button.read())
        except SourceError as error:
            told.append(str(error))
    assert sum(isinstance(each, Press) for each in found) <= 1
    # From the first 0.8 s on, without a pause.
    assert told == ["pin 17 switches 60 times a second: is its wire loose?"] * len(told)
    assert len(told) > 240 - 96
    bench.board.release(17)
    for _ in range(90):
        bench.wait(0.01)
        with pytest.raises(SourceError):
            button.read()
    bench.wait(0.2)
    assert button.read() == [Position(0.0, bench.now_s)]
    bench.board.press(17)
    assert button.read() == [Position(1.0, bench.now_s), Press(bench.now_s)]


def test_a_driver_that_has_fallen_silent_does_not_silence_the_button(bench) -> None:
    button = bench.open("button", pin=17)
    button.read()
    bench.factory.pin(17).when_changed = None
    bench.board.press(17)
    assert button.read() == [Position(1.0, 100.0), Press(100.0)]


def test_one_pin_is_had_once_and_free_after_closing(bench) -> None:
    first = bench.open("button", pin=17)
    with pytest.raises(SourceError, match="pin 17 is in use already"):
        bench.open("switch", pin=17)
    first.close()
    first.close()
    bench.open("switch", pin=17)


@pytest.mark.parametrize(
    ("pin", "pull", "why"),
    [(99, "up", "pin 99 is not there"), (2, "down", "pin 2 is pulled up on the board")],
)
def test_a_pin_that_cannot_be_had_is_told_and_left_alone(bench, pin: int, pull: str, why: str) -> None:
    with pytest.raises(SourceError, match=why) as caught:
        bench.open("button", pin=pin, pull=pull)
    if pin == 2:
        # Even while somebody keeps the error.
        bench.open("button", pin=pin, pull="up")
    assert caught.value.__cause__ is not None


def test_a_pin_is_let_go_if_it_cannot_be_listened_to(bench, monkeypatch: pytest.MonkeyPatch) -> None:
    pin = bench.factory.pin(17)
    with monkeypatch.context() as broken:
        broken.setattr(pin, "_set_bounce", fail)
        with pytest.raises(SourceError, match=r"pin 17 cannot be used \(out of order\)"):
            bench.open("button", pin=17)
    bench.open("button", pin=17)


def test_a_pin_that_fails_as_it_is_read_is_told_and_may_come_back(bench, monkeypatch: pytest.MonkeyPatch) -> None:
    button = bench.open("button", pin=17)
    with monkeypatch.context() as broken:
        broken.setattr(bench.factory.pin(17), "_get_state", fail)
        with pytest.raises(SourceError, match="out of order"):
            button.read()
    assert button.read() == [Position(0.0, 100.0)]


def fail(*_: object) -> None:
    raise OSError("out of order")
