"""Sounds inside a page."""

import base64
import html
import io

import numpy as np
import soundfile

from appliance.spectrum.codec import Floats, synthesise

__all__ = ["flac", "player"]

_RATE = 44_100


def flac(spectrum: Floats) -> bytes:
    """Two seconds of a (1233,) spectrum as FLAC; all have the same phases, so that only the spectrum differs."""
    sound = synthesise(spectrum, _RATE, np.random.default_rng(1))
    content = io.BytesIO()
    soundfile.write(content, np.clip(sound, -1.0, 1.0), _RATE, format="FLAC", subtype="PCM_16")
    return content.getvalue()


def player(label: str, spectrum: Floats) -> str:
    """Give a looping player with its label as HTML: FLAC is played everywhere, and has no gap where it begins again."""
    data = base64.b64encode(flac(spectrum)).decode()
    said = html.escape(label)
    return (
        f'<figure class="player"><figcaption>{said}</figcaption>'
        f'<audio controls loop preload="none" aria-label="{said}" src="data:audio/flac;base64,{data}"></audio></figure>'
    )
