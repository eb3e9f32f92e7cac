"""Examining a machine: every check runs by itself, so that none that fails or hangs keeps the others from telling."""

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from appliance.folders import shown
from appliance.service.doctor.card import check_card
from appliance.service.doctor.case import Case, case_of
from appliance.service.doctor.clock import check_clock
from appliance.service.doctor.disk import check_disk, check_wear
from appliance.service.doctor.finding import Finding, skipped, warning
from appliance.service.doctor.heat import check_heat, check_power
from appliance.service.doctor.machine import Machine
from appliance.service.doctor.models import check_copies, check_model
from appliance.service.doctor.rights import check_governor, check_permissions, check_real_time
from appliance.service.doctor.sounding import check_exposure, check_settings, check_sound
from appliance.service.doctor.watch import check_units, check_watchdog
from appliance.service.doctor.wires import check_hands, check_wires

__all__ = ["CHECKS", "Check", "examine", "examine_case"]

Check = Callable[[Case], list[Finding]]

# Several programs may be asked in turn, each for some seconds.
_PATIENCE_S: Final = 15.0

CHECKS: Final[Sequence[tuple[str, Check]]] = (
    ("sound", check_sound),
    ("settings", check_settings),
    ("exposure", check_exposure),
    ("card", check_card),
    ("permissions", check_permissions),
    ("pins", check_wires),
    ("hands", check_hands),
    ("model", check_model),
    ("copies", check_copies),
    ("units", check_units),
    ("watchdog", check_watchdog),
    ("real time", check_real_time),
    ("governor", check_governor),
    ("clock", check_clock),
    ("disk", check_disk),
    ("card wear", check_wear),
    ("heat", check_heat),
    ("power", check_power),
)


def examine(machine: Machine, config: Path | None) -> list[Finding]:
    """Examine a machine.

    Parameters
    ----------
    config : Path or None
        The settings; None stands for the usual place.

    Returns
    -------
    list of Finding
        In the order of the checks; never raises.
    """
    return examine_case(case_of(machine, config))


def examine_case(
    case: Case, checks: Sequence[tuple[str, Check]] = CHECKS, patience_s: float = _PATIENCE_S
) -> list[Finding]:
    """Run all checks at once, and wait for each no longer than so many seconds."""
    running = [_Running(name, check, case) for name, check in checks]
    deadline_s = time.monotonic() + patience_s
    return [finding for each in running for finding in each.findings(deadline_s)]


class _Running:
    """A check in a thread of its own, which is left behind if it hangs: a disk that is gone may never answer."""

    def __init__(self, name: str, check: Check, case: Case) -> None:
        self._name = name
        self._check = check
        self._case = case
        self._found: list[Finding] | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def findings(self, deadline_s: float) -> list[Finding]:
        """Wait until so many seconds on the monotonic clock, and give what was found."""
        self._thread.join(max(0.0, deadline_s - time.monotonic()))
        if self._found is None:
            says = "It could not be looked at: there was no answer in time."
            return [warning(self._name, says, "dmesg | tail -n 30")]
        return self._found

    def _run(self) -> None:
        try:
            self._found = self._check(self._case)
        except PermissionError as error:
            where = shown(error.filename) if isinstance(error.filename, str | Path) else "it"
            self._found = [skipped(self._name, f"Only root may look at {where}.", "sudo latent doctor")]
        # Whatever is odd about one thing, the others are to be told of.
        except Exception as error:
            says = f"It could not be looked at ({type(error).__name__}: {shown(str(error))})."
            self._found = [warning(self._name, says)]
