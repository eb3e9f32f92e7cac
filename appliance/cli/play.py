"""``latent play``."""

import contextlib
import fcntl
import os
import sys
import sysconfig
import threading
from collections.abc import Iterator
from pathlib import Path

import click

from appliance.cli.process import card_option, config_option, tell
from appliance.errors import CardError, SettingsError, UsageError
from appliance.folders import runtime_folder, shown
from appliance.stopping import stop_when_told

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
    extra = _check(config, devices)

    from appliance.service.supervise import Child, supervise

    options = [] if config is None else ["--config", str(config)]
    to_player = [*options, *(word for device in devices for word in ("--device", device))]
    children = [
        Child("engine", _command("engine", options)),
        Child("player", _command("player", to_player), _PLAYER_PAUSE_S),
        # A process of its own, for what is copied here may do anything to it.
        Child("probe", _command("probe", options)),
        # So is what counts the day: it is to tell what became of the others.
        Child("keeper", _command("keeper", options)),
    ]
    # Processes of their own: the light is to tell when the others are gone, and a network may keep its own waiting.
    children += [Child(name, _command(name, options)) for name in extra]
    stop = threading.Event()
    with _alone() as folder:
        stop_when_told(stop)
        code = supervise(children, stop, tell)
        if code == 0:
            # What is left after a crash is gone on with, and remembered; who ended it wants something new next time.
            for name in ("ring", "starts", "hands", "player.json"):
                with contextlib.suppress(IsADirectoryError):
                    (folder / name).unlink(missing_ok=True)
    return code


def _check(config: Path | None, devices: tuple[str, ...]) -> list[str]:
    """Refuse what cannot be before anything starts, every problem at once; gives what else is to run.

    The services would play something else meanwhile, and wait for it; who types can see.
    """
    from appliance.service.music import missing
    from appliance.settings_file import read_settings

    problems = [
        f"--device needs the name of a sound card or a part of it, not {shown(device)!r}."
        for device in devices
        if not device.strip() or not device.isprintable()
    ]
    preferred: tuple[str, ...] = ()
    extra: list[str] = []
    try:
        settings = read_settings(config)
        preferred = settings.card.device
        extra = [name for name in ("light", "snapcast") if getattr(settings, name) is not None]
        problems += missing(settings.music)
    except SettingsError as error:
        problems.insert(0, str(error))
    named = tuple(device for device in devices if device.strip() and device.isprintable())
    problems += _unknown(named if devices else preferred)
    if problems:
        raise UsageError(" ".join(problems))
    return extra


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
        path = folder / "play.lock"
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise UsageError(
            f"The folder for what runs cannot be used ({shown(error.filename)}: {error.strerror}): set"
            " RUNTIME_DIRECTORY to one that can be written."
        ) from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UsageError(
                f"Latent is playing already, as the lock on {shown(path)} tells: stop that first, or set"
                " RUNTIME_DIRECTORY to another folder for a second one."
            ) from error
        yield folder
    finally:
        os.close(lock)
