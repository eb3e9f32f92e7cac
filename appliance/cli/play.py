"""``latent play``."""

import contextlib
import fcntl
import signal
import sys
import sysconfig
import threading
from collections.abc import Iterator
from pathlib import Path

import click

from appliance.cli.process import card_option, config_option, tell
from appliance.errors import CardError, SettingsError, UsageError
from appliance.folders import runtime_folder, shown

__all__ = ["play"]

# Without a player the room is silent.
_PLAYER_PAUSE_S = 0.8


@click.command()
@config_option
@card_option
def play(config: Path | None, devices: tuple[str, ...]) -> int:
    """Play endlessly through the sound card, until Ctrl-C.

    Example: latent play --device USB
    """
    _check(config, devices)

    from appliance.service.supervise import Child, supervise

    options = [] if config is None else ["--config", str(config)]
    to_player = [*options, *(word for device in devices for word in ("--device", device))]
    children = [
        Child("engine", _command("engine", options)),
        Child("player", _command("player", to_player), _PLAYER_PAUSE_S),
    ]
    stop = threading.Event()
    with _alone() as folder:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        code = supervise(children, stop, tell)
        if code == 0:
            # What is left after a crash is gone on with; who ended it wants something new next time.
            (folder / "ring").unlink(missing_ok=True)
    return code


def _check(config: Path | None, devices: tuple[str, ...]) -> None:
    """Refuse what cannot be before anything starts, every problem at once."""
    from appliance.settings import read_settings

    problems = [
        f"--device needs the name of a sound card or a part of it, not {shown(device)!r}."
        for device in devices
        if not device.strip() or not device.isprintable()
    ]
    preferred: tuple[str, ...] = ()
    try:
        preferred = read_settings(config).card.device
    except SettingsError as error:
        problems.insert(0, str(error))
    problems += _unknown(devices or preferred)
    if problems:
        raise UsageError(" ".join(problems))


def _unknown(names: tuple[str, ...]) -> list[str]:
    """Say where none of the cards is there. Should they come later, the services wait for them; who types can see."""
    if not names:
        return []
    from appliance.stream.card import find

    try:
        find(names)
    except CardError as error:
        return [str(error)]
    return []


def _command(name: str, options: list[str]) -> tuple[str, ...]:
    return (sys.executable, str(Path(sysconfig.get_path("scripts")) / "latent"), name, *options)


@contextlib.contextmanager
def _alone() -> Iterator[Path]:
    """Hold the runtime folder for this process alone; the lock ends with the process, however that ends."""
    try:
        folder = runtime_folder()
        lock = (folder / "play.lock").open("wb")
    except OSError as error:
        raise UsageError(
            f"The folder for what runs cannot be used ({shown(error.filename)}: {error.strerror}): set"
            " RUNTIME_DIRECTORY to one that can be written."
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UsageError(
                f"Latent is playing already, as the lock on {shown(lock.name)} tells: stop that first, or set"
                " RUNTIME_DIRECTORY to another folder for a second one."
            ) from error
        yield folder
