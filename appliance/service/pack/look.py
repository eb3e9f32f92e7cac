"""Looking at all that is in a pack, and trying its models on this machine, before anything changes here."""

import contextlib
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ValidationError

from appliance.errors import LatentError, SettingsError
from appliance.folders import shown
from appliance.model.choice import Choice, Entry
from appliance.model.store import Store
from appliance.model.verdict import Verdict
from appliance.service.arriving.intake import Judge
from appliance.service.pack.file import SETTINGS, STATE, Pack, refusal
from appliance.service.pack.packing import absent, version
from appliance.service.state import kind_of
from appliance.settings_file import read_settings

__all__ = ["Looked", "look"]

_MODEL: Final = ".latent"
_STORE: Final = f"{STATE}models/store/"
# With another amplifier behind it, what was measured on the packed machine says nothing here.
_MEASURE_ANEW: Final = (
    "The settings limit the exposure, which takes a room that was measured with this machine: type latent calibrate."
)


@dataclass
class Looked:
    """What is in a pack, all of it sound.

    Attributes
    ----------
    pages : dict
        What is neither of models nor the settings, by its path below the state folder.
    choice : Choice
    models : list
        What the other machine knew, a copy that was accepted here, and the verdict; in the order in which they came.
    refused, notes : list of str
        Sentences on models that do not play here, and on what is to be done by hand.
    """

    pages: dict[str, bytes] = field(default_factory=dict)
    choice: Choice = field(default_factory=Choice)
    models: list[tuple[Entry, Path, Verdict]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def digests(self) -> set[str]:
        """Of the models that play here."""
        return {entry.digest for entry, _, _ in self.models}


def look(
    pack: Pack, store: Store, judge: Judge, say: Callable[[str], None], stack: contextlib.ExitStack, dry_run: bool
) -> Looked:
    """Look at everything in a pack.

    Parameters
    ----------
    pack : Pack
    store : Store
        Where copies are made; nowhere else with `dry_run`.
    judge : callable
    say : callable
        Told which model is tried.
    stack : ExitStack
        With it go the copies that nobody took.
    dry_run : bool

    Raises
    ------
    LatentError
        If something is damaged, or of another version, or a model could not be tried.
    """
    scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="latent-unpack-")))
    looked, entries = Looked(), dict[str, Entry]()
    if SETTINGS in pack.names:
        looked.notes += _settings_notes(pack, scratch)
    else:
        looked.notes.append("The pack holds no settings, so those of this machine stay.")
    for name in pack.names:
        page = _page(pack, name)
        if isinstance(page, Entry):
            entries[_stem(name)] = page
        elif isinstance(page, Choice):
            looked.choice = page
        elif page is not None:
            looked.pages[name.removeprefix(STATE)] = pack.page(name)
    _check_models(pack, entries)
    for entry in sorted(entries.values(), key=lambda entry: (entry.number, entry.digest)):
        copy = scratch / entry.digest if dry_run else store.private()
        stack.callback(copy.unlink, missing_ok=True)
        say(f"Trying {shown(entry.verdict.name)} on this machine.")
        with copy.open("wb") as file:
            file.writelines(pack.blocks(f"{_STORE}{entry.digest}{_MODEL}"))
        _take(looked, entry, copy, judge(copy, f"{entry.file}{_MODEL}"))
        if dry_run:
            copy.unlink()
    return looked


def _take(looked: Looked, entry: Entry, copy: Path, verdict: Verdict) -> None:
    if verdict.accepted:
        looked.models.append((entry, copy, verdict))
    elif verdict.judged:
        looked.refused.append(verdict.reason)
    else:
        raise LatentError(verdict.reason)


def _page(pack: Pack, name: str) -> BaseModel | None:
    """Read what is no model and no settings."""
    kind = kind_of(name.removeprefix(STATE)) if name.startswith(STATE) else None
    if kind is None or kind.page is None:
        return None
    content = pack.page(name)
    try:
        return kind.page.model_validate_json(content)
    except ValidationError as error:
        problem = (
            f"holds {kind.name} that this version, {version()}, cannot read; it was packed by {pack.manifest.version}"
        )
        raise refusal(pack.name, problem, "bring both to the same version, or pack it anew") from error


def _check_models(pack: Pack, entries: dict[str, Entry]) -> None:
    members = pack.manifest.members
    sealed = {_stem(name): members[name].sha256 for name in members if name.endswith(_MODEL)}
    known = {stem: entry.digest for stem, entry in entries.items()}
    if sealed != known or any(stem != digest for stem, digest in sealed.items()):
        raise refusal(pack.name, "holds models of which it says nothing, or something else", "pack it anew")


def _stem(name: str) -> str:
    return name.removeprefix(_STORE).partition(".")[0]


def _settings_notes(pack: Pack, scratch: Path) -> list[str]:
    path = scratch / SETTINGS
    path.write_bytes(pack.page(SETTINGS))
    try:
        settings = read_settings(path)
    except SettingsError as error:
        raise SettingsError(str(error).replace(shown(path), f"in {pack.name}")) from error
    return absent(settings) + [_MEASURE_ANEW] * (settings.exposure.limit_dba is not None)
