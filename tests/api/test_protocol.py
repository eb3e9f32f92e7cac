import difflib
import json
import math

import pytest
from desk import Desk, a_control
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.api.protocol import LONGEST_REQUEST, refusal, reply
from appliance.errors import ApiError, LatentError, MoodError
from appliance.mood import PLACES, QUANTITIES
from appliance.names import CORNERS


def told(line, desk=None, say=lambda _: pytest.fail("nothing was to be said")):
    answer = reply(line if isinstance(line, bytes) else line.encode(), desk or Desk(), say)
    assert answer.endswith(b"\n")
    assert answer.count(b"\n") == 1
    return json.loads(answer, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


def refused(line):
    desk = Desk()
    answer = told(line, desk)
    assert answer["ok"] is False
    assert answer["exit_code"] == 2
    assert desk.asked == []
    assert "\n" not in answer["error"]
    assert len(answer["error"]) < 700
    return answer["error"]


def test_a_mood_is_read_and_set():
    desk = Desk()
    assert told('{"do": "mood"}', desk) == {"ok": True, "mood": desk.standing}
    assert told('{"do": "mood", "set": {"pitch": 0.3, "pace": 4}}', desk)["mood"]["pitch"] == 0.3
    assert desk.asked == [("mood", {}), ("mood", {"pitch": 0.3, "pace": 4.0})]


@pytest.mark.parametrize(
    ("request_", "asked", "answer"),
    [
        ({"do": "place", "set": {"x": 1}}, ("place", {"x": 1.0}), None),
        ({"do": "scene", "save": " dusk "}, ("save", "dusk"), {"replaced": False}),
        ({"do": "scene", "recall": "dusk"}, ("recall", "dusk", None), {"morph_s": 10.0}),
        ({"do": "scene", "recall": "dusk", "morph_s": 0}, ("recall", "dusk", 0.0), {"morph_s": 0.0}),
        ({"do": "scene", "remove": "dusk"}, ("remove", "dusk"), {}),
        ({"do": "scene"}, None, {"scenes": []}),
        ({"do": "keep"}, ("keep", None), {"keep": {"spot": 3, "kept": 2, "banned": 1}}),
        ({"do": "never", "radius": 2}, ("never", 2.0), {"never": {"spot": 4, "kept": 1, "banned": 3}}),
        ({"do": "forget", "spot": 7}, ("forget", 7), {"forget": {"spot": 7, "kept": 1, "banned": 0}}),
        ({"do": "spots"}, None, {"spots": []}),
        ({"do": "corner"}, None, {"corners": dict.fromkeys(CORNERS, False)}),
        (
            {"do": "corner", "which": "top-right"},
            ("corner", "top-right"),
            {"corners": dict.fromkeys(CORNERS, False) | {"top-right": True}},
        ),
        (
            {"do": "corner", "which": "top-right", "clear": True},
            ("clear", "top-right"),
            {"corners": dict.fromkeys(CORNERS, False)},
        ),
        ({"do": "controls"}, None, {"controls": []}),
        ({"do": "calibrate", "name": "a", "low": 0.1, "high": 0.15}, ("calibrate", "a", 0.1, 0.15), {}),
        ({"do": "calibrate", "name": "a"}, ("calibrate", "a", None, None), {}),
        ({"do": "turn", "name": "a", "value": 0.7}, ("turn", "a", 0.7), {}),
        ({"do": "turn", "name": "a", "press": True}, ("turn", "a", None), {}),
    ],
)
def test_every_request_reaches_its_handler(request_, asked, answer):
    desk = Desk()
    given = told(json.dumps(request_), desk)
    assert desk.asked == ([] if asked is None else [asked])
    assert given == {"ok": True} | ({"place": desk.placed} if answer is None else answer)


def test_a_knob_that_gives_no_number_is_null():
    desk = Desk()
    desk.hands = [a_control("a", mapped=math.nan)]
    assert told('{"do": "controls"}', desk)["controls"] == [a_control("a", mapped=None)]


def test_status_says_null_where_json_has_no_word():
    assert told('{"do": "status"}')["status"] == {"piece": 3, "level_lufs": None, "seen": [None, 0.5]}


def test_the_next_piece():
    desk = Desk()
    assert told('{"do":"next"}\r', desk) == {"ok": True}
    assert desk.asked == ["next"]


def test_the_log_comes_as_the_very_same_bytes():
    assert told('{"do": "log"}')["log"].encode() == Desk().log()


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ('{"do": "mod"}', "There is no request called 'mod', did you mean mood?"),
        ('{"do": "xyzzy"}', "there are mood, place, status, next, log, scene, keep"),
        ('{"do": []}', "There is no request called '[]'"),
        ('{"do": "\\ud800"}', "There is no request called"),
        ("{}", 'as in {"do": "status"}'),
        ("[]", 'as in {"do": "status"}'),
        ("null", 'as in {"do": "status"}'),
        ('{"do": "mood", "sett": {}}', "There is no 'sett' in a mood request, did you mean set?"),
        ('{"do": "status", "set": {}}', "There is no 'set' in a status request"),
        ('{"do": "mood", "\\ud800": 1}', "Names are text"),
        ('{"do": "mood", "set": null}', "takes an object"),
        ('{"do": "mood", "set": {"pich": 0}}', "There is no mood called 'pich', did you mean pitch?"),
        ('{"do": "mood", "set": {"changes": 0}}', "There is no mood called 'changes'"),
        ('{"do": "mood", "set": {"pitch": null}}', "Pitch takes a number from -1 to 1"),
        ('{"do": "mood", "set": {"pitch": true}}', "Pitch takes a number from -1 to 1"),
        ('{"do": "mood", "set": {"pitch": "0"}}', "Pitch takes a number from -1 to 1"),
        ('{"do": "mood", "set": {"pace": 1e999}}', "Pace takes a number from 0.25 to 4"),
        ('{"do": "mood", "set": {"pace": 1' + "0" * 400 + "}}", "Pace takes a number from 0.25 to 4"),
        ('{"do": "mood", "set": {"pace": 1' + "0" * 9000 + "}}", "a number that is too long"),
        ('{"do": "mood", "set": {"pitch": NaN}}', "holds NaN"),
        ('{"do": "mood", "set": {"pitch": -Infinity}}', "holds -Infinity"),
        ('{"do": "mood", "set": {"pitch": 0, "pitch": 1}}', "names 'pitch' twice"),
        ('{"do": "status", "do": "next"}', "names 'do' twice"),
        ("[" * 50_000, "nested too deeply"),
        ('{"do": ' + "[" * 900 + "]" * 900 + "}", "There is no request called"),
        ('{"do": "mood", "set": {"pitch": ' + "[" * 900 + "]" * 900 + "}}", "Pitch takes a number"),
        ('{"do": "place", "set": {"x": 2}}', "X takes a number from 0 to 1."),
        ('{"do": "place", "set": {"pitch": 0}}', "There is no place called 'pitch'"),
        ('{"do": "place", "set": {"axis9": 0}}', "There is no place called 'axis9', did you mean axis8?"),
        ('{"do": "place", "set": 1}', 'as in {"do": "place", "set": {"x": 0.3}}'),
        ('{"do": "scene", "save": "a", "recall": "b"}', 'takes one of "save", "recall" and "remove"'),
        ('{"do": "scene", "save": "a", "morph_s": 3}', '"morph_s" goes with "recall"'),
        ('{"do": "scene", "recall": "a", "morph_s": 601}', '"morph_s" takes seconds from 0 to 600.'),
        ('{"do": "scene", "save": 3}', '"save" takes the name of a scene.'),
        ('{"do": "scene", "save": "  "}', "A scene cannot be called ' ': choose 1 to 40 printable characters"),
        ('{"do": "scene", "save": "a/b"}', "A scene cannot be called 'a/b'"),
        ('{"do": "scene", "save": "a\\u0000{x}"}', "A scene cannot be called 'a"),
        ('{"do": "scene", "save": "' + "x" * 41 + '"}', "without a slash"),
        ('{"do": "scene", "sav": "a"}', "There is no 'sav' in a scene request, did you mean save?"),
        ('{"do": "keep", "radius": 0.05}', '"radius" takes a number from 0.1 to 2.'),
        ('{"do": "never", "radius": true}', '"radius" takes a number from 0.1 to 2.'),
        ('{"do": "never", "spot": 3}', "There is no 'spot' in a never request"),
        ('{"do": "forget"}', '"spot" takes the number of a spot'),
        ('{"do": "forget", "spot": 0}', '"spot" takes the number of a spot'),
        ('{"do": "forget", "spot": 1.5}', '"spot" takes the number of a spot'),
        ('{"do": "corner", "which": "left"}', '"which" takes one of top-left, top-right, bottom-left, bottom-right.'),
        ('{"do": "corner", "clear": true}', '"clear" goes with "which"'),
        ('{"do": "corner", "which": "top-left", "clear": 1}', '"clear" takes true or false.'),
        ('{"do": "calibrate"}', '"name" takes the name of a control.'),
        ('{"do": "calibrate", "name": "a", "low": 0.1}', '"low" and "high" go together.'),
        ('{"do": "calibrate", "name": "a", "low": 0.5, "high": 0.5}', '"high" is at least 0.05 above "low".'),
        ('{"do": "calibrate", "name": "a", "low": 0.5, "high": 1.5}', '"high" takes a number from 0 to 1.'),
        ('{"do": "turn", "name": "a"}', 'either "value" or "press"'),
        ('{"do": "turn", "name": "a", "value": 0, "press": true}', 'either "value" or "press"'),
        ('{"do": "turn", "name": "", "value": 0}', '"name" takes the name of a control.'),
        ('{"do": "mood"', "not one line of JSON"),
        ('{"do": "mood"} {"do": "next"}', "not one line of JSON (Extra data, column 16)"),
        ("", "not one line of JSON"),
        (b"\xff\xfe\x00\x80", "not UTF-8"),
        (b"\xef\xbb\xbf{}", "not one line of JSON"),
        ("GET / HTTP/1.1\r", "not one line of JSON"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(line, part):
    assert part in refused(line)


def test_every_problem_is_listed():
    assert refused('{"do": "mood", "set": {"pich": 0, "pace": 9, "width": -1}}') == (
        "Pace takes a number from 0.25 to 4; width takes a number from 0 to 1; "
        "there is no mood called 'pich', did you mean pitch?"
    )


@pytest.mark.parametrize(
    "entries",
    [
        (f'"{number}": 0' for number in range(6000)),
        ('"' + "pitch" * 12_000 + '": 0',),
    ],
    ids=["many", "long"],
)
def test_a_request_full_of_problems_is_refused_without_long_thought(entries, monkeypatch):
    compared = []
    compare = difflib.get_close_matches
    monkeypatch.setattr(
        difflib, "get_close_matches", lambda word, *rest, **more: compared.append(word) or compare(word, *rest, **more)
    )
    line = '{"do": "mood", "set": {' + ", ".join(entries) + "}}"
    assert 50_000 < len(line) < LONGEST_REQUEST
    refused(line)
    assert 1 <= len(compared) <= 5
    assert all(len(word) <= 40 for word in compared)


@settings(deadline=None)
@given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace"))))
def test_garbage_is_answered_whatever_it_is(line):
    assert told(line)["ok"] is False


@settings(deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(["do", "set", "mood", *QUANTITIES, *PLACES]) | st.text(max_size=5), inner, max_size=4
            )
        ),
    )
)
def test_only_numbers_in_their_range_ever_reach_the_engine(value):
    desk = Desk()
    for words in (value, *({"do": do, "set": each} for do in ("mood", "place") for each in (value, {"x": value}))):
        told(json.dumps(words), desk)
    for what, changes in (each for each in desk.asked if each != "next"):
        known = {"mood": QUANTITIES, "place": PLACES}[what]
        assert all(known[name].low <= number <= known[name].high for name, number in changes.items())


def test_a_handlers_own_sentence_is_the_answer():
    def refuse(_):
        raise MoodError("Not\n now.")

    desk = Desk()
    desk.mood = refuse
    assert told('{"do": "mood"}', desk) == {"ok": False, "error": "Not now.", "exit_code": 2}


@pytest.mark.parametrize(
    ("name", "handler", "what"),
    [
        ("status", lambda: 1 / 0, "ZeroDivisionError"),
        ("status", lambda: {"thing": object()}, "TypeError"),
        ("log", lambda: b"\xff", "UnicodeDecodeError"),
        ("mood", lambda _: {"pitch": math.nan}, "ValueError"),
    ],
)
def test_what_a_handler_did_not_foresee_is_said_and_answered(name, handler, what):
    desk, said = Desk(), []
    setattr(desk, name, handler)
    answer = told(json.dumps({"do": name}), desk, said.append)
    assert answer["exit_code"] == 1
    assert answer["error"].startswith(f"The engine failed to answer '{name}' ({what}")
    assert said == [answer["error"]]


def test_a_refusal_is_one_line():
    for error in (ApiError("So\nso."), LatentError("\ud800")):
        assert refusal(error).count(b"\n") == 1
