"""A visitor turns, presses, shakes and breaks things for an hour, which takes no hour."""

import random
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from gallery import TURN_S, Gallery, Time, pretend

from appliance.controls.gpio.adc import Adc
from appliance.mood import QUANTITIES, Mood
from appliance.settings import Settings

SETTINGS = Settings.model_validate(
    {
        "osc": {"port": 9000},
        "presence": {"sensors": ["door"], "after_min": 2.0, "away": {"volume": 0.3}, "dim_s": 20.0, "wake_s": 2.0},
        "scenes": {"morph_s": 5.0},
        "controls": {
            "height": {"source": "mcp3008", "channel": 0, "moves": "pitch"},
            "strange": {"source": "mcp3008", "channel": 1, "moves": "weirdness", "invert": True},
            "speed": {"source": "mcp3008", "channel": 2, "moves": "pace", "low": 0.5, "high": 2.0},
            "daylight": {"source": "mcp3008", "channel": 3, "part": "light", "moves": "nature", "glide_s": 3.0},
            "second": {"source": "mcp3008", "channel": 0, "device": 1, "moves": "x"},
            "harmony": {"source": "ads1115", "channel": 0, "moves": "consonance"},
            "wheel": {"source": "encoder", "pins": [5, 6], "push_pin": 13, "does": "rest", "moves": "width"},
            "again": {"source": "button", "pin": 17, "does": "next"},
            "good": {"source": "button", "pin": 27, "does": "keep"},
            "bad": {"source": "button", "pin": 22, "does": "never"},
            "store": {"source": "button", "pin": 23, "does": "save dusk"},
            "dusk": {"source": "button", "pin": 24, "does": "scene dusk"},
            "dense": {"source": "switch", "pin": 25, "moves": "density", "low": 0.0, "high": 0.5},
            "door": {"source": "motion", "pin": 4},
            "plate": {"source": "touch", "pin": 12, "does": "next"},
            "near": {"source": "distance", "trigger": 20, "echo": 21, "moves": "wander", "glide_s": 0.5},
            "fader": {"source": "osc", "address": "/1/fader1", "moves": "tonality"},
            "pad": {"source": "midi", "port": "nano", "cc": 7, "moves": "volume"},
            "day": {"source": "clock", "points": [["00:00", 0.0], ["12:00", 1.0]], "moves": "level"},
        },
    }
)
# What a hand must not do by itself.
BY_HAND = ("pitch", "weirdness", "pace", "consonance", "width", "tonality")
# Noise of four steps to either side, and the margins at the ends of a knob.
NEAR = 0.03
ARRIVED = 0.01
BOUNCES = 7


class Visitor(Gallery):
    """Hands that turn knobs at a hand's pace, and a technician who breaks things."""

    def __init__(self, folder: Path, clock: Time, mood: Mood | None = None, goes_on: bool = False) -> None:
        super().__init__(SETTINGS, folder, clock, mood, goes_on)
        self.midi.plug("nanoKONTROL 2")
        self.knobs = {channel: 0.5 for channel in range(4)}
        for device in (0, 1):
            adc = self.board.adc(device)
            adc.noise_lsb = 4.0
            for channel, value in self.knobs.items():
                adc.turn(channel, value)
        self.shaken[0] = 0.5
        self.board.press(25)
        self.board.release(25)

    def turn(self, channel: int, to: float, seconds: float) -> None:
        """Turn a knob at the first chip."""
        begin, steps = self.knobs[channel], max(round(seconds / TURN_S), 1)
        for step in range(1, steps + 1):
            self.knobs[channel] = begin + (to - begin) * step / steps
            self.board.turn_adc(0, channel, self.knobs[channel])
            self.step()

    def press(self, pin: int) -> None:
        """Press and release a button that bounces."""
        self.board.press(pin, BOUNCES)
        self.wait(0.1)
        self.board.release(pin, BOUNCES)
        self.wait(0.1)

    def nobody_touches(self, seconds: float, step_s: float) -> None:
        """Let time pass in which hands move nothing."""
        before = [getattr(self.mood, name) for name in BY_HAND]
        began = len(self.room.moves)
        self.wait(seconds, step_s)
        for _, mood in self.room.moves[began:]:
            assert [getattr(mood, name) for name in BY_HAND] == before

    def in_trouble(self, name: str, text: str) -> None:
        """Within two seconds the trouble is known."""
        self.within(2.0, lambda: name in self.hands.troubles())
        assert text in self.hands.troubles()[name]

    def well(self, name: str, seconds: float = 8.0) -> None:
        self.within(seconds, lambda: name not in self.hands.troubles())

    def glides(self, name: str, to: float) -> None:
        """It goes back within a dozen seconds, and in no step goes farther than a glide of ten seconds does in 1.6."""
        began, way = len(self.room.moves), abs(getattr(self.mood, name) - to)
        before = getattr(self.mood, name)
        self.wait(12.0, 0.02)
        for _, mood in self.room.moves[began:]:
            assert abs(getattr(mood, name) - before) <= 0.26 * way + 1e-9
            before = getattr(mood, name)
        # The last of a way is not worth making the future anew while something else still drifts.
        assert before == pytest.approx(to, abs=ARRIVED)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Time:
    clock = Time()
    pretend(monkeypatch, clock)
    return clock


@pytest.fixture
def visitor(tmp_path: Path, clock: Time) -> Iterator[Visitor]:
    visitor = Visitor(tmp_path, clock)
    visitor.wait(3.0)
    yield visitor
    visitor.close()


def follows(visitor: Visitor, channel: int, name: str, low: float, high: float) -> None:
    """Turn a knob to many places: the room is where it was 50 ms before, or farther."""
    for to, seconds in ((0.3, 0.4), (0.95, 0.15), (0.05, 0.12), (0.05, 0.1), (0.61, 1.0), (0.64, 0.05), (0.5, 0.3)):
        trail = [visitor.knobs[channel]] * 5
        begin, steps = visitor.knobs[channel], round(seconds / TURN_S)
        for step in range(1, steps + 6):
            visitor.knobs[channel] = begin + (to - begin) * min(step / steps, 1.0)
            visitor.board.turn_adc(0, channel, visitor.knobs[channel])
            visitor.step()
            trail = [*trail[1:], visitor.knobs[channel]]
            way = (getattr(visitor.mood, name) - low) / (high - low)
            assert min(trail) - NEAR <= way <= max(trail) + NEAR


def test_all_is_well_with_a_gallery_as_it_was_wired(visitor: Visitor) -> None:
    assert visitor.hands.troubles() == {}
    assert visitor.said == []


def test_knobs_are_followed_within_50_ms(visitor: Visitor) -> None:
    follows(visitor, 0, "pitch", -1.0, 1.0)
    follows(visitor, 1, "weirdness", 1.0, -1.0)
    follows(visitor, 2, "pace", 0.5, 2.0)


def test_noise_of_four_steps_moves_nothing(visitor: Visitor) -> None:
    visitor.turn(0, 0.52, 0.1)
    visitor.wait(0.5)
    visitor.nobody_touches(10.0, TURN_S)
    visitor.nobody_touches(30.0, 0.25)


def test_no_press_is_lost_or_doubled_however_it_bounces(visitor: Visitor) -> None:
    expected = []
    for pin, does in ((17, "next"), (27, "keep"), (22, "never"), (17, "next"), (17, "next"), (12, "next")) * 4:
        visitor.board.press(pin, BOUNCES if pin != 12 else 0)
        expected.append(does)
        visitor.wait(0.05)
        assert visitor.room.did == expected
        visitor.board.release(pin, BOUNCES if pin != 12 else 0)
        visitor.wait(0.08)
        assert visitor.room.did == expected


def test_no_detent_is_lost_or_doubled_however_it_bounces(visitor: Visitor) -> None:
    expected = visitor.mood.width
    for detents in (1, 1, 1, -1, 3, -2, -5, 4, 1, 1, -8):
        visitor.board.turn_encoder(5, 6, detents, 3)
        expected += detents / 24.0
        visitor.within(0.05, lambda width=expected: visitor.mood.width == pytest.approx(width))
        visitor.wait(0.3)
    visitor.press(13)
    visitor.wait(6.0)
    assert visitor.mood.width == QUANTITIES["width"].rest


def test_a_phone_and_a_controller_are_followed_at_once(visitor: Visitor) -> None:
    for value in (0.8, 0.3, 1.0, 0.0):
        visitor.osc("/1/fader1", value)
        visitor.midi.send("nanoKONTROL 2", 7, round(value * 127))
        visitor.wait(0.05)
        assert visitor.mood.tonality == pytest.approx(2.0 * value - 1.0)
        assert visitor.mood.volume == pytest.approx(round(value * 127) / 127)
    visitor.osc("/latent/mood/wander", 0.9)
    visitor.within(0.05, lambda: visitor.mood.wander == pytest.approx(0.9))
    visitor.osc("/latent/next")
    visitor.within(0.05, lambda: visitor.room.did == ["next"])


def test_a_switch_is_followed_and_stays(visitor: Visitor) -> None:
    assert visitor.mood.density == 0.0
    visitor.board.press(25, BOUNCES)
    visitor.within(0.05, lambda: visitor.mood.density == 0.5)
    visitor.nobody_touches(5.0, 0.1)
    visitor.board.release(25, BOUNCES)
    visitor.within(0.05, lambda: visitor.mood.density == 0.0)


def test_what_moves_by_itself_glides(visitor: Visitor) -> None:
    began = len(visitor.room.moves)
    visitor.board.move_away(21, 0.3)
    visitor.board.turn_adc(0, 3, 0.9)
    visitor.wait(5.0)
    assert visitor.mood.wander == pytest.approx(0.1 / 1.3, abs=0.03)
    assert visitor.mood.nature == pytest.approx(0.9, abs=0.03)
    steps = [mood.nature for _, mood in visitor.room.moves[began:]]
    assert max(abs(after - before) for before, after in pairwise(steps)) < 0.25


def loosen(visitor: Visitor) -> None:
    """Let four knobs be away from where they rest, and be what moved last."""
    for channel in range(3):
        visitor.turn(channel, 0.7, 0.3)
    visitor.shaken[0] = 0.5
    for _ in range(20):
        visitor.shaken[0] += 0.02
        visitor.step()
    visitor.wait(0.5)
    assert visitor.mood.pitch > 0.35
    assert visitor.mood.consonance > 0.7


@pytest.mark.parametrize("breakage", ["pegged", "absent", "noise"])
def test_a_broken_converter_is_told_of_and_glides_back(visitor: Visitor, breakage: str) -> None:
    loosen(visitor)
    visitor.board.adc(0).break_(breakage)
    for name in ("height", "strange", "speed"):
        visitor.in_trouble(name, "wire loose")
    visitor.glides("pitch", 0.0)
    visitor.board.adc(0).break_(None)
    visitor.well("height")
    visitor.nobody_touches(3.0, TURN_S)
    rested = visitor.mood.pitch
    visitor.turn(0, 0.8, 0.2)
    visitor.wait(0.05)
    assert rested + 0.05 < visitor.mood.pitch < 0.5


def test_an_i2c_chip_that_answers_no_more(visitor: Visitor) -> None:
    loosen(visitor)
    stood = visitor.shaken.pop(0)
    visitor.board.i2c.present.clear()
    visitor.in_trouble("harmony", "nothing answers at 0x48")
    visitor.glides("consonance", 0.0)
    visitor.shaken[0] = stood
    visitor.well("harmony")
    visitor.nobody_touches(2.0, TURN_S)


def test_an_echo_that_never_comes(visitor: Visitor) -> None:
    visitor.board.move_away(21, 1.4)
    visitor.wait(3.0)
    assert visitor.mood.wander > 0.8
    visitor.board.unplug(21)
    visitor.in_trouble("near", "no echo")
    visitor.glides("wander", 0.4)
    visitor.board.plug_in(21)
    visitor.well("near")
    visitor.wait(12.0, 0.05)
    assert visitor.mood.wander > 0.8


def test_a_pulled_cable(visitor: Visitor) -> None:
    visitor.midi.send("nanoKONTROL 2", 7, 64)
    visitor.wait(0.1)
    visitor.midi.unplug("nanoKONTROL 2")
    visitor.in_trouble("pad", "'nano' is not there")
    visitor.glides("volume", 1.0)
    visitor.midi.plug("nanoKONTROL 2")
    visitor.well("pad")
    visitor.midi.send("nanoKONTROL 2", 7, 32)
    visitor.wait(0.1)
    visitor.midi.send("nanoKONTROL 2", 7, 16)
    visitor.within(0.05, lambda: visitor.mood.volume < 1.0)


def test_a_pin_that_floats_presses_nothing_for_long(visitor: Visitor) -> None:
    for _ in range(200):
        visitor.board.hum(17, 6)
        visitor.step()
    assert "times a second" in visitor.hands.troubles()["again"]
    pressed = len(visitor.room.did)
    assert pressed <= 2
    for _ in range(300):
        visitor.board.hum(17, 6)
        visitor.step()
    assert len(visitor.room.did) == pressed
    visitor.board.release(17)
    visitor.well("again")
    visitor.press(17)
    assert len(visitor.room.did) == pressed + 1


def test_a_driver_that_raises(visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    loosen(visitor)
    read = Adc.read

    def raises(adc):
        if adc._channel.channel == 0:
            raise ValueError("the driver is confused")
        return read(adc)

    monkeypatch.setattr(Adc, "read", raises)
    visitor.in_trouble("height", "the driver is confused")
    assert "speed" not in visitor.hands.troubles()
    visitor.glides("pitch", 0.0)
    monkeypatch.setattr(Adc, "read", read)
    visitor.well("height", 10.0)


def test_a_reader_that_hangs(visitor: Visitor) -> None:
    loosen(visitor)
    visitor.hung.add("spi")
    visitor.in_trouble("height", "no reading for 1.0 s")
    assert "again" not in visitor.hands.troubles()
    visitor.press(17)
    assert visitor.room.did == ["next"]
    visitor.glides("pitch", 0.0)
    visitor.hung.clear()
    visitor.well("height")
    visitor.nobody_touches(2.0, TURN_S)


def test_nobody_there_dims_and_somebody_wakes(visitor: Visitor) -> None:
    visitor.turn(0, 0.6, 0.3)
    pitch = visitor.mood.pitch
    began = len(visitor.room.moves)
    visitor.wait(115.0, 0.25)
    assert visitor.mood.volume == 1.0
    visitor.wait(30.0, 0.1)
    assert visitor.mood.volume == pytest.approx(0.3)
    assert not visitor.hands.desk.awake
    dimmed = [mood.volume for _, mood in visitor.room.moves[began:]]
    assert max(before - after for before, after in pairwise(dimmed)) < 0.7 * 0.3 / 20.0
    visitor.board.press(4)
    visitor.within(0.05, lambda: visitor.mood.volume > 0.3)
    visitor.wait(2.0)
    assert visitor.mood.volume == 1.0
    assert visitor.mood.pitch == pitch


def test_a_scene_is_stored_and_recalled_by_buttons(visitor: Visitor) -> None:
    visitor.turn(0, 0.8, 0.3)
    visitor.turn(2, 0.3, 0.3)
    visitor.wait(0.5)
    visitor.press(23)
    stored = visitor.mood
    visitor.turn(0, 0.2, 0.3)
    visitor.turn(2, 0.9, 0.3)
    visitor.wait(0.5)
    began, before = len(visitor.room.moves), visitor.mood
    visitor.press(24)
    visitor.wait(7.0)
    assert visitor.mood.pitch == pytest.approx(stored.pitch, abs=ARRIVED)
    assert visitor.mood.pace == pytest.approx(stored.pace, abs=2.0 * ARRIVED)
    way = abs(stored.pitch - before.pitch)
    for _, mood in visitor.room.moves[began:]:
        # A step of 1.5 s in a way of 5 s.
        assert abs(mood.pitch - before.pitch) <= 0.48 * way
        before = mood
    visitor.turn(0, 0.22, 0.1)
    visitor.wait(0.05)
    assert 0.0 < abs(visitor.mood.pitch - stored.pitch) < 0.05


def restarted(visitor: Visitor, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Visitor:
    """Another life of the engine, in front of the same parts."""
    mood, knobs = visitor.mood, dict(visitor.knobs)
    visitor.close()
    pretend(monkeypatch, visitor.clock)
    other = Visitor(folder, visitor.clock, mood, goes_on=True)
    for channel, value in knobs.items():
        other.knobs[channel] = value
        other.board.turn_adc(0, channel, value)
    other.shaken = dict(visitor.shaken)
    return other


def test_another_life_goes_on_where_hands_left_the_room(
    visitor: Visitor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loosen(visitor)
    visitor.hands.set({"pitch": -0.4, "x": 0.2})
    visitor.wait(0.2)
    before = visitor.mood
    other = restarted(visitor, tmp_path, monkeypatch)
    other.wait(5.0)
    assert [mood.pitch for _, mood in other.room.moves] == [before.pitch] * len(other.room.moves)
    assert other.hands.standing()["x"] == 0.2
    assert all(abs(getattr(other.mood, name) - getattr(before, name)) < 1e-9 for name in BY_HAND if other.room.moves)
    other.turn(0, 0.85, 0.1)
    other.within(0.05, lambda: other.mood.pitch != before.pitch)
    pitches = [before.pitch, *(mood.pitch for _, mood in other.room.moves)]
    assert max(abs(after - before) for before, after in pairwise(pitches)) < 0.15
    other.close()


class Evening:
    """What is expected of an hour: every press once, every detent once, and each turn within 50 ms."""

    def __init__(self, visitor: Visitor) -> None:
        self.visitor = visitor
        self.rng = random.Random(7)
        self.did: list[str] = []

    def comes(self) -> None:
        self.visitor.board.press(4)
        self.visitor.wait(2.5, 0.1)
        assert self.visitor.mood.volume == 1.0

    def goes(self) -> None:
        self.visitor.board.release(4)

    def turns(self) -> None:
        visitor, rng = self.visitor, self.rng
        channel = rng.randrange(3)
        name = ("pitch", "weirdness", "pace")[channel]
        before = getattr(visitor.mood, name)
        here = visitor.knobs[channel]
        to = here + 0.3 if here < 0.5 else here - 0.3
        visitor.turn(channel, to, rng.uniform(0.1, 0.5))
        up = (to > here) == (name != "weirdness")
        visitor.within(0.05, lambda: (getattr(visitor.mood, name) > before) == up)
        visitor.wait(0.3)

    def presses(self) -> None:
        pin, does = self.rng.choice(((17, "next"), (27, "keep"), (22, "never"), (12, "next")))
        self.visitor.press(pin)
        self.did.append(does)
        assert self.visitor.room.did == self.did

    def winds(self) -> None:
        visitor, detents = self.visitor, self.rng.choice((-3, -2, -1, 1, 2, 3))
        expected = min(max(visitor.mood.width + detents / 24.0, 0.0), 1.0)
        visitor.board.turn_encoder(5, 6, detents, self.rng.randrange(4))
        visitor.within(0.05, lambda: visitor.mood.width == pytest.approx(expected, abs=1e-6))
        visitor.wait(0.2)

    def slides(self) -> None:
        visitor = self.visitor
        before, share = visitor.mood.tonality, (visitor.mood.tonality + 1.0) / 2.0
        visitor.osc("/1/fader1", 1.0 if share < 0.5 else 0.0)
        visitor.within(0.05, lambda: visitor.mood.tonality != before)

    def remembers(self) -> None:
        visitor = self.visitor
        visitor.press(23)
        stored = visitor.mood
        self.turns()
        visitor.press(24)
        visitor.wait(7.0, 0.1)
        for name in BY_HAND:
            assert getattr(visitor.mood, name) == pytest.approx(getattr(stored, name), abs=2.0 * ARRIVED)

    def breaks(self, what: str) -> None:
        visitor = self.visitor
        visitor.turn(0, 0.7 if visitor.knobs[0] < 0.55 else 0.4, 0.3)
        visitor.wait(0.4)
        if what == "cable":
            visitor.midi.unplug("nanoKONTROL 2")
            visitor.in_trouble("pad", "plug it in")
            visitor.midi.plug("nanoKONTROL 2")
            visitor.well("pad")
            return
        if what == "hang":
            visitor.hung.add("spi")
        else:
            visitor.board.adc(0).break_(what)
        visitor.in_trouble("height", "")
        visitor.glides("pitch", 0.0)
        visitor.hung.clear()
        visitor.board.adc(0).break_(None)
        visitor.well("height")
        visitor.wait(0.5)


def test_an_hour_of_visitors(visitor: Visitor) -> None:
    evening, began_s = Evening(visitor), visitor.clock()
    breakages = iter(("pegged", "cable", "noise", "hang", "absent") * 3)
    for visit in range(12):
        evening.comes()
        for _ in range(8):
            evening.rng.choice((evening.turns, evening.presses, evening.winds, evening.slides))()
        if visit % 2:
            evening.remembers()
        else:
            evening.breaks(next(breakages))
        evening.goes()
        visitor.wait(0.5)
        visitor.nobody_touches(2.0, 0.1)
        visitor.nobody_touches(began_s + 300.0 * (visit + 1) - visitor.clock(), 1.0)
        assert visitor.mood.volume == pytest.approx(0.3)
        assert visitor.hands.troubles() == {}
        assert visitor.room.did == evening.did
    assert visitor.clock() - began_s == pytest.approx(3600.0, abs=1.0)
    assert visitor.said == []


@pytest.mark.parametrize("seed", range(2))
def test_whatever_happens_together_nothing_stumbles(visitor: Visitor, seed: int) -> None:
    rng = random.Random(seed)
    board = visitor.board
    names = list(SETTINGS.controls)
    doings = (
        lambda: board.turn_adc(rng.randrange(2), rng.randrange(8), rng.random()),
        lambda: visitor.turn(rng.randrange(3), rng.random(), rng.uniform(0.01, 0.2)),
        lambda: visitor.shaken.update({0: rng.random()}),
        lambda: board.adc(rng.randrange(2)).break_(rng.choice((None, "absent", "pegged", "noise"))),
        lambda: board.i2c.present.clear(),
        lambda: board.turn_encoder(5, 6, rng.randrange(-9, 9), rng.randrange(4)),
        lambda: board.press(rng.choice((17, 27, 22, 23, 24, 13, 12, 25, 4)), rng.randrange(9)),
        lambda: board.release(rng.choice((17, 27, 22, 23, 24, 13, 12, 25, 4)), rng.randrange(9)),
        lambda: board.hum(rng.choice((17, 25, 4, 5)), rng.randrange(60)),
        lambda: board.move_away(21, rng.uniform(0.0, 5.0)),
        lambda: rng.choice((board.unplug, board.plug_in))(21),
        lambda: visitor.osc("/1/fader1", rng.choice((0.0, 1.0, rng.random(), 1e30))),
        lambda: visitor.osc(rng.choice(("/latent/scene/dusk", "/latent/never", "/latent/place/x")), rng.random()),
        lambda: visitor.midi.send("nanoKONTROL 2", 7, rng.randrange(128)),
        lambda: visitor.midi.fake.inputs() and visitor.midi.unplug("nanoKONTROL 2"),
        lambda: visitor.midi.fake.inputs() or visitor.midi.plug("nanoKONTROL 2"),
        lambda: visitor.hung.add(rng.choice(("spi", "pins", "network", "i2c"))),
        lambda: visitor.hung.clear(),
        lambda: visitor.hands.set({rng.choice(("pitch", "volume", "x")): rng.uniform(-2.0, 2.0)}, rng.random()),
        lambda: visitor.hands.calibrate(rng.choice(names), rng.choice((None, (0.1, 0.8)))),
        lambda: visitor.wait(rng.uniform(0.0, 200.0), 2.0),
    )
    for _ in range(120):
        rng.choice(doings)()
        visitor.wait(rng.uniform(0.01, 0.1))
        assert all(low.low <= visitor.hands.standing()[name] <= low.high for name, low in QUANTITIES.items())
        visitor.hands.controls()
    assert [each for each in visitor.said if "stumbled" in each or "cannot be" in each] == []
    assert not any("Error" in each for each in visitor.hands.troubles().values())
