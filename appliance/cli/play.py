"""``latent play``."""

import secrets
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from appliance.mood import Mood

if TYPE_CHECKING:
    from appliance.spectrum.codec import Floats

__all__ = ["play"]


@click.command()
@click.option(
    "--config", type=click.Path(path_type=Path, dir_okay=False), help="Settings; the usual latent.toml if absent."
)
@click.option("--device", metavar="NAME", help="Sound card, by its name or part of it; overrides the settings.")
def play(config: Path | None, device: str | None) -> int:
    """Play endlessly through the sound card, until Ctrl-C.

    Example: latent play --device USB
    """
    from appliance.service.build import build_timeline, endless
    from appliance.service.play import play as play_source
    from appliance.settings import read_settings

    settings = read_settings(config)
    mood = Mood.parse(f"{name}={value}" for name, value in settings.mood.items())
    seed = secrets.randbits(32) if settings.music.seed is None else settings.music.seed
    stop = threading.Event()

    def tell(sentence: str) -> None:
        click.echo(sentence, err=True)

    def source(rate: int, channels: int) -> Iterator["Floats"]:
        music = settings.music
        tell(f"Seed {seed}.")
        timeline = build_timeline(music.model, rate, channels, music.beds, settings.sound, tell)
        # From here on there is sound to fade out; before, Ctrl-C may end it at once.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        return endless(timeline, seed, mood)

    card = settings.card if device is None else settings.card.model_copy(update={"device": device})
    play_source(source, card, stop=stop, say=tell, volume=mood.volume)
    return 0
