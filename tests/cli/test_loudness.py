import json
import os
import signal
import time

import click
import pytest

from appliance.errors import CardError
from appliance.folders import runtime_folder, state_folder
from appliance.health.exposure import room_level
from appliance.stream.fake_card import FakeCard
from appliance.stream.layout import Word
from appliance.stream.ring import create

RATE = 48_000


@pytest.fixture
def card(nobody, tmp_path, monkeypatch):
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    monkeypatch.setenv("CONFIGURATION_DIRECTORY", str(tmp_path))
    made = FakeCard(RATE, 2, lambda seconds: time.sleep(seconds / 100.0), keep_s=1.0)
    monkeypatch.setattr("appliance.service.room_noise.open_card", lambda *_: made)
    return made


def wait_for_frames(card, frames):
    deadline_s = time.monotonic() + 10.0
    while card.taken_frames < frames:
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


def test_the_noise_plays_until_the_meter_is_read(latent, card, monkeypatch):
    def prompt(*_, **__):
        wait_for_frames(card, 3 * RATE)
        return 68.5

    monkeypatch.setattr(click, "prompt", prompt)
    outcome = latent("calibrate")
    assert outcome.code == 0
    assert outcome.out == "68.5 dB(A) at -20 LUFS: that is kept.\n"
    assert outcome.err == "Pink noise at -20 LUFS plays on fake.\n"
    assert card.closed
    kept = room_level(state_folder())
    assert (kept.measured_dba, kept.noise_lufs) == (68.5, -20.0)


def test_ctrl_c_lets_the_noise_fade_out_and_keeps_nothing(latent, card, monkeypatch):
    def prompt(*_, **__):
        wait_for_frames(card, 3 * RATE)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(10.0)

    monkeypatch.setattr(click, "prompt", prompt)
    outcome = latent("calibrate")
    assert outcome.code == 1
    assert outcome.err.endswith("latent: Stopped.\n")
    assert card.closed
    assert abs(card.blocks[0]).max() > 0.01 > abs(card.blocks[-1]).max()
    assert room_level(state_folder()) is None


def test_what_was_measured_before_is_kept_without_a_sound(latent, card):
    assert latent("calibrate", "--measured", 71, "--level", -26).code == 0
    assert not card.started
    assert room_level(state_folder()).dba(-20.0) == 77.0


@pytest.mark.parametrize("options", [("--measured", 3), ("--measured", "loud"), ("--level", 0), ("--seconds", 0)])
def test_what_cannot_be_is_refused(latent, card, options):
    outcome = latent("calibrate", *options)
    assert outcome.code == 2
    assert outcome.err.count("\n") == 1
    assert not card.started


def test_without_a_card_nothing_is_asked(latent, nobody, monkeypatch):
    def refuse(*_):
        raise CardError("There is no sound card on this machine.")

    monkeypatch.setattr("appliance.service.room_noise.open_card", refuse)
    monkeypatch.setattr(click, "prompt", pytest.fail)
    outcome = latent("calibrate")
    assert (outcome.code, outcome.err) == (1, "latent: There is no sound card on this machine.\n")


def test_status_then_tells_how_loud_the_room_is(latent, card):
    ring = create(runtime_folder(), RATE, 2, 2.0)
    assert "`latent calibrate` measures it" in latent("status").out
    assert latent("calibrate", "--measured", 68.5).code == 0
    ring.reals[Word.LOUDNESS] = -23.0
    ring.words[Word.PLAYER_PID] = ring.words[Word.ENGINE_PID] = 1
    ring.words[Word.PLAYER_BEAT_NS] = ring.words[Word.PLAYER_START_NS] = time.monotonic_ns()
    told = json.loads(latent("status", "--json").out)
    assert (told["room_dba"], told["exposure_dba"]) == (65.5, None)
    assert "65 dB(A) now" in latent("status").out or "66 dB(A) now" in latent("status").out


def test_a_state_folder_that_refuses_is_told(latent, card, tmp_path, monkeypatch):
    (tmp_path / "state").write_text("no folder")
    outcome = latent("calibrate", "--measured", 68.5)
    assert outcome.code == 1
    assert outcome.err.startswith("latent: What was measured cannot be kept in ")


def test_help_has_an_example(latent):
    assert "Example: latent calibrate" in latent("calibrate", "--help").out
