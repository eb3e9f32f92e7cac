import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from appliance.folders import runtime_folder
from appliance.health.tally import Tally
from appliance.stream.layout import Word
from appliance.stream.ring import create
from appliance.stream.state import State

HOUSE = Path(__file__).parents[2]


def test_the_table_says_it_in_plain_words(latent, ring):
    outcome = latent("status")
    head, empty, *rows = outcome.out.splitlines()
    assert (outcome.code, head, empty) == (0, "All is well: playing.", "")
    assert all(row[14] == " " != row[15] for row in rows)
    told = {row[:15].rstrip(): row[15:] for row in rows}
    assert told["sound card"] == "USB Audio DAC, 48000 Hz, 2 channels"
    assert told["reserve"] == "12.0 s of 20 s"
    assert told["loudness"] in ("-20.2 LUFS, volume 0.5", "-20.3 LUFS, volume 0.5")
    assert told["knob to sound"] == "212 ms, the last time"
    assert told["holds"] == "2, 1 h 1 min in all"
    assert told["today"] == "unknown, no keeper runs"
    assert re.fullmatch(rf"process {os.getpid()}, since \d+ s, \d+ MB", told["engine"])


def test_a_room_without_a_card_is_not_said_to_be_well(latent, ring):
    ring.words[Word.STATE] = State.WAITING_FOR_CARD
    assert latent("status").out.splitlines()[0] == "Nothing is heard: waiting for a sound card."


def test_one_object_holds_it_all(latent, ring):
    outcome = latent("status", "--json")
    report = json.loads(outcome.out)
    assert outcome.code == 0
    assert report["healthy"] is True
    assert (report["reserve_s"], report["holds"], report["held_s"], report["underruns"]) == (12.0, 2, 3700.0, 0)
    assert (report["knob_to_sound_ms"], report["loudness_lufs"], report["device"]) == (212.0, -20.25, "USB Audio DAC")
    assert report["memory_mb"]["player"] > 1.0


def test_the_help_names_every_key_and_no_other(latent, ring):
    keeper = Tally(runtime_folder())
    keeper.look(None)
    keeper.save()
    report = json.loads(latent("status", "--json").out)
    keys = latent("status", "--help").out.partition("Keys of the JSON")[2].partition("Example:")[0]
    named = set(re.findall(r"[a-z_]+", keys))
    known = set(report) | set(report["engine"]) | set(report["today"])
    assert known <= named
    assert {name for name in named if "_" in name} <= known


def test_a_dead_player_is_the_first_thing_said(latent, ring):
    ring.words[Word.PLAYER_BEAT_NS] = time.monotonic_ns() - 60_000_000_000
    outcome = latent("status")
    assert outcome.code == 0
    assert outcome.out.splitlines()[0] == "Not well: the player has given no sign of life for 60 s."
    assert re.search(r"^player +not alive$", outcome.out, re.MULTILINE)
    report = json.loads(latent("status", "--json").out)
    assert report["healthy"] is False
    assert report["reason"] == "the player has given no sign of life for 60 s"


def test_an_empty_ring_can_be_shown(latent, nobody):
    create(runtime_folder(), 48_000, 1, 2.0)
    outcome = latent("status")
    assert outcome.code == 0
    assert "no knob was turned yet" in outcome.out
    assert "48000 Hz, 1 channel\n" in outcome.out


def test_a_scribbled_ring_can_be_shown(latent, ring):
    ring.words.cast("B")[:] = b"\xfe" * 1024
    outcome = latent("status")
    assert outcome.code == 0
    assert outcome.out.startswith("Not well: the engine has not begun; the player has not begun.")
    assert "unknown" in outcome.out
    assert json.loads(latent("status", "--json").out)["reserve_s"] is None


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_when_nothing_plays_it_says_so(latent, nobody, options):
    outcome = latent("status", *options)
    assert outcome.code == 1
    assert outcome.out == ""
    assert re.fullmatch(r"latent: Nothing plays on this machine \(.*\): start `latent play`.\n", outcome.err)


def test_help_has_an_example(latent):
    assert re.search(r"Example:\s+latent status", latent("status", "--help").out)


def test_it_loads_nothing_heavy(ring):
    heavy = {"scipy", "pydantic", "onnxruntime", "sounddevice", "rich", "matplotlib"}
    code = (
        "import sys\nfrom appliance.cli.main import main\ntry: main(['status'])\nexcept SystemExit: pass\n"
        f"print('loaded', *sorted({heavy!r} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=HOUSE)
    assert done.stdout.startswith("All is well")
    assert done.stdout.splitlines()[-1] == "loaded"
