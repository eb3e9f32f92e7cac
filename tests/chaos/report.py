"""The table: everything that happens, run and told."""

import argparse
import dataclasses
import json
import signal
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from chaos.answers import ANSWERS, answer_row
from chaos.evening import Row, spend
from chaos.measure import RATE, Natural, natural
from chaos.reference import prepare, reference
from chaos.scenarios import SCENARIOS, Scenario

__all__ = ["CALM_S", "evenings", "main", "rows", "table", "undisturbed"]

# The music's own level, loudness and steps are taken from so much of it, its clicks, which are rarer, from more.
CALM_S, _CLICKS_S = 180.0, 600.0


def main(description: str) -> int:
    """Run what is asked for; the exit code."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--short", action="store_true", help="a minute and a half in place of many")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="scenarios with this in their name")
    parser.add_argument("--json", action="store_true", help="one JSON object in place of the table")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep the recordings, as float32 .npy")
    options = parser.parse_args()
    # However it is ended, nothing is left running.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    calm = undisturbed()
    found = []
    for row in rows(calm, options.short, options.only, options.keep):
        found.append(row)
        print(_line(row), file=sys.stderr, flush=True)
    if options.json:
        told = {"undisturbed": dataclasses.asdict(calm), "rows": [dataclasses.asdict(row) for row in found]}
        print(json.dumps(told))
    else:
        print(table(found, calm))
    return int(any(row.problems for row in found))


def undisturbed() -> Natural:
    """Measure the same music where nothing happens to it."""
    return dataclasses.replace(natural(reference(CALM_S)), click=natural(reference(_CLICKS_S)).click)


def rows(calm: Natural, short: bool, only: Sequence[str] = (), keep: Path | None = None) -> Iterator[Row]:
    """Let everything happen, or only what has one of these in its name, and give a row for each."""
    chosen = [each for each in SCENARIOS if _wanted(each.name, only) and (only or each.short or not short)]
    together = short and not only
    prepare()
    # In the short version two rooms are disturbed at the same time, by threads that mostly sleep.
    with ThreadPoolExecutor(2 if together else 1) as pool:
        for found in pool.map(lambda evening: spend(evening, short, calm, keep), evenings(chosen, together)):
            yield from found
    for answer in ANSWERS if only or not short else ANSWERS[:1]:
        if _wanted(answer.name, only):
            yield Row(answer.name, **answer_row(answer))


def evenings(chosen: Sequence[Scenario], together: bool) -> list[list[Scenario]]:
    """Give each scenario a room of its own, or, to be quick, those with the same card one together."""
    if not together:
        return [[each] for each in chosen]
    cards = dict.fromkeys(each.card for each in chosen)
    return [[each for each in chosen if each.card == card] for card in cards]


def table(found: Sequence[Row], calm: Natural) -> str:
    """Everything measured, a line each."""
    head = (
        f"Undisturbed music by itself: level {20 * np.log10(calm.level):.1f} dBFS, largest step {calm.step:.3f}, "
        f"largest click ratio {calm.click:.1f}, 3 s of {calm.lufs[0]:.1f} to {calm.lufs[2]:.1f} LUFS.\n"
        "Bars: hole 5 ms, step and click 1.00 of the undisturbed, peak -1.00 dBFS.\n\n"
    )
    titles = f"{'scenario':<35}{'hole ms':>9}{'step':>6}{'click':>6}{'peak':>7}{'LUFS':>14}{'holds':>6}{'held s':>7}"
    return head + titles + "\n" + "\n".join(_line(row) for row in found)


def _wanted(name: str, only: Sequence[str]) -> bool:
    return not only or any(part in name for part in only)


def _line(row: Row) -> str:
    lufs = "" if row.lufs is None else f"{row.lufs[0]:.1f}..{row.lufs[1]:.1f}"
    # Where somebody scribbled on them the counts mean nothing.
    told = row.counts if 0 <= row.counts.get("holds", 0) < 1 << 20 else {}
    figures = f"{row.hole_ms:9.2f}{row.step:6.2f}{row.click:6.2f}{row.peak_db:7.2f}{lufs:>14}"
    figures += f"{told.get('holds', 0):6d}{told.get('held', 0) / RATE:7.1f}"
    verdict = "MISSED: " + "; ".join(row.problems) if row.problems else "ok"
    notes = f" ({'; '.join(row.notes)})" if row.notes else ""
    return f"{row.name:<35}{figures}  {verdict}{notes}"
