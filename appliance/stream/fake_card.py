"""A sound card that only pretends, for tests and for simulated nights."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from appliance.errors import CardError

__all__ = ["FakeCard"]

Floats = npt.NDArray[np.float32]


class FakeCard:
    """A card that keeps what it is given.

    Parameters
    ----------
    rate, channels : int
    sleep : callable or None
        Called with the length of each block in seconds: `time.sleep` makes it as slow as a real card, the
        sleep of a made-up clock lets a test drive it; None takes everything at once.
    latency_s : float
        What it says of itself.
    keep_s : float or None
        Only about so much of the latest is kept, in whole blocks; None keeps all.

    Attributes
    ----------
    name : str
    blocks : list of (n, channels) float32
    taken_frames : int
        All that was ever written.
    started, closed : bool
    """

    name = "fake"
    alsa_card = None
    remark = ""

    def __init__(
        self,
        rate: int,
        channels: int,
        sleep: Callable[[float], None] | None = None,
        *,
        latency_s: float = 0.0,
        keep_s: float | None = None,
    ) -> None:
        self.rate = rate
        self.channels = channels
        self.latency_s = latency_s
        self.blocks: list[Floats] = []
        self.taken_frames = 0
        self.started = False
        self.closed = False
        self._sleep = sleep
        self._keep_frames = None if keep_s is None else round(keep_s * rate)
        self._kept_frames = 0
        self._gone = False

    def start(self) -> None:
        """Begin to keep."""
        if self._gone or self.closed:
            raise CardError("The fake card is not there; plug it in before starting it.")
        self.started = True

    def write(self, block: Floats) -> None:
        """Keep a copy."""
        if self._gone or self.closed or not self.started:
            raise CardError("The fake card is not playing; start it before writing to it.")
        self.blocks.append(block.copy())
        self.taken_frames += len(block)
        self._kept_frames += len(block)
        while self._keep_frames is not None and self._kept_frames - len(self.blocks[0]) >= self._keep_frames:
            self._kept_frames -= len(self.blocks.pop(0))
        if self._sleep is not None:
            self._sleep(len(block) / self.rate)

    def close(self) -> None:
        """Keep no more."""
        self.closed = True

    def vanish(self) -> None:
        """Be pulled out: whatever is asked of it from here on raises CardError, but for `close`."""
        self._gone = True

    def come_back(self) -> None:
        """Be plugged in again, as if just opened; what was kept stays."""
        self._gone = self.closed = self.started = False

    @property
    def frames(self) -> Floats:
        """All that is kept, (n, channels) float32."""
        return np.concatenate([np.zeros((0, self.channels), dtype=np.float32), *self.blocks])
