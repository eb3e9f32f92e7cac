"""The player as a process of its own: small, locked in memory, and with no need of memory that is written and run."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.stream.layout import Word
from appliance.stream.ring import open_ring

HEAVY = ("onnxruntime", "scipy", "pydantic", "torch", "soundfile", "rich")
MOST_MB = 60.0
PATIENCE_S = 20.0
# prctl's PR_SET_MDWE with PR_MDWE_REFUSE_EXEC_GAIN: what MemoryDenyWriteExecute=yes asks of a process.
REFUSE = """
import ctypes, mmap, sys
if ctypes.CDLL(None).prctl(65, 1, 0, 0, 0): sys.exit("This kernel cannot refuse memory that is written and run.")
try: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
except PermissionError: pass
else: sys.exit("Memory that is written and run was not refused.")
"""
RUN = """
import sys
from appliance.cli.main import main
sys.argv = ["latent"]
main(["player", "--told", "TOLD"])
"""


@pytest.fixture
def process(sound_server, tmp_path: Path) -> Iterator[tuple[subprocess.Popen, Path]]:
    folder = tmp_path / "runtime"
    told = tmp_path / "told.json"
    told.write_text('{"names": [], "rate": 48000, "channels": 2, "reserve_s": 4.0}')
    env = sound_server.env | {"RUNTIME_DIRECTORY": str(folder)}
    player = subprocess.Popen(
        [sys.executable, "-c", REFUSE + RUN.replace("TOLD", str(told))], env=env, stderr=subprocess.PIPE, text=True
    )
    yield player, folder
    player.send_signal(signal.SIGTERM)
    said = player.communicate(timeout=PATIENCE_S)[1]
    assert player.returncode == 0, said
    assert "Playing on" in said


def wait_until_it_plays(player: subprocess.Popen, folder: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and player.poll() is None:
        if (folder / "ring").exists() and open_ring(folder, writable=False).words[Word.CONSUMED] > 48_000:
            return
        time.sleep(0.05)
    pytest.fail(f"The player took no sound to the card: {player.poll()}.")


def test_it_is_small_and_named_and_needs_no_memory_that_is_written_and_run(process) -> None:
    player, folder = process
    wait_until_it_plays(player, folder)
    proc = Path("/proc") / str(player.pid)
    assert (proc / "comm").read_text().strip() == "latent player"
    mapped = (proc / "maps").read_text()
    assert "_sounddevice" in mapped or "libportaudio" in mapped
    assert [name for name in HEAVY if f"/{name}" in mapped] == []
    assert pss_mb((proc / "smaps").read_text(), without=str(folder / "ring")) <= MOST_MB
    if os.geteuid() == 0:
        assert int(re.search(r"VmLck:\s+(\d+)", (proc / "status").read_text())[1]) > 0
        assert os.sched_getscheduler(player.pid) == os.SCHED_FIFO


def pss_mb(smaps: str, without: str) -> float:
    """Add up what all mappings but one file's take, in MB, shared pages by their share."""
    total_kb, counts = 0, True
    for line in smaps.splitlines():
        if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
            counts = not line.endswith(without)
        elif counts and line.startswith("Pss:"):
            total_kb += int(line.split()[1])
    assert total_kb
    return total_kb / 1024
