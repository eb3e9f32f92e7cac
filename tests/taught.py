"""A machine that was taught something: its folders, what is kept there, and what it comes to."""

import hashlib
import struct
from dataclasses import dataclass
from pathlib import Path

from stocked import pointed, stocked, verdict_of

from appliance.model.choice import Choice
from appliance.model.store import Store
from appliance.model.verdict import Verdict
from appliance.service.knob_ends import Calibration
from appliance.service.mornings import Mornings
from appliance.service.pack.packing import Packed, pack
from appliance.service.pack.unpacking import Target, Unpacked, unpack
from appliance.service.places import Places
from appliance.service.scenes import Scenes
from appliance.service.stood import Stood
from appliance.settings import MusicSettings

NOON = 1.75e9


def judge(path: Path, name: str) -> Verdict:
    """Accept whatever is a name forty times; what begins with "bad" is too slow for this machine."""
    data = path.read_bytes()
    model = data[: len(data) // 40].decode()
    if model.startswith("bad"):
        return Verdict(accepted=False, reason=f"{name} is too slow for this machine; export a smaller model.")
    return verdict_of(data, model)


@dataclass(frozen=True)
class Told:
    """All that is to be the same on two machines."""

    settings: bytes | None
    pages: dict[str, bytes]
    models: list[tuple[str, str, float, str]]
    current: str | None
    previous: str | None
    base: str
    played_s: float


class Machine:
    """Folders of its own, in which nothing runs."""

    def __init__(self, folder: Path) -> None:
        self.root = folder
        self.target = Target(folder / "state", folder.with_name(f"{folder.name}-run"), folder / "etc" / "latent.toml")
        self.target.runtime.mkdir(mode=0o700, exist_ok=True)
        self.state = self.target.state
        self.store = Store(self.state / "models")

    def taught(self, *models: str, scene: str, text: str = "") -> "Machine":
        """Teach it; of the models the last one plays, and the one before it did."""
        self.state.mkdir(parents=True, exist_ok=True)
        self.target.settings.parent.mkdir(parents=True, exist_ok=True)
        self.target.settings.write_text(text or f"# {scene}\n")
        Scenes(self.state, say).save(scene, {"pitch": 0.5})
        Calibration(self.state, say).learn(scene, 0.1, 0.9)
        for model in models:
            entry = stocked(self.store, model)
            Places(self.state, entry.digest, say).ban(struct.pack("<32f", *range(32)), 0.5)
            self.store.choose(pointed(entry), "default")
            self.store.note(lambda choice: choice.model_copy(update={"probation": None, "played_s": 90.0}))
        return self

    def lived(self) -> "Machine":
        """Let it have played before."""
        Mornings(self.state, say).begin(MusicSettings())
        Stood(self.state / "hands.json").note({"pitch": 0.5})
        (self.state / "place.json").write_text("{}")
        return self

    @property
    def told(self) -> Told:
        choice = self.store.choice()
        settings = self.target.settings
        return Told(
            settings.read_bytes() if settings.is_file() else None,
            {
                path.relative_to(self.state).as_posix(): path.read_bytes()
                for path in sorted([*self.state.glob("*.json"), *self.state.glob("places/*.json")])
                if path.stem not in ("mornings", "place", "hands")
            },
            [(entry.digest, entry.file, entry.arrived_at, entry.failed) for entry in self.store.entries()],
            choice.current and choice.current.name,
            choice.previous and choice.previous.name,
            choice.base,
            choice.played_s,
        )

    @property
    def choice(self) -> Choice:
        return self.store.choice()

    def pack(self, out: Path) -> Packed:
        return pack(out, self.state, self.target.settings, NOON)

    def unpack(self, path: Path, force: bool = False, dry_run: bool = False) -> Unpacked:
        return unpack(path, self.target, judge, lambda _: None, force=force, dry_run=dry_run)

    def files(self) -> dict[str, bytes]:
        """Every file below its folder, but locks that hold nothing."""
        return {
            path.relative_to(self.root).as_posix(): path.read_bytes()
            for path in sorted(self.root.rglob("*"))
            if path.is_file() and path.name not in (".lock", ".copying")
        }


def say(sentence: str) -> None:
    raise AssertionError(sentence)


def digest_of(model: str) -> str:
    return hashlib.sha256(model.encode() * 40).hexdigest()
