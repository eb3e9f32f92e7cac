"""A process of its own settles, with the rights of root and with none."""

import json
import os
import resource
import signal
import subprocess
import sys
import textwrap
from typing import Any

import pytest

LIMITS = "".join(f"resource.setrlimit(resource.RLIMIT_{name}, (0, 0))\n" for name in ("MEMLOCK", "RTPRIO", "NICE"))
# Without rights from here on, whoever runs the tests; where root does, it becomes nobody.
AS_NOBODY = f"import os, resource\n{LIMITS}if os.getuid() == 0:\n    os.setgid(65534)\n    os.setuid(65534)\n"

SETTLE = """
import gc, json, os, resource, threading
from appliance.stream.realtime import settle

def lines(path):
    with open(path) as file:
        return dict(line.split(":", 1) for line in file if ":" in line)

{first}
said = []
footing = settle(said.append)
policies = []
thread = threading.Thread(target=lambda: policies.append(os.sched_getscheduler(0)))
thread.start()
thread.join()
print(json.dumps(dict(
    scheduler=footing.scheduler,
    memory_locked=footing.memory_locked,
    said=said,
    policy=os.sched_getscheduler(0),
    priority=os.sched_getparam(0).sched_priority,
    nice=os.getpriority(os.PRIO_PROCESS, 0),
    locked_kb=int(lines("/proc/self/status")["VmLck"].split()[0]),
    rttime_us=resource.getrlimit(resource.RLIMIT_RTTIME),
    collects=gc.isenabled(),
    frozen=gc.get_freeze_count(),
    thread_policy=policies[0],
)))
"""


def run(script: str, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-c", script]
    return subprocess.run(command, capture_output=True, text=True, timeout=60.0, check=False, **options)


def settled(first: str = "") -> dict[str, Any]:
    done = run(SETTLE.format(first=first))
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert not found["collects"]
    assert found["frozen"] > 1000
    return found


def may_be_real_time() -> bool:
    check = "import os; os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(20))"
    return run(check).returncode == 0


needs_rights = pytest.mark.skipif(not may_be_real_time(), reason="this user may not run in real time")


@needs_rights
def test_with_all_rights() -> None:
    found = settled()
    assert (found["scheduler"], found["memory_locked"], found["said"]) == ("fifo", True, [])
    # As the threads of a sound server's library have to be.
    assert found["policy"] == found["thread_policy"] == os.SCHED_FIFO
    assert 10 <= found["priority"] <= 50
    assert found["locked_kb"] > 1000
    assert found["rttime_us"] == [500_000, 1_000_000]


def test_with_none() -> None:
    found = settled(AS_NOBODY)
    assert (found["scheduler"], found["memory_locked"]) == ("usual", False)
    assert (found["policy"], found["nice"], found["locked_kb"]) == (os.SCHED_OTHER, 0, 0)
    assert len(found["said"]) == 3
    assert [word in said for word, said in zip(["MEMLOCK", "RTPRIO", "NICE"], found["said"], strict=True)] == [True] * 3
    assert all(said.endswith(".") and "\n" not in said for said in found["said"])


@needs_rights
def test_where_only_real_time_is_refused() -> None:
    refuse = "def refuse(*_):\n    raise PermissionError(1, 'Operation not permitted')\nos.sched_setscheduler = refuse"
    found = settled(refuse)
    assert (found["scheduler"], found["policy"], found["nice"]) == ("nice", os.SCHED_OTHER, -10)
    assert found["said"] == [
        "The player does not run in real time (Operation not permitted); allow it with LimitRTPRIO=20."
    ]


@needs_rights
def test_a_player_that_spins_is_ended() -> None:
    spin = "import time\nfrom appliance.stream.realtime import settle\nsettle(print)\n"
    work = "while time.process_time() < 1.0:\n    time.sleep(0.001)\n    sum(range(1_000_000))\n"
    quiet = {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_CORE, (0, 0))}
    assert run(spin + work, **quiet).returncode == 0
    assert run(spin + "while True: pass", **quiet).returncode == -signal.SIGXCPU


def test_what_the_limits_were_before_is_not_raised() -> None:
    found = settled("resource.setrlimit(resource.RLIMIT_RTTIME, (300_000, 400_000))")
    assert found["rttime_us"] == [400_000, 400_000]


@needs_rights
def test_a_player_is_small() -> None:
    script = """
        import sounddevice, numpy, appliance.stream.card, appliance.stream.mixer
        from appliance.stream.realtime import settle
        settle(print)
        with open("/proc/self/smaps_rollup") as file:
            print(next(line.split()[1] for line in file if line.startswith("Pss:")))
    """
    assert 10_000 < int(run(textwrap.dedent(script)).stdout) < 60_000
