import pytest
from soak.two_hours import measure


@pytest.fixture(scope="module")
def report():
    return measure(hours=2.0, seed=7)


def test_each_hour_is_as_loud_as_it_should_be(report):
    assert report.hourly_lufs == pytest.approx([-20.0, -20.0], abs=1.0)


def test_every_sample_is_finite_and_under_the_ceiling(report):
    assert report.not_finite == 0
    assert report.true_peak_dbtp <= -1.0


def test_no_two_pieces_are_alike(report):
    assert report.pieces > 12
    assert report.same_places == 0
    assert report.least_difference_db > 3.0 * report.own_difference_db


def test_the_music_moves(report):
    assert report.change_db[60] > report.change_db[10] > 1.0
    assert report.stillest_minute_db > 1.0
