"""Encoders: each detent is one step, whatever the contacts do."""

import random

import pytest

from appliance.controls.gpio.encoder import Quadrature
from appliance.controls.source import Press, SourceError, Step


def test_each_detent_is_one_step(bench) -> None:
    encoder = bench.open("encoder", pins=[20, 21])
    bench.board.turn_encoder(20, 21, 3)
    assert encoder.read() == [Step(1 / 24, 100.0)] * 3
    bench.board.turn_encoder(20, 21, -2)
    assert encoder.read() == [Step(-1 / 24, 100.0)] * 2
    assert encoder.read() == []


def test_none_is_lost_or_doubled_by_bounce(bench) -> None:
    encoder = bench.open("encoder", pins=[20, 21], steps=100)
    rng = random.Random(1)
    wanted = found = 0
    for _ in range(500):
        detents = rng.choice([-1, 1])
        bench.board.turn_encoder(20, 21, detents, bounces=rng.randrange(5))
        bench.wait(0.1)
        steps = encoder.read()
        assert [round(each.by * 100) for each in steps] == [detents]
        wanted, found = wanted + detents, found + sum(each.by for each in steps) * 100
    assert found == pytest.approx(wanted)


def test_half_a_detent_and_back_is_nothing() -> None:
    quadrature = Quadrature(False, False)
    moves = [(0, True), (1, True), (1, False), (0, False), (1, True), (0, True), (0, False), (1, False)]
    assert [quadrature.turn(*move) for move in moves] == [0] * 8


def test_one_that_stood_askew_finds_its_detent() -> None:
    quadrature = Quadrature(True, True)
    assert [quadrature.turn(0, False), quadrature.turn(1, False)] == [0, 1]
    assert sum(quadrature.turn(*move) for move in [(0, True), (1, True), (0, False), (1, False)]) == 1


def test_an_edge_that_is_told_twice_counts_once() -> None:
    quadrature = Quadrature(False, False)
    moves = [(0, True), (0, True), (1, True), (1, True), (0, False), (0, False), (1, False), (1, False)]
    assert sum(quadrature.turn(*move) for move in moves) == 1


def test_pushing_it_is_a_press_and_no_step(bench) -> None:
    encoder = bench.open("encoder", pins=[20, 21], push_pin=16)
    assert encoder.read() == []
    bench.board.turn_encoder(20, 21, 1)
    bench.wait(0.1)
    bench.board.press(16, bounces=4)
    assert encoder.read() == [Step(1 / 24, 100.0), Press(100.1)]
    bench.wait(0.1)
    bench.board.release(16, bounces=4)
    bench.wait(0.1)
    assert encoder.read() == []


def test_a_quick_turn_counts_and_the_mains_do_not(bench) -> None:
    encoder = bench.open("encoder", pins=[20, 21])
    bench.board.turn_encoder(20, 21, 20)
    assert len(encoder.read()) == 20
    bench.wait(1.0)
    steps, told = 0, set()
    for _ in range(100):
        bench.board.turn_encoder(20, 21, 1)
        bench.wait(0.02)
        try:
            steps += len(encoder.read())
        except SourceError as error:
            told.add(str(error))
    assert told == {"pins 20 and 21 turn faster than a hand can turn them: is a wire loose?"}
    assert steps <= 24
    bench.wait(1.1)
    assert encoder.read() == []
    bench.board.turn_encoder(20, 21, -1)
    assert encoder.read() == [Step(-1 / 24, bench.now_s)]


def test_a_driver_that_has_fallen_silent_is_told(bench) -> None:
    encoder = bench.open("encoder", pins=[20, 21])
    bench.factory.pin(20).when_changed = None
    bench.factory.pin(20).drive_low()
    assert encoder.read() == []
    bench.wait(0.2)
    with pytest.raises(SourceError, match="pins 20 and 21 move, but nothing reports it"):
        encoder.read()


def test_it_lets_go_of_all_pins_if_one_cannot_be_had(bench) -> None:
    taken = bench.open("button", pin=16)
    with pytest.raises(SourceError, match="pin 16 is in use"):
        bench.open("encoder", pins=[20, 21], push_pin=16)
    taken.close()
    encoder = bench.open("encoder", pins=[20, 21], push_pin=16)
    encoder.close()
    encoder.close()
    bench.open("encoder", pins=[20, 21], push_pin=16)
