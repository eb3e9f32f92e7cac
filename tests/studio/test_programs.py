"""The score means something only while no held-out instrument is ever trained on."""

from appliance.studio.sources.programs import HARSH, HELD_OUT, NAMES, TUNE, split

_TRAIN = tuple(number for number in NAMES if split(number) == "train")


def test_the_splits_share_no_instrument_and_leave_none_out() -> None:
    assert len({*_TRAIN, *TUNE, *HELD_OUT}) == len(_TRAIN) + len(TUNE) + len(HELD_OUT) == len(NAMES)
    assert {number for number in NAMES if split(number) == "tune"} == set(TUNE)
    assert {number for number in NAMES if split(number) == "held_out"} == set(HELD_OUT)


def test_every_held_out_instrument_has_a_relative_in_training() -> None:
    families = {number // 8 for number in _TRAIN}
    assert {number // 8 for number in (*HELD_OUT, *TUNE)} <= families


def test_names_are_told_apart() -> None:
    assert len(set(NAMES.values())) == len(NAMES)


def test_harsh_instruments_are_known_ones() -> None:
    assert set(HARSH) <= NAMES.keys()
