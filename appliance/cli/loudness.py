"""``latent calibrate``."""

import signal
import threading
from pathlib import Path

import click

from appliance.cli.process import card_option, config_option, runtime_folder_used, tell
from appliance.errors import LatentError
from appliance.folders import runtime_folder, shown, state_folder

__all__ = ["calibrate"]

_SOFTEST, _LOUDEST = 30.0, 120.0


@click.command()
@config_option
@card_option
@click.option(
    "--level",
    "lufs",
    type=click.FloatRange(-40.0, -18.0),
    default=-20.0,
    show_default=True,
    help="How loud the noise is sent, in LUFS.",
)
@click.option("--seconds", type=click.FloatRange(1.0, 600.0), default=120.0, show_default=True)
@click.option(
    "--measured",
    type=click.FloatRange(_SOFTEST, _LOUDEST),
    help="What the sound level meter showed, in dB(A): that is kept, and nothing is played.",
)
def calibrate(
    config: Path | None, devices: tuple[str, ...], lufs: float, seconds: float, measured: float | None
) -> None:
    """Play pink noise, ask what a sound level meter shows, and keep it.

    Stand where the guards do, set the meter to A and slow. From then on `latent status` estimates how loud it is in
    the room, and the guards' daily exposure. Measure again when the amplifier was turned.

    Example: latent calibrate --device USB
    """
    if measured is None:
        measured = _ask(config, devices, lufs, seconds)
    from appliance.health.exposure import RoomLevel, keep_level
    from appliance.health.tally import label_of, local_time

    state = state_folder()
    try:
        keep_level(state, RoomLevel(measured, lufs, label_of(local_time())))
    except OSError as error:
        raise LatentError(
            f"What was measured cannot be kept in {shown(state)} ({error.strerror}): call this as the user that Latent"
            " runs as."
        ) from error
    click.echo(f"{measured:g} dB(A) at {lufs:g} LUFS: that is kept.")


def _ask(config: Path | None, devices: tuple[str, ...], lufs: float, seconds: float) -> float:
    """Ask for what the meter shows while the noise plays."""
    from appliance.service.room_noise import play_noise
    from appliance.settings_file import read_settings

    card = read_settings(config).card
    with runtime_folder_used():
        folder = runtime_folder()
    stop, begun = threading.Event(), threading.Event()
    failed: list[LatentError] = []

    def say(sentence: str) -> None:
        tell(sentence)
        begun.set()

    def work() -> None:
        try:
            play_noise(devices or card.device, (card.rate, card.channels), lufs, seconds, folder, stop, say)
        except LatentError as error:
            failed.append(error)
        finally:
            begun.set()

    # Otherwise Ctrl-C would end the process before the noise has faded out.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    noise = threading.Thread(target=work, name="noise")
    noise.start()
    try:
        begun.wait()
        if failed:
            raise failed[0]
        told: float = click.prompt("The meter shows dB(A)", type=click.FloatRange(_SOFTEST, _LOUDEST), err=True)
    finally:
        stop.set()
        noise.join()
    if failed:
        raise failed[0]
    return told
