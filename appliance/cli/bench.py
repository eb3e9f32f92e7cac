"""``latent bench``."""

import json
import os
import sys
from typing import TYPE_CHECKING

import click

from appliance.service.bench.figures import keys, table

if TYPE_CHECKING:
    from appliance.service.bench.measure import Report

__all__ = ["bench"]

_EPILOG = f"""\b
Keys of --json, null where it could not be measured:
{keys()}
  turns                          each turn: quantity, value, heard_ms, ring_ms
  card                           this machine's own: name, latency_ms, why (it could not be opened)
  machine                        what was measured
  problems                       why something could not be measured

\b
A change counts from the end of the first 85 ms (Hann window) in which a third
of an octave between 200 Hz and 16 kHz, all channels together, differs by 1 dB
from what would have been played; thirds 20 dB below the strongest do not count.
What is played goes to a fake card paced by the clock, so nothing is heard.
Memory is what the kernel would count as PSS if nothing else ran: half of what
engine and player share, and all else.
"""


@click.command(epilog=_EPILOG)
@click.option(
    "--seconds",
    type=click.IntRange(16, 36_000),
    default=960,
    show_default=True,
    help="Sound to render for the real-time factor, in windows of 16 s.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
def bench(seconds: int, as_json: bool) -> int:
    """Measure this machine: speed, start, knob to sound, memory; beside what is promised.

    Takes about half a minute. Exit code 1 only where something could not be measured.

    Example: latent bench --json
    """
    # Before numpy is loaded: threads of its libraries would share the core.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    from appliance.service.bench.measure import measure
    from appliance.settings_file import read_settings

    report = measure(read_settings(None), seconds, _tell)
    click.echo(json.dumps(report.as_dict()) if as_json else _shown(report))
    for problem in report.problems:
        click.echo(f"latent: {problem}", err=True)
    return 1 if report.problems else 0


def _shown(report: "Report") -> str:
    machine = ", ".join(f"{name} {value}" for name, value in report.machine.items())
    card = report.card.get("name") or f"none ({report.card.get('why', 'not looked at')})"
    return f"{table(report.values)}\n\nPlayed on: paced fake card. This machine's card: {card}\nMeasured: {machine}."


def _tell(sentence: str) -> None:
    if sys.stderr is not None and sys.stderr.isatty():
        click.echo(sentence, err=True)
