"""Of every file in the state folder it was decided what becomes of it in a pack."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from engine_thread import RESERVE_S, Engine, full, keep_to, play
from patience import until
from stocked import stocked
from taught import NOON, Machine

from appliance.api.client import ask
from appliance.model.store import Store
from appliance.service.pack.packing import pack
from appliance.service.state import BEFORE, UNFINISHED, Fate, kind_of
from appliance.settings import MusicSettings, Settings
from appliance.stream.ring import create


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    keep_to(tmp_path, monkeypatch)
    (tmp_path / "run").mkdir()
    made = Engine(tmp_path / "run")
    made.settings = Settings(music=MusicSettings(beds="none", each_morning="continue"))
    yield made
    made.end()


def test_all_that_a_real_engine_leaves_was_decided_about(engine: Engine, tmp_path: Path) -> None:
    state = tmp_path / "state" / "latent"
    stocked(Store(state / "models"), "elsewhere")
    ring = create(engine.folder, 48_000, 2, RESERVE_S)
    engine.start()
    until(lambda: full(ring))
    play(ring, 2.5)
    for wish in (
        {"do": "scene", "save": "dusk"},
        {"do": "keep"},
        {"do": "never"},
        {"do": "corner", "which": "top-left"},
    ):
        ask(engine.folder, wish)
    engine.end()
    found = {path.relative_to(state).as_posix() for path in state.rglob("*") if path.is_file()}
    assert {"scenes.json", "mornings.json", "place.json", "hands.json"} <= found
    assert any(name.startswith("places/") for name in found)
    assert [name for name in sorted(found) if kind_of(name) is None] == []


def test_while_it_plays_a_machine_can_be_packed(engine: Engine, tmp_path: Path) -> None:
    spare = Machine(tmp_path / "spare")
    state = tmp_path / "state" / "latent"
    ring = create(engine.folder, 48_000, 2, RESERVE_S)
    engine.start()
    until(lambda: full(ring))
    play(ring, 2.5)
    ask(engine.folder, {"do": "scene", "save": "dusk"})
    ask(engine.folder, {"do": "never"})
    done = pack(tmp_path / "pack", state, tmp_path / "latent.toml", NOON)
    assert done.notes == ()
    spare.unpack(tmp_path / "pack")
    assert spare.told.pages == {
        path.relative_to(state).as_posix(): path.read_bytes()
        for path in sorted([state / "scenes.json", *state.glob("places/*.json")])
    }
    assert len(spare.told.pages) == 2


def test_a_file_that_nobody_decided_about_would_be_seen() -> None:
    assert kind_of("wishes.json") is None
    assert kind_of("places/7.json") is None
    assert kind_of("models/store/evil/../x.latent") is None


def test_each_sort_of_file_has_one_fate(tmp_path: Path) -> None:
    fates = {
        "scenes.json": Fate.PACKED,
        "calibration.json": Fate.PACKED,
        "places/0123456789abcdef.json": Fate.PACKED,
        "models/choice.json": Fate.PACKED,
        f"models/store/{'a' * 64}.latent": Fate.PACKED,
        f"models/store/{'a' * 64}.json": Fate.PACKED,
        "mornings.json": Fate.ANEW,
        "place.json": Fate.ANEW,
        "hands.json": Fate.ANEW,
        "evidence/days": Fate.STAYS,
        "level.json": Fate.STAYS,
        "incoming/mine.latent": Fate.STAYS,
        "rejected/mine.latent.reason.txt": Fate.STAYS,
        "models/rejected/mine.latent": Fate.STAYS,
        "models/.lock": Fate.STAYS,
        "models/.copying": Fate.STAYS,
        "models/.new-abcd_123": Fate.STAYS,
        ".scenes.json.abcd_123": Fate.STAYS,
        "places/0123456789abcdef.json.damaged-2": Fate.STAYS,
        BEFORE: Fate.STAYS,
        UNFINISHED: Fate.STAYS,
    }
    assert {name: kind.fate for name in fates if (kind := kind_of(name))} == fates
