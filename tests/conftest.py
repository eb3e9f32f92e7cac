"""Shared measures and a sound server: under ``--import-mode=importlib`` no folder is on the path by itself."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

pytest_plugins = ["sound_server"]
