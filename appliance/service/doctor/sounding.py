"""The settings, and what the room says of itself."""

import os
import time
from typing import Final

from appliance.folders import shown
from appliance.health.exposure import room_level
from appliance.service.doctor.case import Case
from appliance.service.doctor.finding import Finding, ok, skipped, trouble, warning
from appliance.service.status import NO_CARD

__all__ = ["check_exposure", "check_settings", "check_sound"]

_PLAYING: Final = "playing"


def check_settings(case: Case) -> list[Finding]:
    """Tell all that is wrong in the settings, as they lie there and as they were when the music began."""
    path = case.settings_file
    if os.access(path, os.F_OK) and not os.access(path, os.R_OK):
        return [skipped("settings", f"Only root may read {shown(path)}.", "sudo latent doctor")]
    account = case.machine.account("latent-engine.service") if case.machine.installed else None
    if account is not None and path.exists() and not case.machine.may(path, account, 4):
        says = f"The user {account.name} may not read {shown(path)}, so that everything stands at its default."
        return [trouble("settings", says, f"sudo chmod a+r {shown(path)} && {case.again}")]
    if case.settings_trouble:
        return [trouble("settings", case.settings_trouble, f"{case.edit} && {case.again}")]
    told = case.report.get("settings_trouble")
    if told and not _mended(case):
        return [trouble("settings", shown(str(told)), f"{case.edit} && {case.again}")]
    if told:
        says = f"It plays by settings that have been mended since: {shown(str(told))}"
        return [warning("settings", says, case.again)]
    there = f"{shown(path)} is right." if os.access(path, os.F_OK) else "There is no file, and none is needed."
    return [ok("settings", there)]


def _mended(case: Case) -> bool:
    """Whether somebody wrote to the settings since the engine read them."""
    began_s = (case.report.get("engine") or {}).get("uptime_s")
    try:
        return began_s is None or time.time() - case.settings_file.stat().st_mtime < began_s
    except OSError:
        return True


def check_exposure(case: Case) -> list[Finding]:
    """Tell whether a limit that is set can be kept; of no limit there is nothing to tell."""
    limit_dba = case.settings.exposure.limit_dba
    if limit_dba is None:
        return []
    if os.access(case.state, os.F_OK) and not os.access(case.state, os.R_OK | os.X_OK):
        return [skipped("exposure", f"Only root may look into {shown(case.state)}.", "sudo latent doctor")]
    level = room_level(case.state)
    if level is None:
        says = f"The limit of {limit_dba:g} dB(A) is not kept: nobody measured here how loud the room is."
        measure = "latent calibrate"
        if case.machine.installed:
            measure = f"sudo systemctl stop latent.target && {measure} && sudo systemctl start latent.target"
        return [trouble("exposure", says, measure)]
    return [
        ok("exposure", f"Days are held to {limit_dba:g} dB(A), by what was measured on {shown(level.measured_on)}.")
    ]


def check_sound(case: Case) -> list[Finding]:
    """Tell whether it sounds."""
    if not case.report:
        if case.blind:
            return [skipped("sound", f"Only root may look into {shown(case.runtime)}.", "sudo latent doctor")]
        if not case.machine.installed:
            return [skipped("sound", case.silence)]
        # Behind the colon stands what to do where there are no services.
        return [trouble("sound", case.silence.partition(": ")[0].rstrip(".") + ".", case.again)]
    return [_heard(case)]


def _heard(case: Case) -> Finding:
    report = case.report
    reason, state = shown(str(report["reason"])), report["state"]
    if not report["healthy"]:
        return trouble("sound", f"Not well: {reason}.", case.again)
    if state == NO_CARD:
        return trouble("sound", f"Nothing is heard: {reason}.", "aplay -l")
    if report["underruns"]:
        silent_s = report["underrun_s"]
        lasted = f"{silent_s:.1f} s" if silent_s >= 1.0 else f"{1000.0 * silent_s:.0f} ms"
        says = f"It plays, and was silent for {lasted} in all, for want of any sound in time."
        return warning("sound", says, "latent bench")
    level = report["loudness_lufs"]
    loud = f", {level:.0f} LUFS" if level is not None and state == _PLAYING else ""
    held = f", held {report['holds']} times since the start" if report["holds"] else ""
    return ok("sound", f"All is well: {reason}{loud}{held}.")
