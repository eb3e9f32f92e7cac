"""The look at many pieces finds nothing wrong with the score as it is, and finds what is broken on purpose."""

import dataclasses

import numpy as np
import pytest
from bench import pieces
from tables import table

from appliance.engine.opening import space_of
from appliance.model.bundle import read
from appliance.model.library import find
from appliance.score import form, path, ranking, skim, territory
from appliance.score.space import Space
from appliance.spectrum.codec import Floats
from appliance.synth import voice

SEED, FEW = 7, 2


@pytest.fixture(scope="module")
def space() -> Space:
    """The space of the model that comes with the program."""
    return space_of(read(find(None)))


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the minute of sound."""
    monkeypatch.setattr(pieces, "_steadiness_db", lambda: (0.0, 0.0, 0.0))


def test_the_score_keeps_its_bars(space: Space) -> None:
    found = pieces.report(space, SEED, 12)

    assert found.outside == 0
    assert found.pair_percentile <= 20.0
    assert found.figure_pair_percentile <= 20.0
    assert 0.2 <= found.figure_present <= 0.5
    assert found.longest_without_rest_s <= 300.0
    assert found.lengths_s[0] >= 180.0
    assert found.lengths_s[2] <= 720.0
    assert found.first_return is None
    assert found.neighbours_db < found.random_db
    assert found.sag_db <= 4.0
    assert len(found.steadiness_db) == 3
    assert max(found.steadiness_db) <= 2.0
    assert [row.field for row in pieces.ROWS] == list(dataclasses.asdict(found))
    # Lengths stand in a row, and what twelve pieces cannot tell is a dash.
    told = {line.split(":")[0].split(",")[0].strip(): line for line in table(pieces.ROWS, [("", found)]).splitlines()}
    assert told["lengths"].split()[-6:-3] == [f"{length_s:.0f}" for length_s in found.lengths_s]
    assert told["first return of a place"].split()[-3:] == ["-", ">=", "30"]


@pytest.mark.usefixtures("silent")
def test_pieces_outside_the_gates_are_noticed(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    narrow = dataclasses.replace(space)
    object.__setattr__(narrow, "gates", dataclasses.replace(space.gates, sharpness_db=space.gates.sharpness_db + 8.0))
    monkeypatch.setattr(skim, "share_outside", lambda *_: 0.0)

    assert pieces.report(narrow, SEED, FEW).outside > 0


@pytest.mark.usefixtures("silent")
def test_endless_pieces_without_figures_or_rests_are_noticed(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(path, "_FIGURES_HEARD", 0.0)
    monkeypatch.setattr(form, "_LENGTHS_S", (800.0,) * form.BLOCK)
    monkeypatch.setattr(form, "_REST_EVERY_S", 800.0)

    found = pieces.report(space, SEED, FEW)

    assert found.figure_present == 0.0
    assert found.lengths_s[2] > 720.0
    assert found.longest_without_rest_s > 300.0


@pytest.mark.usefixtures("silent")
def test_sounds_that_do_not_go_together_are_noticed(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranking, "_ROUGHNESS_WEIGHT", -10.0)

    found = pieces.report(space, SEED, FEW)

    assert found.pair_percentile > 20.0
    assert found.figure_pair_percentile > 20.0


@pytest.mark.usefixtures("silent")
def test_places_dealt_again_are_noticed(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(territory, "deal", lambda pool, *_: pool[:8])

    assert pieces.report(space, SEED, FEW).first_return == 1


@pytest.mark.usefixtures("silent")
def test_sounds_cross_faded_in_decibels_are_noticed(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    def faded(sounds: tuple[path.Sound, ...], powers: Floats) -> Floats:
        alone = [dataclasses.replace(sound, share=1.0) for sound in sounds]
        rows = [path.blend((sound,), row[np.newaxis]) for sound, row in zip(alone, powers, strict=True)]
        shares = [sound.share for sound in sounds]
        return np.asarray(np.exp(np.average(np.log(np.maximum(rows, 1e-12)), axis=0, weights=shares)), dtype=np.float32)

    monkeypatch.setattr(skim, "blend", faded)

    # Pieces differ so much in this that two would not tell.
    assert pieces.report(space, SEED, 6).sag_db > 4.0


def test_partials_that_do_not_go_on_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voice, "_DRIFT_RAD", 20.0)

    assert min(pieces._steadiness_db()) > 2.0
