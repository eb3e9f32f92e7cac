"""Another model is chosen while the engine plays: it glides over, goes back when it must, and remembers a kill."""

import contextlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from engine_thread import RESERVE_S, SETTINGS, Engine, full, keep_to, play
from patience import until
from stocked import played

from appliance.api.client import ask
from appliance.engine.log import read as read_log
from appliance.errors import ApiError, ModelError
from appliance.model.bundle import Bundle
from appliance.model.library import digest, pointer_to, shipped
from appliance.model.store import Pointer, Probation, Store
from appliance.service import changing as changing_module
from appliance.service import repertoire as repertoire_module
from appliance.settings import ModelSettings, MusicSettings, PlaylistEntry
from appliance.stream.layout import Word, boot_id
from appliance.stream.ring import Ring, create

BOOT = boot_id().hex()


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    keep_to(tmp_path, monkeypatch)
    return tmp_path / "state" / "latent"


@pytest.fixture
def store(state: Path) -> Store:
    return Store(state / "models")


@pytest.fixture
def engine(tmp_path: Path, store: Store) -> Iterator[Engine]:
    folder = tmp_path / "run"
    folder.mkdir()
    engine = Engine(folder)
    yield engine
    if engine.thread.ident is not None:
        engine.end()


@pytest.fixture
def ring(engine: Engine) -> Ring:
    return create(engine.folder, 48_000, 2, RESERVE_S)


def again(engine: Engine) -> Engine:
    """Another life of the engine, in the same folder."""
    other = Engine(engine.folder)
    other.settings = engine.settings
    return other.start()


def told(engine: Engine) -> dict:
    def answer() -> dict | None:
        # It fills the ring before it listens.
        with contextlib.suppress(ApiError):
            return ask(engine.folder, {"do": "status"})["status"]["model"]
        assert engine.thread.is_alive(), f"The engine ended: {engine.error!r}"
        return None

    return until(answer)


def play_until(ring: Ring, look) -> None:
    def further() -> bool:
        play(ring, 0.25)
        return bool(look())

    until(further, 60.0)


def test_what_is_chosen_is_glided_over_to_and_the_model_before_is_let_go(
    engine: Engine, ring: Ring, store: Store
) -> None:
    engine.start()
    until(lambda: full(ring))
    assert told(engine)["name"] == "default"
    store.choose(pointer_to("glass", store), "default")
    play_until(ring, lambda: told(engine)["name"] == "glass")
    assert told(engine)["gliding"]
    assert told(engine)["probation_s"] > 500.0
    play_until(ring, lambda: not told(engine)["gliding"])
    assert json.loads(ring.facts.read())["model"] == "glass"
    assert store.choice().probation == Probation(digest=digest(shipped()["glass"]), boot=BOOT, heard=True)
    assert ring.words[Word.REWINDS] >= 1
    # To the model of the settings there is a way back as well.
    store.go_back()
    play_until(ring, lambda: told(engine)["name"] == "default" and not told(engine)["gliding"])
    assert engine.said == []
    engine.end()
    assert engine.error is None


def test_an_engine_that_ends_on_purpose_goes_on_with_what_was_chosen(engine: Engine, ring: Ring, store: Store) -> None:
    store.choose(pointer_to("glass", store), "default")
    engine.start()
    until(lambda: full(ring))
    assert told(engine)["name"] == "glass"
    engine.end()
    other = again(engine)
    until(lambda: full(ring))
    assert told(other)["name"] == "glass"
    other.end()


def test_a_model_under_which_the_engine_died_is_taken_back(engine: Engine, ring: Ring, store: Store) -> None:
    glass = pointer_to("glass", store)
    store.choose(glass, "default")
    store.note(lambda c: c.model_copy(update={"probation": Probation(digest=glass.digest, boot=BOOT)}))
    engine.start()
    until(lambda: full(ring))
    assert told(engine)["name"] == "default"
    assert "glass was taken back: the engine died" in engine.said[0]
    until(lambda: store.choice().current is None)


def test_after_a_power_cut_it_is_tried_again_but_not_for_ever(engine: Engine, ring: Ring, store: Store) -> None:
    glass = pointer_to("glass", store)
    store.choose(glass, "default")
    store.note(lambda c: c.model_copy(update={"probation": Probation(digest=glass.digest, boot="another", boots=2)}))
    engine.start()
    until(lambda: full(ring))
    assert told(engine)["name"] == "glass"
    until(lambda: store.choice().probation == Probation(digest=glass.digest, boot=BOOT, boots=3, heard=True))
    engine.end()
    assert store.choice().probation == Probation(digest=glass.digest, boot=None, boots=3, heard=True)
    store.note(lambda c: c.model_copy(update={"probation": Probation(digest=glass.digest, boot="other", boots=3)}))
    other = again(engine)
    until(lambda: full(ring))
    assert told(other)["name"] == "default"
    assert "restarted 3 times" in other.said[0]
    other.end()


def test_a_model_that_is_gone_is_passed_over(engine: Engine, ring: Ring, store: Store) -> None:
    played(store, pointer_to("glass", store))
    store.choose(Pointer(digest="0" * 64, name="mine"), "default")
    engine.start()
    until(lambda: full(ring))
    assert told(engine)["name"] == "glass"
    assert "mine does not play: The model mine is gone" in engine.said[0]
    # So too while it plays.
    store.choose(Pointer(digest="1" * 64, name="yours"), "default")
    play_until(ring, lambda: "yours does not play" in told(engine)["trouble"])
    assert told(engine)["name"] == "glass"
    until(lambda: store.choice().current.name == "glass")


def test_a_model_that_falls_behind_is_taken_back(
    engine: Engine, ring: Ring, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changing_module, "_BEHIND_S", -1.0)
    engine.start()
    until(lambda: full(ring))
    store.choose(pointer_to("glass", store), "default")
    play_until(ring, lambda: engine.said)
    assert engine.said[0].startswith("glass was taken back: this machine falls behind with it")
    play_until(ring, lambda: told(engine)["name"] == "default")
    until(lambda: store.choice().current is None)
    engine.end()
    assert engine.error is None


def test_a_model_whose_sound_is_not_finite_is_taken_back_without_a_restart(
    engine: Engine, ring: Ring, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = changing_module.Instrument

    def spoilt(*args):
        instrument = made(*args)
        decode = instrument.space.decode
        object.__setattr__(instrument.space, "decode", lambda z: decode(z) * np.float32(np.nan))
        compose, pieces = instrument.composer.compose, {}
        monkeypatch.setattr(instrument.composer, "compose", lambda *key: pieces.setdefault(key, compose(*key)))
        return instrument

    engine.start()
    until(lambda: full(ring))
    monkeypatch.setattr(changing_module, "Instrument", spoilt)
    monkeypatch.setattr(changing_module, "_UNWELL_S", 0.5)
    store.choose(pointer_to("glass", store), "default")
    play_until(ring, lambda: engine.said)
    assert "glass was taken back" in engine.said[0]
    play_until(ring, lambda: told(engine)["name"] == "default")
    play(ring, 2.0)
    assert np.isfinite(ring.lanes).all()
    engine.end()
    assert engine.error is None


def test_settings_that_name_another_model_later_win(engine: Engine, ring: Ring, store: Store) -> None:
    played(store, pointer_to("glass", store))
    engine.settings = SETTINGS.model_copy(update={"music": MusicSettings(seed=7, beds="none", model="choir")})
    engine.start()
    until(lambda: full(ring))
    assert told(engine)["name"] == "choir"
    until(lambda: store.choice().current is None)
    assert store.choice().previous.name == "glass"


def test_a_playlist_goes_on_by_the_hours_that_were_played(engine: Engine, ring: Ring, store: Store) -> None:
    entries = (PlaylistEntry(model="glass", hours=0.1), PlaylistEntry(model="nowhere"), PlaylistEntry(model="choir"))
    model = ModelSettings(policy="playlist", playlist=entries)
    engine.settings = SETTINGS.model_copy(update={"model": model})
    engine.start()
    until(lambda: full(ring))
    assert told(engine)["name"] == "glass"
    engine.end()
    played_s = store.choice().played_s
    assert 0.0 < played_s < 60.0
    # A box that is switched off every night comes to its end all the same.
    store.note(lambda c: c.model_copy(update={"played_s": 359.9}))
    other = again(engine)
    until(lambda: full(ring))
    play_until(ring, lambda: told(other)["name"] == "choir")
    assert "The playlist passes over nowhere" in other.said[0]
    other.end()


def test_who_chooses_twice_gets_the_second_one(
    engine: Engine, ring: Ring, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = threading.Event()
    read = changing_module.read

    def slowly(path: Path) -> Bundle:
        opened.wait(20.0)
        return read(path)

    monkeypatch.setattr(changing_module, "read", slowly)
    engine.start()
    until(lambda: full(ring))
    store.choose(pointer_to("glass", store), "default")
    until(lambda: told(engine)["coming"] == "glass")
    store.choose(pointer_to("choir", store), "default")
    opened.set()
    names = set()
    play_until(ring, lambda: names.add(told(engine)["name"]) or told(engine)["name"] == "choir")
    assert names == {"default", "choir"}


def test_the_model_that_plays_is_not_opened_again_under_its_other_name(
    engine: Engine, ring: Ring, store: Store
) -> None:
    engine.start()
    until(lambda: full(ring))
    rewinds = ring.words[Word.REWINDS]
    store.choose(pointer_to("default", store), "default")
    play_until(ring, lambda: told(engine)["probation_s"] is not None)
    assert (told(engine)["name"], told(engine)["gliding"]) == ("default", False)
    assert ring.words[Word.REWINDS] == rewinds


def test_what_was_banned_in_a_model_holds_as_soon_as_it_plays(
    engine: Engine, ring: Ring, store: Store, state: Path
) -> None:
    engine.start()
    until(lambda: full(ring))
    play(ring, 3.0)
    ask(engine.folder, {"do": "never"})
    store.choose(pointer_to("glass", store), "default")
    play_until(ring, lambda: told(engine)["name"] == "glass" and not told(engine)["gliding"])
    assert ask(engine.folder, {"do": "spots"})["spots"] == []
    assert ask(engine.folder, {"do": "never"})["never"]["banned"] == 1
    log = read_log(ask(engine.folder, {"do": "log"})["log"].encode(), "the log")
    assert log.inputs.model == digest(shipped()["glass"])
    store.go_back()
    play_until(ring, lambda: told(engine)["name"] == "default" and not told(engine)["gliding"])
    assert [spot["banned"] for spot in ask(engine.folder, {"do": "spots"})["spots"]] == [True]


def test_what_cannot_be_read_changes_nothing(engine: Engine, ring: Ring, store: Store) -> None:
    store.choose(pointer_to("glass", store), "default")
    engine.start()
    until(lambda: full(ring))
    until(lambda: store.choice().probation.boot == BOOT)
    (store.folder / "choice.json").write_text("{rubbish")
    play_until(ring, lambda: engine.said)
    assert "cannot be read" in engine.said[0]
    play(ring, 3.0)
    assert (told(engine)["name"], told(engine)["coming"]) == ("glass", None)


def test_who_goes_there_and_back_at_once_leaves_it_on_probation(engine: Engine, ring: Ring, store: Store) -> None:
    glass = pointer_to("glass", store)
    played(store, glass)
    engine.start()
    until(lambda: full(ring))
    assert told(engine)["probation_s"] is None
    store.choose(pointer_to("choir", store), "default")
    store.choose(glass, "default")
    play_until(ring, lambda: told(engine)["probation_s"] is not None)
    until(lambda: store.choice().probation == Probation(digest=glass.digest, boot=BOOT, heard=True))
    assert told(engine)["name"] == "glass"


def test_a_guest_in_a_playlist_is_still_there_the_next_morning(engine: Engine, ring: Ring, store: Store) -> None:
    model = ModelSettings(policy="playlist", playlist=(PlaylistEntry(model="glass"),))
    engine.settings = SETTINGS.model_copy(update={"model": model})
    store.choose(pointer_to("choir", store), "default")
    engine.start()
    until(lambda: full(ring))
    assert told(engine)["name"] == "choir"


def test_a_disk_that_is_full_is_asked_again(
    engine: Engine, ring: Ring, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    glass, note, refused = pointer_to("glass", store), Store.note, threading.Event()
    store.choose(glass, "default")
    store.note(lambda c: c.model_copy(update={"probation": Probation(digest=glass.digest, boot=BOOT)}))

    def full_once(self: Store, change):
        if not refused.is_set():
            refused.set()
            raise ModelError("There is no room on the disk; make room.")
        return note(self, change)

    monkeypatch.setattr(Store, "note", full_once)
    monkeypatch.setattr(repertoire_module, "_TRY_EVERY_S", 0.0)
    engine.start()
    until(lambda: full(ring))
    assert told(engine)["name"] == "default"
    play_until(ring, lambda: store.choice().current is None)
    assert [each for each in engine.said if "no room" in each] == ["There is no room on the disk; make room."]
