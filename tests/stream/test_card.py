"""Sound comes out of a real sound server whole, and a card that is not there is one plain sentence."""

import subprocess
import sys
from typing import Any

import numpy as np

RATE = 48_000
SINE_HZ = 441.7

PLAY_A_SINE = f"""
import numpy as np
from appliance.stream.card import open_card

card = open_card([], {RATE}, 2)
print(card.name, card.rate, card.channels, card.latency_s, card.alsa_card, repr(card.remark))
turns = 2.0 * np.pi * {SINE_HZ} * np.arange(1, 3 * card.rate + 1) / card.rate
sine = (0.5 * np.sin(turns)).astype(np.float32)[:, np.newaxis].repeat(2, axis=1)
card.start()
for start in range(0, len(sine), 1024):
    card.write(sine[start : start + 1024])
card.close()
card.close()
"""


def test_a_sine_comes_out_whole(sound_server: Any) -> None:
    recorder = sound_server.listen()
    try:
        said = sound_server.run(PLAY_A_SINE)
        heard = recorder.stop()
    finally:
        recorder.close()
    assert said == "default 48000 2 0.08 None ''\n"
    np.testing.assert_array_equal(heard[:, 0], heard[:, 1])
    sound = heard[:, 0].astype(np.float64)
    first, last = np.flatnonzero(sound)[[0, -1]]
    sound = sound[first : last + 1]
    assert abs(len(sound) - 3 * RATE) < 10
    # Each sample of a sine follows from the two before it; one frame lost, doubled or torn is a step far above this.
    turn = 2.0 * np.cos(2.0 * np.pi * SINE_HZ / RATE)
    assert np.abs(sound[2:] + sound[:-2] - turn * sound[1:-1]).max() < 1e-5
    torn = np.delete(sound, RATE)
    assert np.abs(torn[2:] + torn[:-2] - turn * torn[1:-1]).max() > 1e-3


PLAY_THROUGH_A_LOSS = """
import time
import numpy as np
from appliance.errors import CardError
from appliance.stream.card import open_card, refresh

block = np.zeros((1024, 2), dtype=np.float32)
card = open_card([], 48000, 2)
card.start()
print("playing", flush=True)
try:
    while True:
        card.write(block)
except CardError as error:
    print(error, flush=True)
card.close()
refresh()
try:
    open_card([], 48000, 2)
except CardError as error:
    print(error, flush=True)
for attempt in range(200):
    time.sleep(0.05)
    refresh()
    try:
        card = open_card([], 48000, 2)
        break
    except CardError:
        continue
card.start()
for _ in range(10):
    card.write(block)
card.close()
print("playing again")
"""


def test_a_card_that_goes_and_comes_back(fragile_sound_server: Any) -> None:
    player = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", PLAY_THROUGH_A_LOSS],
        env=fragile_sound_server.env,
        stdout=subprocess.PIPE,
        # PortAudio prints there what it gives us, too.
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with player:
        try:
            assert player.stdout.readline() == "playing\n"
            fragile_sound_server.kill()
            assert player.stdout.readline() == (
                "The sound card 'default' stopped taking sound (Input/output error); check its cable and that "
                "nothing else holds it.\n"
            )
            assert player.stdout.readline() == "There is no sound card; plug one in, or check `aplay -l`.\n"
            fragile_sound_server.start()
            assert player.stdout.readline() == "playing again\n"
            assert player.wait(10.0) == 0
        finally:
            player.kill()


def test_a_name_in_part_and_a_name_misspelt(sound_server: Any) -> None:
    said = sound_server.run(
        "from appliance.errors import CardError\n"
        "from appliance.stream.card import open_card\n"
        "card = open_card(['nowhere', 'PUL'], 44100, 1)\n"
        "print(card.name, card.rate, card.channels)\n"
        "card.close()\n"
        "try:\n    open_card(['pluse'], 48000, 2)\n"
        "except CardError as error:\n    print(error)\n"
    )
    assert said.splitlines() == [
        "pulse 44100 1",
        "There is no sound card called 'pluse'; did you mean 'pulse'; there are: 'pulse', 'default'.",
    ]


def test_no_portaudio() -> None:
    script = (
        "import ctypes.util, sys\n"
        "ctypes.util.find_library = lambda name: None\n"
        "from appliance.errors import CardError\n"
        "from appliance.stream.card import open_card\n"
        "try:\n    open_card([], 48000, 2)\nexcept CardError as error:\n    sys.exit(str(error))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "PortAudio is not installed; run `sudo apt install libportaudio2`.\n"


def test_importing_it_does_not_touch_the_sound_system() -> None:
    script = "import sys, appliance.stream.card; sys.exit('sounddevice' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
