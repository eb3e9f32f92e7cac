"""Trying a model that came from elsewhere, in a process that is thrown away: here is the side that asks.

Whatever is in a file, this process only opens it, counts its bytes and hashes them. All else happens in
`appliance.service.arriving.try_out`, whose one line of an answer is not believed further than it must be.
"""

import contextlib
import hashlib
import json
import os
import re
import selectors
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from io import FileIO
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from appliance.errors import DamagedError, ModelError
from appliance.folders import shown
from appliance.model.outside import NAME_PATTERN, open_file
from appliance.model.verdict import Verdict

__all__ = ["TrialLimits", "tried"]

# Without -P, whatever lies in the folder that one is in would be imported first.
_CHILD: Final = ("-P", "-m", "appliance.service.arriving.try_out")
# A verdict has some 600 bytes.
_LONGEST_ANSWER: Final = 16_384
_LONGEST_REASON: Final = 600
_BLOCK: Final = 1 << 20
_INTERRUPTED: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@dataclass(frozen=True)
class TrialLimits:
    """What a model may take while it is tried; shipped ones take a fraction of each.

    Attributes
    ----------
    time_s : float
        For all of it, on the clock and of the processor. A PC needs 2 s, and nobody waits for longer than this.
    memory_mb : float
        That the model adds to the engine. Two are loaded during a swap, and the smallest boxes have 1 GB.
    address_mb : float
        Address space at which the system itself says no; a model that means well takes about twice its memory.
    realtime_factor : float
        Of the whole engine on one core: so many seconds a second go into the reserve, which must fill up again after
        every turn of a knob while other work goes on.
    composing_s : float
        For the first piece. Pieces after it are composed while the reserve, of 20 s, plays.
    off_target_lu : float
        How far the sound may be from its target loudness. A piece sits within 6 LU below it.
    """

    time_s: float = 60.0
    memory_mb: float = 200.0
    address_mb: float = 600.0
    realtime_factor: float = 4.0
    composing_s: float = 10.0
    off_target_lu: float = 8.0


_USUAL: Final = TrialLimits()


def tried(path: Path, name: str, limits: TrialLimits = _USUAL) -> Verdict:
    """Try a model on this machine.

    Parameters
    ----------
    path : Path
        The file, which nobody may write to meanwhile; links are not followed.
    name : str
        What sentences call it.
    limits : TrialLimits

    Returns
    -------
    Verdict
        Never raises for what is in the file.
    """
    # As the other side will spell it.
    name = str(Path(shown(name)))
    try:
        with open_file(path, name) as file:
            digest, size = _hashed(file)
            verdict = _asked(file, name, limits)
    except ModelError as error:
        return Verdict(accepted=False, reason=str(error), whole=not isinstance(error, DamagedError))
    except OSError as error:
        return _untried(name, f"could not be tried ({error.strerror})", "try it again, or start this machine anew")
    if verdict.accepted and (verdict.digest, verdict.size) != (digest, size):
        verdict = _refused(name, "changed while it was tried", "copy it again", whole=False)
    return verdict.model_copy(update={"digest": digest, "size": size})


def _hashed(file: FileIO) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    while block := file.read(_BLOCK):
        digest.update(block)
        size += len(block)
    file.seek(0)
    return digest.hexdigest(), size


def _asked(file: FileIO, name: str, limits: TrialLimits) -> Verdict:
    wish = json.dumps({"name": name, "parent": os.getpid(), "limits": asdict(limits)})
    command = [sys.executable, *_CHILD, wish]
    deadline_s = time.monotonic() + limits.time_s
    process = subprocess.Popen(
        command,
        stdin=file,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=_surroundings(),
        start_new_session=True,
    )
    with process:
        try:
            answer = _heard(process, deadline_s)
        finally:
            # All of its session, should the system have let it start anything.
            with contextlib.suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)
    if answer is None:
        return _refused(name, f"takes longer than {limits.time_s:g} s to try", "export a smaller model")
    if len(answer) > _LONGEST_ANSWER:
        return _refused(name, "took over the process that tried it", "do not use it")
    return _read(answer, name) or _ended(process.returncode, name, limits)


def _heard(process: "subprocess.Popen[bytes]", deadline_s: float) -> bytes | None:
    """Everything that the other side says, up to a length that no verdict has; None if it is not done in time."""
    assert process.stdout is not None
    answer = b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while len(answer) <= _LONGEST_ANSWER:
            left_s = deadline_s - time.monotonic()
            if left_s <= 0.0 or not selector.select(left_s):
                return None
            said = os.read(process.stdout.fileno(), _LONGEST_ANSWER)
            if not said:
                # The end of the pipe comes a moment before that of the process, whose cause of death is of interest.
                try:
                    process.wait(max(deadline_s - time.monotonic(), 0.0))
                except subprocess.TimeoutExpired:
                    return None
                return answer
            answer += said
    return answer


def _read(answer: bytes, name: str) -> Verdict | None:
    try:
        verdict = Verdict.model_validate_json(answer)
    except ValidationError:
        return None
    told = {key: shown(getattr(verdict, key)) for key in ("licence", "author", "created", "reason")}
    named = re.fullmatch(NAME_PATTERN, verdict.name) is not None
    if verdict.accepted:
        return verdict.model_copy(update=told | {"reason": "", "whole": True, "judged": True}) if named else None
    fits = name in told["reason"] and len(told["reason"]) <= _LONGEST_REASON + len(name)
    return verdict.model_copy(update=told | {"name": verdict.name if named else "", "judged": True}) if fits else None


def _ended(status: int, name: str, limits: TrialLimits) -> Verdict:
    cause = -status
    if cause == signal.SIGXCPU:
        return _refused(name, f"takes longer than {limits.time_s:g} s to try", "export a smaller model")
    if cause == signal.SIGBUS:
        return _refused(name, f"needs more memory than the {limits.memory_mb:g} MB allowed", "export a smaller model")
    if cause == signal.SIGKILL:
        # This side kills only what it has ceased to listen to, and the limits on memory end in a verdict.
        problem = "was ended from outside while it was tried, perhaps because this machine was short of memory"
        return _untried(name, problem, "try it again")
    if cause in _INTERRUPTED:
        return _untried(name, "was interrupted while it was tried", "try it again")
    if cause > 0:
        return _refused(name, f"crashed the decoder ({signal.Signals(cause).name})", "export it anew")
    problem = f"could not be tried (the trial ended with {status})"
    return _untried(name, problem, "try it again, or install the program anew")


def _refused(name: str, problem: str, remedy: str, whole: bool = True) -> Verdict:
    return Verdict(accepted=False, reason=f"{name} {problem}; {remedy}.", whole=whole)


def _untried(name: str, problem: str, remedy: str) -> Verdict:
    return _refused(name, problem, remedy).model_copy(update={"judged": False})


def _surroundings() -> dict[str, str]:
    """What the other side must know of this process's environment, and one thread for each library."""
    kept = {
        key: value
        for key, value in os.environ.items()
        if key in ("PATH", "HOME", "LANG", "LD_LIBRARY_PATH") or key[:6] == "PYTHON"
    }
    return kept | dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
