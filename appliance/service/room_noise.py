"""The reference noise, by which a technician measures how loud the room is."""

import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from appliance.errors import RingError
from appliance.stream import mixer
from appliance.stream.card import Card, open_card
from appliance.stream.fades import raised_cosine
from appliance.stream.guard import Loudness
from appliance.stream.layout import BLOCK_FRAMES
from appliance.stream.ring import claim

__all__ = ["play_noise", "reference_noise"]

Floats = npt.NDArray[np.float32]

# Below, rooms differ too much from place to place; above, loudspeakers from angle to angle.
_LOWEST_HZ: Final = 100.0
_HIGHEST_HZ: Final = 10_000.0
_FRAMES: Final = 512 * BLOCK_FRAMES
_FADE_S: Final = 1.0


def reference_noise(rate: int, channels: int, lufs: float, rng: np.random.Generator) -> Floats:
    """Make pink noise from 100 Hz to 10 kHz, other in each channel, that goes round without a seam.

    Parameters
    ----------
    rate : int
        Frames per second.
    channels : int
    lufs : float
        How loud, all channels together (ITU-R BS.1770-4).
    rng : numpy.random.Generator

    Returns
    -------
    (n, channels) float32
        Of whole blocks.
    """
    hz = np.fft.rfftfreq(_FRAMES, 1.0 / rate)
    inside = (hz >= _LOWEST_HZ) & (hz <= min(_HIGHEST_HZ, 0.45 * rate))
    # Its power falls by 3 dB an octave.
    magnitudes = np.where(inside, 1.0 / np.sqrt(np.maximum(hz, 1.0)), 0.0)
    phases = np.exp(2j * np.pi * rng.random((len(hz), channels)))
    noise = np.fft.irfft(magnitudes[:, np.newaxis] * phases, axis=0).astype(np.float32)
    # At full scale first, for what is too soft counts as silence.
    noise /= float(np.abs(noise).max())
    noise *= 10.0 ** ((lufs - Loudness(rate, channels).of(noise)[0]) / 20.0)
    return noise


def play_noise(
    names: Sequence[str],
    form: tuple[int, int],
    lufs: float,
    seconds: float,
    folder: Path,
    stop: threading.Event,
    say: Callable[[str], None],
    open_device: Callable[[Sequence[str], int, int], Card] | None = None,
) -> None:
    """Play the reference noise in place of the player, until told to stop or for so long.

    Parameters
    ----------
    names : sequence of str
        Of sound cards, preferred first.
    form : tuple of int
        Frames per second and channels wished for.
    lufs, seconds : float
    folder : Path
        The runtime folder, in which no player may run.
    stop : threading.Event
    say : callable
        Is given sentences for whoever is watching.
    open_device : callable, optional
        As `open_card`, which it is if absent.

    Raises
    ------
    RingError
        If a player runs.
    CardError
        If there is no card.
    """
    try:
        lock = claim(folder, "player")
    except RingError as error:
        raise RingError(
            "The player has the sound card: end `latent play`, or `sudo systemctl stop latent-player`, and start it"
            " again afterwards."
        ) from error
    try:
        card = (open_device or open_card)(names, *form)
        try:
            for sentence in mixer.set_up(card.alsa_card) if card.alsa_card is not None else ():
                say(sentence)
            say(f"Pink noise at {lufs:g} LUFS plays on {card.name}.")
            card.start()
            _play(card, reference_noise(card.rate, card.channels, lufs, np.random.default_rng(0)), seconds, stop)
        finally:
            card.close()
    finally:
        os.close(lock)


def _play(card: Card, noise: Floats, seconds: float, stop: threading.Event) -> None:
    fade_blocks = max(round(_FADE_S * card.rate / BLOCK_FRAMES), 1)
    left, share, number = round(seconds * card.rate / BLOCK_FRAMES), 0.0, 0
    while share > 0.0 or (left > 0 and not stop.is_set()):
        goes_on = left > fade_blocks and not stop.is_set()
        then = min(max(share + (1.0 if goes_on else -1.0) / fade_blocks, 0.0), 1.0)
        gain = raised_cosine(np.linspace(share, then, BLOCK_FRAMES))[:, np.newaxis]
        at = number * BLOCK_FRAMES % len(noise)
        card.write((noise[at : at + BLOCK_FRAMES] * gain).astype(np.float32))
        left, share, number = left - 1, then, number + 1
        if not goes_on and share <= 0.0:
            return
