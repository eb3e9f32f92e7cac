import pytest


def test_whitening_there_and_back(shipped):
    latents = shipped.atlas[:20]
    back = shipped.middle + shipped.unwhiten(shipped.whiten(latents))
    assert back == pytest.approx(latents, abs=1e-3)


def test_the_atlas_is_as_wide_as_one_along_every_axis(shipped):
    assert shipped.whitened == pytest.approx(shipped.whiten(shipped.atlas))
    assert shipped.whitened.mean(axis=0) == pytest.approx(0.0, abs=1e-3)
    assert shipped.whitened.std(axis=0) == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("name", ["space", "shipped"])
def test_sounds_approach_each_other_no_farther_than_their_peaks_bear(request, name):
    space = request.getfixturevalue(name)
    assert 0.0 <= space.approach <= 0.5
    assert space.sag_db(space.approach) <= space.sag_db(0.0) + 1.0


def test_a_straight_line_through_the_space_sags(space):
    """The reason why sounds are cross-faded in power."""
    assert space.sag_db(1.0) > space.sag_db(0.0) + 1.0
