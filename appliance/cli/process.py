"""What the commands that stay have in common."""

import contextlib
import signal
import threading
from pathlib import Path

import click

__all__ = ["card_option", "config_option", "name_process", "stop_when_told", "tell"]

config_option = click.option(
    "--config", type=click.Path(path_type=Path, dir_okay=False), help="Settings; the usual latent.toml if absent."
)
card_option = click.option(
    "--device",
    "devices",
    multiple=True,
    metavar="NAME",
    help="Sound card, by its name or part of it; overrides the settings. Give it again for a second choice.",
)


def name_process(name: str) -> None:
    """Let `ps` and `top` show this name, of up to 15 letters."""
    with contextlib.suppress(OSError):
        Path("/proc/self/comm").write_text(name, encoding="ascii")


def stop_when_told(stop: threading.Event) -> None:
    """Set an event on Ctrl-C, on SIGTERM, and when the terminal is closed."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())


def tell(sentence: str) -> None:
    """Say a sentence to whoever watches."""
    # A terminal that was closed is no reason to stop the music.
    with contextlib.suppress(OSError):
        click.echo(sentence, err=True)
