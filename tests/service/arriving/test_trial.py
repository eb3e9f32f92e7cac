"""Models are tried in a process of their own: the good ones pass, and nothing in a file harms or fools who asks."""

import dataclasses
import errno
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from small_model import good, good_bytes, sealed, unzipped
from soak.fuzz_models import fuzz
from zoo import ZOO
from zoo_networks import scaled

from appliance.errors import DamagedError, ModelError
from appliance.model.outside import open_file
from appliance.model.verdict import Verdict
from appliance.service.arriving import trial
from appliance.service.arriving.judging import judged
from appliance.service.arriving.trial import TrialLimits, tried

SHIPPED = sorted((Path(__file__).parents[3] / "models").glob("*.latent"))
PATIENCE_S = 30.0
# Each of these must also come through the wall between the processes as it is.
THROUGH_THE_WALL = (
    "cut short at decoder.onnx",
    "a name of two lines",
    "a key of two lines",
    "a bomb of 4 GB",
    "weights without end",
    "rows that mix",
    "a loop without end",
)
STRICT = {
    "a memory hog": TrialLimits(),
    "too slow": TrialLimits(realtime_factor=50.0),
    "endless": TrialLimits(time_s=2.5),
}


def is_a_sentence(reason: str, name: str) -> None:
    assert name in reason
    assert reason.endswith(".")
    assert reason.isprintable()
    assert len(reason) < 500
    for unwanted in ("Traceback", "/tmp", "/private", "Error:", "object at 0x"):
        assert unwanted not in reason


def judged_here(path: Path, name: str) -> Verdict:
    """What the throwaway process would say; for files that do no harm."""
    try:
        with open_file(path, name) as file:
            return judged(file.read(), name, TrialLimits())
    except ModelError as error:
        return Verdict(accepted=False, reason=str(error), whole=not isinstance(error, DamagedError))


@pytest.fixture
def others() -> set[str]:
    """Children of this process that other tests have, such as a sound server."""
    return children()


def test_the_zoo_is_large() -> None:
    assert len(ZOO) > 36
    assert {name for name, animal in ZOO.items() if animal.alone} == STRICT.keys()


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_models_are_accepted(path: Path) -> None:
    verdict = tried(path, "mine.latent")

    assert verdict.accepted, verdict.reason
    assert (verdict.name, verdict.reason, verdict.size) == (path.stem, "", path.stat().st_size)
    assert verdict.precision in ("int8", "fp32")
    assert verdict.realtime_factor is not None
    assert verdict.realtime_factor > 20.0
    assert verdict.memory_mb is not None
    assert 10.0 < verdict.memory_mb < 150.0
    assert verdict.loudness_lufs == pytest.approx(-20.0, abs=2.0)


def test_a_small_model_is_accepted(tmp_path: Path) -> None:
    assert tried(good(tmp_path), "mine.latent").accepted


def test_where_int8_is_off_on_this_processor_float32_is_played(tmp_path: Path) -> None:
    members = unzipped(good_bytes())
    members["decoder.onnx"] = scaled(0.9, 0.0)().SerializeToString()
    path = tmp_path / "off.latent"
    path.write_bytes(sealed(members))
    verdict = tried(path, "mine.latent")
    assert verdict.accepted, verdict.reason
    assert verdict.precision == "fp32"
    # Without it there is none that can be played.
    del members["decoder.fp32.onnx"]
    path.write_bytes(sealed(members))
    assert "dB off its golden spectra" in tried(path, "mine.latent").reason


@pytest.mark.parametrize("name", [name for name, animal in ZOO.items() if not animal.alone])
def test_each_of_the_zoo_has_its_own_reason(tmp_path: Path, name: str) -> None:
    path = ZOO[name].build(tmp_path)

    verdict = judged_here(path, "mine.latent")

    assert not verdict.accepted
    assert ZOO[name].says in verdict.reason
    assert verdict.whole is ZOO[name].whole
    is_a_sentence(verdict.reason, "mine.latent")


@pytest.mark.parametrize("name", THROUGH_THE_WALL)
def test_the_other_process_says_the_same(tmp_path: Path, name: str) -> None:
    path = ZOO[name].build(tmp_path)

    verdict = tried(path, "mine.latent")

    assert verdict.reason == judged_here(path, "mine.latent").reason
    assert verdict.whole is ZOO[name].whole
    assert len(verdict.digest) == 64


@pytest.mark.parametrize("name", STRICT)
def test_what_only_a_process_of_its_own_may_look_at(tmp_path: Path, name: str) -> None:
    began_s = time.monotonic()

    verdict = tried(ZOO[name].build(tmp_path), "mine.latent", STRICT[name])

    assert not verdict.accepted
    assert verdict.judged
    assert verdict.whole
    assert ZOO[name].says in verdict.reason
    is_a_sentence(verdict.reason, "mine.latent")
    assert time.monotonic() - began_s < PATIENCE_S


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        ({"memory_mb": 1.0}, "needs more memory than the 1 MB allowed"),
        ({"realtime_factor": 1e9}, "times real time where 1e+09 are needed"),
        ({"composing_s": 0.0}, "composing takes"),
        ({"off_target_lu": 0.0}, "LUFS where -20 are wanted"),
        ({"address_mb": 20.0}, "needs more memory"),
    ],
)
def test_limits_are_kept(tmp_path: Path, limits: dict[str, float], says: str) -> None:
    verdict = tried(good(tmp_path), "mine.latent", TrialLimits(**limits))

    assert not verdict.accepted
    assert says in verdict.reason
    is_a_sentence(verdict.reason, "mine.latent")


def test_names_are_shown_as_they_can_be(tmp_path: Path) -> None:
    path = tmp_path / "a\nb.latent"
    path.write_text("text")

    assert tried(path, path.name).reason.startswith(r"a\nb.latent is not a zip")
    assert tried(good(tmp_path), "odd \udcff name").accepted
    assert tried(tmp_path / "a\0b", "mine.latent").reason.startswith("mine.latent could not be opened")


def test_the_verdict_is_the_same_without_a_filter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = [tried(path, "mine.latent") for path in (good(tmp_path), ZOO["silent"].build(tmp_path))]
    monkeypatch.setattr(trial, "_CHILD", ("-c", UNWALLED))

    again = [tried(path, "mine.latent") for path in (good(tmp_path), ZOO["silent"].build(tmp_path))]

    measured = {"realtime_factor": None, "memory_mb": None}
    assert [each.model_copy(update=measured) for each in again] == [each.model_copy(update=measured) for each in usual]
    assert [each.accepted for each in usual] == [True, False]


# As on a machine that has no such walls.
UNWALLED = """
import platform, resource, runpy
platform.machine = lambda: "toaster"
def refuse(*_): raise OSError(1, "no")
resource.setrlimit = refuse
runpy.run_module("appliance.service.arriving.try_out", run_name="__main__")
"""
ACCEPTS = (
    "import hashlib, json, sys; data = sys.stdin.buffer.read(); "
    "told = dict(accepted=True, name='fine', digest=hashlib.sha256(data).hexdigest(), size=len(data)); "
)


def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, time_s: float = 20.0) -> Verdict:
    """What is made of a trial that was taken over by what it tried."""
    monkeypatch.setattr(trial, "_CHILD", ("-S", "-E", "-c", code))
    return tried(good(tmp_path), "mine.latent", TrialLimits(time_s=time_s))


def test_who_only_says_so_is_still_held_to_digest_and_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(tmp_path, monkeypatch, ACCEPTS + "print(json.dumps(told))").accepted
    odd = asked(tmp_path, monkeypatch, ACCEPTS + "told['colour'] = 'red'; print(json.dumps(told))")
    assert odd.model_dump().keys() == Verdict.model_fields.keys()
    lies = {
        "told['size'] += 1": "changed while it was tried",
        "told['digest'] = '0' * 64": "changed while it was tried",
        "told['name'] = '../../etc'": "could not be tried",
        "told['size'] = -1": "could not be tried",
        "told = dict(accepted=False, reason='an insult')": "could not be tried",
        "told = dict(accepted=False, reason='mine.latent ' + 'x' * 5000)": "could not be tried",
        "told = [told]": "could not be tried",
        "told = dict(accepted=False, judged=False, reason='mine.latent is bad.')": "mine.latent is bad.",
    }
    for lie, says in lies.items():
        verdict = asked(tmp_path, monkeypatch, f"{ACCEPTS}{lie}; print(json.dumps(told))")
        assert not verdict.accepted, lie
        assert says in verdict.reason, lie
        assert verdict.judged is not ("could not be tried" in verdict.reason), lie
        is_a_sentence(verdict.reason, "mine.latent")


def test_words_for_a_terminal_are_shown_harmless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    verdict = asked(tmp_path, monkeypatch, ACCEPTS + r"told['author'] = 'a\x1b[2J\n'; print(json.dumps(told))")

    assert verdict.author == r"a\x1b[2J\n"


@pytest.mark.parametrize(
    ("code", "says", "judged"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", r"crashed the decoder (SIGSEGV)", True),
        ("import os; os.abort()", "crashed the decoder (SIGABRT)", True),
        ("import os, signal; os.kill(os.getpid(), signal.SIGBUS)", "needs more memory", True),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "was ended from outside while it was tried", False),
        ("import os, signal; os.kill(os.getpid(), signal.SIGXCPU)", "takes longer than 20 s", True),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", "was interrupted", False),
        ("raise SystemExit(3)", "could not be tried (the trial ended with 3)", False),
        ("print('no verdict')", "could not be tried (the trial ended with 0)", False),
        ("print('x' * 10**7)", "took over the process", True),
    ],
)
def test_each_death_has_its_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, says: str, judged: bool
) -> None:
    verdict = asked(tmp_path, monkeypatch, code)

    assert not verdict.accepted
    assert says in verdict.reason
    assert verdict.judged is judged
    assert "latent doctor" not in verdict.reason
    assert verdict.whole
    is_a_sentence(verdict.reason, "mine.latent")


@pytest.mark.parametrize(
    "code",
    [
        "import time; time.sleep(99)",
        "import os, time; os.close(1); time.sleep(99)",
        "import time\nwhile True: print(end='x', flush=True); time.sleep(0.01)",
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(99)",
    ],
)
def test_what_does_not_end_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, others: set[str]
) -> None:
    began_s = time.monotonic()

    verdict = asked(tmp_path, monkeypatch, code, time_s=0.5)

    assert "takes longer than 0.5 s" in verdict.reason
    assert time.monotonic() - began_s < PATIENCE_S
    assert children() <= others


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, others: set[str]) -> None:
    # What leaves a process of its own behind, too, where the walls would let it.
    orphan = "import os, time\nif not os.fork(): os.close(1); time.sleep(99)"
    asked(tmp_path, monkeypatch, "pass")
    files = open_files()

    for code in (orphan, "import os; os.abort()", "import time; time.sleep(99)", "print('{}')") * 5:
        asked(tmp_path, monkeypatch, code, time_s=0.3)
    tried(Path("/dev/zero"), "mine.latent")
    tried(ZOO["a pipe"].build(tmp_path), "mine.latent")

    assert open_files() == files
    assert children() <= others
    assert not [pid for pid in everybody() if b"os.fork(): os.close(1)" in command_of(pid)]


def test_it_ends_with_who_asked(tmp_path: Path) -> None:
    path = ZOO["endless"].build(tmp_path)
    mark = f"asked-by-{os.getpid()}.latent"
    code = "from pathlib import Path\nfrom appliance.service.arriving.trial import tried\n"
    code += f"tried(Path({str(path)!r}), {mark!r})"
    asking = subprocess.Popen([sys.executable, "-c", code])
    try:
        wait_for(lambda: trying(mark), "somebody tries it")
    finally:
        asking.kill()
        asking.wait()

    wait_for(lambda: not trying(mark), "nobody tries it any more")


def test_a_trial_that_cannot_begin_is_no_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(subprocess, "Popen", refuse)

    verdict = tried(good(tmp_path), "mine.latent")

    assert not verdict.accepted
    assert not verdict.judged
    assert "could not be tried (Resource temporarily unavailable); try it again, or start" in verdict.reason


def test_who_asked_is_looked_for_before_anything_heavy_is_loaded() -> None:
    wish = json.dumps({"name": "mine.latent", "parent": 0, "limits": {}})
    command = [sys.executable, "-X", "importtime", *trial._CHILD, wish]

    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    loaded = {line.split("|")[-1].strip() for line in done.stderr.splitlines()}
    assert "appliance.service.arriving.sandbox" in loaded
    assert not loaded & {"numpy", "scipy", "pydantic", "onnx", "onnxruntime", "appliance.service.arriving.judging"}


def test_limits_say_what_they_are_for() -> None:
    told = TrialLimits.__doc__ or ""

    assert all(re.search(rf"^ +{field.name} : float$", told, re.MULTILINE) for field in dataclasses.fields(TrialLimits))


def trying(mark: str) -> list[int]:
    return [pid for pid in everybody() if b"try_out" in command_of(pid) and mark.encode() in command_of(pid)]


def everybody() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]


def command_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def children() -> set[str]:
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii").split())


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def wait_for(so, what: str) -> None:
    until_s = time.monotonic() + PATIENCE_S
    while not so():
        assert time.monotonic() < until_s, f"This did not come about: {what}."
        time.sleep(0.01)


def test_models_changed_at_random_come_to_a_verdict(tmp_path: Path) -> None:
    """A few; `tests/soak/fuzz_models.py` tries as many as one likes."""
    reasons, wrong = fuzz(16, 1, tmp_path)

    assert wrong == []
    assert len(reasons) > 4
