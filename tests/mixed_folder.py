"""A folder as artists have them: some forty files of all sorts, some of them of no use.

Everything is synthesised here with numpy and written by soundfile or ffmpeg, so it may be used for anything.
"""

import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

Sound = npt.NDArray[np.float64]
SECONDS = 7.0
# What must come of each file, by its place below the folder; what is not named here is good.
UNREADABLE = ("broken/empty.wav", "broken/half a header.wav", "broken/letter.wav", "broken/picture.flac")
SILENT = ("silent/digital.wav", "silent/hiss.flac", "silent/offset.wav", "silent/room.mp3")
DRUMS = ("drums/break.mp3", "drums/hat.flac", "drums/kick.wav", "drums/plucks.ogg", "drums/words.m4a")
CLIPPED = ("clipped/chord.wav", "clipped/choir.flac", "clipped/strings.aiff")
COPIES = ("saved twice/chord.mp3", "saved twice/wind, quieter.flac", "saved twice/organ at 32k.wav")
SHORT = ("short/click.wav",)


def make(folder: Path, seconds: float = SECONDS) -> list[str]:
    """Fill a folder; gives the names of the good files, in order."""
    good = _good(folder, seconds)
    _drums(folder, seconds)
    _silent(folder, seconds)
    _clipped(folder, seconds)
    _broken(folder)
    _copies(folder, good)
    (folder / "field" / "LICENSE.txt").write_text("\nCC0 1.0: no rights reserved\n\nAll of it.\n")
    (folder / "notes.txt").write_text("This is no recording.\n")
    (folder / ".hidden.wav").write_bytes(b"left alone")
    return sorted(good)


def write(path: Path, sound: Sound, rate: int, subtype: str | None = None, channels: int = 1) -> None:
    """Write a sound, (frames,) or (frames, channels); what soundfile cannot write ffmpeg does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    frames = sound if sound.ndim == 2 else np.repeat(sound[:, np.newaxis], channels, axis=1)
    if path.suffix in (".m4a", ".mka", ".mp3", ".opus", ".wma"):
        command = ["ffmpeg", "-nostdin", "-v", "error", "-y", "-f", "f32le", "-ar", str(rate)]
        command += ["-ac", str(frames.shape[1]), "-i", "pipe:0", "-b:a", "192k", f"file:{path}"]
        subprocess.run(command, input=frames.astype("<f4").tobytes(), check=True)
    else:
        soundfile.write(path, frames, rate, subtype=subtype)


def time_of(seconds: float, rate: int) -> Sound:
    return np.arange(round(seconds * rate)) / rate


def chord(seconds: float, rate: int, hz: tuple[float, ...], partials: int = 5, tilt: float = 1.0) -> Sound:
    """Held tones of several partials each, all of them steady."""
    t = time_of(seconds, rate)
    tones = [(one * k, k**-tilt) for one in hz for k in range(1, partials + 1) if one * k < 0.45 * rate]
    return levelled(np.sum([a * np.sin(2 * np.pi * f * t + f) for f, a in tones], axis=0))


def noise(seconds: float, rate: int, seed: int, low_hz: float, high_hz: float, tilt: float = 0.0) -> Sound:
    """Noise between two frequencies, falling by ``tilt`` times 6 dB an octave."""
    lines = np.fft.rfft(np.random.default_rng(seed).normal(size=round(seconds * rate)))
    hz = np.fft.rfftfreq(round(seconds * rate), 1 / rate)
    lines *= ((hz > low_hz) & (hz < high_hz)) / np.maximum(hz, low_hz) ** tilt
    return levelled(np.fft.irfft(lines, round(seconds * rate)))


def struck(seconds: float, rate: int, gap_s: float, ring_s: float, shape: Callable[[Sound], Sound]) -> Sound:
    """One sound struck again and again."""
    t = time_of(seconds, rate)
    return levelled(shape(t % gap_s) * np.exp(-(t % gap_s) / ring_s))


def levelled(sound: Sound, peak: float = 0.4) -> Sound:
    return np.asarray(sound * (peak / np.abs(sound).max()))


def _good(folder: Path, s: float) -> list[str]:
    """Chords, pads and noise in all formats, rates, depths and numbers of channels."""
    wide = np.stack([chord(s, 48_000, (110.0 * k, 165.0 * k), 9) for k in (1, 1.003)], axis=1)
    field = np.stack([noise(s, 44_100, seed, 60, 9_000, 0.7) for seed in (1, 2)], axis=1)
    six = np.stack([noise(s, 48_000, 10 + k, 100 * (k + 1), 700 * (k + 1)) for k in range(6)], axis=1)
    swell = 1.0 + 0.2 * np.sin(2 * np.pi * 0.3 * time_of(s, 44_100))
    bell = chord(s, 44_100, (523.0, 1_377.0, 2_811.0), 1) * np.exp(-time_of(s, 44_100) / 5)
    files: list[tuple[str, Sound, int, str | None, int]] = [
        ("chord.wav", chord(s, 44_100, (110, 138.6, 164.8)), 44_100, "PCM_16", 1),
        ("Größe & Ähnliches/Klang 音.flac", chord(s, 44_100, (146.8, 220, 349.2), 7), 44_100, "PCM_24", 2),
        ("Größe & Ähnliches/-dash first.wav", chord(s, 44_100, (98, 196, 246.9), 4), 44_100, "PCM_16", 1),
        ("pads/organ.wav", chord(s, 48_000, (65.4, 130.8, 261.6), 8, 0.5), 48_000, "PCM_16", 2),
        ("pads/wide.wav", wide, 48_000, "FLOAT", 2),
        ("pads/eight bits.wav", chord(s, 22_050, (123.5, 185), 6), 22_050, "PCM_U8", 1),
        ("pads/long ago.wav", chord(s, 8_000, (233, 311), 4), 8_000, "PCM_16", 1),
        ("pads/studio.wav", chord(s, 96_000, (92.5, 277.2), 12, 1.5), 96_000, "PCM_24", 2),
        ("pads/bats.flac", chord(s, 192_000, (174.6, 415.3), 10, 0.8), 192_000, "PCM_24", 1),
        ("pads/glass.aiff", chord(s, 44_100, (880, 1_318.5, 1_760), 3), 44_100, "PCM_24", 2),
        ("pads/song.mp3", chord(s, 44_100, (77.8, 155.6, 233.1), 6), 44_100, None, 2),
        ("pads/song.m4a", chord(s, 44_100, (103.8, 207.7, 311.1), 6), 44_100, None, 2),
        ("pads/song.ogg", chord(s, 44_100, (116.5, 174.6, 293.7), 6), 44_100, None, 2),
        ("pads/call.opus", chord(s, 48_000, (261.6, 329.6, 392), 4), 48_000, None, 1),
        ("pads/film.mka", chord(s, 48_000, (73.4, 293.7, 440), 5), 48_000, None, 2),
        ("pads/swell.wav", chord(s, 44_100, (82.4, 123.5, 185), 9) * swell, 44_100, "PCM_32", 1),
        ("pads/bell.flac", bell, 44_100, "PCM_16", 1),
        ("field/wind.wav", noise(s, 44_100, 3, 40, 1_200, 1.0), 44_100, "PCM_16", 1),
        ("field/rain/roof.flac", field, 44_100, "PCM_16", 2),
        ("field/rain/leaves.ogg", noise(s, 44_100, 4, 1_500, 12_000), 44_100, None, 1),
        ("field/river.mp3", noise(s, 48_000, 5, 200, 4_000, 0.5), 48_000, None, 1),
        ("field/six microphones.wav", six, 48_000, "PCM_24", 6),
        ("field/engine.wma", noise(s, 44_100, 6, 50, 400) + chord(s, 44_100, (50, 100), 6), 44_100, None, 1),
        ("field/AIR.WAV", noise(s, 32_000, 7, 2_000, 5_000), 32_000, "DOUBLE", 1),
    ]
    for name, sound, rate, subtype, channels in files:
        write(folder / name, sound, rate, subtype, channels)
    return [name for name, *_ in files]


def _drums(folder: Path, s: float) -> None:
    rng = np.random.default_rng(8)

    def kick(t: Sound) -> Sound:
        return np.sin(2 * np.pi * (50 * t + 1.2 * (1 - np.exp(-t / 0.03))))

    def hiss(t: Sound) -> Sound:
        return rng.normal(size=len(t))

    def pluck(t: Sound) -> Sound:
        return np.sum([np.sin(2 * np.pi * 220 * k * t) / k for k in range(1, 9)], axis=0)

    syllables = np.clip(np.sin(2 * np.pi * 2.3 * time_of(s, 44_100)), 0, None)
    write(folder / "drums/kick.wav", struck(s, 44_100, 0.5, 0.1, kick), 44_100)
    write(folder / "drums/hat.flac", struck(s, 44_100, 0.25, 0.03, hiss), 44_100)
    write(folder / "drums/plucks.ogg", struck(s, 44_100, 0.7, 0.4, pluck), 44_100)
    both = struck(s, 44_100, 0.5, 0.1, kick) + 0.4 * struck(s, 44_100, 0.25, 0.05, hiss)
    write(folder / "drums/break.mp3", levelled(both), 44_100, channels=2)
    write(folder / "drums/words.m4a", levelled(chord(s, 44_100, (120,), 20, 0.7) * syllables), 44_100)


def _silent(folder: Path, s: float) -> None:
    write(folder / "silent/digital.wav", np.zeros(round(s * 44_100)), 44_100)
    write(folder / "silent/hiss.flac", 2e-4 * noise(s, 44_100, 9, 20, 20_000), 44_100)
    write(folder / "silent/offset.wav", np.full(round(s * 44_100), 0.25), 44_100)
    write(folder / "silent/room.mp3", 1e-3 * chord(s, 44_100, (100,), 2), 44_100)
    write(folder / "short/click.wav", chord(0.4, 44_100, (500,)), 44_100)


def _clipped(folder: Path, s: float) -> None:
    over = (chord(s, 44_100, (130.8, 196)), chord(s, 44_100, (174.6, 261.6), 9), chord(s, 44_100, (87.3, 220), 7, 0.6))
    for name, sound in zip(CLIPPED, over, strict=True):
        write(folder / name, np.clip(levelled(sound, 2.0), -1, 1), 44_100)


def _broken(folder: Path) -> None:
    (folder / "broken").mkdir()
    (folder / "broken/empty.wav").touch()
    (folder / "broken/half a header.wav").write_bytes((folder / "chord.wav").read_bytes()[:30])
    (folder / "broken/letter.wav").write_text("Dear Sir or Madam,\n" * 200)
    (folder / "broken/picture.flac").write_bytes(_picture())


def _picture() -> bytes:
    """A PNG of 8 by 8 grey dots."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    size = (8).to_bytes(4, "big")
    dots = zlib.compress(bytes([0, *[128] * 8]) * 8)
    head = chunk(b"IHDR", size + size + bytes([8, 0, 0, 0, 0]))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", dots) + chunk(b"IEND", b"")


def _copies(folder: Path, good: list[str]) -> None:
    """The same sound in another format, level or rate."""
    changes = (["-b:a", "160k"], ["-af", "volume=-9dB"], ["-ar", "32000"])
    originals = ("chord.wav", "field/wind.wav", "pads/organ.wav")
    assert set(originals) <= set(good)
    (folder / "saved twice").mkdir()
    for original, name, change in zip(originals, COPIES, changes, strict=True):
        source, target = f"file:{folder / original}", f"file:{folder / name}"
        subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-y", "-i", source, *change, target], check=True)
