"""Within the walls a process can compute and read, and nothing else."""

import platform
import subprocess
import sys
from pathlib import Path

import pytest

# Each thing is tried for real; those that work are named.
TRY_ALL = """
import os, resource, socket, subprocess, sys, threading
from pathlib import Path
from appliance.service.arriving.sandbox import enclose, memory_mb
folder, outside = Path(sys.argv[1]), int(sys.argv[2])
kept = (folder / "kept").open("r+b")
if "walls" in sys.argv: enclose(100.0, 5.0)
things = {
    "read": lambda: (folder / "kept").read_bytes(),
    "compute": lambda: sum(range(1000)),
    "some memory": lambda: bytearray(50_000_000),
    "know its memory": lambda: memory_mb(),
    "much memory": lambda: bytearray(300_000_000),
    "connect": lambda: socket.socket(),
    "talk": lambda: socket.socketpair(),
    "fork": lambda: os.fork() or os._exit(0),
    "run": lambda: subprocess.run(["true"], check=True),
    "branch out": lambda: threading.Thread(target=print).start(),
    "make a file": lambda: (folder / "new").write_bytes(b"x"),
    "write over a file": lambda: (folder / "kept").write_bytes(b"x"),
    "write to an open file": lambda: (kept.write(b"x" * 9), kept.flush()),
    "truncate": lambda: os.truncate(folder / "kept", 0),
    "remove": lambda: (folder / "lost").unlink(),
    "move": lambda: (folder / "moved").rename(folder / "away"),
    "link": lambda: (folder / "link").symlink_to("/"),
    "make a folder": lambda: (folder / "sub").mkdir(),
    "open up": lambda: (folder / "kept").chmod(0o777),
    "signal others": lambda: os.kill(outside, 0),
    "limit others": lambda: resource.prlimit(outside, resource.RLIMIT_CORE),
    "hurry others": lambda: os.setpriority(os.PRIO_PROCESS, outside, 5),
    "leave its session": lambda: os.setsid(),
}
done = []
for name, thing in things.items():
    try: thing()
    except (OSError, MemoryError, RuntimeError): continue
    done.append(name)
print(*done, sep=", ")
os._exit(0)
"""
ALLOWED = ["read", "compute", "some memory", "know its memory"]


def done(folder: Path, *words: str) -> list[str]:
    for name in ("kept", "lost", "moved"):
        (folder / name).write_bytes(b"old")
    outside = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        command = [sys.executable, "-c", TRY_ALL + "", str(folder), str(outside.pid), *words]
        ran = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=30, start_new_session=True, stdin=-3
        )
    finally:
        outside.kill()
        outside.communicate()
    # Who forks is heard twice.
    return ran.stdout.splitlines()[-1].split(", ") if ran.stdout else [f"died with {ran.returncode}: {ran.stderr}"]


@pytest.mark.skipif(platform.machine() not in ("x86_64", "aarch64"), reason="there is no filter for this machine")
def test_only_computing_and_reading_is_left(tmp_path: Path) -> None:
    assert done(tmp_path, "walls") == ALLOWED
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        "kept": b"old",
        "lost": b"old",
        "moved": b"old",
    }


def test_without_the_walls_all_that_works(tmp_path: Path) -> None:
    """So that none of these fails for another reason."""
    assert len(done(tmp_path)) >= len(ALLOWED) + 15


WALLS = """
import resource
from pathlib import Path
from appliance.service.arriving.sandbox import enclose
enclose(100.0, 7.5)
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(status["NoNewPrivs"].strip(), status["Seccomp"].strip(), Path("/proc/self/oom_score_adj").read_text().strip())
print(*(resource.getrlimit(kind) for kind in (resource.RLIMIT_CPU, resource.RLIMIT_FSIZE, resource.RLIMIT_CORE)))
"""


@pytest.mark.skipif(platform.machine() not in ("x86_64", "aarch64"), reason="there is no filter for this machine")
def test_the_kernel_agrees() -> None:
    ran = subprocess.run([sys.executable, "-c", WALLS], capture_output=True, text=True, check=True, timeout=30)

    assert ran.stdout.splitlines() == ["1 2 1000", "(8, 9) (0, 0) (0, 0)"]
