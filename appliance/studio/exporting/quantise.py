"""Which decoder ships, int8 or float32, and why."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from appliance.model.decoder import Decoder as Player
from appliance.spectrum.codec import Floats
from appliance.studio.exporting import graph, measure, motion
from appliance.studio.exporting.atlas import LendingDecoder

__all__ = ["INT8_LIMIT_DB", "Quantised", "quantise"]

INT8_LIMIT_DB = 0.5
_DRAWS = 1000
_FAR = 2.0


@dataclass(frozen=True)
class Quantised:
    """What ships.

    Attributes
    ----------
    content : bytes
        ONNX.
    decode, reference : callable
        It, and the float32 decoder: (n, 32) to (n, 1233).
    off_db : float
        RMS difference of the int8 decoder from float32 at the places.
    int8_us, fp32_us : float
        Median time of one spectrum, taken in turns.
    int8 : bool
        Whether the int8 decoder ships.
    """

    content: bytes
    decode: Callable[[Floats], Floats]
    reference: Callable[[Floats], Floats]
    off_db: float
    int8_us: float
    fp32_us: float
    int8: bool

    def __str__(self) -> str:
        measured = (
            f"int8 is {self.off_db:.2f} dB RMS off float32; one spectrum takes {self.int8_us:.0f} us against "
            f"{self.fp32_us:.0f} us (one thread)"
        )
        return f"The decoder is int8: {measured}." if self.int8 else f"The decoder is float32, because {measured}."


def quantise(model: LendingDecoder) -> Quantised:
    """Ship int8 only where it is close to float32 and faster than it."""
    places = model.places.numpy()
    axes, scale = motion.principal_axes(places)
    # Calibrated far out too: a recording from elsewhere lies beyond all draws, and what int8 cuts off is lost.
    far = motion.draws(places, axes, scale, _DRAWS, np.random.default_rng(2), _FAR)
    plain = graph.decoder_onnx(model, None)
    small = graph.decoder_onnx(model, graph.calibrate(model, torch.cat([model.places, torch.from_numpy(far)])))
    float32, int8 = Player(plain, "fp32").decode, Player(small, "int8").decode
    off_db = measure.rms_db(int8(places), float32(places))
    fp32_us, int8_us = measure.time_us((float32, int8), places[:1])
    ships = off_db <= INT8_LIMIT_DB and int8_us < fp32_us
    content, decode = (small, int8) if ships else (plain, float32)
    return Quantised(content, decode, float32, off_db, int8_us, fp32_us, ships)
