"""What `latent status` tells, as Prometheus metrics: a text file that a collector reads, or a small HTTP server.

No other file imports `prometheus_client`.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from prometheus_client import CollectorRegistry, start_http_server, write_to_textfile
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

__all__ = ["Metrics"]

Report = Mapping[str, Any]
Look = Callable[[], Report | None]

_PROCESSES: Final = ("engine", "player")
_GAUGES: Final = {
    "reserve_seconds": ("reserve_s", "Sound that is ready."),
    "reserve_wanted_seconds": ("reserve_wanted_s", "Sound that should be ready."),
    "loudness_lufs": ("loudness_lufs", "Loudness of what is being sent to the card; -120 is silence."),
    "volume_ratio": ("volume", "Where the fader is to be, 0 to 1."),
    "ceiling_ratio": ("ceiling", "What the fader is kept below for the guards' sake, 0 to 1."),
    "awake_ratio": ("awake", "1, or less while the room is dimmed for want of visitors."),
    "controls": ("controls", "Knobs, buttons and sensors that are wired."),
    "model_probation_seconds": ("probation_s", "Until a new model counts as proven."),
    "piece": ("piece", "Number of the piece that plays."),
    "room_dba": ("room_dba", "How loud it is in the room, in dB(A), estimated."),
    "exposure_dba": ("exposure_dba", "LEX,8h of somebody who was there all day, in dB(A), estimated."),
    "engine_rung": ("rung", "0, or more where the engine crashed often and was started with less."),
}
_COUNTERS: Final = {
    "underruns": ("underruns", "Blocks of 512 frames that were silent for want of sound."),
    "underrun_seconds": ("underrun_s", "The same in seconds."),
    "holds": ("holds", "Times that what was heard before went on for want of fresh sound."),
    "held_seconds": ("held_s", "For how long."),
    "rewinds": ("rewinds", "Times that the near future was made again for a hand."),
    "refused_blocks": ("refusals", "Blocks that were not fit to be heard."),
    "bad_samples": ("bad_samples", "Samples that were not finite."),
    "card_lost": ("cards_lost", "Times that the sound card went away."),
    "starts": ("boots", "Mornings: starts of the engine that did not go on from what another left."),
}
_DAY_GAUGES: Final = {
    "sounded_seconds": ("sounded_s", "Today: for how long it sounded."),
    "open_seconds": ("open_s", "Today: for how long it should have sounded."),
    "closed_seconds": ("closed_s", "Today: for how long the room was closed."),
    "hushed_seconds": ("hushed_s", "Today: for how long somebody had turned the volume to 0."),
}


class Metrics:
    """Gives what a look tells, each time anew.

    Parameters
    ----------
    look : callable
        Gives what `service.status.status` does, or None where nothing plays; any thread may call it.
    version : str
    """

    def __init__(self, look: Look, version: str) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Looking(look, version))

    def write(self, path: Path) -> None:
        """Write them to a file, whole or not at all. Raises OSError if the disk refuses."""
        write_to_textfile(os.fspath(path), self._registry)

    def serve(self, listen: str, port: int) -> tuple[int, Callable[[], None]]:
        """Answer HTTP requests from now on.

        Parameters
        ----------
        listen : str
            An address of this machine.
        port : int
            0 for any.

        Returns
        -------
        tuple of int and callable
            The port, and what ends it.

        Raises
        ------
        OSError
            If it cannot listen there.
        """
        server, thread = start_http_server(port, listen, self._registry)

        def close() -> None:
            server.shutdown()
            server.server_close()
            thread.join()

        return server.server_port, close


class _Looking(Collector):
    """Collects by looking."""

    def __init__(self, look: Look, version: str) -> None:
        self._look = look
        self._version = version

    def describe(self) -> Iterable[Metric]:
        """Nothing beforehand: otherwise it would be looked for the mere names."""
        return ()

    def collect(self) -> Iterator[Metric]:
        report = self._look()
        yield InfoMetricFamily("latent_build", "What runs.", value={"version": self._version})
        yield GaugeMetricFamily("latent_healthy", "1 while all is well.", value=_truth(report and report["healthy"]))
        up = GaugeMetricFamily("latent_up", "1 while a process lives.", labels=["process"])
        for process in _PROCESSES:
            up.add_metric([process], _truth(report and report[process]["alive"]))
        yield up
        if report is not None:
            yield from _known(report)


def _known(report: Report) -> Iterator[Metric]:
    """All of a report that is known; what is not is left out, and is no zero."""
    for name, (key, help_text) in _GAUGES.items():
        if report[key] is not None:
            yield GaugeMetricFamily(f"latent_{name}", help_text, value=report[key])
    for name, (key, help_text) in _COUNTERS.items():
        if report[key] is not None:
            yield CounterMetricFamily(f"latent_{name}", help_text, value=report[key])
    if report["consumed_frames"] is not None:
        taken_s = report["consumed_frames"] / report["rate"]
        yield CounterMetricFamily("latent_consumed_seconds", "Sound that the card has taken.", value=taken_s)
    if report["knob_to_sound_ms"] is not None:
        help_text = "From the last move of a hand to its sound."
        yield GaugeMetricFamily("latent_knob_to_sound_seconds", help_text, value=report["knob_to_sound_ms"] / 1000.0)
    yield from _of_the_processes(report)
    yield from _in_words(report)
    yield from _of_the_hands(report)
    if report["today"] is not None:
        yield from _of_the_day(report["today"])


def _of_the_processes(report: Report) -> Iterator[Metric]:
    memory, with_ring = report["memory_mb"], report["memory_with_ring_mb"]
    uptime = {who: report[who]["uptime_s"] for who in _PROCESSES}
    for name, help_text, values, factor in (
        ("uptime_seconds", "For how long a process has run.", uptime, 1.0),
        ("memory_bytes", "Memory (PSS) without the ring.", memory, 1e6),
        ("memory_with_ring_bytes", "Memory (PSS) with its share of the ring.", with_ring, 1e6),
    ):
        family = GaugeMetricFamily(f"latent_{name}", help_text, labels=["process"])
        for process in _PROCESSES:
            if values[process] is not None:
                family.add_metric([process], values[process] * factor)
        yield family


def _in_words(report: Report) -> Iterator[Metric]:
    if report["state"] is not None:
        yield InfoMetricFamily("latent_player_state", "What the player does.", value={"state": report["state"]})
    if report["model"] is not None:
        model = {"model": report["model"], "digest": report["model_digest"] or ""}
        yield InfoMetricFamily("latent_model", "The model that plays.", value=model)
    card = {"device": report["device"] or "", "rate": str(report["rate"]), "channels": str(report["channels"])}
    yield InfoMetricFamily("latent_card", "The sound card that was opened last.", value=card)


def _of_the_hands(report: Report) -> Iterator[Metric]:
    if report["troubles"] is not None:
        help_text = "1 for each control that is in trouble."
        trouble = GaugeMetricFamily("latent_control_trouble", help_text, labels=["control"])
        for name in report["troubles"]:
            trouble.add_metric([name], 1.0)
        yield trouble
        count = len(report["troubles"])
        yield GaugeMetricFamily("latent_controls_in_trouble", "Controls that are in trouble.", value=count)
    if report["osc"] is not None:
        packets = CounterMetricFamily("latent_osc_packets", "OSC packets by what became of them.", labels=["outcome"])
        for outcome, count in report["osc"].items():
            if count is not None:
                packets.add_metric([outcome], count)
        yield packets


def _of_the_day(day: Report) -> Iterator[Metric]:
    for name, (key, help_text) in _DAY_GAUGES.items():
        yield GaugeMetricFamily(f"latent_today_{name}", help_text, value=day[key])
    restarts = GaugeMetricFamily("latent_today_restarts", "Today: times it was started again.", labels=["process"])
    for process in _PROCESSES:
        restarts.add_metric([process], day[f"{process}_restarts"])
    yield restarts


def _truth(value: object) -> float:
    return 1.0 if value else 0.0
