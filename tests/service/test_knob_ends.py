import json

import pytest

from appliance.errors import LatentError
from appliance.service.knob_ends import Calibration


def test_ends_are_learned_replaced_and_forgotten(tmp_path):
    known = Calibration(tmp_path / "state", pytest.fail)
    assert known.get("left") is None
    known.learn("left", 0.03, 0.96)
    known.learn("left", 0.1, 0.15)
    known.learn("right", 0, 1)
    again = Calibration(tmp_path / "state", pytest.fail)
    assert again.get("left") == (0.1, 0.15)
    assert again.get("right") == (0.0, 1.0)
    again.forget("left")
    again.forget("left")
    assert Calibration(tmp_path / "state", pytest.fail).get("left") is None


@pytest.mark.parametrize(("low", "high"), [(0.5, 0.5), (0.5, 0.54), (-0.1, 0.5), (0.5, 1.1), (0.0, float("nan"))])
def test_ends_that_are_none(tmp_path, low, high):
    known = Calibration(tmp_path, pytest.fail)
    with pytest.raises(ValueError, match=r"."):
        known.learn("left", low, high)
    assert known.get("left") is None


@pytest.mark.parametrize(
    "content", ["", "[]", '{"ends": {"left": [0.9, 0.1]}}', '{"ends": {"left": [0.1]}}', '{"ends": {"left": ["0", 1]}}']
)
def test_a_damaged_file_is_set_aside(tmp_path, content):
    (tmp_path / "calibration.json").write_text(content)
    told = []
    assert Calibration(tmp_path, told.append).get("left") is None
    assert (tmp_path / "calibration.json.damaged").read_text() == content
    assert len(told) == 1


def test_there_is_an_end_to_it(tmp_path):
    (tmp_path / "calibration.json").write_text(json.dumps({"ends": {f"k{n}": [0.1, 0.9] for n in range(500)}}))
    known = Calibration(tmp_path, pytest.fail)
    with pytest.raises(LatentError, match="no more fit: forget one first"):
        known.learn("left", 0.0, 1.0)
    known.learn("k1", 0.0, 1.0)
    assert known.get("k1") == (0.0, 1.0)
