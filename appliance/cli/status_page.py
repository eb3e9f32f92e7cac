"""What ``latent status`` and ``latent top`` say of how things are."""

from typing import Any

from appliance.health.day import lasting
from appliance.mood import QUANTITIES

__all__ = ["headline", "page_of", "rows_of"]


def page_of(report: dict[str, Any]) -> str:
    """Say all of what ``service.status`` reports."""
    rows = "\n".join(f"{name:<15}{text}" for name, text in rows_of(report))
    trouble = f"{report['settings_trouble']}\n" if report["settings_trouble"] else ""
    return f"{headline(report)}\n{trouble}\n{rows}"


def headline(report: dict[str, Any]) -> str:
    """Say in a sentence whether all is well."""
    from appliance.service.status import NO_CARD

    head = "All is well"
    if not report["healthy"]:
        head = "Not well"
    elif report["state"] == NO_CARD:
        head = "Nothing is heard"
    elif report["settings_trouble"]:
        head = "All is well but the settings"
    return f"{head}: {report['reason']}."


def rows_of(told: dict[str, Any]) -> list[tuple[str, str]]:
    """Name each thing, and say how it is."""
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
