"""What `amixer` says is understood, and only what keeps a room silent is changed."""

import shutil
import subprocess
from types import SimpleNamespace
from typing import Any

import pytest

from appliance.stream.mixer import Control, parse_controls, set_up

# Texas Instruments' PCM512x as it arrives on a HiFiBerry board, turned down and muted.
HIFIBERRY = """\
Simple mixer control 'DSP Program',0
  Capabilities: enum
  Items: 'FIR interpolation with de-emphasis' 'Low latency IIR with de-emphasis'
  Item0: 'FIR interpolation with de-emphasis'
Simple mixer control 'Analogue',0
  Capabilities: pvolume
  Playback channels: Front Left - Front Right
  Limits: Playback 0 - 1
  Mono:
  Front Left: Playback 0 [0%] [-6.00dB]
  Front Right: Playback 0 [0%] [-6.00dB]
Simple mixer control 'Auto Mute',0
  Capabilities: pswitch
  Playback channels: Front Left - Front Right
  Mono:
  Front Left: Playback [off]
  Front Right: Playback [off]
Simple mixer control 'Digital',0
  Capabilities: pvolume pswitch
  Playback channels: Front Left - Front Right
  Limits: Playback 0 - 207
  Mono:
  Front Left: Playback 0 [0%] [-99999.99dB] [off]
  Front Right: Playback 0 [0%] [-99999.99dB] [off]
"""

USB = """\
Simple mixer control 'Speaker',0
  Capabilities: pvolume pswitch pswitch-joined
  Playback channels: Front Left - Front Right
  Limits: Playback 0 - 37
  Mono:
  Front Left: Playback 13 [35%] [-24.00dB] [on]
  Front Right: Playback 13 [35%] [-24.00dB] [on]
Simple mixer control 'Mic',0
  Capabilities: pvolume pvolume-joined cvolume cvolume-joined pswitch pswitch-joined cswitch cswitch-joined
  Playback channels: Mono
  Capture channels: Mono
  Limits: Playback 0 - 31 Capture 0 - 35
  Mono: Playback 23 [74%] [0.00dB] [off] Capture 0 [0%] [-12.00dB] [off]
Simple mixer control 'PCM',1
  Capabilities: volume volume-joined
  Playback channels: Mono
  Capture channels: Mono
  Limits: 0 - 255
  Mono: 12 [5%]
Simple mixer control 'Line Out',0
  Capabilities: pswitch cvolume
  Playback channels: Front Left - Front Right
  Capture channels: Front Left - Front Right
  Limits: Capture 0 - 15
  Front Left: Playback [on] Capture 0 [0%] [-17.25dB]
  Front Right: Playback [off] Capture 0 [0%] [-17.25dB]
Simple mixer control 'Capture',0
  Capabilities: cvolume cswitch
  Capture channels: Front Left - Front Right
  Limits: Capture 0 - 65536
  Front Left: Capture 0 [0%] [off]
  Front Right: Capture 0 [0%] [off]
"""

RASPBERRY = """\
Simple mixer control 'Headphone',0
  Capabilities: pvolume pvolume-joined pswitch pswitch-joined
  Playback channels: Mono
  Limits: Playback -10239 - 400
  Mono: Playback 0 [96%] [0.00dB] [on]
"""


class Amixer:
    """Answers as `amixer` does, and keeps what it is asked."""

    def __init__(self, says: str, refuses: str = "") -> None:
        self.asked: list[list[str]] = []
        self._says = says
        self._refuses = refuses

    def __call__(self, command: list[str], **options: Any) -> SimpleNamespace:
        assert options["timeout"] == 3.0
        assert options["check"] is False
        self.asked.append(command)
        fails = bool(self._refuses) and self._refuses in command
        return SimpleNamespace(returncode=int(fails), stdout=self._says, stderr="amixer: Invalid command!\n\n" * fails)

    @property
    def told(self) -> list[str]:
        """What was set."""
        return [" ".join(command) for command in self.asked if "sset" in command]


def test_what_is_read() -> None:
    assert parse_controls(HIFIBERRY) == [
        Control("Analogue", 0, False, 0, -6.0),
        Control("Auto Mute", 0, True, None, None),
        Control("Digital", 0, True, 0, -99999.99),
    ]
    assert parse_controls(USB) == [
        Control("Speaker", 0, False, 35, -24.0),
        Control("Mic", 0, True, 74, 0.0),
        Control("PCM", 1, False, 5, None),
        Control("Line Out", 0, True, None, None),
    ]
    assert parse_controls("") == []


def test_a_new_card_is_opened_up() -> None:
    amixer = Amixer(HIFIBERRY)
    assert set_up(1, amixer) == [
        "The mixer of sound card 1 had 'Digital' at 0 % of its range, now at 0 dB and muted, now unmuted."
    ]
    assert amixer.told == ["amixer -c 1 sset 'Digital',0 playback 0dB unmute"]


def test_what_a_person_has_set_stays_and_silence_does_not() -> None:
    amixer = Amixer(USB)
    assert set_up(2, amixer) == [
        "The mixer of sound card 2 had 'PCM' at 5 % of its range, now at 80 %.",
        "The mixer of sound card 2 had 'Line Out' muted, now unmuted.",
    ]
    assert amixer.told == [
        "amixer -c 2 sset 'PCM',1 playback 80%",
        "amixer -c 2 sset 'Line Out',0 playback unmute",
    ]


def test_nothing_to_do() -> None:
    amixer = Amixer(RASPBERRY)
    assert set_up(0, amixer) == []
    assert amixer.asked == [["amixer", "-c", "0", "scontents"]]


def test_a_refusal_is_a_sentence_and_the_rest_goes_on() -> None:
    amixer = Amixer(USB, refuses="'PCM',1")
    refused, done = set_up(2, amixer)
    assert refused == (
        "The mixer of sound card 2 could not be set (amixer: Invalid command!); look at it with `alsamixer -c 2`."
    )
    assert "'Line Out'" in done
    assert set_up(2, Amixer(USB, refuses="scontents")) == [refused]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (FileNotFoundError(2, "No such file or directory"), "run `sudo apt install alsa-utils`"),
        (PermissionError(13, "Permission denied"), "could not be set (Permission denied)"),
        (subprocess.TimeoutExpired("amixer", 3.0), "could not be set (it does not answer)"),
    ],
)
def test_no_amixer_or_a_stuck_one(error: Exception, told: str) -> None:
    def run(*_: object, **__: object) -> None:
        raise error

    (sentence,) = set_up(0, run)
    assert told in sentence


@pytest.mark.skipif(not shutil.which("amixer"), reason="alsa-utils is not installed")
def test_the_real_amixer_speaks_so(sound_server: Any) -> None:
    # The server's own mixer stands for a card's.
    def run(command: list[str], **options: Any) -> Any:
        assert command[:3] == ["amixer", "-c", "5"]
        return subprocess.run(["amixer", "-D", "pulse", *command[3:]], env=sound_server.env, **options)

    def pactl(*words: str) -> None:
        subprocess.run(["pactl", *words], env=sound_server.env, check=True)

    pactl("set-sink-mute", "room", "1")
    pactl("set-sink-volume", "room", "10%")
    try:
        assert set_up(5, run) == [
            "The mixer of sound card 5 had 'Master' at 10 % of its range, now at 80 % and muted, now unmuted."
        ]
        (master,) = parse_controls(run(["amixer", "-c", "5", "scontents"], capture_output=True, text=True).stdout)
        assert master == Control("Master", 0, False, 80, None)
        assert set_up(5, run) == []
        (refused,) = set_up(5, lambda *args, **options: subprocess.run(["amixer", "-c", "31", "scontents"], **options))
        assert "Invalid card number" in refused
    finally:
        pactl("set-sink-mute", "room", "0")
        pactl("set-sink-volume", "room", "100%")
