"""The models: the one that plays or would play, the one that came with the program, and copies that were refused."""

import os
import time
from pathlib import Path
from typing import Final

from appliance.errors import ModelError
from appliance.folders import shown
from appliance.model.bundle import read
from appliance.model.library import DEFAULT, find, folders, place_of
from appliance.model.store import Store
from appliance.service.doctor.case import Case
from appliance.service.doctor.finding import Finding, ok, skipped, trouble, warning
from appliance.service.doctor.machine import INSTALL
from appliance.service.state import UNFINISHED

__all__ = ["check_copies", "check_model"]

_REASON: Final = ".reason.txt"
_RECENT_S: Final = 7 * 86_400.0
_MOST_BYTES: Final = 1000
_FETCH: Final = "git checkout -- models"


def check_model(case: Case) -> list[Finding]:
    """Open the model that plays or would play, and the one that is there for when it cannot."""
    if not os.access(case.state, os.R_OK | os.X_OK) and os.access(case.state, os.F_OK):
        return [skipped("model", f"Only root may look into {shown(case.state)}.", "sudo latent doctor")]
    return [*_unfinished(case), _chosen(case), *_factory(case)]


def _unfinished(case: Case) -> list[Finding]:
    if not os.access(case.state / UNFINISHED, os.F_OK):
        return []
    says = "Something was being unpacked here and was cut short, so that half of what was taught may be missing."
    stop = "sudo systemctl stop latent.target && " if case.machine.installed else ""
    return [trouble("unpack", says, f"{stop}latent unpack FILE")]


def _chosen(case: Case) -> Finding:
    store = Store(folders()[0])
    choice = store.seen()
    if choice is None:
        says = "What was chosen to play is damaged, so the model of the settings plays."
        return warning("model", says, f"latent model use {DEFAULT}")
    pointer = choice.current
    try:
        path = find(case.settings.music.model) if pointer is None else place_of(pointer, store)
        name = read(path).manifest.name
    except ModelError as error:
        mend = case.edit if pointer is None else f"latent model use {DEFAULT}"
        return trouble("model", str(error), mend)
    trouble_told = case.report.get("model_trouble")
    if trouble_told:
        return warning("model", str(trouble_told), "latent model list")
    plays = case.player is not None and case.report.get("model") == name
    return ok("model", f"{shown(name)} is whole{', and plays' if plays else ''}.")


def _factory(case: Case) -> list[Finding]:
    """Say where the model is damaged that plays when no other can."""
    try:
        read(find(None))
    except ModelError as error:
        return [trouble("model", str(error), INSTALL if case.machine.installed else _FETCH)]
    return []


def check_copies(case: Case) -> list[Finding]:
    """Tell of the last that was copied here and refused."""
    reasons = [path for folder in _rejected(case) for path in folder.glob(f"*{_REASON}")]
    dated = [(path.lstat().st_mtime, path) for path in reasons]
    if not dated:
        return []
    at_s, path = max(dated)
    if time.time() - at_s > _RECENT_S:
        return []
    with path.open("rb") as file:
        why = file.read(_MOST_BYTES).decode(errors="replace").strip()
    file_name = path.with_name(path.name.removesuffix(_REASON))
    says = f"The last model that was copied here was refused: {shown(why)}"
    return [warning("copies", says, f"ls {shown(file_name.parent)}")]


def _rejected(case: Case) -> list[Path]:
    """The folders where refusals may lie."""
    given = case.settings.model.incoming
    incoming = case.machine.root / "srv/latent/incoming" if given is None else Path(given).expanduser()
    return [incoming.parent / "rejected", case.state / "rejected", folders()[0] / "rejected"]
