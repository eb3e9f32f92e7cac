"""A show as the gallery has it: real processes, a real sound server, and models that are copied in while it plays."""

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from soak.swaps import Found, Show, judge, swap

from appliance.model.library import shipped

FADE_S = 2.0


@pytest.fixture
def show(tmp_path: Path) -> Iterator[Show]:
    show = Show(tmp_path / "show", FADE_S)
    yield show
    show.close()


def test_a_model_is_copied_in_and_glided_over_to_and_nobody_hears_of_broken_ones(show: Show) -> None:
    before, found = show.status(), Found()
    spoilt = bytearray(shipped()["choir"].read_bytes())
    spoilt[len(spoilt) // 2] ^= 1
    (show.incoming / "spoilt.latent").write_bytes(spoilt)
    (show.incoming / "letter.latent").write_text("Dear gallery,\n" * 400)
    shutil.copy(shipped()["glass"], show.incoming / "mine.latent")
    show.until(lambda: show.model().get("name") == "glass", "the model that was copied in")
    began_s = [show.recorded_s()]
    assert not (show.incoming / "mine.latent").exists()
    assert show.model()["probation_s"] > 500.0
    show.until(lambda: show.model().get("gliding") is False, "the end of the glide")
    began_s += swap(show, 1, found)
    reason = show.home / "rejected" / "letter.latent.reason.txt"
    assert show.until(lambda: reason.exists() and reason.read_text(), "a reason").startswith(
        "letter.latent is not a zip"
    )
    after = show.status()
    assert after["engine"]["pid"] == before["engine"]["pid"]
    assert [after[name] - before[name] for name in ("underruns", "holds", "refusals", "bad_samples")] == [0] * 4
    judge(show, began_s, FADE_S, found)
    assert found.wrong == []


def test_a_model_under_which_the_engine_is_killed_is_taken_back_and_the_artist_can_read_why(show: Show) -> None:
    shutil.copy(shipped()["glass"], show.incoming / "mine.latent")
    show.until(lambda: show.model().get("name") == "glass", "the model that was copied in")
    underruns = show.status()["underruns"]
    os.kill(show.status()["engine"]["pid"], signal.SIGKILL)
    show.until(lambda: show.model().get("name") == "default", "the model before")
    assert "glass was taken back: the engine died" in show.model()["trouble"]
    reason = show.home / "rejected" / "mine.latent.reason.txt"
    assert "taken back" in show.until(lambda: reason.exists() and reason.read_text(), "a reason")
    assert show.status()["underruns"] == underruns


def test_the_measures_would_find_a_hole_a_click_and_a_jump(tmp_path: Path) -> None:
    class Recorded:
        home = tmp_path

    rng = np.random.default_rng(1)
    noise = 0.05 * rng.standard_normal((40 * 48_000, 2)).astype(np.float32)
    # As smooth as music is.
    for channel in range(2):
        noise[:, channel] = np.convolve(noise[:, channel], np.hanning(64) / 8.0, mode="same")
    wrongs = {}
    for what in ("nothing", "hole", "click", "jump"):
        sound = noise.copy()
        if what == "hole":
            sound[30 * 48_000 : 31 * 48_000] = 0.0
        if what == "click":
            sound[20 * 48_000] += 0.5
        if what == "jump":
            sound[20 * 48_000 :] *= 2.0
        sound.tofile(tmp_path / "sound.f32")
        found = Found()
        judge(Recorded(), [20.0], FADE_S, found)
        wrongs[what] = " ".join(found.wrong)
    assert wrongs["nothing"] == ""
    assert "hole" in wrongs["hole"]
    assert "click" in wrongs["click"]
    assert "jumps" in wrongs["jump"]
