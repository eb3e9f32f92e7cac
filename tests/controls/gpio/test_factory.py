"""The pins are found on each machine, and each pin of a Jetson is the line it should be."""

import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from gpiozero import Device
from gpiozero.pins.mock import MockFactory

from appliance.controls.gpio import factory as factory_module
from appliance.controls.gpio.build import open_gpio
from appliance.controls.gpio.factory import open_factory
from appliance.controls.gpio.light import Light
from appliance.controls.gpio.machine import JetsonLine, jetson_of, raspberry
from appliance.controls.source import Position, SourceError

MACHINES = {
    "Jetson Orin Nano or NX": ("nvidia,p3768-0000+p3767-0005", "nvidia,p3767-0005", "nvidia,tegra234"),
    "Jetson Xavier NX": ("nvidia,p3509-0000+p3668-0001", "nvidia,tegra194"),
    "Jetson Nano": ("nvidia,p3450-0000", "nvidia,jetson-nano", "nvidia,tegra210"),
}
# I2C and serial on a Jetson.
NO_GPIO = {2, 3, 14, 15}


def tree(folder: Path, *compatible: str, model: str = "") -> Path:
    (folder / "compatible").write_text("".join(each + "\0" for each in compatible))
    (folder / "model").write_text(model + "\0")
    return folder


@pytest.fixture(autouse=True)
def no_factory_is_left(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Device, "pin_factory", None)


class Lines:
    """As much of lgpio as gpiozero's pins use, with the chips of a Jetson."""

    RISING_EDGE, FALLING_EDGE, BOTH_EDGES = 1, 2, 3
    SET_PULL_NONE, SET_PULL_UP, SET_PULL_DOWN = 128, 32, 64

    class error(Exception):  # noqa: N801, N818
        pass

    def __init__(self, chips, forbidden=()):
        self.chips = chips
        self.forbidden = forbidden
        self.open = set()
        self.inputs, self.levels, self.callbacks = {}, {}, {}

    def gpiochip_open(self, number):
        if number in self.forbidden:
            raise self.error("can not open gpiochip")
        self.open.add(number)
        return number

    def gpiochip_close(self, handle):
        self.open.remove(handle)

    def gpio_get_chip_info(self, handle):
        label, names = self.chips[handle]
        return [0, len(names), f"gpiochip{handle}", label]

    def gpio_get_line_info(self, handle, offset):
        return [0, offset, 0, self.chips[handle][1][offset], ""]

    def gpio_claim_input(self, handle, offset, flags=0):
        assert handle in self.open
        self.inputs[handle, offset] = flags

    def gpio_claim_output(self, handle, offset):
        self.inputs[handle, offset] = 1 << 1

    def gpio_claim_alert(self, handle, offset, edges, flags):
        self.inputs[handle, offset] = flags

    def gpio_free(self, handle, offset):
        del self.inputs[handle, offset]

    def gpio_get_mode(self, handle, offset):
        return self.inputs[handle, offset]

    def gpio_read(self, handle, offset):
        return self.levels.get((handle, offset), int(self.inputs[handle, offset] == self.SET_PULL_UP))

    def gpio_write(self, handle, offset, level):
        self.levels[handle, offset] = int(level)

    def gpio_set_debounce_micros(self, handle, offset, micros):
        pass

    def callback(self, handle, offset, edges, heard):
        self.callbacks[handle, offset] = heard
        return SimpleNamespace(cancel=lambda: self.callbacks.pop((handle, offset)))

    def drive(self, handle, offset, level):
        self.levels[handle, offset] = level
        self.callbacks[handle, offset](handle, offset, level, 7)


def named(count: int, names: dict[int, str]) -> list[str]:
    return [names.get(offset, "") for offset in range(count)]


@pytest.fixture
def xavier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Both chips of a Xavier NX, and one that is none of its own."""
    factory_module._load_lgpio(tmp_path)
    import gpiozero.pins.lgpio

    from appliance.controls.gpio.jetson import JetsonFactory

    jetson = jetson_of(tree(tmp_path, *MACHINES["Jetson Xavier NX"]))
    names = {"tegra194-gpio": {}, "tegra194-gpio-aon": {}}
    for line in jetson.lines.values():
        names[line.chip][line.offset] = line.name
    lines = Lines([
        ("max77620-gpio", [""] * 8),
        ("tegra194-gpio", named(169, names["tegra194-gpio"])),
        ("tegra194-gpio-aon", named(30, names["tegra194-gpio-aon"])),
    ])  # fmt: skip
    for number in range(3):
        (tmp_path / f"gpiochip{number}").touch()
    monkeypatch.setattr(gpiozero.pins.lgpio, "lgpio", lines)
    made = []

    def make():
        made.append(JetsonFactory(jetson, tmp_path, lines))
        return made[-1]

    yield SimpleNamespace(make=make, lines=lines, jetson=jetson)
    for each in made:
        each.close()
    assert not lines.open


@pytest.mark.parametrize("name", MACHINES)
def test_every_pin_of_the_header_is_a_line_or_is_refused(tmp_path: Path, name: str) -> None:
    jetson = jetson_of(tree(tmp_path, *MACHINES[name]))
    assert jetson.name == name
    assert set(range(2, 28)) - jetson.lines.keys() == NO_GPIO
    assert len({(line.chip, line.offset) for line in jetson.lines.values()}) == len(jetson.lines) == 22


@pytest.mark.parametrize(
    ("name", "bcm", "line"),
    [
        ("Jetson Orin Nano or NX", 17, JetsonLine("tegra234-gpio", 112, "PR.04")),
        ("Jetson Orin Nano or NX", 4, JetsonLine("tegra234-gpio", 144, "PAC.06")),
        ("Jetson Xavier NX", 22, JetsonLine("tegra194-gpio-aon", 16, "PCC.04")),
        ("Jetson Xavier NX", 13, JetsonLine("tegra194-gpio", 84, "PN.01")),
        ("Jetson Nano", 23, JetsonLine("tegra-gpio", 232, "")),
    ],
)
def test_some_lines_are_where_nvidia_says(tmp_path: Path, name: str, bcm: int, line: JetsonLine) -> None:
    assert jetson_of(tree(tmp_path, *MACHINES[name])).lines[bcm] == line


def test_a_raspberry_pi_is_known_and_a_laptop_is_neither(tmp_path: Path) -> None:
    assert raspberry(tree(tmp_path, "raspberrypi,4-model-b", "brcm,bcm2711"))
    assert jetson_of(tmp_path) is None
    assert raspberry(tree(tmp_path, "linux,dummy-virt", model="Raspberry Pi 4 Model B Rev 1.4"))
    assert not raspberry(tree(tmp_path, "acme,laptop", model="Laptop"))
    assert not raspberry(tmp_path / "nowhere")
    with pytest.raises(SourceError, match="there are no GPIO pins on this machine"):
        open_factory(tmp_path, {}, tmp_path / "nowhere")


def test_a_jetson_that_is_not_known_is_named(tmp_path: Path) -> None:
    tree(tmp_path, "nvidia,p3737-0000+p3701-0000", "nvidia,tegra234", model="NVIDIA Jetson AGX Orin")
    with pytest.raises(SourceError, match="the pins of this NVIDIA Jetson AGX Orin are not known"):
        open_factory(tmp_path, {}, tmp_path)


def test_what_the_environment_names_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "mock")
    assert isinstance(open_factory(tmp_path, os.environ, tmp_path), MockFactory)


def test_a_name_that_is_none_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "abacus")
    with pytest.raises(SourceError, match="there are no GPIO pins"):
        open_factory(tmp_path, os.environ, tmp_path)


def test_a_pi_without_its_chip_is_told(tmp_path: Path) -> None:
    tree(tmp_path, "raspberrypi,4-model-b")
    with pytest.raises(SourceError, match="there are no GPIO pins"):
        open_factory(tmp_path, {}, tmp_path, tmp_path)


def test_a_chip_that_may_not_be_opened_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree(tmp_path, "raspberrypi,4-model-b")
    (tmp_path / "gpiochip0").touch()
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(SourceError, match="add it to the groups gpio and spi"):
        open_factory(tmp_path, {}, tmp_path, tmp_path)


def test_lgpio_leaves_nothing_behind_and_moves_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, seen = Path.cwd(), []

    def load(name: str) -> None:
        seen.append(Path(os.environ["LG_WD"]))
        os.chdir(seen[0])
        (seen[0] / ".lgd-nfy0").touch()

    monkeypatch.delitem(sys.modules, "lgpio", raising=False)
    monkeypatch.setattr("builtins.__import__", load)
    factory_module._load_lgpio(tmp_path)
    monkeypatch.undo()
    assert seen[0].parent == tmp_path
    assert list(tmp_path.iterdir()) == []
    assert Path.cwd() == here
    assert "LG_WD" not in os.environ


def test_a_button_on_a_jetson(xavier) -> None:
    factory = xavier.make()
    button = open_gpio("button", {"pin": 22}, factory, lambda: 5.0)
    assert button.read() == [Position(0.0, 5.0)]
    # Chip 2 is the one that stays awake.
    xavier.lines.drive(2, 16, 0)
    assert button.read()[0] == Position(1.0, 5.0)
    button.close()
    assert not xavier.lines.callbacks


def test_a_light_on_a_jetson(xavier) -> None:
    light = Light(17, True, xavier.make())
    light.show("sounding")
    light.turn(0.0)
    assert xavier.lines.levels[1, 112] == 1
    light.close()


def test_lines_are_found_by_name_where_they_are_numbered_otherwise(xavier) -> None:
    label, names = xavier.lines.chips[1]
    xavier.lines.chips[1] = (label, ["X.00", "X.01", *names])
    chip, offset = xavier.make().line(17)
    assert (chip.label, offset) == ("tegra194-gpio", 114)


@pytest.mark.parametrize("pin", sorted(NO_GPIO))
def test_a_pin_that_is_no_gpio_on_a_jetson_is_refused(xavier, pin: int) -> None:
    factory = xavier.make()
    with pytest.raises(SourceError, match=f"pin {pin} is no GPIO pin on a Jetson Xavier NX: take one of 4, 5, 6"):
        open_gpio("switch", {"pin": pin}, factory, lambda: 0.0)


def test_a_line_that_is_not_there_is_told(xavier) -> None:
    xavier.lines.chips[1] = ("tegra194-gpio", ["X.00"])
    with pytest.raises(SourceError, match="pin 17 was not found on this Jetson Xavier NX"):
        xavier.make().line(17)


def test_chips_that_may_not_be_opened_are_told(xavier) -> None:
    xavier.lines.forbidden = (0, 1, 2)
    with pytest.raises(SourceError, match="add this user to the group gpio"):
        xavier.make()
