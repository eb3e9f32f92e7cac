"""``latent status``."""

import json
from typing import Any

import click

from appliance.folders import runtime_folder
from appliance.health.day import lasting
from appliance.mood import QUANTITIES

__all__ = ["status"]


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
def status(as_json: bool) -> None:
    """Show how things are: what plays, and how well. It only looks, and works without engine or player too.

    \b
    Keys of the JSON object; null is what cannot be known:
      healthy, reason       whether both processes live, and why (not)
      state                 what the player does, in words
      hours, hours_sign     always, open, quiet, closed, or "untrusted clock" (then
                            the room stays open); and the same in a sentence
      next_change           when that changes: date and time at the gallery
      device, rate, channels
      reserve_s             seconds of sound ready, and
      reserve_wanted_s      how many there should be
      underruns             blocks of 512 frames that were silent for want of any
      underrun_s            sound, and the same in seconds
      holds, held_s         times and seconds that what was heard before went on,
                            because nothing fresh came
      rewinds               times that the near future was made again for a hand
      refusals              blocks that were not fit to be heard
      bad_samples           samples among them that were not finite
      cards_lost            times that the sound card went away
      knob_to_sound_ms      from the last move of a hand to its sound
      loudness_lufs         of what is being sent; -120 is silence
      volume                where the fader is to be, 0 to 1
      ceiling               what it is kept below, 0 to 1: see [exposure] in the settings
      made_frames           all that the engine has made, and
      consumed_frames       all that the card has taken
      piece, pattern, seed, boots, rung
      model, model_digest
      model_coming          from the engine: the model that is being opened, if any
      model_trouble         so too: why a model that was chosen does not play
      probation_s           so too: seconds until a new model counts as proven
      mood                  from the engine; null while it does not answer
      settings_trouble      what is wrong with the settings, and so stands at its default
      engine_health         so too: what it says of itself
      controls              so too: how many knobs, buttons and sensors are wired
      troubles              so too: those in trouble by name, and why; the sound goes on
      osc                   so too: packets received, refused, unknown, dropped
      awake                 so too: 1, or less while the room is dimmed for want of
                            visitors, down to 0
      uptime_s              seconds since the player began
      engine, player        alive, pid, uptime_s, beat_age_s (seconds since the last
                            sign of life); answers: whether the engine answered
      memory_mb             of engine and player: PSS in MB without the ring
      memory_with_ring_mb   the same with their shares of it
      today                 what the keeper counted since midnight, or for up to 24 hours
                            where the clock cannot be right; null while none runs:
                            label, observed_s, open_s, sounded_s, hushed_s, closed_s,
                            holds, held_s, silent_s, engine_restarts,
                            player_restarts, cards_lost, loudest_lufs, mean_lufs,
                            and line, which tells it in words
      room_dba              from what `latent calibrate` kept: how loud it is in the room
      exposure_dba          so too: LEX,8h of somebody who was there all day, so far
      generation            which ring this is

    Example: latent status --json
    """
    from appliance.service.status import status as look

    report = look(runtime_folder())
    click.echo(json.dumps(report, allow_nan=False) if as_json else _page(report))


def _page(report: dict[str, Any]) -> str:
    from appliance.service.status import NO_CARD

    head = "All is well"
    if not report["healthy"]:
        head = "Not well"
    elif report["state"] == NO_CARD:
        head = "Nothing is heard"
    elif report["settings_trouble"]:
        head = "All is well but the settings"
    rows = "\n".join(f"{name:<15}{text}" for name, text in _rows(report))
    trouble = f"{report['settings_trouble']}\n" if report["settings_trouble"] else ""
    return f"{head}: {report['reason']}.\n{trouble}\n{rows}"


def _rows(told: dict[str, Any]) -> list[tuple[str, str]]:
    card = f"{told['rate']} Hz, {_of(told['channels'], 'channel')}"
    volume = "" if told["volume"] is None else f", volume {told['volume']:g}"
    volume += f", kept below {told['ceiling']:.2f}" if told["ceiling"] < 1.0 else ""
    since = "" if told["underrun_s"] is None else f", {told['underrun_s']:.1f} s in all"
    held = "" if told["held_s"] is None else f", {lasting(told['held_s'])} in all"
    knob_ms = told["knob_to_sound_ms"]
    return [
        ("player", told["state"] or "unknown"),
        ("hours", told["hours_sign"] or "unknown"),
        ("sound card", card if told["device"] is None else f"{told['device']}, {card}"),
        ("reserve", f"{_number(told['reserve_s'], '.1f')} s of {told['reserve_wanted_s']:g} s"),
        ("loudness", f"{_number(told['loudness_lufs'], '.1f')} LUFS{volume}"),
        ("knob to sound", "no knob was turned yet" if knob_ms is None else f"{knob_ms:.0f} ms, the last time"),
        ("piece", f"{_number(told['piece'])}, pattern {told['pattern'] or 'unknown'}"),
        ("seed", _number(told["seed"])),
        ("model", _model(told)),
        ("mood", _mood(told["mood"])),
        ("controls", _controls(told)),
        ("silent blocks", _number(told["underruns"]) + since),
        ("holds", _number(told["holds"]) + held),
        ("rewinds", _number(told["rewinds"])),
        ("refused", f"{_number(told['refusals'])} blocks, {_number(told['bad_samples'])} samples not finite"),
        ("cards lost", _number(told["cards_lost"])),
        ("room", _room(told)),
        ("today", "unknown, no keeper runs" if told["today"] is None else told["today"]["line"]),
        ("engine", _process(told, "engine")),
        ("player", _process(told, "player")),
    ]


def _model(told: dict[str, Any]) -> str:
    parts = [told["model"] or "unknown"]
    if told["probation_s"] is not None:
        parts.append(f"on probation for {lasting(told['probation_s'])}")
    if told["model_coming"]:
        parts.append(f"{told['model_coming']} is being opened")
    return ", ".join(parts) + (f"; {told['model_trouble']}" if told["model_trouble"] else "")


def _mood(mood: dict[str, float | None] | None) -> str:
    if mood is None:
        return "unknown, the engine does not answer"
    moved = [
        f"{name} {_number(value, '.2g')}"
        for name, value in mood.items()
        if name not in QUANTITIES or value != QUANTITIES[name].rest
    ]
    return ", ".join(moved) or "at rest"


def _room(told: dict[str, Any]) -> str:
    now, day = told["room_dba"], told["exposure_dba"]
    if now is None and day is None:
        return "not known; `latent calibrate` measures it"
    return f"{_number(now, '.0f')} dB(A) now, LEX,8h {_number(day, '.0f')} dB(A) today, both estimated"


def _controls(told: dict[str, Any]) -> str:
    if told["controls"] is None:
        return "unknown, the engine does not answer"
    asleep = "" if told["awake"] in (None, 1) else "; nobody is there, so the room is dimmed"
    troubles = "".join(f"; {name}: {why}" for name, why in (told["troubles"] or {}).items())
    return (_of(told["controls"], "control") if told["controls"] else "none") + troubles + asleep


def _process(told: dict[str, Any], who: str) -> str:
    process, memory_mb = told[who], told["memory_mb"][who]
    if not process["alive"]:
        return "not alive"
    parts = ["number unknown" if process["pid"] is None else f"process {process['pid']}"]
    if process["uptime_s"] is not None:
        parts.append(f"since {lasting(process['uptime_s'])}")
    if memory_mb is not None:
        parts.append(f"{memory_mb:.0f} MB")
    return ", ".join(parts)


def _of(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count != 1)}"


def _number(value: float | None, form: str = "d") -> str:
    return "unknown" if value is None else format(value, form)
