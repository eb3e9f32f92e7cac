"""What the commands that stay have in common."""

import contextlib
from pathlib import Path

import click

__all__ = ["name_process", "tell"]


def name_process(name: str) -> None:
    """Let `ps` and `top` show this name, of up to 15 letters."""
    with contextlib.suppress(OSError):
        Path("/proc/self/comm").write_text(name, encoding="ascii")


def tell(sentence: str) -> None:
    """Say a sentence to whoever watches."""
    # A terminal that was closed is no reason to stop the music.
    with contextlib.suppress(OSError):
        click.echo(sentence, err=True)
