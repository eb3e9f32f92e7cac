"""Synthesised sounds to learn from: steady textures in families, each with as many instruments as there are numbers.

A *patch* is such a number. Whatever makes a patch's character is drawn from its family's name and the number alone, so
that a patch that was held out of the training is an instrument which the model has never heard.
"""

import zlib
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from appliance.errors import StudioError
from appliance.spectrum.codec import Floats
from appliance.studio.sources import textures_cloud, textures_modal, textures_voice
from appliance.studio.sources.textures_bank import Doubles, Sound, mix

__all__ = ["FAMILIES", "Family", "render"]

Family = Callable[[np.random.Generator, Doubles, np.random.Generator], Sound]

FAMILIES: Mapping[str, Family] = MappingProxyType({
    "bells": textures_modal.bells,
    "bowed": textures_voice.bowed,
    "bowls": textures_modal.bowls,
    "choir": textures_voice.choir,
    "fm": textures_cloud.fm,
    "glass": textures_modal.glass,
    "granular": textures_cloud.granular,
    "noise": textures_cloud.noise,
    "pad": textures_voice.pad,
    "pipes": textures_voice.pipes,
    "strings": textures_voice.strings,
    "struck": textures_modal.struck,
    "wind": textures_cloud.wind,
})  # fmt: skip


def render(family: str, patch: int, notes: tuple[int, ...], rng: np.random.Generator) -> Floats:
    """Two seconds of a steady sound.

    Parameters
    ----------
    family : str
        A name in ``FAMILIES``.
    patch : int
        Which instrument of the family, from 0.
    notes : tuple of int
        MIDI notes (A440, equal temperament), 1 or more.
    rng : numpy.random.Generator
        Gives what differs from clip to clip: phases, detuning, balance of the notes, slow drift.

    Returns
    -------
    (88200, 2) float32
        At 44,100 Hz, root mean square 0.1 or, where peaks forbid it, less; never over 0.9.

    Raises
    ------
    StudioError
        If there is no such family or nothing to play.
    """
    if family not in FAMILIES:
        raise StudioError(f"There is no family of textures called '{family}'; there are {', '.join(FAMILIES)}.")
    if not notes or patch < 0:
        raise StudioError(f"A texture needs a note and a patch from 0 up; '{family}' got {notes} and {patch}.")
    character = np.random.default_rng((zlib.crc32(family.encode()), patch))
    hz = 440.0 * 2.0 ** ((np.array(notes, dtype=np.float64) - 69.0) / 12.0)
    return mix(FAMILIES[family](character, hz, rng), rng)
