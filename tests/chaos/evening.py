"""One room in which one thing happens after the other; each is measured in its own stretch of the tape."""

import dataclasses
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from chaos.harm import Outcome
from chaos.measure import (
    CEILING_DB,
    RATE,
    Audio,
    Hole,
    Natural,
    click_ratio,
    largest_step,
    longest_hole,
    loudness_lufs,
    natural,
    peak_db,
    rise_db,
)
from chaos.reference import reference, turned
from chaos.room import SETTINGS, Room, Tape
from chaos.scenarios import Scenario

__all__ = ["Row", "judge", "measured", "spend"]

# The hold may wander to where the music was softer or louder than it is now.
_LOUDNESS_LU = 4.0
_BEGINNING_S = 3.0
_FADE_IN_S = 1.3
_FIRST_SOUND_S = 10.0
# A fade of a second stands here after its first 50 ms.
_FADED_DB = -12.0


@dataclasses.dataclass
class Row:
    """What was heard in one scenario; steps and clicks as shares of the largest that undisturbed music makes."""

    name: str
    seconds: float = 0.0
    hole_ms: float = 0.0
    # Of the first 50 ms after the hole, against music on average.
    rise_db: float = 0.0
    step: float = 0.0
    click: float = 0.0
    peak_db: float = 0.0
    lufs: tuple[float, float] | None = None
    well_s: float = 0.0
    counts: dict[str, int] = dataclasses.field(default_factory=dict)
    notes: list[str] = dataclasses.field(default_factory=list)
    problems: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class _Stretch:
    scenario: Scenario
    outcome: Outcome
    tape: Tape
    begin: int
    end: int
    well_s: float
    counts: dict[str, int]


def spend(scenarios: Sequence[Scenario], short: bool, calm: Natural, keep: Path | None = None) -> list[Row]:
    """Let scenarios happen to a room of their own, one after the other, and measure.

    Parameters
    ----------
    calm : Natural
        What the music does undisturbed.
    keep : Path, optional
        A folder for the recordings and for what `latent play` said.
    """
    with tempfile.TemporaryDirectory(prefix="latent-chaos-") as folder:
        home = Path(folder)
        music = "\n".join(each.music for each in scenarios).format(home=home)
        try:
            with Room(home, SETTINGS.format(card=scenarios[0].card, music=music), {}) as room:
                outcomes = [Outcome() for _ in scenarios]
                if any(each.turns for each in scenarios):
                    calm = _widened(calm)
                stretches = _happen(scenarios, outcomes, room, short)
                rows = [_row(stretch, calm) for stretch in stretches]
                _judge_beginning(stretches[0], calm, rows[0])
                _judge_end(room, stretches[-1], calm, rows[-1])
                if keep is not None:
                    _keep(keep, stretches, room)
        finally:
            subprocess.run(["umount", str(home / "small")], capture_output=True, check=False)
    return rows


def _widened(calm: Natural) -> Natural:
    """Allow for the steps and the loudness of other moods, and for a fade-in such as begins the music."""
    moods = [natural(audio) for audio in turned()]
    low, middle, high = calm.lufs
    return dataclasses.replace(
        calm,
        click=max(calm.click, click_ratio(reference(_BEGINNING_S))),
        step=max(calm.step, *(mood.step for mood in moods)),
        lufs=(min(low, *(mood.lufs[0] for mood in moods)), middle, max(high, *(mood.lufs[2] for mood in moods))),
    )


def _happen(scenarios: Sequence[Scenario], outcomes: list[Outcome], room: Room, short: bool) -> list[_Stretch]:
    for scenario, outcome in zip(scenarios, outcomes, strict=True):
        if scenario.prepare is not None:
            scenario.prepare(room, short, outcome)
    started_s = time.monotonic()
    room.play()
    sound_s = room.await_sound()
    first_s = sound_s - started_s
    outcomes[0].notes.append(f"first sound {first_s:.1f} s after the start")
    outcomes[0].need(first_s <= _FIRST_SOUND_S, f"the first sound took more than {_FIRST_SOUND_S:g} s")
    begin = room.tape.frame_at(sound_s + _FADE_IN_S)
    time.sleep(2.5 if short else 6.0)
    stretches = []
    for scenario, outcome in zip(scenarios, outcomes, strict=True):
        before, tape = room.counts(), room.tape
        scenario.act(room, short, outcome)
        well_s = room.await_well(20.0 if short else 60.0)
        said = room.said().splitlines()[-3:]
        outcome.need(well_s < float("inf"), f"not well again in time; it said: {' '.join(said)}")
        time.sleep(1.0 if short else 4.0)
        after = room.counts()
        counts = {name: count - before.get(name, 0) for name, count in after.items()}
        if room.tape is not tape:
            begin = 0
        end = room.tape.frame_at(time.monotonic())
        stretches.append(_Stretch(scenario, outcome, room.tape, begin, end, well_s, counts))
        begin = end
    return stretches


def _row(stretch: _Stretch, calm: Natural) -> Row:
    row = measured(stretch.scenario.name, stretch.tape.audio()[stretch.begin : stretch.end], calm)
    row.well_s, row.counts = stretch.well_s, stretch.counts
    judge(row, stretch.scenario, calm, stretch.outcome)
    row.notes, row.problems = stretch.outcome.notes, stretch.outcome.problems
    return row


def measured(name: str, audio: Audio, calm: Natural) -> Row:
    """Measure the stretch of a tape in which something happened."""
    windows, hole = loudness_lufs(audio), longest_hole(audio, calm.level)
    return Row(
        name,
        len(audio) / RATE,
        hole_ms=1000.0 * hole.seconds,
        rise_db=rise_db(audio, hole, calm.level),
        step=largest_step(audio) / calm.step,
        click=click_ratio(audio) / calm.click,
        peak_db=peak_db(audio),
        lufs=(float(windows.min()), float(windows.max())) if len(windows) else None,
    )


def judge(row: Row, bars: Scenario, calm: Natural, outcome: Outcome) -> None:
    """Hold what was measured against the bars."""
    outcome.need(row.hole_ms <= 1000.0 * bars.hole_s, f"a hole of {row.hole_ms:.1f} ms")
    outcome.need(row.peak_db <= CEILING_DB + 0.01, f"a peak of {row.peak_db:.2f} dBFS")
    if not bars.seamless:
        if row.hole_ms > 5.0:
            outcome.notes.append(f"comes back at {row.rise_db:.0f} dB")
            outcome.need(row.rise_db <= _FADED_DB, "sound comes back without a fade")
        return
    outcome.need(row.step <= 1.0, f"a step {row.step:.2f} times the music's own")
    outcome.need(row.click <= 1.0, f"a click {row.click:.2f} times the music's own")
    if row.lufs is not None:
        low, _, high = calm.lufs
        outcome.need(row.lufs[0] >= low - _LOUDNESS_LU, f"3 s of only {row.lufs[0]:.1f} LUFS")
        outcome.need(row.lufs[1] <= high + _LOUDNESS_LU, f"3 s of {row.lufs[1]:.1f} LUFS")


def _judge_beginning(first: _Stretch, calm: Natural, row: Row) -> None:
    """See that the first sound of all was faded in."""
    audio = first.tape.audio()
    silent = int(np.flatnonzero(audio.any(axis=1))[0])
    risen_db = rise_db(audio, Hole(0, silent / RATE), calm.level)
    if risen_db > _FADED_DB:
        row.problems.append(f"the first sound comes without a fade, at {risen_db:.0f} dB")


def _judge_end(room: Room, last: _Stretch, calm: Natural, row: Row) -> None:
    """Stop, and see that it fades out: never a step, and silent in the end."""
    room.stop()
    audio = room.tape.audio()[last.end :]
    step, click = largest_step(audio) / calm.step, click_ratio(audio) / calm.click
    if step > 1.0 or click > 1.0 or audio[-RATE // 20 :].any():
        row.problems.append(f"no clean fade out (step {step:.2f}, click {click:.2f})")
    if room.exit_code != 0:
        row.problems.append(f"latent play ended with {room.exit_code}")


def _keep(folder: Path, stretches: list[_Stretch], room: Room) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for stretch in stretches:
        name = "".join(letter if letter.isalnum() else "-" for letter in stretch.scenario.name)
        np.save(folder / f"{name}.npy", stretch.tape.audio()[: stretch.end + RATE * 2])
    (folder / f"{name}.log").write_text(room.said())
