"""The settings, and what the room says of itself."""

import os
import time

import pytest

from appliance.folders import runtime_folder
from appliance.health.exposure import RoomLevel, keep_level
from appliance.service.doctor.case import case_of
from appliance.service.doctor.sounding import check_exposure, check_settings, check_sound
from appliance.stream.layout import Word
from appliance.stream.ring import create
from appliance.stream.state import State


def test_settings_are_right_or_not_there(planted):
    assert check_settings(case_of(planted.machine, None))[0].says == "There is no file, and none is needed."
    planted.plant("configuration/latent.toml", "[card]\nrate = 44100\n")
    case = case_of(planted.machine, None)
    assert check_settings(case)[0].state == "ok"
    assert case.settings.card.rate == 44_100


@pytest.mark.parametrize("text", ["[card]\nrate = 1\nratte = 2\n", "rate", "\x00", "[[[" * 1000, "a" * 2_000_000])
def test_all_that_is_wrong_in_the_settings_is_told(planted, text):
    planted.plant("configuration/latent.toml", text)
    case = case_of(planted.machine, None)
    (finding,) = check_settings(case)
    assert finding.state == "trouble"
    assert finding.remedy == f"nano {planted.root / 'configuration/latent.toml'} && latent play"
    if "ratte" in text:
        assert "card.rate: must be at least 8000" in finding.says
        assert "did you mean rate?" in finding.says
    assert case.settings.card.rate == 48_000


def test_settings_that_were_mended_since_the_start(box, playing):
    told = playing | {"settings_trouble": "line 2, card.rate: must be at least 8000."}
    (finding,) = check_settings(box.case(report=told))
    assert (finding.state, finding.remedy) == ("warning", "sudo systemctl restart latent.target")


def test_what_the_engine_found_wrong_is_wrong_until_somebody_mends_it(box, playing):
    path = box.plant("etc/latent/latent.toml", '[music]\nmodel = "glas"\n')
    told = playing | {"settings_trouble": 'There is no model named "glas", did you mean glass?'}
    engine = {"engine": {"uptime_s": 60.0}}
    os.utime(path, (time.time() - 600.0,) * 2)
    (finding,) = check_settings(box.case(report=told | engine))
    assert (finding.state, finding.says) == ("trouble", told["settings_trouble"])
    os.utime(path)
    assert check_settings(box.case(report=told | engine))[0].state == "warning"


def test_settings_that_the_services_may_not_read(box, playing):
    path = box.plant("etc/latent/latent.toml", "", mode=0o640)
    path.parent.chmod(0o755)
    if path.stat().st_gid:
        os.chown(path, -1, 0)
    box.plant("etc/group", "latent:x:54321:\n")
    (finding,) = check_settings(box.case(report=playing))
    assert finding.says == f"The user latent may not read {path}, so that everything stands at its default."
    assert finding.remedy == f"sudo chmod a+r {path} && sudo systemctl restart latent.target"
    path.chmod(0o644)
    assert check_settings(box.case(report=playing))[0].state == "ok"


def test_it_sounds(planted, playing):
    (finding,) = check_sound(planted.case(report=playing))
    assert (finding.state, finding.says) == ("ok", "All is well: playing, -20 LUFS.")
    assert check_sound(planted.case(report=playing | {"holds": 2}))[0].says == (
        "All is well: playing, -20 LUFS, held 2 times since the start."
    )
    closed = {"state": "closed", "reason": "closed until 10:00", "loudness_lufs": -120.0}
    assert check_sound(planted.case(report=playing | closed))[0].says == "All is well: closed until 10:00."


@pytest.mark.parametrize(
    ("changes", "state", "says"),
    [
        ({"healthy": False, "reason": "the engine is not running"}, "trouble", "Not well: the engine is not running."),
        ({"state": "waiting for a sound card"}, "trouble", "Nothing is heard"),
        ({"underruns": 9, "underrun_s": 0.1}, "warning", "was silent for 100 ms in all"),
    ],
)
def test_it_does_not_sound_as_it_should(box, playing, changes, state, says):
    (finding,) = check_sound(box.case(report=playing | changes))
    assert finding.state == state
    assert says in finding.says
    assert finding.remedy


def test_silence_is_trouble_on_a_box_alone(planted):
    (finding,) = check_sound(case_of(planted.machine, None))
    assert (finding.state, finding.says.startswith("Nothing plays on this machine")) == ("skipped", True)
    planted.install()
    (finding,) = check_sound(case_of(planted.machine, None))
    assert (finding.state, finding.remedy) == ("trouble", "sudo systemctl restart latent.target")
    assert finding.says.endswith("/run/latent/ring).")


def test_who_may_not_see_what_plays_is_told_so(box, monkeypatch):
    box.folder("runtime")
    monkeypatch.setattr(os, "access", lambda path, mode: mode == os.F_OK)
    (finding,) = check_sound(box.case(silence="it cannot be opened"))
    assert (finding.state, finding.remedy) == ("skipped", "sudo latent doctor")


def test_a_real_ring_is_understood(planted):
    ring = create(runtime_folder(), 48_000, 2, 2.0)
    ring.device.write(b"USB Audio DAC")
    ring.words[Word.STATE] = State.PLAYING
    case = case_of(planted.machine, None)
    assert check_sound(case)[0].says.startswith("Not well: the engine has not begun; the player has not begun")
    assert (case.player, case.device) == (None, "")


def test_a_scribbled_ring_is_survived(planted):
    ring = create(runtime_folder(), 48_000, 2, 2.0)
    ring.words.cast("B")[:] = b"\xfe" * 1024
    assert check_sound(case_of(planted.machine, None))[0].state == "trouble"


def test_a_real_player_without_a_card_is_understood(planted):
    ring = create(runtime_folder(), 48_000, 2, 2.0)
    now_ns = time.monotonic_ns()
    for word in (Word.ENGINE_PID, Word.PLAYER_PID):
        ring.words[word] = os.getpid()
    for word in (Word.ENGINE_START_NS, Word.PLAYER_START_NS, Word.ENGINE_BEAT_NS, Word.PLAYER_BEAT_NS):
        ring.words[word] = now_ns
    ring.device.write(b"USB Audio DAC")
    ring.words[Word.STATE] = State.PLAYING
    playing = case_of(planted.machine, None)
    assert (playing.player, playing.device) == (os.getpid(), "USB Audio DAC")
    assert check_sound(playing)[0].state == "ok"
    ring.words[Word.STATE] = State.WAITING_FOR_CARD
    waiting = case_of(planted.machine, None)
    assert (waiting.player, waiting.device) == (os.getpid(), "")
    assert check_sound(waiting)[0].says == "Nothing is heard: waiting for a sound card."


def test_a_limit_that_cannot_be_kept_is_trouble(planted):
    assert check_exposure(case_of(planted.machine, None)) == []
    planted.plant("configuration/latent.toml", "[exposure]\nlimit_dba = 75\n")
    case = case_of(planted.machine, None)
    (finding,) = check_exposure(case)
    assert (finding.state, finding.remedy) == ("trouble", "latent calibrate")
    assert finding.says == "The limit of 75 dB(A) is not kept: nobody measured here how loud the room is."
    keep_level(case.state, RoomLevel(68.5, -20.0, "2026-11-22"))
    (finding,) = check_exposure(case)
    assert (finding.state, finding.says) == (
        "ok",
        "Days are held to 75 dB(A), by what was measured on 2026-11-22.",
    )
