"""Ears for a night: every sample of it is looked at as it comes, and little is kept."""

from dataclasses import dataclass, field

import numpy as np
from soak.two_hours import sounds_of

from appliance.score.piece import Piece
from appliance.spectrum.codec import BINS, CLIP_S, Floats, analyse, decibels
from appliance.stream.layout import BLOCK_FRAMES
from appliance.stream.reader import CEILING
from appliance.synth.loudness import loop_lufs

__all__ = ["Ears", "Heard"]

_TARGET_LUFS = -20.0
_TOLERATED_LU = 1.0
_HOUR_S = 3600
# A bend (second difference) is compared with those of the hundredth of a second around it. A single sample that is
# wrong stands out by up to 22, music by no more than this.
_CLICK = 12.0
# What bends less is heard by nobody.
_CLICK_FLOOR = 3e-4
_SURROUNDINGS = 480
_REACH = 3
# At seams the largest may exceed that at as many random places by so much.
_SEAM_EXCESS = 1.25
_HOLE_S = 0.02
_HOLE = 1e-3
# After the card is opened the sound fades in.
_FADED_IN_S = 0.6
_SAME_PLACE = 0.05
_HEARD_DB = -75.0


@dataclass(frozen=True)
class Heard:
    """What was heard.

    Attributes
    ----------
    minutes : float
    hourly_lufs : tuple of float
        Loudness of each whole hour, from two seconds of each ten: in less time music need not be level.
    peak : float
    not_finite : int
        Samples.
    clicks : int
        Places where a bend stands out of its surroundings.
    largest_bend : float
        By which it does so most.
    seams : dict
        For each kind: how many, and the largest bend there over its surroundings.
    random_bend : float
        The largest at as many random places as there are seams.
    longest_hole_s : float
    pieces, repeats : int
    least_difference_db : float or None
        Of the mean spectra of two hours, RMS over what can be heard; None for less than two.
    own_difference_db : float
        The most that the even clips of an hour differ from its odd ones: what chance makes of the same music.
    """

    minutes: float
    hourly_lufs: tuple[float, ...]
    peak: float
    not_finite: int
    clicks: int
    largest_bend: float
    seams: dict[str, tuple[int, float]]
    random_bend: float
    longest_hole_s: float
    pieces: int
    repeats: int
    least_difference_db: float | None
    own_difference_db: float

    def wrong(self) -> list[str]:
        """Say what is wrong, a sentence each."""
        limit = max(_SEAM_EXCESS * self.random_bend, _CLICK / 2.0)
        said = {
            f"{self.not_finite} samples are not finite.": self.not_finite,
            f"{self.clicks} clicks were heard.": self.clicks,
            f"The sound was gone for {self.longest_hole_s:.2f} s.": self.longest_hole_s,
            f"The ceiling was passed: {self.peak:.3f}.": not self.peak <= CEILING * (1.0 + 1e-6),
            f"{self.repeats} pieces came again.": self.repeats,
        }
        for name, (count, bend) in self.seams.items():
            said[f"One of {count} seams ({name}) stands out: {bend:.1f} over {limit:.1f}."] = bend > limit
        for hour, lufs in enumerate(self.hourly_lufs):
            said[f"Hour {hour} has {lufs:.1f} LUFS."] = not abs(lufs - _TARGET_LUFS) <= _TOLERATED_LU
        if self.least_difference_db is not None:
            alike = self.least_difference_db < self.own_difference_db
            said[f"Two hours are alike: {self.least_difference_db:.1f} dB."] = alike
        return [sentence for sentence, so in said.items() if so]


@dataclass
class _Period:
    """An hour, or the whole of a shorter night."""

    clips: int = 0
    power: float = 0.0
    # Of its even clips and of its odd ones.
    spectra: Floats = field(default_factory=lambda: np.zeros((2, BINS), dtype=np.float64))

    def own_difference_db(self) -> float:
        return _rms(self.spectra[0] / (self.clips - self.clips // 2) - self.spectra[1] / (self.clips // 2))


class Ears:
    """Listens to a night.

    Parameters
    ----------
    rate : int
        Frames per second.
    period_s : float
        Over which loudness and spectra are taken.
    """

    def __init__(self, rate: int, period_s: float) -> None:
        self._rate = rate
        self._period_frames = round(period_s * rate)
        self._rng = np.random.default_rng(1)
        self._frames = 0
        self._blocks = 0
        self._marks: list[tuple[str, int]] = []
        self._gaps: list[int] = [0]
        self._tail: Floats = np.zeros((0, 2), dtype=np.float32)
        self._periods: list[_Period] = []
        self._peak = 0.0
        self._not_finite = 0
        self._clicks = 0
        self._largest = 0.0
        self._hole_s = 0.0
        self._quiet = 0
        self._seams: dict[str, tuple[int, float]] = {}
        self._random = 0.0
        self._places: dict[tuple[int, int], Floats] = {}
        self._recent: list[tuple[int, int]] = []
        self._repeats = 0

    # --- what is going on, told while it is played

    def seam(self, kind: str, offset: int) -> None:
        """In the block that was just played something meets something, so many frames after its beginning."""
        self._marks.append((kind, self._blocks * BLOCK_FRAMES + offset))

    def block(self) -> None:
        """A block was played."""
        self._blocks += 1

    def gap(self) -> None:
        """Here the card was gone: what follows does not go on from what was before."""
        self._gaps.append(self._blocks * BLOCK_FRAMES)

    def piece(self, seed: int, piece: Piece) -> bool:
        """This piece plays; whether it did not just before."""
        key = (seed, piece.number)
        if self._recent and key == self._recent[-1]:
            return False
        latents = sounds_of(piece)
        # Around a turn the piece before may be gone back to for a moment.
        if key not in self._recent[-2:]:
            others = [place for other, place in self._places.items() if other not in self._recent[-1:]]
            if others and _distance(latents, np.concatenate(others)) < _SAME_PLACE:
                self._repeats += 1
        self._places[key] = latents
        self._recent.append(key)
        return True

    # --- the sound

    def listen(self, sound: Floats) -> None:
        """Take what was played since the last time, (frames, 2) float32."""
        finite = np.isfinite(sound)
        self._not_finite += int(sound.size - np.count_nonzero(finite))
        sound = np.where(finite, sound, np.float32(0.0))
        self._peak = max(self._peak, float(np.abs(sound).max()))
        self._measure(sound)
        self._find_holes(sound)
        whole = np.concatenate([self._tail, sound])
        self._find_clicks(whole, self._frames - len(self._tail))
        self._tail = whole[-4 * _SURROUNDINGS :]
        self._frames += len(sound)

    def _measure(self, sound: Floats) -> None:
        period = self._frames // self._period_frames
        while len(self._periods) <= period:
            self._periods.append(_Period())
        clip = sound[: round(CLIP_S * self._rate)]
        since_gap = self._frames - max(gap for gap in self._gaps if gap <= self._frames)
        if since_gap < _FADED_IN_S * self._rate or len(clip) < CLIP_S * self._rate:
            return
        now = self._periods[period]
        now.spectra[now.clips % 2] += np.maximum(decibels(analyse(clip, self._rate)), _HEARD_DB)
        now.clips += 1
        now.power += 10.0 ** (loop_lufs(clip, self._rate) / 10.0)

    def _find_holes(self, sound: Floats) -> None:
        step = round(_HOLE_S * self._rate)
        levels = np.abs(sound[: len(sound) // step * step]).reshape(-1, step * 2).max(axis=1)
        for place, level in enumerate(levels):
            at = self._frames + place * step
            fading = any(0 <= at - gap < _FADED_IN_S * self._rate for gap in self._gaps[-3:])
            self._quiet = 0 if fading or level > _HOLE else self._quiet + 1
            self._hole_s = max(self._hole_s, self._quiet * _HOLE_S)

    def _find_clicks(self, sound: Floats, begin: int) -> None:
        """Look at every sample that has surroundings on both sides; the last ones wait for the next time."""
        bends = np.abs(np.diff(sound, n=2, axis=0)).max(axis=1)
        power = np.concatenate([[0.0], np.cumsum(np.square(bends, dtype=np.float64))])
        reach = _SURROUNDINGS
        around = np.sqrt(np.maximum(power[2 * reach :] - power[: -2 * reach], 1e-12) / (2 * reach))
        # Place p of `over` is the bend whose middle is frame p + reach + 1 of the sound.
        middle = bends[reach : reach + len(around)]
        over = np.where(middle > _CLICK_FLOOR, middle / np.maximum(around, 1e-6), 0.0)
        first = begin + reach + 1
        for gap in self._gaps[-8:]:
            over[max(0, gap - first - _REACH) : max(0, gap - first + _SURROUNDINGS)] = 0.0
        fresh = over[2 * reach :] if begin else over
        loud = np.flatnonzero(fresh > _CLICK)
        self._clicks += int(np.count_nonzero(np.diff(loud, prepend=-reach) > reach // 2))
        self._largest = max(self._largest, float(fresh.max(initial=0.0)))
        self._compare(over, first)

    def _compare(self, over: Floats, first: int) -> None:
        """Compare seams with as many random places."""
        waiting = []
        for kind, frame in self._marks:
            place = frame - first
            if place + _REACH >= len(over):
                waiting.append((kind, frame))
            elif place >= _REACH:
                count, largest = self._seams.get(kind, (0, 0.0))
                here = float(over[place - _REACH : place + _REACH].max())
                self._seams[kind] = (count + 1, max(largest, here))
                draw = int(self._rng.integers(_REACH, len(over) - _REACH))
                self._random = max(self._random, float(over[draw - _REACH : draw + _REACH].max()))
        self._marks = waiting

    def heard(self) -> Heard:
        """Tell what was heard."""
        hours = self._periods[: self._frames // (_HOUR_S * self._rate)]
        full = [each for each in self._periods if each.clips > 20]
        spectra = [each.spectra.sum(axis=0) / each.clips for each in full]
        differences = [_rms(one - other) for index, one in enumerate(spectra) for other in spectra[:index]]
        return Heard(
            minutes=self._frames / self._rate / 60.0,
            hourly_lufs=tuple(10.0 * float(np.log10(each.power / each.clips)) for each in hours if each.clips),
            peak=self._peak,
            not_finite=self._not_finite,
            clicks=self._clicks,
            largest_bend=self._largest,
            seams=self._seams,
            random_bend=self._random,
            longest_hole_s=self._hole_s,
            pieces=len(self._places),
            repeats=self._repeats,
            least_difference_db=min(differences, default=None),
            own_difference_db=max((each.own_difference_db() for each in full), default=0.0),
        )


def _rms(difference: Floats) -> float:
    return float(np.sqrt(np.mean(np.square(difference))))


def _distance(latents: Floats, others: Floats) -> float:
    return float(np.linalg.norm(latents[:, np.newaxis] - others[np.newaxis], axis=2).min())
