"""Metrics say what the report says: read back with Prometheus' own parser, from a file and over HTTP."""

import os
import socket
import threading
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from appliance.health.metrics import Metrics

REPORT = {
    "healthy": True,
    "state": "playing",
    "device": "USB Audio DAC",
    "rate": 48_000,
    "channels": 2,
    "reserve_s": 19.5,
    "reserve_wanted_s": 20.0,
    "underruns": 3,
    "underrun_s": 0.032,
    "holds": 2,
    "held_s": 41.0,
    "rewinds": 7,
    "refusals": 1,
    "bad_samples": 0,
    "cards_lost": 1,
    "knob_to_sound_ms": 212.0,
    "loudness_lufs": -20.25,
    "volume": 0.5,
    "consumed_frames": 96_000,
    "made_frames": 100_000,
    "piece": 9,
    "boots": 4,
    "rung": 0,
    "model": 'a "strange"\nname',
    "model_digest": "1a2b",
    "probation_s": 300.0,
    "controls": 3,
    "troubles": {"tilt": "reads noise"},
    "awake": 1.0,
    "room_dba": 61.5,
    "ceiling": 0.5,
    "exposure_dba": 58.0,
    "osc": {"received": 10, "refused": None},
    "engine": {"alive": True, "uptime_s": 100.0},
    "player": {"alive": False, "uptime_s": None},
    "memory_mb": {"engine": 120.5, "player": None},
    "memory_with_ring_mb": {"engine": 140.5, "player": None},
    "today": {
        "sounded_s": 3600.0,
        "open_s": 3660.0,
        "closed_s": 0.0,
        "hushed_s": 60.0,
        "engine_restarts": 1,
        "player_restarts": 0,
    },
}
NOTHING_KNOWN = {name: None for name in REPORT} | {
    "healthy": False,
    "rate": 48_000,
    "channels": 2,
    "engine": {"alive": False, "uptime_s": None},
    "player": {"alive": False, "uptime_s": None},
    "memory_mb": {"engine": None, "player": None},
    "memory_with_ring_mb": {"engine": None, "player": None},
}

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def parsed(text: str) -> Samples:
    samples: Samples = {}
    for family in text_string_to_metric_families(text):
        assert family.documentation
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in samples
            samples[key] = sample.value
    return samples


def told(report, folder: Path) -> Samples:
    path = folder / "latent.prom"
    Metrics(lambda: report, "0.1.0").write(path)
    return parsed(path.read_text())


@pytest.mark.parametrize(
    ("name", "labels", "value"),
    [
        ("latent_build_info", {"version": "0.1.0"}, 1.0),
        ("latent_healthy", {}, 1.0),
        ("latent_up", {"process": "engine"}, 1.0),
        ("latent_up", {"process": "player"}, 0.0),
        ("latent_uptime_seconds", {"process": "engine"}, 100.0),
        ("latent_reserve_seconds", {}, 19.5),
        ("latent_reserve_wanted_seconds", {}, 20.0),
        ("latent_underruns_total", {}, 3.0),
        ("latent_underrun_seconds_total", {}, 0.032),
        ("latent_holds_total", {}, 2.0),
        ("latent_held_seconds_total", {}, 41.0),
        ("latent_card_lost_total", {}, 1.0),
        ("latent_consumed_seconds_total", {}, 2.0),
        ("latent_knob_to_sound_seconds", {}, 0.212),
        ("latent_loudness_lufs", {}, -20.25),
        ("latent_volume_ratio", {}, 0.5),
        ("latent_room_dba", {}, 61.5),
        ("latent_ceiling_ratio", {}, 0.5),
        ("latent_exposure_dba", {}, 58.0),
        ("latent_memory_bytes", {"process": "engine"}, 120.5e6),
        ("latent_memory_with_ring_bytes", {"process": "engine"}, 140.5e6),
        ("latent_model_info", {"model": 'a "strange"\nname', "digest": "1a2b"}, 1.0),
        ("latent_player_state_info", {"state": "playing"}, 1.0),
        ("latent_card_info", {"device": "USB Audio DAC", "rate": "48000", "channels": "2"}, 1.0),
        ("latent_model_probation_seconds", {}, 300.0),
        ("latent_control_trouble", {"control": "tilt"}, 1.0),
        ("latent_controls_in_trouble", {}, 1.0),
        ("latent_osc_packets_total", {"outcome": "received"}, 10.0),
        ("latent_today_sounded_seconds", {}, 3600.0),
        ("latent_today_open_seconds", {}, 3660.0),
        ("latent_today_restarts", {"process": "engine"}, 1.0),
    ],
)
def test_all_of_the_report_is_told(tmp_path: Path, name: str, labels: dict[str, str], value: float) -> None:
    assert told(REPORT, tmp_path)[name, frozenset(labels.items())] == pytest.approx(value)


def test_what_is_not_known_is_left_out(tmp_path: Path) -> None:
    names = {name for name, _ in told(NOTHING_KNOWN, tmp_path)}
    assert names == {"latent_build_info", "latent_healthy", "latent_up", "latent_card_info"}
    assert ("latent_memory_bytes", frozenset({("process", "player")})) not in told(REPORT, tmp_path)


def test_where_nothing_plays_that_is_told(tmp_path: Path) -> None:
    samples = told(None, tmp_path)
    assert {name for name, _ in samples} == {"latent_build_info", "latent_healthy", "latent_up"}
    assert samples["latent_healthy", frozenset()] == 0.0
    assert samples["latent_up", frozenset({("process", "engine")})] == 0.0


def test_the_file_is_replaced_whole_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "latent.prom"
    metrics = Metrics(lambda: REPORT, "0.1.0")
    metrics.write(path)
    with path.open() as before:
        metrics.write(path)
        # Who has it open reads it to its end.
        assert parsed(before.read())
        assert os.fstat(before.fileno()).st_ino != path.stat().st_ino
    assert [each.name for each in tmp_path.iterdir()] == ["latent.prom"]
    assert path.stat().st_mode & 0o444 == 0o444


def test_a_folder_that_is_not_there_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        Metrics(lambda: REPORT, "0.1.0").write(tmp_path / "absent" / "latent.prom")
    assert list(tmp_path.iterdir()) == []


def test_they_are_fetched_over_http_each_time_anew() -> None:
    reports = [REPORT, REPORT | {"holds": 5}, None]
    port, close = Metrics(lambda: reports.pop(0), "0.1.0").serve("127.0.0.1", 0)
    try:
        first, second, third = (parsed(fetch(port)) for _ in range(3))
    finally:
        close()
    assert first["latent_holds_total", frozenset()] == 2.0
    assert second["latent_holds_total", frozenset()] == 5.0
    assert third["latent_healthy", frozenset()] == 0.0
    with pytest.raises(urllib.error.URLError):
        fetch(port)


def fetch(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10.0) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=")
        return answer.read().decode()


def test_it_listens_where_it_is_told_and_nowhere_else() -> None:
    port, close = Metrics(lambda: REPORT, "0.1.0").serve("127.0.0.1", 0)
    try:
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.2", port), timeout=5.0)
    finally:
        close()
    assert not [each for each in threading.enumerate() if "serve_forever" in each.name]


def test_a_port_that_is_taken_is_an_error() -> None:
    port, close = Metrics(lambda: REPORT, "0.1.0").serve("127.0.0.1", 0)
    try:
        with pytest.raises(OSError, match="in use"):
            Metrics(lambda: REPORT, "0.1.0").serve("127.0.0.1", port)
    finally:
        close()
