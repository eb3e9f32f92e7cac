"""The door to systemd: signs of life for the service manager, and sentences with fields for its journal.

No other file imports `systemd`, and nothing of it is loaded before it is needed.
"""

import os
import socket
import sys
from collections.abc import Callable
from typing import Any

__all__ = ["journal_of", "notifier"]


def notifier() -> Callable[[str], object]:
    """Give what sends a word to the socket that ``NOTIFY_SOCKET`` names; it raises OSError where that does not hear.

    Without systemd-python the word goes there as it is (see `sd_notify(3)`): a service whose words are awaited would be
    ended for want of one.
    """
    try:
        from systemd import daemon
    # The folder of our units is called systemd too: from there the import fails in another way.
    except ImportError:
        return _send
    notify: Callable[[str], object] = daemon.notify
    return notify


def journal_of(process: str) -> Callable[[str], None] | None:
    """Give what writes a sentence into the journal, with the fields ``LATENT_PROCESS`` and ``LATENT_VERSION``.

    Parameters
    ----------
    process : str
        Which of ours this is, as "player".

    Returns
    -------
    callable or None
        None where what this process says does not go to the journal, or systemd-python is not there.
    """
    if os.environ.get("JOURNAL_STREAM") != _stream():
        return None
    try:
        from systemd import journal
    except ImportError:
        return None
    # The player is to stay small, and this is not.
    from importlib.metadata import version

    ours = version("latent-appliance")
    send: Any = journal.send

    def write(sentence: str) -> None:
        send(sentence, PRIORITY=6, SYSLOG_IDENTIFIER=f"latent-{process}", LATENT_PROCESS=process, LATENT_VERSION=ours)

    return write


def _stream() -> str:
    """Name what stands behind stderr as systemd does."""
    try:
        there = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError, AttributeError):
        return "none"
    return f"{there.st_dev}:{there.st_ino}"


def _send(word: str) -> None:
    address = os.environ["NOTIFY_SOCKET"]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ours:
        # What begins with @ lies in no folder.
        ours.sendto(word.encode(), "\0" + address[1:] if address.startswith("@") else address)
