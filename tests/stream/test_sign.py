"""What stands at the door."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from appliance.stream.sign import Rule, sign

BERLIN = ZoneInfo("Europe/Berlin")
# Still Sunday in London.
NOW = datetime(2026, 11, 22, 23, 30, tzinfo=ZoneInfo("Europe/London"))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("2026-11-23T10:00", "closed until 10:00"),
        ("2026-11-24T10:00", "closed until tomorrow 10:00"),
        ("2026-11-25T00:00", "closed until Wednesday 00:00"),
        ("2026-11-29T10:00", "closed until Sunday 10:00"),
        ("2026-11-30T10:00", "closed until 2026-11-30 10:00"),
        ("2026-11-22T10:00", "closed until 2026-11-22 10:00"),
    ],
)
def test_it_is_told_by_the_gallerys_clock(change: str, told: str) -> None:
    assert sign(Rule.CLOSED, datetime.fromisoformat(change).replace(tzinfo=BERLIN), NOW) == told


def test_every_rule_has_words() -> None:
    assert len({sign(rule, None, NOW) for rule in Rule}) == len(Rule)
    assert sign(Rule.OPEN, None, NOW) == "open"
