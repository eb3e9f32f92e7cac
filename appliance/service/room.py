"""The room: what plays now, and what hands may do to it apart from moving quantities."""

import struct
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import numpy as np

from appliance.controls.telling import State
from appliance.engine.timeline import Timeline
from appliance.engine.writer import Change, Writer
from appliance.errors import ApiError, MoodError
from appliance.mood import PLACES, QUANTITIES, Place
from appliance.names import CORNERS
from appliance.score.space import Space
from appliance.score.taste import Taste
from appliance.service.places import Places
from appliance.spectrum.codec import Floats
from appliance.stream.ring import Ring
from appliance.stream.snapshot import snapshot
from appliance.stream.state import State as PlayerState

__all__ = ["Room"]

# A spot reaches as far as half of what two sounds of the model usually are apart.
_RADIUS: Final = 0.5
_AXES: Final = tuple(name for name in PLACES if name.startswith("axis"))
# A knob at its end shifts by so many standard deviations.
_AXIS_SD: Final = 2.0
# A player that has given no sign of life for so long is not sounding.
_SILENT_S: Final = 1.5


class Room:
    """A writer, the timeline that it plays from, and the places that people chose in its model.

    Parameters
    ----------
    folder : Path
        Where the places are kept.
    say : callable
        Told in one sentence of what cannot be read.
    """

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        self._folder = folder
        self._say = say
        self._writer: Writer | None = None
        self._ring: Ring | None = None
        self._timeline: Timeline | None = None
        self._space: Space | None = None
        self._places: Places | None = None
        self._corners: Floats | None = None
        self._heard: bytes | None = None
        self._unshifted = b""
        # What plays and what it is to be played to are changed together.
        self._lock = threading.Lock()

    def enter(self, timeline: Timeline) -> None:
        """Go over to a timeline from which nobody plays yet: what was kept and banned in its model holds at once."""
        if timeline is self._timeline:
            return
        with self._lock:
            if self._places is None or timeline.model != self._places.model:
                self._places, self._heard = self.places_in(timeline.model), None
            self._timeline = timeline
            timeline.adopt(self._taste)
            self._space = timeline.space
        self._note_corners()

    def places_in(self, model: str) -> Places:
        """Read what was kept and banned in the model of a digest."""
        return Places(self._folder, model, self._say)

    def change(self, change: Change, places: Places) -> None:
        """Let the music glide over to another model, whose instrument knows what was kept and banned in it.

        Raises
        ------
        ValueError
            While it still glides.
        """
        with self._lock:
            self.writer.change(change)
            self._places, self._heard, self._space = places, None, change.instrument.space
        self._note_corners()

    def play(self, writer: Writer, ring: Ring) -> None:
        """Let this writer be what is asked from now on, and this ring what is looked at."""
        with self._lock:
            self._ring, self._writer = ring, writer
            # Somebody may have banned something while it was made.
            writer.adopt(self._taste)

    def listen(self) -> None:
        """Note what sounds now: it is what a press in a rest is about."""
        # A corner is drawn to with the axes where they are then; a ban is on what was heard.
        sounds, unshifted = self.writer.sounding(), self.writer.sounding(shifted=False)
        if sounds and unshifted:
            self._heard, self._unshifted = sounds[0], unshifted[0]

    @property
    def writer(self) -> Writer:
        """What writes."""
        assert self._writer is not None
        return self._writer

    @property
    def places(self) -> Places:
        """The places of the model that plays."""
        assert self._places is not None
        return self._places

    def place(self, values: Mapping[str, float]) -> Place:
        """Where x, y, draw and the axes draw the music: the point between four corners, each by how near it is."""
        shift = [_AXIS_SD * values[name] for name in _AXES]
        while shift and shift[-1] == 0.0:
            shift.pop()
        if self._corners is None:
            return Place(shift=tuple(shift))
        x, y = values["x"], values["y"]
        weights = np.array([(1.0 - x) * y, x * y, (1.0 - x) * (1.0 - y), x * (1.0 - y)])
        target = tuple(float(value) for value in weights @ self._corners)
        return Place(target, values["draw"], tuple(shift))

    def state(self, standing: Mapping[str, float], now_ns: int) -> State:
        """How the room stands, for those outside."""
        assert self._ring is not None
        read, piece = snapshot(self._ring, now_ns), self.writer.place().cursor.now.piece
        alive = read.player.beat_age_s is not None and read.player.beat_age_s < _SILENT_S
        sounding = 0 if not alive else 2 if read.state == PlayerState.PLAYING else 1
        mood, place = ({name: standing[name] for name in names} for names in (QUANTITIES, PLACES))
        return State(mood, place, piece.number, piece.pattern, read.loudness_lufs if alive else None, sounding)

    # --- keep and never, from any thread that holds no lock of ours

    def heard(self) -> bytes:
        """The loudest of what sounds now; in a rest what sounded last. Raises ApiError."""
        self.listen()
        if self._heard is None:
            raise ApiError("Nothing has sounded yet: ask again when something does.")
        return self._heard

    def keep(self, radius: float | None, heard: bytes | None = None) -> dict[str, int]:
        """Remember a place: what sounds now, unless it was `heard` before."""
        return self._note(self.places.keep(heard or self.heard(), radius or _RADIUS).number)

    def never(self, radius: float | None, heard: bytes | None = None) -> dict[str, int]:
        """Ban a place, so too."""
        return self._note(self.places.ban(heard or self.heard(), radius or _RADIUS).number)

    def forget(self, spot: int) -> dict[str, int]:
        """Forget what was kept or banned under a number."""
        return self._note(self.places.forget(spot).number)

    def corner(self, which: str) -> dict[str, bool]:
        """Store the place that sounds now as a corner."""
        self.heard()
        self.places.set_corner(which, self._unshifted)
        self._note_corners()
        return self.corners()

    def clear_corner(self, which: str) -> dict[str, bool]:
        """Forget a corner."""
        self.places.clear_corner(which)
        self._note_corners()
        return self.corners()

    def corners(self) -> dict[str, bool]:
        """Which corners are stored."""
        stored = self.places.corners
        return {which: which in stored for which in CORNERS}

    def _note(self, number: int) -> dict[str, int]:
        with self._lock:
            self.writer.adopt(self._taste)
        return {"spot": number, "kept": len(self.places.kept), "banned": len(self.places.banned)}

    @property
    def _taste(self) -> Taste:
        return self.places.taste

    def _note_corners(self) -> None:
        assert self._space is not None
        stored = self.places.corners
        corners = None
        if all(which in stored for which in CORNERS):
            latents = np.array([struct.unpack("<32f", stored[which]) for which in CORNERS], dtype=np.float32)
            corners = self._space.whiten(latents)
            try:
                # What lies between them is no farther out than they are.
                for corner in corners:
                    Place(tuple(float(value) for value in corner), 1.0)
            except MoodError:
                self._say("A corner lies where no music is, so the corners draw nothing: store them anew.")
                corners = None
        self._corners = corners
