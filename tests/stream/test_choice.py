"""The right card is chosen on machines that we do not have."""

import pytest

from appliance.errors import CardError
from appliance.stream.choice import Output, alsa_cards, choose

PI_CARDS = """\
 0 [vc4hdmi0       ]: vc4-hdmi - vc4-hdmi-0
                      vc4-hdmi-0
 1 [sndrpihifiberry]: RPi-simple - snd_rpi_hifiberry_dac
                      snd_rpi_hifiberry_dac
 2 [Device         ]: USB-Audio - USB Audio Device
                      C-Media Electronics Inc. USB Audio Device at usb-0000:01:00.0-1.1, full speed
"""
HDMI, DAC, USB = "vc4-hdmi-0: MAI PCM i2s-hifi-0 (hw:0,0)", "snd_rpi_hifiberry_dac: - (hw:1,0)", "USB: Audio (hw:2,0)"
PI = [Output(0, HDMI), Output(1, DAC), Output(2, USB), Output(3, "sysdefault"), Output(4, "default", usual=True)]
CARDS = alsa_cards(PI_CARDS)


def chosen(outputs: list[Output], *names: str, waited_s: float = 0.0, cards: dict[str, int] = CARDS) -> str:
    choice = choose(outputs, names, waited_s, cards)
    assert any((output.index, output.name) == (choice.index, choice.name) for output in outputs)
    return choice.name


def test_ids_are_read() -> None:
    assert CARDS == {"vc4hdmi0": 0, "sndrpihifiberry": 1, "Device": 2}
    assert alsa_cards("--- no soundcards ---\n") == {}


@pytest.mark.parametrize(
    "name",
    [
        "sndrpihifiberry",
        "SndRpiHifiBerry",
        "hw:CARD=sndrpihifiberry",
        "plughw:CARD=sndrpihifiberry,DEV=0",
        "CARD=sndrpihifiberry",
        "snd_rpi_hifiberry_dac: - (hw:1,0)",
        "HIFIBERRY",
        "hw:1,0",
    ],
)
def test_one_card_has_many_names(name: str) -> None:
    assert chosen(PI, name) == DAC


def test_an_id_follows_its_card_to_another_number() -> None:
    moved = alsa_cards(PI_CARDS.replace(" 1 [", " 3 ["))
    outputs = [Output(0, HDMI), Output(1, "snd_rpi_hifiberry_dac: - (hw:3,0)")]
    assert chosen(outputs, "sndrpihifiberry", cards=moved) == "snd_rpi_hifiberry_dac: - (hw:3,0)"
    with pytest.raises(CardError):
        chosen(outputs, "hw:CARD=sndrpihifiberry", cards={})


def test_the_first_preferred_one_that_is_there() -> None:
    assert chosen(PI, "Focusrite", "Device", "sndrpihifiberry") == USB
    assert chosen(PI, "sndrpihifiberry", "Device") == DAC
    assert chosen(PI, "hdmi") == HDMI
    assert choose(PI, ["Focusrite", "Device"], 0.0, CARDS).remark == ""


def test_another_takes_the_place_after_a_minute_and_is_no_screen() -> None:
    with pytest.raises(CardError, match=r"^None of the sound cards 'Focusrite', 'Scarlett' is there; there are: 'vc4"):
        chosen(PI, "Focusrite", "Scarlett", waited_s=59.9)
    choice = choose(PI, ["Focusrite", "Scarlett"], 60.0, CARDS)
    assert choice.name == DAC
    assert choice.remark == f"None of the sound cards 'Focusrite', 'Scarlett' is there; playing on {DAC!r} instead."
    assert choose(PI, ["Focusrite"], 60.0, CARDS).remark.startswith("There is no sound card called 'Focusrite'; play")
    with pytest.raises(CardError, match=r"no sound card called 'Focusrite'; there are: 'vc4-hdmi"):
        chosen(PI[:1], "Focusrite", waited_s=1e6)


def test_a_slip_of_the_pen() -> None:
    with pytest.raises(CardError, match=r"called 'sndrpihifibery'; did you mean 'sndrpihifiberry'; there are: 'vc4"):
        chosen(PI, "sndrpihifibery")
    # A card that is there but does not play, as when something else holds it, is none to suggest.
    with pytest.raises(CardError, match=r"called 'sndrpihifiberry'; there are: 'vc4"):
        chosen(PI[:1], "sndrpihifiberry")


def test_a_part_that_several_have() -> None:
    two = [Output(0, "USB Audio: left"), Output(1, "USB Audio: right")]
    with pytest.raises(CardError, match=r"More than one .* 'usb'; name one of 'USB Audio: left', 'USB Audio: right'\."):
        chosen(two, "usb", waited_s=1e6)
    assert chosen(two, "usb audio: LEFT") == "USB Audio: left"


def test_without_names_the_usual_one_unless_it_is_a_screen() -> None:
    assert chosen(PI) == DAC
    assert chosen([Output(0, HDMI, usual=True), Output(1, USB)]) == USB
    assert chosen([Output(0, HDMI), Output(1, USB), Output(2, DAC, usual=True)]) == DAC
    assert chosen([Output(0, HDMI, usual=True)]) == HDMI
    assert chosen([Output(0, HDMI), Output(1, "sysdefault"), Output(2, "default", usual=True)]) == "default"
    # A sound server knows better than ALSA where its sound goes.
    assert chosen([*PI, Output(5, "pulse")]) == "default"
    assert chosen([Output(0, "first"), Output(1, "second")], cards={}) == "first"


def test_nothing_plays() -> None:
    with pytest.raises(CardError, match=r"^There is no sound card; plug one in"):
        chosen([], "USB", waited_s=1e6)


def test_the_alsa_card_behind_it() -> None:
    def behind(outputs: list[Output], name: str) -> int | None:
        return choose(outputs, [name], 0.0, CARDS).alsa_card

    assert behind(PI, "Device") == 2
    assert behind(PI, "default") == 0
    assert behind([*PI, Output(5, "pulse")], "default") is None
    assert behind([*PI, Output(5, "pulse")], "pulse") is None
    assert choose([Output(0, "default")], [], 0.0, {}).alsa_card is None
