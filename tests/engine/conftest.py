import numpy as np
import pytest

from appliance.engine.timeline import Timeline
from appliance.model.bundle import read
from appliance.model.library import find
from appliance.synth.beds import Beds
from appliance.synth.weather import weather

RATE = 48_000


@pytest.fixture(scope="session")
def bundle():
    return read(find(None))


@pytest.fixture(scope="session")
def make_timeline(bundle):
    """Build the real engine on the shipped model, with or without the built-in beds."""
    beds = Beds(weather(RATE, 2, np.random.default_rng(1)), RATE, RATE)

    def make(with_beds: bool = True, rate: int = RATE, channels: int = 2) -> Timeline:
        return Timeline(bundle, rate, channels, beds if with_beds else None, -20.0, -1.0)

    return make
