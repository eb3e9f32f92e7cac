"""A machine planted file by file, whose programs answer what a test has them say."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from appliance.service.doctor.case import Case
from appliance.service.doctor.machine import Machine
from appliance.settings import Settings

# Nobody of this number runs the tests, so that modes count and not what the one who looks may do.
SERVICE_UID = 54_321


class Planted:
    """A machine below a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.gid = root.stat().st_gid
        self.says: dict[str, str | bytes | Exception] = {}
        self.asked: list[str] = []
        self.environment: dict[str, str] = {}

    def plant(self, path: str, content: str | bytes = "", mode: int = 0o644) -> Path:
        """Put a file somewhere."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        file.chmod(mode)
        return file

    def folder(self, path: str, mode: int = 0o770) -> Path:
        """Make a folder, which the group may write to."""
        folder = self.root / path
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(mode)
        return folder

    def install(self, groups: str = "latent") -> None:
        """Install the services; they are in these groups, which are all the group of what is planted."""
        self.plant("etc/systemd/system/latent-engine.service")
        self.plant("etc/passwd", f"root:x:0:0::/root:/bin/sh\nlatent:x:{SERVICE_UID}:{SERVICE_UID}::/:/bin/false\n")
        lines = [f"{name}:x:{self.gid}:latent" for name in groups.split()]
        self.plant("etc/group", "\n".join(["nogroup:x:65534:", *lines, ""]))

    def run(self, command: list[str], **options: Any) -> SimpleNamespace:
        """Answer as `subprocess.run` does; a program that nothing is known of is not there."""
        assert 0.0 < options["timeout"] <= 5.0
        assert options["check"] is False
        words = " ".join(command)
        self.asked.append(words)
        answer = next((said for beginning, said in self.says.items() if words.startswith(beginning)), None)
        if answer is None:
            raise FileNotFoundError(2, "No such file or directory", command[0])
        if isinstance(answer, Exception):
            raise answer
        return SimpleNamespace(returncode=0, stdout=answer if isinstance(answer, bytes) else answer.encode())

    @property
    def machine(self) -> Machine:
        return Machine(self.root, self.run, uid=SERVICE_UID + 1, gids=frozenset(), environment=self.environment)

    def case(self, settings: dict[str, Any] | None = None, **more: Any) -> Case:
        """What the checks are given."""
        return Case(
            machine=self.machine,
            settings=Settings.model_validate(settings or {}),
            settings_file=self.root / "etc/latent/latent.toml",
            **{name: self.root / f"{name}" for name in ("state", "cache", "runtime")} | more,
        )


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Planted:
    """A machine with nothing in it, and no folders of whoever runs the tests."""
    for name in ("STATE", "CACHE", "RUNTIME", "CONFIGURATION"):
        monkeypatch.setenv(f"{name}_DIRECTORY", str(tmp_path / name.lower()))
    return Planted(tmp_path)


@pytest.fixture
def box(planted: Planted) -> Planted:
    """A machine with the services on it."""
    planted.install()
    return planted


PLAYING: dict[str, Any] = {
    "healthy": True,
    "reason": "playing",
    "state": "playing",
    "device": "USB Audio DAC",
    "underruns": 0,
    "underrun_s": 0.0,
    "holds": 0,
    "loudness_lufs": -20.3,
    "model": "default",
    "player": {"alive": True, "pid": 77},
    "controls": 0,
    "troubles": {},
}


@pytest.fixture
def playing() -> dict[str, Any]:
    """What `latent status` tells of a room in which all is well."""
    return dict(PLAYING)
