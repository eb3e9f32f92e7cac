"""The pins of this machine, whichever it is: a Raspberry Pi, a Jetson, or none but pretended ones."""

import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gpiozero import Device

from appliance.controls.gpio.machine import DEVICE_TREE, jetson_of, raspberry
from appliance.controls.gpio.trouble import NO_PINS, opening
from appliance.controls.source import SourceError

__all__ = ["open_factory"]


def open_factory(
    folder: Path, environment: Mapping[str, str] = os.environ, tree: Path = DEVICE_TREE, devices: Path = Path("/dev")
) -> Any:
    """Choose gpiozero's pin factory: what ``GPIOZERO_PIN_FACTORY`` names, or else what fits the machine.

    Parameters
    ----------
    folder : Path
        The runtime folder, where files may be for a moment.
    environment : mapping
    tree, devices : Path
        The device tree, and where the system keeps its GPIO chips.

    Returns
    -------
    gpiozero.Factory
        Which is gpiozero's own from then on.

    Raises
    ------
    SourceError
        If there are no pins, or they may not be used.
    """
    if environment.get("GPIOZERO_PIN_FACTORY"):
        with opening(f"the pin factory {environment['GPIOZERO_PIN_FACTORY']}"):
            Device.ensure_pin_factory()
        return Device.pin_factory
    try:
        jetson = jetson_of(tree)
    except LookupError as error:
        raise SourceError(
            f"the pins of this {error} are not known: only those of a Jetson Orin Nano, Orin NX, Xavier NX or Nano are"
        ) from error
    if jetson is None and not raspberry(tree):
        raise SourceError(NO_PINS)
    with opening("the GPIO chip"):
        _load_lgpio(folder)
        if jetson is None:
            from gpiozero.pins.lgpio import LGPIOFactory

            factory = _allowed(LGPIOFactory, devices)
        else:
            from appliance.controls.gpio.jetson import JetsonFactory

            factory = JetsonFactory(jetson, devices)
    # Some of gpiozero's own parts ask for it, whatever they are given.
    Device.pin_factory = factory
    return factory


def _allowed(make: Any, devices: Path) -> Any:
    chips = [path for path in devices.glob("gpiochip[0-9]*")]
    if chips and not any(os.access(path, os.R_OK | os.W_OK) for path in chips):
        raise PermissionError
    return make()


def _load_lgpio(folder: Path) -> None:
    """Load lgpio, which makes a pipe as it is loaded, where ``LG_WD`` says, and moves this process there."""
    if "lgpio" in sys.modules:
        return
    here = os.open(".", os.O_RDONLY)
    before = os.environ.get("LG_WD")
    # One for each process, or two that begin at once would take each other's pipe.
    there = tempfile.mkdtemp(prefix="lgpio-", dir=folder)
    os.environ["LG_WD"] = there
    try:
        __import__("lgpio")
    finally:
        os.fchdir(here)
        os.close(here)
        if before is None:
            del os.environ["LG_WD"]
        else:
            os.environ["LG_WD"] = before
        # Both ends are open by now.
        shutil.rmtree(there, ignore_errors=True)
