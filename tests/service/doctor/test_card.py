"""The card is looked for in what the system tells of it, and is never opened."""

from dataclasses import replace

import pytest

from appliance.service.doctor.card import check_card

CARDS = """\
 0 [vc4hdmi0       ]: vc4-hdmi - vc4-hdmi-0
                      vc4-hdmi-0
 1 [Device         ]: USB-Audio - USB Audio Device
                      C-Media Electronics Inc. USB Audio Device at usb-0000:01:00.0-1.3, full speed
"""
RUNNING = "state: RUNNING\nowner_pid   : 812\ntrigger_time: 1.5\n"
LOUD = """\
Simple mixer control 'Speaker',0
  Capabilities: pvolume pswitch
  Playback channels: Front Left - Front Right
  Limits: Playback 0 - 37
  Front Left: Playback 30 [81%] [-7.00dB] [on]
  Front Right: Playback 30 [81%] [-7.00dB] [on]
Simple mixer control 'Mic',0
  Capabilities: pswitch
  Mono: Playback [off]
"""


@pytest.fixture
def usb(planted):
    """A machine with a screen and a USB card."""
    planted.plant("proc/asound/cards", CARDS)
    for card, name in ((0, "MAI PCM i2s-hifi-0"), (1, "USB Audio")):
        planted.plant(f"proc/asound/card{card}/pcm0p/info", f"card: {card}\ndevice: 0\nname: {name}\n")
        planted.plant(f"proc/asound/card{card}/pcm0p/sub0/status", "closed\n")
    planted.plant("proc/asound/card1/pcm0c/info", "card: 1\nname: USB Audio\n")
    planted.says["amixer -c 1 scontents"] = LOUD
    return planted


def told(findings):
    return [(finding.name, finding.state, finding.says) for finding in findings]


def test_the_card_that_plays(usb, playing):
    assert told(check_card(usb.case(report=playing))) == [
        ("card", "ok", "Playing on USB Audio DAC."),
        ("mixer", "ok", "Nothing of sound card 1 is muted or turned down."),
    ]


def test_without_a_wish_a_screen_is_the_last_choice(usb):
    assert check_card(usb.case())[0].says == "USB Audio Device: USB Audio (hw:1,0) is free."


@pytest.mark.parametrize("name", ["Device", "usb audio", "hw:CARD=Device", "pulse"])
def test_the_wanted_card_is_there(usb, name):
    assert check_card(usb.case({"card": {"device": name}}))[0].state == "ok"


def test_the_wanted_card_is_not_there(usb, playing):
    wish = {"card": {"device": "sndrpihifiberry"}}
    (finding,) = check_card(usb.case(wish))
    assert finding.state == "trouble"
    assert "There is no sound card called 'sndrpihifiberry'" in finding.says
    assert "'USB Audio Device: USB Audio (hw:1,0)'" in finding.says
    assert finding.remedy.endswith("/etc/latent/latent.toml")
    (finding,) = check_card(usb.case(wish, report=playing))
    assert finding.state == "warning"
    assert finding.says.endswith("'sndrpihifiberry'. Meanwhile it plays on USB Audio DAC.")


def test_no_card_at_all(planted, playing):
    (finding,) = check_card(planted.case())
    assert (finding.state, finding.remedy) == ("trouble", "aplay -l")
    # A sound server elsewhere may do without.
    assert check_card(planted.case(report=playing))[0].state == "ok"


@pytest.mark.parametrize(
    ("server", "units"), [("pipewire", "wireplumber.service"), ("pulseaudio", "pulseaudio.socket pulseaudio.service")]
)
def test_a_desktop_that_holds_the_card_is_sent_away_for_good(usb, server, units):
    usb.plant("proc/asound/card1/pcm0p/sub0/status", RUNNING)
    usb.plant("proc/812/comm", server + "\n")
    usb.plant("proc/812/status", f"Name:\t{server}\nUid:\t1000\t1000\t1000\t1000\n")
    usb.plant("etc/passwd", "root:x:0:0::/root:/bin/sh\npi:x:1000:1000::/home/pi:/bin/bash\n")
    finding = check_card(usb.case())[0]
    assert finding.state == "trouble"
    assert f"is held by {server} (process 812 of pi)" in finding.says
    assert finding.remedy.startswith(f"sudo systemctl --user --machine=pi@.host mask --now {server}.socket")
    assert finding.remedy.endswith(units)


def test_who_looks_is_told_of_their_own_server(usb):
    usb.plant("proc/asound/card1/pcm0p/sub0/status", RUNNING)
    usb.plant("proc/812/comm", "pulseaudio\n")
    usb.plant("proc/812/status", f"Uid:\t{usb.machine.uid}\t0\t0\t0\n")
    assert check_card(usb.case())[0].remedy.startswith("systemctl --user mask --now pulseaudio.socket")


def test_another_program_that_holds_the_card_is_ended(usb):
    usb.plant("proc/asound/card1/pcm0p/sub0/status", RUNNING)
    finding = check_card(usb.case())[0]
    assert "is held by a program (process 812 of somebody)" in finding.says
    assert finding.remedy == "sudo kill 812"


def test_the_player_itself_may_hold_it(usb):
    usb.plant("proc/asound/card1/pcm0p/sub0/status", RUNNING)
    usb.plant("proc/812/comm", "latent player\n")
    assert check_card(usb.case())[0].state == "ok"


def test_a_sound_server_may_hold_it_for_the_player(usb, playing):
    usb.plant("proc/asound/card1/pcm0p/sub0/status", RUNNING)
    usb.plant("proc/812/comm", "pulseaudio\n")
    assert check_card(usb.case(report=playing))[0].state == "ok"


def test_a_mixer_that_was_turned_down(usb, playing):
    usb.says["amixer -c 1 scontents"] = LOUD.replace("[81%] [-7.00dB] [on]", "[0%] [-60.00dB] [off]")
    finding = check_card(usb.case(report=playing))[1]
    assert (finding.state, finding.says) == ("trouble", "The mixer of sound card 1 has 'Speaker' muted.")
    assert finding.remedy == "amixer -c 1 sset \"'Speaker',0\" playback 0dB unmute"
    # The player does this itself as it opens the card.
    assert check_card(usb.case())[1].state == "warning"


def test_no_mixer_is_no_trouble(usb):
    usb.says.clear()
    finding = check_card(usb.case())[1]
    assert (finding.state, finding.remedy) == ("skipped", "sudo latent doctor")
    as_root = replace(usb.machine, uid=0)
    assert check_card(replace(usb.case(), machine=as_root))[1].remedy == "sudo apt install alsa-utils"


@pytest.mark.parametrize("rubbish", [b"\xff\xfe\x00" * 5000, b" 1 [", b"9" * 1_000_000, b"\n" * 70_000])
def test_rubbish_is_no_card(usb, rubbish):
    usb.plant("proc/asound/cards", rubbish)
    usb.plant("proc/asound/card1/pcm0p/sub0/status", rubbish)
    assert check_card(usb.case())[0].state == "trouble"


def test_rubbish_about_who_holds_it_is_passed_over(usb):
    usb.plant("proc/asound/card1/pcm0p/sub0/status", b"owner_pid : 812\xff\nowner_pid   : 99999999999999\n")
    assert check_card(usb.case())[0].state == "ok"
