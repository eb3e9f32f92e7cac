import json
import re

import pytest
from stocked import NOON, played, pointed, stocked, verdict_of

from appliance.cli.model_engine import heard
from appliance.errors import ModelError
from appliance.model import library
from appliance.model.choice import Choice, Probation
from appliance.model.library import pointer_to
from appliance.model.store import Store
from appliance.model.verdict import Verdict
from appliance.service.arriving import trial

COMMANDS = ("list", "info", "check", "use", "rollback", "remove")


@pytest.fixture
def store(nobody, tmp_path, monkeypatch):
    """A machine with the shipped models and two that were copied to it."""
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    monkeypatch.setenv("CONFIGURATION_DIRECTORY", str(tmp_path / "config"))
    (tmp_path / "config").mkdir()
    made = Store(tmp_path / "state" / "models")
    stocked(made, "fog", at=NOON)
    stocked(made, "rain", at=NOON + 60.0)
    return made


def says(desk, **model):
    desk.status = lambda: {"model": {"name": "", "digest": "", "coming": None, "trouble": None} | model}


def obeys(desk, store):
    """Let the engine play what is chosen, at once."""

    def status():
        current = store.choice().current or pointer_to("default", store)
        return {"model": {"name": current.name, "digest": current.digest, "coming": None, "trouble": None}}

    desk.status = status


def row_of(outcome, name):
    return next(line for line in outcome.out.splitlines() if re.match(rf"[>* ]\s+{name} ", line))


def test_help_has_an_example(latent):
    for words in (["model"], *(["model", each] for each in COMMANDS)):
        outcome = latent(*words, "--help")
        assert outcome.code == 0
        assert re.search(r"Example:\s+latent model ", outcome.out)


def test_all_models_are_listed_without_an_engine(latent, store):
    outcome = latent("model", "list")
    head, *rows = outcome.out.splitlines()
    assert outcome.code == 0
    assert head.split() == ["name", "file", "digest", "MB", "decoder", "speed", "came", "state"]
    assert [row[1:].split()[0] for row in rows] == ["choir", "default", "glass", "fog", "rain"]
    fog = store.find("fog")
    assert re.search(rf"fog +fog-file +{fog.digest[:8]} +0\.0 +int8 +123x +copied 2025-06-1\d$", row_of(outcome, "fog"))
    assert re.fullmatch(r"\* +default +[0-9a-f]{8} +[\d.]+ +shipped +chosen", row_of(outcome, "default"))


def test_what_says_nothing_has_no_column(latent, store):
    for name in ("fog", "rain"):
        store.remove(store.find(name).digest)
    assert latent("model", "list").out.splitlines()[0].split() == ["name", "digest", "MB", "came", "state"]


@pytest.mark.parametrize(
    ("name", "file", "heads"),
    [
        ("aurora", "aurora", ["name", "digest", "MB", "speed", "came", "state"]),
        ("aurora", "aurora-v3-final", ["name", "file", "digest", "came", "state"]),
        ("aurora-borealis-25", "aurora-v3-final-final", ["name", "digest", "came", "state"]),
        ("a" * 26, "a" * 26, ["name", "digest", "came", "state"]),
    ],
)
def test_eighty_letters_are_enough(latent, store, name, file, heads):
    for number in range(3):
        copy = store.private()
        copy.write_bytes(bytes([number]) * 50)
        store.add(copy, f"{file}.latent", verdict_of(bytes([number]) * 50, name), NOON)
    *_, first, second, third = store.entries()
    store.fail(first.digest, "The engine died, and what is said of that takes much more than all the room there is.")
    played(store, pointed(second))
    store.choose(pointed(third), "default")
    for entry in store.entries()[:2]:
        store.remove(entry.digest)
    lines = latent("model", "list").out.splitlines()
    assert lines[0].split() == heads
    assert max(map(len, lines[:-1])) <= 80
    assert [re.split(r"  +", line)[-1] for line in lines[-4:]] == [
        "failed",
        "goes back to this",
        "chosen, on probation",
        store.entries()[0].failed,
    ]


def test_what_played_before_and_what_failed_is_told(latent, store):
    fog, rain = map(pointed, store.entries())
    played(store, fog)
    played(store, rain)
    store.note(lambda each: each.model_copy(update={"probation": Probation(digest=rain.digest, boot="b1")}))
    outcome = latent("model", "list")
    assert row_of(outcome, "rain").endswith("chosen, on probation")
    assert row_of(outcome, "fog").endswith("goes back to this")
    store.go_back("The engine died.")
    store.note(lambda each: each.model_copy(update={"probation": None}))
    outcome = latent("model", "list")
    assert row_of(outcome, "rain").endswith("failed")
    assert outcome.out.endswith("\nThe engine died.\n")
    assert row_of(outcome, "fog").endswith("chosen")
    assert row_of(outcome, "default").endswith("goes back to this")


def test_what_failed_is_told_once(latent, store, desk):
    fog, rain = map(pointed, store.entries())
    store.fail(rain.digest, "rain does not load.")
    says(desk, name="fog", digest=fog.digest, trouble="rain does not load.")
    assert latent("model", "list").out.count("rain does not load.") == 1
    told = json.loads(latent("model", "list", "--json").out)["models"][-1]
    assert (told["states"], told["failed"]) == (["failed"], "rain does not load.")


def test_what_really_plays_is_marked(latent, store, desk):
    fog, rain = map(pointed, store.entries())
    played(store, rain)
    says(desk, name="fog", digest=fog.digest, trouble="rain does not load.")
    outcome = latent("model", "list")
    assert row_of(outcome, "fog").startswith(">")
    assert row_of(outcome, "fog").endswith("plays")
    assert row_of(outcome, "rain").endswith("chosen")
    assert outcome.out.endswith("\nrain does not load.\n")
    says(desk, name="attic", digest="a" * 64)
    assert latent("model", "list").out.endswith("\nattic plays, which is none of these.\n")


def test_the_same_model_twice_plays_as_the_one_that_was_chosen(latent, store, desk):
    stocked(store, "glass", library.shipped()["glass"].read_bytes())
    obeys(desk, store)
    assert latent("model", "use", "glass").out == "glass is chosen.\nglass plays.\n"
    marked = [line for line in latent("model", "list").out.splitlines() if line.startswith(">")]
    assert len(marked) == 1
    assert " copied 2025-06-1" in marked[0]


def test_the_model_of_the_settings_may_be_a_file(latent, store, tmp_path):
    (tmp_path / "config" / "latent.toml").write_text('[music]\nmodel = "/attic/old.latent"\n')
    assert latent("model", "list").out.endswith("\nThe settings choose /attic/old.latent.\n")
    (tmp_path / "config" / "latent.toml").write_text("[music]\nmodle = 3\n")
    assert re.search(r"shipped +chosen$", row_of(latent("model", "list"), "default"))


def test_a_program_may_read_the_list(latent, store):
    played(store, pointed(store.find("fog")))
    told = json.loads(latent("model", "list", "--json").out)
    fog = next(each for each in told["models"] if each["name"] == "fog")
    assert told["current"] == {"digest": fog["digest"], "name": "fog", "shipped": False}
    assert (told["previous"], told["plays"], told["settings"], told["trouble"]) == (None, None, "default", None)
    assert (fog["arrived_at"], fog["states"], fog["plays"]) == (NOON, ["chosen"], False)


def test_a_model_is_used_from_the_next_start_on(latent, store):
    outcome = latent("model", "use", "fog")
    assert outcome.out == "No engine is running; fog plays from the next start on.\n"
    choice = store.choice()
    assert (choice.current, choice.previous, choice.base) == (pointed(store.find("fog")), None, "default")


@pytest.mark.parametrize("word", ["fog", "fog-file", "fog-file.latent"])
def test_a_model_has_several_names(latent, store, word):
    assert latent("model", "use", word).code == 0
    assert store.choice().current == pointed(store.find("fog"))


def test_the_model_of_the_settings_is_remembered_with_the_choice(latent, store, tmp_path):
    (tmp_path / "mine.toml").write_text('[music]\nmodel = "choir"\n')
    assert latent("model", "use", "fog", "--config", tmp_path / "mine.toml").code == 0
    assert store.choice().base == "choir"


def test_it_waits_until_the_engine_plays(latent, store, desk):
    obeys(desk, store)
    assert latent("model", "use", "fog").out == "fog is chosen.\nfog plays.\n"
    assert latent("model", "use", "fog").out == "fog plays.\n"
    played(store, store.choice().current)
    told = json.loads(latent("model", "use", store.find("rain").digest[:6], "--json").out)
    assert told == {"name": "rain", "digest": store.find("rain").digest, "plays": True}
    assert latent("model", "rollback").out == "fog is chosen.\nfog plays.\n"
    assert latent("model", "use", "default").out == "default is chosen.\ndefault plays.\n"
    assert store.choice().current.shipped


def test_going_back_to_that_of_the_settings(latent, store, desk):
    obeys(desk, store)
    latent("model", "use", "fog")
    assert latent("model", "rollback").out == "default is chosen.\ndefault plays.\n"
    assert store.choice() == Choice(previous=pointed(store.find("fog")), base="default")


def test_what_the_engine_cannot_play_is_told(latent, store, desk):
    says(desk, trouble="rain does not load; default plays on.")
    before = json.loads(json.dumps(desk.status()))
    moments = iter([before, {"model": before["model"] | {"trouble": "fog does not load; default plays on."}}])
    desk.status = lambda: next(moments)
    outcome = latent("model", "use", "fog")
    assert (outcome.code, outcome.out) == (1, "fog is chosen.\n")
    assert outcome.err == "latent: fog does not load; default plays on.\n"


def test_who_is_overtaken_is_told_at_once(latent, store, desk):
    rain = pointed(store.find("rain"))

    def status():
        if store.choice().current == pointed(store.find("fog")):
            played(store, rain)
        return {"model": {"name": "default", "digest": "0" * 64, "coming": None, "trouble": None}}

    desk.status = status
    outcome = latent("model", "use", "fog")
    assert (outcome.code, outcome.out) == (1, "fog is chosen.\n")
    assert outcome.err == "latent: Another model was chosen meanwhile: rain.\n"


def test_what_was_taken_back_once_more_for_the_same_is_told(latent, store, desk):
    why = "fog does not load; default plays on."

    def status():
        if store.choice().current is not None:
            store.go_back(why)
        return {"model": {"name": "default", "digest": "0" * 64, "coming": None, "trouble": why}}

    desk.status = status
    outcome = latent("model", "use", "fog")
    assert (outcome.code, outcome.err) == (1, f"latent: {why}\n")


def test_to_use_it_again_forgets_that_it_failed(latent, store):
    store.fail(store.find("fog").digest, "The engine died.")
    assert latent("model", "use", "fog").code == 0
    assert store.find("fog").failed == ""


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["use", "fogg"], 1, "did you mean 'fog'"),
        (["use", "/attic/fog.latent"], 2, "/attic/fog.latent is a file, .* copy it to the incoming folder"),
        (["use", "attic.latent"], 2, "attic.latent is a file"),
        (["use"], 2, "NAME"),
        (["rollback"], 1, "There is no model to go back to"),
        (["remove", "glass"], 1, "glass came with the program, and stays"),
        (["remove", "glas"], 1, "did you mean 'glass'"),
        (["info", "fogg"], 1, "did you mean 'fog'"),
        (["use", "fog", "--config", "/nowhere.toml"], 2, "/nowhere.toml cannot be read"),
        (["chek"], 2, "chek"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(latent, store, words, code, sentence):
    before = store.choice()
    outcome = latent("model", *words)
    assert outcome.code == code
    assert re.search(sentence, outcome.err)
    assert outcome.err.count("\n") == 1
    assert outcome.out == ""
    assert store.choice() == before


def test_a_shipped_model_may_be_named_with_its_ending(latent, store):
    for word in ("glass.latent", "glass.LATENT"):
        assert latent("model", "use", word).code == 0
        assert store.choice().current == pointer_to("glass", store)


def test_use_tells_how_a_model_may_be_named(latent):
    assert "four or more digits of its digest" in " ".join(latent("model", "use", "--help").out.split())


def test_the_model_of_the_settings_must_be_there_to_go_back_to(latent, store, tmp_path):
    played(store, pointed(store.find("fog")))
    before = store.choice()
    (tmp_path / "config" / "latent.toml").write_text('[music]\nmodel = "gloss"\n')
    outcome = latent("model", "rollback")
    assert (outcome.code, outcome.out, store.choice()) == (1, "", before)
    assert outcome.err.startswith("latent: There is no model named 'gloss'")


def test_what_is_gone_is_not_gone_back_to(latent, store):
    played(store, pointed(store.find("fog")))
    played(store, pointed(store.find("rain")))
    store.path(store.find("fog").digest).unlink()
    before = store.choice()
    outcome = latent("model", "rollback")
    assert (outcome.code, store.choice()) == (1, before)
    assert "fog is gone from this machine: copy it again" in outcome.err


def test_a_model_is_removed_unless_it_is_needed(latent, store, desk):
    fog, rain = store.entries()
    says(desk, digest=rain.digest)
    played(store, pointed(fog))
    assert latent("model", "remove", "fog").err.startswith("latent: fog plays; choose another")
    assert latent("model", "remove", "rain").err.startswith("latent: rain plays; choose another")
    store.choose(None, "default")
    assert latent("model", "remove", "fog").err.startswith("latent: fog is what would be gone back to")
    says(desk, digest="")
    assert latent("model", "remove", "rain").out == "rain is removed.\n"
    assert [entry.verdict.name for entry in store.entries()] == ["fog"]


def test_a_model_tells_of_itself(latent, store):
    stocked(store, "bells", library.shipped()["glass"].read_bytes())
    outcome = latent("model", "info", "bells")
    assert re.search(r"^licence +MIT$", outcome.out, re.MULTILINE)
    assert re.search(r"^file +bells-file\.latent$", outcome.out, re.MULTILINE)
    assert re.search(r"^speed +123 times real time$", outcome.out, re.MULTILINE)
    assert re.search(r"^int8_us +[\d.]+$", outcome.out, re.MULTILINE)
    assert re.search(r"^came +copied 2025-06-1\d \d\d:\d\d$", outcome.out, re.MULTILINE)
    assert "\nint8_us " in outcome.out.split("\n...\n\n")[1]
    assert re.search(r"^came +shipped$", latent("model", "info", "glass").out, re.MULTILINE)
    told = json.loads(latent("model", "info", "glass", "--json").out)
    assert (told["name"], told["shipped"], told["verdict"]) == ("glass", True, None)
    assert told["card"].startswith("# ")


def test_a_damaged_model_says_so(latent, store):
    assert re.search(r"latent: .* zip", latent("model", "info", "fog").err)


def test_a_file_is_tried(latent, store, tmp_path, monkeypatch):
    good = verdict_of(b"fog", "fog")
    asked = []

    def judged(path, name):
        asked.append((path, name))
        return good

    monkeypatch.setattr(trial, "tried", judged)
    outcome = latent("model", "check", tmp_path / "a\nb.latent")
    assert asked == [(tmp_path / "a\nb.latent", f"{tmp_path}/a\\nb.latent")]
    assert outcome.code == 0
    assert "can be played here.\nname " in outcome.out
    assert re.search(r"^loudness +-21 LUFS$", outcome.out, re.MULTILINE)
    outcome = latent("model", "check", "fog.latent", "--json")
    assert (outcome.code, Verdict.model_validate_json(outcome.out)) == (0, good)


def test_a_file_is_refused(latent, nobody, monkeypatch):
    bad = Verdict(accepted=False, reason="fog.latent is silent; export it again.")
    monkeypatch.setattr(trial, "tried", lambda path, name: bad)
    outcome = latent("model", "check", "fog.latent")
    assert (outcome.code, outcome.out, outcome.err) == (1, "", "latent: fog.latent is silent; export it again.\n")
    outcome = latent("model", "check", "fog.latent", "--json")
    assert (outcome.code, Verdict.model_validate_json(outcome.out)) == (1, bad)


class Waiting:
    """An engine and a clock: what it says second by second, the last for ever."""

    def __init__(self, *moments):
        self.moments = list(moments)
        self.now_s = 0.0
        self.over = ""

    def look(self):
        return self.moments.pop(0) if len(self.moments) > 1 else self.moments[0]

    def heard(self, before):
        return heard("fog", "f" * 64, before, 8.0, lambda: self.over, self.look, lambda: self.now_s, self.sleep)

    def sleep(self, seconds):
        self.now_s += seconds


OTHER = {"digest": "0" * 64, "trouble": "old news"}
THIS = {"digest": "f" * 64, "trouble": "old news"}


def test_it_waits_over_a_restart_of_the_engine():
    assert Waiting(OTHER, None, None, OTHER, THIS).heard(OTHER) is True


def test_it_does_not_wait_where_no_engine_is():
    assert Waiting(THIS).heard(None) is False


def test_it_does_not_wait_for_ever():
    waiting = Waiting(OTHER)
    with pytest.raises(ModelError, match=r"fog is chosen, but does not play after 38 s: old news\."):
        waiting.heard(OTHER)
    assert 38.0 <= waiting.now_s < 39.0
    assert Waiting(OTHER, None).heard(OTHER) is False


def test_the_model_of_the_settings_is_not_removed(latent, store, tmp_path):
    (tmp_path / "config" / "latent.toml").write_text('[music]\nmodel = "fog"\n')
    outcome = latent("model", "remove", "fog")
    assert (outcome.code, outcome.err) == (
        2,
        "latent: fog is the model of the settings; name another there first.\n",
    )
    assert "fog" in [entry.verdict.name for entry in store.entries()]
