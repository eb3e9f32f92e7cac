"""Shared measures and a sound server: under ``--import-mode=importlib`` no folder is on the path by itself."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

pytest_plugins = ["sound_server"]

HERE = Path(__file__).parent
# Rooms whose tests play, or start programs that do: they are timed by a real clock.
PLAYING = ("api", "cli", "health", "machine", "service", "stream")
REAL_SERVERS = {"jack", "sound_server"}
# What keeps all cores busy itself comes when nothing else is left.
LAST = "test_chaos.py"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.relative_to(HERE).parts[0] in PLAYING or REAL_SERVERS & set(getattr(item, "fixturenames", ())):
            item.add_marker("plays")
    items.sort(key=lambda item: item.path.name == LAST)
