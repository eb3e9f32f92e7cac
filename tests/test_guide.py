"""The installer's guide says what is so: its settings are read, and its pins, keys and words are those of the code."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import click
import pytest
from pydantic_core import PydanticUndefined

from appliance import settings
from appliance.cli.main import cli
from appliance.controls.mapping import Span
from appliance.controls.midi_out import _values
from appliance.controls.telling import State
from appliance.mood import PLACES, QUANTITIES
from appliance.settings_file import read_settings
from appliance.wiring import checks, hours, room, tables

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "deploy/latent.toml.example"
GUIDE = (ROOT / "deploy/guide.md").read_text(encoding="utf-8")

# The 40-pin header of a Raspberry Pi, which is that of a Jetson.
HEADER = {1: "3.3 V", 2: "5 V", 4: "5 V", 17: "3.3 V"} | dict.fromkeys((6, 9, 14, 20, 25, 30, 34, 39), "ground")
HEADER |= {
    pin: str(bcm)
    for pin, bcm in {
        **{3: 2, 5: 3, 7: 4, 8: 14, 10: 15, 11: 17, 12: 18, 13: 27, 15: 22, 16: 23, 18: 24, 19: 10, 21: 9, 22: 25},
        **{23: 11, 24: 8, 26: 7, 27: 0, 28: 1, 29: 5, 31: 6, 32: 12, 33: 13, 35: 19, 36: 16, 37: 26, 38: 20, 40: 21},
    }.items()
}
CODE = [
    path
    for path in (ROOT / "appliance/controls").rglob("*.py")
    if path.stem not in ("fakes", "osc_out", "midi_out") and not path.stem.startswith("fake_")
]
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", GUIDE, re.DOTALL)
SETTINGS = [text for language, text in BLOCKS if language == "toml"]
PROSE = re.sub(r"```.*?```", "", GUIDE, flags=re.DOTALL)
OWN_KEYS = {
    "Keys of [music]": settings.MusicSettings,
    "Keys of [sound]": settings.SoundSettings,
    "Keys of [card]": settings.CardSettings,
    "Keys of every control": tables.Control,
    "Keys of mcp3004, mcp3008 and mcp3208": tables.Chip,
    "Keys of ads1115": tables.Ads1115,
    "Keys of encoder": tables.Encoder,
    "Keys of button, switch and digital": tables.Button,
    "Keys of motion and touch": tables.Motion,
    "Keys of distance": tables.Distance,
    "Keys of osc": tables.Osc,
    "Keys of midi": tables.Midi,
    "Keys of clock": tables.Clock,
    "Keys of [presence]": room.PresenceSettings,
    "Keys of [light]": room.LightSettings,
    "Keys of [metrics]": room.MetricsSettings,
    "Keys of [exposure]": room.ExposureSettings,
    "Keys of [osc]": room.OscSettings,
    "Keys of [midi]": room.MidiSettings,
    "Keys of [scenes]": room.ScenesSettings,
    "Keys of [snapcast]": room.SnapcastSettings,
    "Keys of [hours]": hours.HoursSettings,
    "Keys of [model]": settings.ModelSettings,
    "Keys of [[model.playlist]]": settings.PlaylistEntry,
}


def section(title: str) -> str:
    """What stands under a heading, up to the next one."""
    found = re.search(rf"^#+ {re.escape(title)}\n(.*?)(?=^#+ |\Z)", PROSE, re.DOTALL | re.MULTILINE)
    assert found, title
    return found[1]


def rows(text: str) -> Iterator[dict[str, str]]:
    """The rows of all tables in a text, each by the heads of its columns."""
    heads: list[str] = []
    for line in text.splitlines():
        # Within a cell there is no bar.
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []
        if cells and heads:
            assert len(cells) == len(heads), line
            if not set(line) <= set("|-: "):
                yield dict(zip(heads, cells, strict=True))
        else:
            heads = cells


def anchors() -> set[str]:
    titles = re.findall(r"^#+ (.*)$", PROSE, re.MULTILINE)
    return {re.sub(r"[^a-z0-9 _-]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("text", SETTINGS, ids=range(len(SETTINGS)))
def test_settings_to_copy_are_read_each_alone(text, tmp_path):
    path = tmp_path / "latent.toml"
    path.write_text(text)
    read_settings(path)


def test_the_whole_example_is_read_and_its_pins_are_listed():
    example = read_settings(EXAMPLE)
    wired = {name: str(each.pin) for name, each in example.controls.items() if hasattr(each, "pin")}
    assert example.light is not None
    listed = {row["part"]: row["BCM"] for row in rows(section("A whole wall")) if ":" not in row["part"]}
    assert listed == wired | {"light": str(example.light.pin)}


def test_every_source_and_part_has_settings_to_copy(tmp_path):
    text = "\n".join(SETTINGS)
    assert set(tables.SOURCES) - {"mcp3004"} <= set(re.findall(r'source = "(\w+)"', text))
    assert '"mcp3004"' in text
    for table in ("combine", "presence", "light", "osc", "midi"):
        assert f"[{table}]" in text


def test_pins_are_where_the_header_has_them():
    wires = [row for row in rows(PROSE) if "header pin" in row and row["header pin"] != "-"]
    assert len(wires) > 50
    for row in wires:
        assert HEADER[int(row["header pin"])] == row["BCM"], row


def test_the_header_is_drawn_as_it_is():
    drawn = {}
    pattern = re.compile(r"^\| (.*?) \| (\d+) \| (\d+) \| (.*?) \|$", re.MULTILINE)
    for left, odd, even, right in pattern.findall(section("The header")):
        drawn |= {int(odd): left, int(even): right}
    assert {pin: re.sub(r"^BCM (\d+).*", r"\1", what) for pin, what in drawn.items()} == HEADER
    for bcm, use in (checks._SPI_PINS | checks._I2C_PINS).items():
        pin = next(pin for pin, what in HEADER.items() if what == str(bcm))
        assert use.split("'s ")[1].split()[0] in drawn[pin]


def test_settings_use_the_pins_of_the_wiring_above_them():
    wired = {row["BCM"] for row in rows(PROSE) if "header pin" in row}
    named = re.findall(r"^(?:pin|push_pin|trigger|echo) = (\d+)|^pins = \[(\d+), (\d+)\]", GUIDE, re.MULTILINE)
    assert {bcm for pair in named for bcm in pair if bcm} <= wired


@pytest.mark.parametrize(("title", "model"), OWN_KEYS.items(), ids=OWN_KEYS)
def test_keys_are_explained_as_they_are(title, model):
    told = {row["key"].strip("`"): row for row in rows(section(title))}
    inherited = set() if model is tables.Control or not issubclass(model, tables.Control) else {"source"}
    inherited |= set(tables.Control.model_fields) if inherited else set()
    own = {name: field for name, field in model.model_fields.items() if name not in inherited}
    assert set(told) - {"source"} == set(own)
    for name, field in own.items():
        assert told[name]["default"] == default_of(name, field), name
        span = span_of_type(Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation)
        assert span is None or told[name]["range"] == span, name


def default_of(name: str, field: Any) -> str:
    """As the tables write it."""
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined:
        return "must be given"
    if value is None:
        return "-"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'`"{value}"`'
    if value == {}:
        return "`{}`"
    if isinstance(value, dict):
        return f"`{{ {', '.join(f'{key} = {each}' for key, each in value.items())} }}`"
    return "`[]`" if value == () else f"{value:#x}" if name == "address" else f"{value:g}"


def span_of_type(kind: Any) -> str | None:
    """The range of a type as the tables write it; None where it has none that could be told so."""
    if kind is bool:
        return "true, false"
    if get_origin(kind) is Literal:
        return ", ".join(f'`"{each}"`' for each in get_args(kind))
    if kind == tables.Curve:
        return f"{span_of_type(get_args(kind)[0])} or points"
    if get_origin(kind) in (Union, UnionType):
        return next((span for each in get_args(kind) if (span := span_of_type(each))), None)
    if get_origin(kind) is not Annotated:
        return span_of_type(tables.Pin) if kind == tuple[tables.Pin, tables.Pin] else None
    inner, *metadata = get_args(kind)
    if kind == tables.Pin:
        return f"{checks._FIRST_PIN} to {checks._LAST_PIN}"
    bounds: dict[str, float] = {}
    for each in metadata:
        for part in getattr(each, "metadata", [each]):
            bounds |= {side: getattr(part, side) for side in ("ge", "le") if hasattr(part, side)}
    if {"ge", "le"} <= bounds.keys():
        return " to ".join(told(bound) for bound in bounds.values())
    return span_of_type(inner)


def told(bound: float) -> str:
    if bound in (0x48, 0x4B):
        return f"{bound:#x}"
    return f"{bound:d}" if isinstance(bound, int) else f"{bound:g}"


def test_all_that_can_be_moved_is_told():
    told = {row["name"].strip("`"): row for row in rows(section("What can be moved")) if "name" in row}
    assert list(told) == list(QUANTITIES | PLACES)
    for name, quantity in (QUANTITIES | PLACES).items():
        assert told[name]["range"] == f"{quantity.low:g} to {quantity.high:g}"
        assert told[name]["rest"] == f"{quantity.rest:g}"


def test_all_actions_and_rules_are_told():
    done = [row["action"].strip("`") for row in rows(section("What can be moved")) if "action" in row]
    assert sorted(done) == sorted(tables.ACTIONS)
    for rule in get_args(tables.Combine):
        assert f'`"{rule}"`' in section("Keys of [combine]")


def test_what_a_mood_to_begin_with_may_name_is_told():
    assert re.findall(r"`(\w+)`", section("Keys of [mood]")) == list(QUANTITIES)


def test_curves_are_as_they_are_drawn():
    for row in rows(section("How knobs behave")):
        for curve in ("linear", "log", "exp"):
            assert row[f'`"{curve}"`'] == f"{Span(0.0, 1.0, curve).value(float(row['way'])):.2f}"


def test_control_changes_are_as_they_are_sent():
    told = {row["message"]: re.findall(r"`(\w+)`", row["gives"]) for row in rows(section("MIDI"))}
    assert told["control changes 20 to 30"] == list(QUANTITIES)
    assert told["control changes 52 to 62"] == ["x", "y", "draw", "axis1", "axis8"]
    sent = _values(State(dict.fromkeys(QUANTITIES, 0.0), dict.fromkeys(PLACES, 0.0), 1, None, -30.0, 2))
    assert sorted(key[1] for key in sent if len(key) == 2) == [*range(20, 32), *range(52, 63)]


def test_addresses_are_those_of_the_code():
    code = "".join((ROOT / f"appliance/controls/{name}.py").read_text() for name in ("osc", "osc_out"))
    for row in rows(section("OSC")):
        for word in row["address"].strip("`").removeprefix("/latent/").split("/"):
            assert word == "NAME" or re.search(rf"\b{word}\b", code), word


def test_commands_are_there():
    lines = [line.strip() for language, text in BLOCKS if language == "sh" for line in text.splitlines()]
    lines += re.findall(r"`(latent [^`]*)`", PROSE)
    commands = [shlex.split(line, comments=True) for line in lines if line.startswith("latent ")]
    assert len(commands) > 30
    for words in commands:
        resolve(words[1:])


def resolve(words: list[str]) -> None:
    """Go down to the command that these words call, and look for its options."""
    command: click.Command = cli
    context = click.Context(cli)
    while words and isinstance(command, click.Group):
        below = command.get_command(context, words[0])
        assert below is not None, words
        command, words = below, words[1:]
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("-")} <= known, (command.name, words)


def test_troubles_are_those_of_the_code():
    code = "\n".join(path.read_text() for path in CODE)
    code += (ROOT / "appliance/service/hands.py").read_text()
    # What is broken over two lines, or said with the help of a variable.
    code = re.sub(r'"\s*\n\s*f?"', "", code).replace("{_LOOSE}", "is its wire loose?").replace("{mend}", "{}")
    for row in rows(section("What each trouble means")):
        for trouble in re.findall(r"^`(.*)`$", row["trouble"]):
            for piece in trouble.split("..."):
                assert mentioned(piece, code), piece


def test_remedies_of_the_code_are_told():
    pattern = re.compile(r': (?!")([a-z][^:"{}]*)"\)?(?: from \w+)?$', re.MULTILINE)
    remedies = {remedy for path in CODE for remedy in pattern.findall(path.read_text())}
    assert len(remedies) > 15
    # Of these the settings know beforehand.
    remedies -= {"let from_low and from_high differ", "pins have BCM numbers, from 2 to 27"}
    remedies -= {"listen at 127.0.0.1, or at 0.0.0.0 for the whole network"}
    assert not {remedy for remedy in remedies if remedy not in section("What each trouble means")}


def mentioned(piece: str, code: str) -> bool:
    """Whether the code says this, but for one place where it puts something in."""
    ways = [piece, re.sub(r"switch it on with raspi-config( and|$)", r"{}\1", piece)]
    return any(way in code for way in ways)


def test_links_lead_somewhere():
    there = anchors()
    for target in re.findall(r"\]\(([^)]*)\)", PROSE):
        if target.startswith("#"):
            assert target[1:] in there, target
        else:
            assert (ROOT / "deploy" / target).exists(), target


def test_contents_name_every_part():
    titles = re.findall(r"^## (.*)$", PROSE, re.MULTILINE)
    assert re.findall(r"^- \[(.*?)\]", PROSE, re.MULTILINE) == titles


def test_every_table_that_the_file_may_have_is_told():
    titles = re.findall(r"^### Keys of \[(\w+)\]$", PROSE, re.MULTILINE)
    assert set(titles) | {"controls"} == set(settings.Settings.model_fields)


def test_the_tables_of_the_settings_are_all_told():
    modules = (settings, tables, room, hours)
    models = {each for module in modules for each in vars(module).values() if isinstance(each, type)}
    assert {each for each in models if issubclass(each, tables.Table)} - {tables.Table} == set(OWN_KEYS.values())
