"""The player learns from a small file what to play on, and whatever that holds, it plays."""

import json
from pathlib import Path

import pytest

from appliance.service.handover import hand_over, trouble_told
from appliance.service.player import Wish
from appliance.settings import CardSettings, Settings
from appliance.wiring.hours import HoursSettings


def read(path: Path) -> tuple[Wish, list[str]]:
    said: list[str] = []
    return Wish.read(path, said.append), said


def test_the_player_wishes_for_what_the_settings_say(tmp_path: Path) -> None:
    card = CardSettings(device=("USB", "hifi"), rate=44_100, channels=4, reserve_s=12.0)
    path = hand_over(tmp_path, Settings(card=card), (), "")

    assert read(path) == (Wish(("USB", "hifi"), 44_100, 4, 12.0), [])
    assert trouble_told(tmp_path) is None


def test_the_player_knows_the_opening_hours(tmp_path: Path) -> None:
    hours = HoursSettings.model_validate({"days": {"mon": ["10:00-18:00"]}, "time_zone": "Europe/Berlin"})
    wish, said = read(hand_over(tmp_path, Settings(hours=hours), (), ""))

    assert said == []
    assert wish.hours == hours.model_dump(mode="json")


def test_a_card_named_on_the_command_line_goes_before_those_of_the_settings(tmp_path: Path) -> None:
    path = hand_over(tmp_path, Settings(card=CardSettings(device=("USB",))), ("HDMI",), "")

    assert read(path)[0].names == ("HDMI",)


def test_with_no_settings_it_plays_at_their_defaults(tmp_path: Path) -> None:
    card = Settings().card

    assert Wish() == Wish(card.device, card.rate, card.channels, card.reserve_s)
    assert read(tmp_path / "nothing")[0] == Wish()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"names": 3}', b"\xff\x00", b"[" * 100_000])
def test_whatever_lies_there_it_plays_and_says_so(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "player.json"
    path.write_bytes(content)
    wish, said = read(path)

    assert wish == Wish()
    assert len(said) == 1
    assert trouble_told(tmp_path) is None


def test_what_was_wrong_is_there_for_whoever_asks(tmp_path: Path) -> None:
    path = hand_over(tmp_path, Settings(), (), "A key is wrong.")

    assert trouble_told(tmp_path) == "A key is wrong."
    assert json.loads(path.read_bytes())["trouble"] == "A key is wrong."
