"""What the commands that stay have in common."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from appliance.errors import RingError
from appliance.health.manager import journal_of

if TYPE_CHECKING:
    from appliance.settings import Settings

__all__ = [
    "card_option",
    "config_option",
    "forgiving_option",
    "name_process",
    "runtime_folder_used",
    "settings_of",
    "tell",
]

# Where `tell` goes instead of stderr.
_journal: Callable[[str], None] | None = None

config_option = click.option(
    "--config", type=click.Path(path_type=Path, dir_okay=False), help="Settings; the usual latent.toml if absent."
)
# A service that ended over a slip in a file would leave a room silent until somebody looks.
forgiving_option = click.option(
    "--forgiving", is_flag=True, help="What is wrong in the settings stands at its default, and is told."
)
card_option = click.option(
    "--device",
    "devices",
    multiple=True,
    metavar="NAME",
    help="Sound card, by its name or part of it; overrides the settings. Give it again for a second choice.",
)


def name_process(name: str) -> None:
    """Let `ps`, `top` and the journal show this name, of up to 15 letters."""
    with contextlib.suppress(OSError):
        Path("/proc/self/comm").write_text(name, encoding="ascii")
    global _journal
    _journal = journal_of(name.removeprefix("latent "))


@contextlib.contextmanager
def runtime_folder_used() -> Iterator[None]:
    """Say of a runtime folder that refuses what to do about it.

    Raises
    ------
    RingError
        In the place of any OSError from inside.
    """
    try:
        yield
    except OSError as error:
        raise RingError(
            f"The folder for what runs cannot be used ({error.strerror}): set RUNTIME_DIRECTORY."
        ) from error


def settings_of(config: Path | None, forgiving: bool) -> "tuple[Settings, str]":
    """Give the settings, and a sentence on what is wrong with them, which is told.

    Raises
    ------
    SettingsError
        If something is wrong and is not to be forgiven.
    """
    from appliance.settings_file import read_forgiving, read_settings

    if not forgiving:
        return read_settings(config), ""
    settings, trouble = read_forgiving(config)
    if trouble:
        tell(f"{trouble} Until then, what is wrong stands at its default.")
    return settings, trouble


def tell(sentence: str) -> None:
    """Say a sentence to whoever watches."""
    # A terminal that was closed is no reason to stop the music.
    with contextlib.suppress(OSError):
        if _journal is None:
            click.echo(sentence, err=True)
        else:
            _journal(sentence)
