"""The table of opening hours: what it takes, what it refuses, and that the player reads the same."""

import json
from pathlib import Path

import pytest

from appliance.errors import SettingsError
from appliance.settings import Settings
from appliance.settings_file import read_settings
from appliance.stream.hours import Hours
from appliance.wiring.hours import HoursSettings

WEEK = """\
[hours]
time_zone = "Europe/Berlin"
quiet = ["17:00-18:00"]
quiet_db = -6

[hours.days]
tue-fri = ["10:00-13:00", "14:00-18:00"]
"sat,sun" = ["20:00-02:00"]

[hours.dates]
2026-12-24 = ["10:00-14:00"]
2026-12-25 = []
"""


def read(tmp_path: Path, text: str) -> Settings:
    path = tmp_path / "latent.toml"
    path.write_text(text, encoding="utf-8")
    return read_settings(path)


def test_without_the_table_it_is_always_open(tmp_path: Path) -> None:
    assert read(tmp_path, "").hours is None
    assert read(tmp_path, "[hours]").hours == HoursSettings()


def test_the_player_reads_what_the_settings_say(tmp_path: Path) -> None:
    told = read(tmp_path, WEEK).hours
    assert told is not None
    hours = Hours.of(json.loads(json.dumps(told.model_dump(mode="json"))))
    assert hours.week == ((), *[((600, 780), (840, 1080))] * 4, *[((1200, 1560),)] * 2)
    assert [str(day) for day in hours.dates] == ["2026-12-24", "2026-12-25"]
    assert (hours.quiet, hours.wake_s, str(hours.zone)) == (((1020, 1080),), 300.0, "Europe/Berlin")
    assert Hours.of(HoursSettings().model_dump(mode="json")).week == (((0, 1440),),) * 7


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("hours = 3", "hours: must be a table, as in [hours]"),
        ("[hours]\ndays = ['10:00-18:00']", "hours.days: must be a table, as in [hours.days]"),
        ("[hours.days]\nmon = '10:00-18:00'", "line 2, hours.days.mon: must be a list in brackets"),
        (
            "[hours.days]\nmon = ['10:00-18:00', '10-18']",
            'line 2, hours.days.mon.1: must be from one time of day to another, as in "10:00-18:00"',
        ),
        ("[hours.days]\nmon = ['10:00-10:00']", "hours.days.mon.0: ends when it begins: for a whole day say"),
        ("[hours.days]\nmon = [10]", "hours.days.mon.0: must be text in quotes"),
        ("[hours.days]\n\ntues = []", "line 3, hours.days.tues: is no day: name days as in mon, tue-fri"),
        ("[hours.days]\ntue-fri = []\nwed = []\n'thu,sun' = []", "hours.days: names wed and thu more than once"),
        ("[hours.dates]\n2027-02-29 = []", "hours.dates.2027-02-29: is in no calendar"),
        ("[hours.dates]\n'24.12.' = []", "hours.dates.24.12.: is no date"),
        ("[hours]\nquiet = ['20:00']", "hours.quiet.0: must be from one time of day"),
        ("[hours]\nquiet_db = 3", "hours.quiet_db: must be at most 0"),
        ("[hours]\nwake_min = 0", "hours.wake_min: must be at least 0.5"),
        ("[hours]\ntime_zone = 'Europe/Berlyn'", "hours.time_zone: is no time zone, did you mean Europe/Berlin?"),
        ("[hours]\ntime_zone = '../../etc/passwd'", "hours.time_zone: is no time zone"),
        ("[hours]\ntime_zone = ''", "hours.time_zone: is no time zone"),
        ("[hours]\nquite = []", "line 2, there is no hours.quite, did you mean quiet"),
        ("[hour]", "there is no hour, did you mean hours?"),
    ],
)
def test_what_cannot_be_is_told_in_plain_words(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, text)
    assert told in str(caught.value)


def test_the_hours_of_the_example_are_read_once_they_are_let(tmp_path: Path) -> None:
    example = (Path(__file__).parents[2] / "deploy/latent.toml.example").read_text(encoding="utf-8")
    lines = example[example.index("# [hours]") :].splitlines()
    hours = read(tmp_path, "\n".join(line.removeprefix("#").strip() for line in lines)).hours
    assert hours is not None
    assert len(hours.days) == len(hours.dates) == 2
