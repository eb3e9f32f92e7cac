"""All that the checks look at: the machine, its settings, and what the room says of itself."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from appliance.errors import LatentError
from appliance.folders import cache_folder, configuration_folder, runtime_folder, shown, state_folder
from appliance.service.doctor.machine import Machine
from appliance.service.status import NO_CARD, status
from appliance.settings import Settings
from appliance.settings_file import read_forgiving
from appliance.stream.ring import ring_path

__all__ = ["Case", "case_of"]

# What the report calls a player that is gone.
_GONE: Final = "not running"


@dataclass(frozen=True)
class Case:
    """A machine that is examined.

    Attributes
    ----------
    machine : Machine
    settings : Settings
        With every key that is right.
    settings_file : Path
    settings_trouble : str
        What is wrong with the file; empty where nothing is.
    report : dict
        As of `latent status`; empty where nothing plays.
    silence : str
        Why there is no report.
    state, cache, runtime : Path
        The folders of what plays here.
    """

    machine: Machine
    settings: Settings = field(default_factory=Settings)
    settings_file: Path = Path("latent.toml")
    settings_trouble: str = ""
    report: dict[str, Any] = field(default_factory=dict)
    silence: str = ""
    state: Path = field(default_factory=state_folder)
    cache: Path = field(default_factory=cache_folder)
    runtime: Path = Path("/run/latent")

    @property
    def player(self) -> int | None:
        """The player's process; None where none lives."""
        told = self.report.get("player") or {}
        pid: int | None = told.get("pid") if told.get("alive") else None
        return pid

    @property
    def device(self) -> str:
        """The sound card that the player has open; empty where it has none."""
        waits = self.report.get("state") in (None, NO_CARD, _GONE)
        return "" if waits else str(self.report.get("device") or "")

    @property
    def blind(self) -> bool:
        """Whether what plays cannot be seen by who looks."""
        places = (self.runtime, ring_path(self.runtime))
        return not self.report and any(os.access(at, os.F_OK) and not os.access(at, os.R_OK) for at in places)

    @property
    def edit(self) -> str:
        """What opens the settings in an editor."""
        path = shown(self.settings_file)
        return f"sudoedit {path}" if self.machine.installed else f"nano {path}"

    @property
    def again(self) -> str:
        """What starts everything anew."""
        return "sudo systemctl restart latent.target" if self.machine.installed else "latent play"


def case_of(machine: Machine, config: Path | None) -> Case:
    """Look at the settings and at what plays.

    Parameters
    ----------
    config : Path or None
        The settings; None stands for the usual place.
    """
    settings, problem = Settings(), ""
    try:
        settings, problem = read_forgiving(config)
    # Whatever is odd about it, the rest is to be looked at all the same.
    except Exception as error:
        problem = _sentence("The settings cannot be read", error)
    report: dict[str, Any] = {}
    silence, runtime = "", machine.root / "run/latent"
    try:
        if not machine.installed or machine.environment.get("RUNTIME_DIRECTORY"):
            runtime = runtime_folder()
        report = status(runtime)
    except Exception as error:
        silence = _sentence("What plays cannot be looked at", error)
    return Case(
        machine=machine,
        settings=settings,
        settings_file=config or configuration_folder() / "latent.toml",
        settings_trouble=problem,
        report=report,
        silence=silence,
        runtime=runtime,
    )


def _sentence(what: str, error: Exception) -> str:
    """Give an error of ours as it is, and any other as the reason for something."""
    return str(error) if isinstance(error, LatentError) else f"{what} ({type(error).__name__}: {shown(str(error))})."
