"""The score means something only while no held-out instrument is ever trained on."""

from appliance.studio.programs import HARSH, HELD_OUT, NAMES, TRAIN, TUNE, split_of


def test_the_splits_share_no_instrument_and_leave_none_out() -> None:
    assert len({*TRAIN, *TUNE, *HELD_OUT}) == len(TRAIN) + len(TUNE) + len(HELD_OUT) == len(NAMES)
    assert {split_of(name) for name in ("train", "tune", "held_out")} == {TRAIN, TUNE, HELD_OUT}


def test_every_held_out_instrument_has_a_relative_in_training() -> None:
    families = {number // 8 for number in TRAIN}
    assert {number // 8 for number in (*HELD_OUT, *TUNE)} <= families


def test_harsh_instruments_are_known_ones() -> None:
    assert set(HARSH) <= NAMES.keys()
