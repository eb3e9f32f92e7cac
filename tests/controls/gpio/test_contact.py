"""A contact bounces and a wire hangs loose; what is told of them is right."""

import pytest

from appliance.controls.gpio.contact import BOUNCE_S, Change, Contact, Flutter


def test_the_first_edge_counts_at_once_and_bounce_does_not() -> None:
    contact = Contact(False)
    assert contact.hear(True, 1.0) == Change(True, 1.0)
    assert [contact.hear(closed, 1.0 + at) for at, closed in ((0.001, False), (0.002, True), (0.02, False))] == [
        None
    ] * 3


def test_in_the_end_it_says_how_it_stands() -> None:
    contact = Contact(False)
    contact.hear(True, 1.0)
    contact.hear(False, 1.02)
    assert contact.look(False, 1.03) is None
    assert contact.look(False, 1.051) == Change(False, 1.051)
    assert contact.look(False, 1.1) is None


def test_an_edge_that_the_driver_did_not_report_is_seen() -> None:
    contact = Contact(False)
    assert contact.look(True, 5.0) == Change(True, 5.0)
    # Reported after all, it is no news.
    assert contact.hear(True, 5.001) is None


@pytest.mark.parametrize("bounces", [0, 1, 7])
def test_every_press_counts_once_however_it_bounces(bounces: int) -> None:
    contact = Contact(False)
    found = []
    for press in range(40):
        for at_s, closed in ((press * 0.2, True), (press * 0.2 + 0.1, False)):
            for bounce in range(2 * bounces + 1):
                found.append(contact.hear(closed == (bounce % 2 == 0), at_s + bounce * 0.0007))
            found.append(contact.look(closed, at_s + BOUNCE_S + 0.02))
            assert contact.rate_hz(at_s) is None
    changes = [each for each in found if each]
    assert [each.closed for each in changes] == [True, False] * 40
    assert all(min(each.at_s % 0.1, 0.1 - each.at_s % 0.1) < 1e-6 for each in changes)


@pytest.mark.parametrize("hum_hz", [50, 60])
def test_hum_presses_once_at_most_and_is_noticed_within_a_second(hum_hz: int) -> None:
    contact = Contact(False)
    edges = [contact.hear(edge % 2 == 0, edge / (2 * hum_hz)) for edge in range(2 * hum_hz)]
    assert [each for each in edges if each] == [Change(True, 0.0)]
    assert contact.rate_hz(1.0) == pytest.approx(hum_hz)
    assert contact.rate_hz(1.9) == pytest.approx(hum_hz)
    assert contact.rate_hz(2.0) is None


def test_ten_presses_a_second_are_no_flutter_and_more_are() -> None:
    for presses_per_s, flutters in ((9, False), (13, True)):
        flutter = Flutter()
        for edge in range(4 * presses_per_s):
            flutter.hear(edge / (2 * presses_per_s))
        assert (flutter.rate_hz(2.0) is not None) is flutters
