"""Places in the timbre space of one model that people chose: four corners, and spots that are kept or banned."""

import struct
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from appliance.errors import LatentError, UsageError
from appliance.names import CORNERS, hint, quoted, sentence
from appliance.score import taste
from appliance.score.taste import Taste
from appliance.service.kept import Kept

__all__ = ["MOST_SPOTS", "Places", "PlacesFile", "Spot"]

MOST_SPOTS: Final = 500
# Twice of what the most spots take.
_MOST_BYTES: Final = 1 << 18
_DIGITS: Final = 16
# 32 numbers of four bytes, the lowest byte first.
_LATENT: Final = struct.Struct("<32f")
# Far outside all that music can come to.
_LARGEST: Final = 1e4
_EXACT: Final = ConfigDict(
    extra="forbid",
    strict=True,
    frozen=True,
    allow_inf_nan=False,
    ser_json_bytes="base64",
    val_json_bytes="base64",
)


def _latent(data: bytes) -> bytes:
    """Pass on the bytes of a latent. Raises ValueError if they are none."""
    if len(data) != _LATENT.size or not all(abs(value) <= _LARGEST for value in _LATENT.unpack(data)):
        raise ValueError("these are not 32 finite numbers")
    return data


Corner = Literal["top-left", "top-right", "bottom-left", "bottom-right"]
_Latent = Annotated[bytes, AfterValidator(_latent)]


class Spot(BaseModel):
    """What was kept or banned.

    Attributes
    ----------
    number : int
        From 1; never given twice.
    banned : bool
        Whether it is never to be heard again; else it is liked.
    latent : bytes
        32 numbers, float32 with the lowest byte first.
    radius : float
        How far around it, 0.1..2.
    saved_at : float
        Seconds since 1970 by a clock that may be wrong.
    """

    model_config = _EXACT

    number: Annotated[int, Field(ge=1, lt=1 << 53)]
    banned: bool
    latent: _Latent
    radius: Annotated[float, Field(ge=0.1, le=2.0)]
    saved_at: Annotated[float, Field(ge=0.0, le=1e11)]


class PlacesFile(BaseModel):
    """What the file of a model holds; ``last`` is the highest number that was ever given."""

    model_config = _EXACT

    corners: dict[Corner, _Latent] = {}
    spots: Annotated[tuple[Spot, ...], Field(max_length=MOST_SPOTS)] = ()
    last: Annotated[int, Field(ge=0, lt=(1 << 53) - 1)] = 0


class Places:
    """The places of one model, in ``places/DIGEST.json``; any thread may use them.

    They are those of a model and not of a file name or of a version of the software, so they survive updates.

    Parameters
    ----------
    folder : Path
        ``places`` is made there where it is missing.
    model_digest : str
        At least 16 hexadecimal digits that only this model has.
    say : callable
        Told in one sentence of what cannot be read.
    clock : callable
        Seconds since 1970.

    Attributes
    ----------
    model : str
        The digest.

    Raises
    ------
    ValueError
        If the digest is none.
    """

    def __init__(
        self,
        folder: Path,
        model_digest: str,
        say: Callable[[str], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.model = model_digest
        name = model_digest[:_DIGITS].lower()
        if len(name) < _DIGITS or not set(name) <= set("0123456789abcdef"):
            raise ValueError(f"{model_digest!r} is no digest of a model")
        self._kept = Kept(folder / "places" / f"{name}.json", PlacesFile(), _MOST_BYTES, say)
        self._clock = clock

    @property
    def corners(self) -> dict[str, bytes]:
        """The corners that are stored, each 32 numbers as float32 with the lowest byte first."""
        corners = self._kept.get().corners
        return {str(which): latent for which, latent in corners.items()}

    @property
    def spots(self) -> tuple[Spot, ...]:
        """All that was kept or banned, the oldest first."""
        return self._kept.get().spots

    @property
    def kept(self) -> tuple[Spot, ...]:
        """What is liked."""
        return tuple(spot for spot in self.spots if not spot.banned)

    @property
    def banned(self) -> tuple[Spot, ...]:
        """What is never to be heard again."""
        return tuple(spot for spot in self.spots if spot.banned)

    @property
    def taste(self) -> Taste:
        """What was kept and banned, as the score takes it."""
        kept, banned = (
            tuple(taste.Spot(spot.latent, spot.radius) for spot in spots) for spots in (self.kept, self.banned)
        )
        return Taste(kept, banned)

    def set_corner(self, which: str, latent: bytes) -> None:
        """Store a corner over what was there. Raises UsageError, ValueError; LatentError if the disk refuses."""
        _check_corner(which)
        checked = _latent(latent)
        self._kept.change(lambda file: file.model_copy(update={"corners": file.corners | {which: checked}}))

    def clear_corner(self, which: str) -> None:
        """Forget a corner, or nothing if it is not stored. Raises UsageError; LatentError if the disk refuses."""
        _check_corner(which)
        if which in self.corners:
            self._kept.change(lambda file: file.model_copy(update={"corners": _without(file.corners, which)}))

    def keep(self, latent: bytes, radius: float) -> Spot:
        """Remember a place as liked; see `ban`."""
        return self._add(latent, radius, banned=False)

    def ban(self, latent: bytes, radius: float) -> Spot:
        """Remember a place as one that is never to be heard again.

        Parameters
        ----------
        latent : bytes
            32 numbers, float32 with the lowest byte first.
        radius : float
            0.1..2.

        Raises
        ------
        ValueError
            If the latent is none, or the radius out of its range.
        LatentError
            If there are too many, or the disk refuses; all stays as it was.
        """
        return self._add(latent, radius, banned=True)

    def forget(self, number: int) -> Spot:
        """Forget what was kept or banned under a number, and give it. Raises UsageError; LatentError."""
        gone = [spot for spot in self.spots if spot.number == number]
        if not gone:
            raise UsageError(f"There is no spot {number}: latent keep --list and latent never --list show all.")
        self._kept.change(
            lambda file: file.model_copy(update={"spots": tuple(each for each in file.spots if each.number != number)})
        )
        return gone[0]

    def listed(self) -> list[dict[str, object]]:
        """Give all spots as the control socket tells them: ``spot``, ``banned``, ``radius``, ``saved_at``."""
        return [
            {"spot": each.number, "banned": each.banned, "radius": each.radius, "saved_at": each.saved_at}
            for each in self.spots
        ]

    def _add(self, latent: bytes, radius: float, *, banned: bool) -> Spot:
        now_s = self._clock()

        def add(file: PlacesFile) -> PlacesFile:
            if len(file.spots) >= MOST_SPOTS:
                raise LatentError(
                    f"There are {MOST_SPOTS} kept and banned spots, and no more fit: forget one first, "
                    "as in latent keep --forget 1."
                )
            number = max((file.last, *(spot.number for spot in file.spots))) + 1
            spot = Spot(number=number, banned=banned, latent=latent, radius=radius, saved_at=now_s)
            return file.model_copy(update={"spots": (*file.spots, spot), "last": number})

        return self._kept.change(add).spots[-1]


def _check_corner(which: str) -> None:
    if which not in CORNERS:
        raise UsageError(sentence(f"there is no corner called {quoted(which)}{hint(which, CORNERS)}"))


def _without(corners: Mapping[Corner, bytes], which: str) -> dict[Corner, bytes]:
    return {each: latent for each, latent in corners.items() if each != which}
