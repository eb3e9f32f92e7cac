"""Whoever is told to stop hears it, whatever they were about to do."""

import signal
import subprocess
import sys

import pytest

# A signal that comes while the main thread holds the lock of what it is to wait for; left to chance, it seldom does.
HELD = """
import os, signal, threading
from appliance.stopping import stop_when_told
stop = threading.Event()
stop_when_told(stop)
with stop._cond:
    os.kill(os.getpid(), {number})
assert stop.wait(20.0)
print("stopped")
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_whoever_is_about_to_wait_is_not_locked_out(number: signal.Signals) -> None:
    code = HELD.format(number=int(number))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)

    assert (done.returncode, done.stdout) == (0, "stopped\n"), done.stderr
