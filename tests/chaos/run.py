"""Whatever happens, there is sound: harms a real `latent play` at a real sound server and measures what is heard.

    .venv/bin/python tests/chaos/run.py [--short] [--only NAME] [--json] [--keep FOLDER]

Prints one table; exits with 1 where a bar is missed.
"""

import argparse
import dataclasses
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from answers import ANSWERS, answer_row
from harm import Outcome
from measure import (
    CEILING_DB,
    RATE,
    Audio,
    Natural,
    click_ratio,
    largest_step,
    longest_hole_s,
    loudness_lufs,
    natural,
    peak_db,
)
from reference import reference
from room import SETTINGS, Room
from scenarios import SCENARIOS, Scenario

__all__ = ["Row", "main", "measured", "run"]

# The hold may wander to where the music was softer or louder than it is now.
_LOUDNESS_LU = 4.0
_FADE_IN_S = 1.3
_FADE_OUT_S = 1.0


@dataclasses.dataclass
class Row:
    """What was heard in one scenario; steps and clicks as shares of the largest that undisturbed music makes."""

    name: str
    seconds: float
    hole_ms: float = 0.0
    hole_at_s: float = 0.0
    step: float = 0.0
    click: float = 0.0
    peak_db: float = 0.0
    lufs: tuple[float, float] = (0.0, 0.0)
    well_s: float = 0.0
    counts: dict[str, int] = dataclasses.field(default_factory=dict)
    notes: list[str] = dataclasses.field(default_factory=list)
    problems: list[str] = dataclasses.field(default_factory=list)


def main() -> int:
    """Run what is asked for; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="a minute and a half in place of many")
    parser.add_argument("--only", action="append", metavar="NAME", help="scenarios with this in their name")
    parser.add_argument("--json", action="store_true", help="one JSON object in place of the table")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep the recordings, as float32 .npy")
    options = parser.parse_args()
    chosen = [each for each in SCENARIOS if each.short or not options.short]
    answers = ANSWERS[:1] if options.short else ANSWERS
    if options.only:
        chosen = [each for each in SCENARIOS if any(name in each.name for name in options.only)]
        answers = [each for each in ANSWERS if any(name in each.name for name in options.only)]
    calm = natural(reference(180.0))
    rows = []
    for scenario in chosen:
        rows.append(run(scenario, options.short, calm, options.keep))
        print(_line(rows[-1]), file=sys.stderr, flush=True)
    for answer in answers:
        rows.append(Row(answer.name, 0.0, **answer_row(answer)))
        print(_line(rows[-1]), file=sys.stderr, flush=True)
    if options.json:
        told = {"undisturbed": dataclasses.asdict(calm), "rows": [dataclasses.asdict(row) for row in rows]}
        print(json.dumps(told))
    else:
        print(table(rows, calm))
    return int(any(row.problems for row in rows))


def run(scenario: Scenario, short: bool, calm: Natural, keep: Path | None = None) -> Row:
    """Let one scenario happen to a room of its own, and measure."""
    outcome, began_s = Outcome(), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="latent-chaos-") as folder:
        home = Path(folder)
        settings = SETTINGS.format(card=scenario.card, music=scenario.music.format(home=home))
        try:
            with Room(home, settings, {}) as room:
                row = _happen(scenario, room, short, outcome, calm, keep)
        finally:
            subprocess.run(["umount", str(home / "small")], capture_output=True, check=False)
    row.seconds = time.monotonic() - began_s
    return row


def _happen(scenario: Scenario, room: Room, short: bool, outcome: Outcome, calm: Natural, keep: Path | None) -> Row:
    if scenario.prepare is not None:
        scenario.prepare(room, short, outcome)
    started_s = time.monotonic()
    room.play()
    sound_s = room.await_sound()
    outcome.notes.append(f"first sound {sound_s - started_s:.1f} s after the start")
    outcome.need(sound_s - started_s <= 10.0, "the first sound took more than 10 s")
    time.sleep(2.5 if short else 6.0)
    scenario.act(room, short, outcome)
    well_s = room.await_well()
    outcome.need(well_s < float("inf"), f"not well again within a minute; it said: {room.said()}")
    time.sleep(1.5 if short else 4.0)
    counts = room.counts()
    stopped_s = time.monotonic()
    end = room.tape.frame_at(stopped_s)
    room.stop()
    begin = room.settled_frame or room.tape.frame_at(sound_s + _FADE_IN_S)
    outcome.need(room.exit_code == 0, f"latent play ended with {room.exit_code}")
    audio = room.tape.audio()
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        np.save(keep / f"{scenario.name.replace(' ', '-').replace(':', '')}.npy", audio)
        (keep / f"{scenario.name}.log").write_text(room.said())
    row = measured(scenario, audio[begin:end], calm, outcome)
    row.counts, row.well_s = counts, well_s
    row.notes, row.problems = outcome.notes, outcome.problems
    _judge_end(audio[end:], calm, row)
    row.hole_at_s += begin / RATE
    return row


def measured(scenario: Scenario, audio: Audio, calm: Natural, outcome: Outcome) -> Row:
    """Measure the stretch of a tape in which it happened, and hold it against the bars."""
    row = Row(scenario.name, 0.0)
    hole_s, at = longest_hole_s(audio, calm.level)
    row.hole_ms, row.hole_at_s = 1000.0 * hole_s, at / RATE
    row.step = largest_step(audio) / calm.step
    row.click = click_ratio(audio) / calm.click
    row.peak_db = peak_db(audio)
    windows = loudness_lufs(audio)
    row.lufs = (float(windows.min()), float(windows.max()))
    outcome.need(hole_s <= scenario.hole_s, f"a hole of {row.hole_ms:.1f} ms")
    outcome.need(row.peak_db <= CEILING_DB + 0.01, f"a peak of {row.peak_db:.2f} dBFS")
    if scenario.seamless:
        outcome.need(row.step <= 1.0, f"a step {row.step:.2f} times the music's own")
        outcome.need(row.click <= 1.0, f"a click {row.click:.2f} times the music's own")
        low, _, high = calm.lufs
        outcome.need(row.lufs[0] >= low - _LOUDNESS_LU, f"3 s of only {row.lufs[0]:.1f} LUFS")
        outcome.need(row.lufs[1] <= high + _LOUDNESS_LU, f"3 s of {row.lufs[1]:.1f} LUFS")
    return row


def _judge_end(audio: Audio, calm: Natural, row: Row) -> None:
    """See that it faded out: never a step, and silent in the end."""
    step, click = largest_step(audio) / calm.step, click_ratio(audio) / calm.click
    if step > 1.0 or click > 1.0 or audio[-RATE // 20 :].any():
        row.problems.append(f"no clean fade out (step {step:.2f}, click {click:.2f})")


def table(rows: list[Row], calm: Natural) -> str:
    """Everything measured, a line each."""
    head = (
        f"Undisturbed music by itself: level {20 * np.log10(calm.level):.1f} dBFS, largest step {calm.step:.3f}, "
        f"largest click ratio {calm.click:.1f}, 3 s of {calm.lufs[0]:.1f} to {calm.lufs[2]:.1f} LUFS.\n"
        "Bars: hole 5 ms, step and click 1.00 of the undisturbed, peak -1.00 dBFS.\n\n"
    )
    titles = f"{'scenario':<35}{'hole ms':>9}{'step':>6}{'click':>6}{'peak':>7}{'LUFS':>14}{'holds':>6}{'held s':>7}"
    return head + titles + "\n" + "\n".join(_line(row) for row in rows)


def _line(row: Row) -> str:
    lufs = f"{row.lufs[0]:.1f}..{row.lufs[1]:.1f}"
    # Where somebody scribbled on them the counts mean nothing.
    told = row.counts if row.counts.get("holds", 0) < 1 << 20 else {}
    held_s = told.get("held", 0) / RATE
    figures = f"{row.hole_ms:9.2f}{row.step:6.2f}{row.click:6.2f}{row.peak_db:7.2f}{lufs:>14}"
    figures += f"{told.get('holds', 0):6d}{held_s:7.1f}"
    verdict = "MISSED: " + "; ".join(row.problems) if row.problems else "ok"
    return f"{row.name:<35}{figures}  {verdict} ({'; '.join(row.notes)})"


if __name__ == "__main__":
    sys.exit(main())
