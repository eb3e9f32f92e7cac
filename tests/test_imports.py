"""The floor plan, kept: imports go down only, foreign libraries have one door each, the command line starts light."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import appliance

HOUSE = Path(__file__).parents[1]
FLOORS = (
    ("errors", "folders", "stopping", "toml_lines", "weighting"),
    ("names",),
    ("mood", "spectrum", "stream"),
    ("wiring",),
    ("settings", "model", "score", "synth", "health"),
    ("engine", "controls", "settings_file"),
    ("studio", "api"),
    ("service",),
    ("cli",),
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
ONE_DOOR = (
    "onnxruntime",
    "sounddevice",
    "gpiozero",
    "lgpio",
    "smbus2",
    "pythonosc",
    "rtmidi",
    "systemd",
    "watchfiles",
    "prometheus_client",
)
HEAVY = ("onnxruntime", "scipy", "matplotlib", "torch")
TOO_HEAVY_FOR_THE_PLAYER = (*HEAVY, "pydantic", "rich", "soundfile")
TOO_HEAVY_FOR_THE_KEEPER = (*HEAVY, "pydantic", "onnx", "sounddevice", "soundfile", "rich")
TOO_HEAVY_FOR_THE_WATCH = (*HEAVY, "numpy", "onnx")
# The player as `latent player` runs it, for a moment and on a card that only pretends.
PLAY = """
import pathlib, tempfile, threading
from appliance.cli.player import player
from appliance.health.watchdog import Watchdog
from appliance.service.player import Wish, run
from appliance.stream.card import FakeCard
stop = threading.Event()
hours = {"days": {}, "dates": {}, "quiet": [], "quiet_db": -8.0, "time_zone": "Europe/Berlin", "wake_min": 5.0}
opened = lambda names, rate, channels, waited_s: FakeCard(rate, channels, lambda seconds: stop.set())
with tempfile.TemporaryDirectory() as folder:
    run(Wish((), 48_000, 2, 2.0, hours), pathlib.Path(folder), stop, print, Watchdog(), opened)
assert stop.is_set()
"""
# The keeper as `latent keeper` runs it, for one turn, with its metrics.
KEEP = """
import pathlib, tempfile
import appliance.cli.keeper
from appliance.health.watchdog import Watchdog
from appliance.service.keeper import Wish, run
class Once:
    def __init__(self): self.set = False
    def is_set(self): return self.set
    def wait(self, _): self.set = True
with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    run(Wish(name), folder, folder / "state", Once(), print, Watchdog())
    assert (folder / "latent.prom").exists()
"""
# The process that waits for models, once it had to do with something that was copied here.
WATCH = """
import pathlib, tempfile
import appliance.cli.probe, appliance.service.arriving.probing
from appliance.service.arriving.trial import tried
with tempfile.TemporaryDirectory() as folder:
    path = pathlib.Path(folder, "mine.latent")
    path.write_bytes(b"no model")
    verdict = tried(path, path.name)
assert verdict.judged and "is not a zip" in verdict.reason, verdict
"""


def imported(source: str) -> Iterator[str]:
    """Dotted names of everything imported, at any depth of the source; relative ones begin with a dot."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{'.' * node.level}{node.module or ''}.{alias.name}" for alias in node.names)


def violations(package: Path) -> list[str]:
    """What is imported against the floor plan below ``package``, one sentence each."""
    found: list[str] = []
    doors: dict[str, set[str]] = {}
    for path in sorted(package.rglob("*.py")):
        where = path.relative_to(package)
        room = where.parts[0].removesuffix(".py")
        for name in imported(path.read_text(encoding="utf-8")):
            first, second, *_ = [*name.split("."), ""]
            if path.name == "__init__.py" or first == "":
                found.append(f"{where} imports {name}: package files stay empty, imports are absolute")
            elif first == package.name and second != room and FLOOR.get(second, 99) >= FLOOR.get(room, -1):
                found.append(f"{where} imports {name}: not on a floor below {room}")
            elif first == "torch" and room != "studio":
                found.append(f"{where} imports torch: only the studio may")
            elif first in ONE_DOOR:
                # A file, or a folder within a room.
                doors.setdefault(first, set()).add(str(where if len(where.parts) < 3 else where.parent))
    return found + [f"{name} has several doors: {sorted(files)}" for name, files in doors.items() if len(files) > 1]


def test_the_house_keeps_its_floor_plan() -> None:
    package = Path(appliance.__file__).parent

    assert sum(1 for _ in package.rglob("*.py")) > 10
    assert violations(package) == []


@pytest.mark.parametrize(
    ("where", "source", "complaint"),
    [
        ("score/piece.py", "from appliance.engine.timeline import Timeline", "not on a floor below score"),
        ("score/piece.py", "import appliance.cli.main", "not on a floor below score"),
        ("score/piece.py", "from appliance import synth", "not on a floor below score"),
        ("score/piece.py", "def late():\n    import appliance.model.decoder", "not on a floor below score"),
        ("errors.py", "from appliance.mood import Mood", "not on a floor below errors"),
        ("service/play.py", "from appliance.attic.things import thing", "not on a floor below service"),
        ("attic/things.py", "from appliance.errors import LatentError", "not on a floor below attic"),
        ("model/decoder.py", "import torch.nn", "only the studio may"),
        ("synth/__init__.py", "import numpy", "package files stay empty"),
        ("synth/voice.py", "from . import beds", "imports are absolute"),
    ],
)
def test_a_planted_violation_is_caught(tmp_path: Path, where: str, source: str, complaint: str) -> None:
    package = plant(tmp_path, {where: source})

    found = violations(package)

    assert len(found) == 1
    assert found[0].startswith(where)
    assert complaint in found[0]


def test_a_second_door_is_caught(tmp_path: Path) -> None:
    package = plant(tmp_path, {"stream/card.py": "import sounddevice", "service/play.py": "import sounddevice as sd"})

    assert violations(package) == ["sounddevice has several doors: ['service/play.py', 'stream/card.py']"]


def test_what_is_allowed_passes(tmp_path: Path) -> None:
    package = plant(
        tmp_path,
        {
            "cli/main.py": "from appliance.service.play import play",
            "score/piece.py": "import numpy\nfrom appliance.score.path import Path\nfrom appliance.errors import X",
            "studio/train.py": "import torch",
            "studio/model.py": "from torch import nn",
            "model/decoder.py": "import onnxruntime as ort",
        },
    )

    assert violations(package) == []


def plant(folder: Path, files: dict[str, str]) -> Path:
    package = folder / "appliance"
    for where, source in files.items():
        (package / where).parent.mkdir(parents=True, exist_ok=True)
        (package / where).write_text(source + "\n", encoding="utf-8")
    return package


def heavy_modules_after(code: str, heavy: tuple[str, ...] = HEAVY) -> list[str]:
    """Run code in a fresh Python and list which of the heavy modules it leaves loaded."""
    code += f"\nimport sys\nprint('loaded', *sorted({set(heavy)!r} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1].split()[1:]


@pytest.mark.parametrize(
    "code",
    [
        "import appliance.cli.main",
        "from appliance.cli.main import main\ntry: main(['--help'])\nexcept SystemExit as end: assert not end.code",
    ],
    ids=["import", "help"],
)
def test_the_command_line_starts_light(code: str) -> None:
    assert heavy_modules_after(code) == []


def test_the_player_stays_light_while_it_plays() -> None:
    assert heavy_modules_after(PLAY, TOO_HEAVY_FOR_THE_PLAYER) == []


def test_an_update_looks_at_all_that_the_player_is_made_of() -> None:
    """Otherwise a version in which the player is another one would not restart it."""
    code = f"{PLAY}\nimport sys\nprint(*(each for each in sys.modules if each.startswith('appliance.')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = [Path(*name.split(".")) for name in done.stdout.splitlines()[-1].split()]
    loaded = {each.with_suffix(".py") for each in modules if not (HOUSE / each).is_dir()}
    (listed,) = re.findall(r"cat (appliance/stream.*?) systemd/", (HOUSE / "deploy/box.sh").read_text(), re.DOTALL)
    expand = ["bash", "-O", "nullglob", "-c", f"printf '%s\\n' {listed.replace(chr(92), ' ').replace(chr(10), ' ')}"]
    looked_at = {Path(each) for each in subprocess.check_output(expand, text=True, cwd=HOUSE).split()}

    assert loaded
    assert loaded - looked_at == set()


def test_the_keeper_stays_light_while_it_tells_metrics() -> None:
    assert heavy_modules_after(KEEP, TOO_HEAVY_FOR_THE_KEEPER) == []


def test_the_watch_for_models_stays_light_when_one_came() -> None:
    assert heavy_modules_after(WATCH, TOO_HEAVY_FOR_THE_WATCH) == []


def test_a_heavy_module_would_be_seen() -> None:
    assert heavy_modules_after("import scipy") == ["scipy"]
    assert "pydantic" in heavy_modules_after("import appliance.settings", TOO_HEAVY_FOR_THE_PLAYER)
    assert "numpy" in heavy_modules_after("import appliance.model.manifest", TOO_HEAVY_FOR_THE_WATCH)
