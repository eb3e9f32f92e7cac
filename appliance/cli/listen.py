"""``latent listen``."""

import contextlib
import math
import os
import select
import sys
from typing import Final

import click

from appliance.cli.process import tell
from appliance.errors import AudioFileError, UsageError
from appliance.folders import runtime_folder

__all__ = ["listen"]

_LONGEST_S: Final = 2_592_000.0


@click.command()
@click.option("--seconds", type=float, help="End after so much; without end unless told.")
@click.option(
    "--start",
    type=float,
    default=1.0,
    show_default=True,
    help="Begin so many seconds back, or as far as is kept, about 7.5.",
)
def listen(seconds: float | None, start: float) -> None:
    """Send what the room hears, after the fader, to another program as WAV of 16 bits, and follow it live.

    It only reads: what plays is not disturbed, however slow the other program is.

    \b
    Example: ssh box latent listen | ffplay -
             latent listen --seconds 10 > room.wav
    """
    problems = []
    if seconds is not None and not 0.0 < seconds <= _LONGEST_S:
        problems.append(f"--seconds takes more than 0 and up to {_LONGEST_S:.0f} seconds, not {seconds:g}.")
    if not 0.0 <= start <= _LONGEST_S:
        problems.append(f"--start takes 0 to {_LONGEST_S:.0f} seconds, not {start:g}.")
    if sys.stdout is None or sys.stdout.isatty():
        problems.append("The sound needs a program or a file to go to: latent listen | ffplay -")
    if problems:
        raise UsageError(" ".join(problems))

    from appliance.service.listen import listen as follow

    # Who listens may leave at any time.
    with contextlib.suppress(ConnectionError):
        follow(runtime_folder(), _Output(sys.stdout.fileno()), tell, start, seconds)


class _Output:
    """The program at the other end of standard output."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._poll = select.poll()
        # Asked for nothing, it still tells that nobody reads any more.
        self._poll.register(descriptor, 0)

    def write(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            try:
                left = left[os.write(self._descriptor, left) :]
            except BlockingIOError:
                select.select([], [self._descriptor], [])
            except ConnectionError:
                raise
            except OSError as error:
                raise AudioFileError(
                    f"The sound cannot be written ({error.strerror}): make room, or send it elsewhere."
                ) from error

    def pause(self, seconds: float) -> None:
        if self._poll.poll(math.ceil(seconds * 1000.0)):
            raise BrokenPipeError
