"""Which machine this is, as its device tree says, and where a Jetson's pins are.

The figures are those of NVIDIA's jetson-gpio (lib/python/Jetson/GPIO/gpio_pin_data.py): for each BCM number the GPIO
chip, the offset of the line in it, and the line's name. Numbers that are left out are I2C or serial on a Jetson.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["DEVICE_TREE", "Jetson", "JetsonLine", "jetson_of", "raspberry"]

DEVICE_TREE: Final = Path("/proc/device-tree")


@dataclass(frozen=True)
class JetsonLine:
    """Where a pin of the header is.

    Attributes
    ----------
    chip : str
        Label of the GPIO chip.
    offset : int
        Number of the line in the chip, on systems of today.
    name : str
        What the chip calls the line, on systems of any age; empty where lines have no names.
    """

    chip: str
    offset: int
    name: str


@dataclass(frozen=True)
class Jetson:
    """A Jetson developer kit.

    Attributes
    ----------
    name : str
    lines : mapping of int to JetsonLine
        By BCM number.
    i2c_bus : int
        The bus at pins 3 and 5 of the header.
    """

    name: str
    lines: Mapping[int, JetsonLine]
    i2c_bus: int


def raspberry(tree: Path = DEVICE_TREE) -> bool:
    """Whether this is a Raspberry Pi."""
    return any(
        each.startswith(("raspberrypi,", "Raspberry Pi")) for each in (*_compatible(tree), *_words(tree / "model"))
    )


def jetson_of(tree: Path = DEVICE_TREE) -> Jetson | None:
    """Say which Jetson this is; None for any other machine.

    Raises
    ------
    LookupError
        If it is a Jetson whose header is not known; the message is its name.
    """
    compatible = _compatible(tree)
    for module, jetson in _MODULES.items():
        if any(module in each for each in compatible):
            return jetson
    if any(each.startswith("nvidia,tegra") for each in compatible):
        raise LookupError(next(iter(_words(tree / "model")), "Jetson"))
    return None


def _compatible(tree: Path) -> list[str]:
    return _words(tree / "compatible")


def _words(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return [each for each in text.split("\x00") if each.strip()]


def _lines(chip: str, table: str) -> dict[int, JetsonLine]:
    """Read 'BCM offset [name]' a piece; a name that begins with the letters of the chip's other half is there."""
    lines = {}
    for piece in table.split(","):
        number, offset, *name = piece.split()
        # The few that stay awake while the rest sleeps have a chip of their own.
        awake = name and name[0][:3] in ("PAA", "PBB", "PCC", "PDD", "PEE")
        lines[int(number)] = JetsonLine(f"{chip}-aon" if awake else chip, int(offset), name[0] if name else "")
    return lines


_ORIN: Final = _lines(
    "tegra234-gpio",
    """4 144 PAC.06, 5 105 PQ.05, 6 106 PQ.06, 7 137 PZ.07, 8 136 PZ.06, 9 134 PZ.04, 10 135 PZ.05, 11 133 PZ.03,
    12 41 PG.06, 13 43 PH.00, 16 113 PR.05, 17 112 PR.04, 18 50 PH.07, 19 53 PI.02, 20 52 PI.01, 21 51 PI.00,
    22 85 PN.01, 23 126 PY.04, 24 125 PY.03, 25 123 PY.01, 26 124 PY.02, 27 122 PY.00""",
)
_XAVIER_NX: Final = _lines(
    "tegra194-gpio",
    """4 118 PS.04, 5 105 PQ.05, 6 106 PQ.06, 7 164 PZ.07, 8 163 PZ.06, 9 161 PZ.04, 10 162 PZ.05, 11 160 PZ.03,
    12 108 PR.00, 13 84 PN.01, 16 113 PR.05, 17 112 PR.04, 18 127 PT.05, 19 130 PU.00, 20 129 PT.07, 21 128 PT.06,
    22 16 PCC.04, 23 153 PY.04, 24 152 PY.03, 25 150 PY.01, 26 151 PY.02, 27 149 PY.00""",
)
_NANO: Final = _lines(
    "tegra-gpio",
    """4 216, 5 149, 6 200, 7 20, 8 19, 9 17, 10 16, 11 18, 12 168, 13 38, 16 51, 17 50, 18 79, 19 76, 20 77, 21 78,
    22 194, 23 232, 24 15, 25 13, 26 12, 27 14""",
)
# The part numbers of the modules, as they stand in the device tree.
_MODULES: Final = {
    "p3767": Jetson("Jetson Orin Nano or NX", _ORIN, 7),
    "p3668": Jetson("Jetson Xavier NX", _XAVIER_NX, 8),
    "p3450": Jetson("Jetson Nano", _NANO, 1),
    "jetson-nano": Jetson("Jetson Nano", _NANO, 1),
}
