"""What gpiozero, lgpio and the system complain of, in one plain sentence each."""

import contextlib
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from gpiozero import exc

from appliance.controls.source import SourceError

__all__ = ["NO_PINS", "let_go", "opening", "told"]

NO_PINS: Final = "there are no GPIO pins on this machine"
_SPI_OFF: Final = "SPI is switched off: switch it on with raspi-config (on a Jetson: jetson-io) and start again"
_FORBIDDEN: Final = "this user may not use the pins: add it to the groups gpio and spi and start again"


@contextlib.contextmanager
def told(what: str) -> Iterator[None]:
    """Turn whatever is raised inside into a SourceError.

    Parameters
    ----------
    what : str
        The thing that is used, as in 'pin 17'.
    """
    try:
        yield
    except SourceError:
        raise
    except Exception as error:
        # A half-made device, held by the traceback, would hold its pins for as long as anybody keeps the error.
        each: BaseException | None = error
        while each is not None:
            traceback.clear_frames(each.__traceback__)
            each = each.__context__
        raise SourceError(_sentence(what, error)) from error


@contextlib.contextmanager
def opening(what: str) -> Iterator[None]:
    """Do the same where something is opened, of which gpiozero has advice to give."""
    # It is for programmers; but that SPI is to be made by hand, bit by bit, is an error. Set for good, as all threads
    # share what is set.
    warnings.simplefilter("ignore", exc.GPIOZeroWarning)
    warnings.simplefilter("error", exc.SPISoftwareFallback)
    with told(what):
        yield


def let_go(device: Any) -> None:
    """Close a device on a pin; one that is broken is gone all the same."""
    with contextlib.suppress(Exception):
        # On lgpio a pin that is closed would go on telling.
        device.pin.when_changed = None
    with contextlib.suppress(Exception):
        device.close()


def _sentence(what: str, error: Exception) -> str:
    match error:
        case exc.GPIOPinInUse():
            return f"{what} is in use already: give each part pins of its own"
        case exc.PinInvalidPin():
            return f"{what} is not there: pins have BCM numbers, from 2 to 27"
        case exc.PinFixedPull():
            return f'{what} is pulled up on the board: set pull = "up", or take another pin'
        case exc.SPISoftwareFallback() if Path("/dev/spidev0.0").exists():
            return f"{what} cannot be used ({_plain(error)}): is SPI in use by another program?"
        case exc.SPISoftwareFallback():
            return _SPI_OFF
        case exc.BadPinFactory() | exc.PinUnknownPi():
            return NO_PINS
        case PermissionError():
            return _FORBIDDEN
    text = _plain(error)
    # lgpio tells its errors apart by their text alone.
    if "busy" in text.lower():
        return f"{what} is held by another program: stop that (gpioinfo says which it is), or take another pin"
    if "permission" in text.lower():
        return _FORBIDDEN
    return f"{what} cannot be used ({text})"


def _plain(error: Exception) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(text.split()).strip("'\"") or type(error).__name__
