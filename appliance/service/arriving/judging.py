"""What is found out about a model that came from elsewhere: all of it, up to a performance by the whole engine.

Only `appliance.service.arriving.try_out` does so, in a process that is thrown away; here are no walls.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from appliance.engine.timeline import Timeline
from appliance.errors import DamagedError, ModelError
from appliance.model.archive import ArchiveError
from appliance.model.bundle import Bundle, parse
from appliance.model.decoder import open_decoder, open_encoder
from appliance.model.graph import check_graph
from appliance.model.probe import check_axes, check_sounds, check_statistics
from appliance.model.verdict import Verdict
from appliance.mood import AT_REST
from appliance.service.arriving.sandbox import memory_mb
from appliance.service.arriving.trial import TrialLimits
from appliance.spectrum.codec import FLOOR_DB, Floats
from appliance.studio.exporting import motion
from appliance.synth.loudness import loop_lufs

__all__ = ["judged", "memory_ended"]

_RATE: Final = 48_000
_CHANNELS: Final = 2
_TARGET_LUFS: Final = -20.0
_CEILING_DBTP: Final = -1.0
_RENDERED_S: Final = 20.0
_DRAWS: Final = 64
_SEED: Final = 1
# The engine decodes about so many places for a second of sound.
_PLACES_A_SECOND: Final = 4
# By what factor the spectrum may change faster or slower at `wiggle_speed` than is meant; with shipped models, 1.07.
_WIGGLE_FACTOR: Final = 3.0
# The studio looks for it up to 2 standard deviations a second.
_FASTEST_WIGGLE: Final = 2.0
# How words of a foreign library say that memory ended.
_NO_MEMORY: Final = ("bad_alloc", "bad allocation", "failed to allocate", "out of memory")


def judged(data: bytes, name: str, limits: TrialLimits) -> Verdict:
    """Judge the bytes of a file, in this process and without walls; ``name`` is what sentences call it."""
    found: dict[str, Any] = {}
    try:
        for facts in _facts(data, name, limits):
            found |= facts
    except ModelError as error:
        whole = not isinstance(error, DamagedError)
        reason = memory_ended(name, limits) if _lacks_memory(error) else str(error)
        return Verdict(accepted=False, reason=reason, whole=whole, **found)
    except MemoryError:
        return Verdict(accepted=False, reason=memory_ended(name, limits), **found)
    # A model may fail the engine in ways that nobody foresaw, and none of them is to be heard in the room.
    except Exception as error:
        reason = f"{name} makes the engine fail ({type(error).__name__}); export it anew."
        return Verdict(accepted=False, reason=reason, **found)
    return Verdict(accepted=True, **found)


def memory_ended(name: str, limits: TrialLimits) -> str:
    """Say that a model needs too much memory."""
    return f"{name} needs more memory than the {limits.memory_mb:g} MB allowed; export a smaller model."


def _facts(data: bytes, name: str, limits: TrialLimits) -> Iterator[dict[str, Any]]:
    """Go from check to check, and give what each found out for the verdict. Raises ModelError."""
    before_mb, _ = memory_mb()
    bundle = parse(Path(name), data)
    manifest = bundle.manifest
    yield {"name": manifest.name, "licence": manifest.licence, "author": manifest.author, "created": manifest.created}
    yield {"digest": bundle.digest, "size": len(data)}
    check_axes(bundle)
    _check_graphs(bundle, name)
    decoder = open_decoder(bundle)
    yield {"precision": decoder.precision}
    open_encoder(bundle)
    _check_speed(name, limits, decoder.decode)
    axes, scale = np.array(manifest.pca_axes), np.array(manifest.pca_scale)
    atlas = bundle.parts.atlas
    check_sounds(bundle, decoder.decode, motion.draws(atlas, axes, scale, _DRAWS, np.random.default_rng(_SEED)))
    check_statistics(bundle, decoder.decode)
    _check_wiggle(bundle, decoder.decode, axes, scale)
    yield from _played(bundle, name, limits)
    _, most_mb = memory_mb()
    yield {"memory_mb": round(max(most_mb - before_mb, 0.0), 1)}
    if most_mb - before_mb > limits.memory_mb:
        raise ModelError(memory_ended(name, limits))


def _check_graphs(bundle: Bundle, name: str) -> None:
    parts = bundle.parts
    networks = {"decoder.onnx": parts.decoder, "decoder.fp32.onnx": parts.decoder_fp32, "encoder.onnx": parts.encoder}
    for member, content in networks.items():
        try:
            if content is not None:
                check_graph(content, member)
        except ArchiveError as error:
            raise ModelError(f"{name} {error}; {error.remedy}.") from error


def _check_speed(name: str, limits: TrialLimits, decode: motion.Decode) -> None:
    """See early whether decoding alone is too slow: opening the engine decodes a thousand places."""
    began_s = time.process_time()
    decode(np.zeros((_DRAWS, 32), dtype=np.float32))
    _check_factor(name, limits, _DRAWS / _PLACES_A_SECOND, time.process_time() - began_s)


def _check_wiggle(bundle: Bundle, decode: motion.Decode, axes: Any, scale: Any) -> None:
    told = bundle.manifest.statistics.wiggle_speed
    if told > _FASTEST_WIGGLE:
        raise ModelError(f"{bundle.path} has a wiggle_speed of {told:.3g}, which no model needs; export it anew.")
    here, there = motion.helix(told, bundle.parts.atlas, axes, scale)
    change = np.subtract(decode(there), decode(here))
    db_per_s = float(np.sqrt(np.square(change).mean(axis=1)).mean()) * -FLOOR_DB
    meant = motion.WIGGLE_DB_PER_S
    if not meant / _WIGGLE_FACTOR <= db_per_s <= meant * _WIGGLE_FACTOR:
        raise ModelError(
            f"{bundle.path} has a wiggle_speed of {told:.3g}, at which its sound changes by {db_per_s:.2g} dB a second "
            f"where {meant:g} are meant; export it anew."
        )


def _played(bundle: Bundle, name: str, limits: TrialLimits) -> Iterator[dict[str, Any]]:
    """Let the whole engine play it."""
    began_s = time.process_time()
    timeline = Timeline(bundle, _RATE, _CHANNELS, None, _TARGET_LUFS, _CEILING_DBTP)
    cursor = timeline.start(_SEED, AT_REST)
    composing_s = time.process_time() - began_s
    if composing_s > limits.composing_s:
        raise ModelError(
            f"{name} is too slow for this machine: composing takes {composing_s:.0f} s where {limits.composing_s:g} s "
            "are allowed; export a smaller model."
        )
    hops, spent_s = [], 0.0
    for number in range(1, round(_RENDERED_S / timeline.hop_s) + 1):
        began_s = time.process_time()
        cursor, hop = timeline.step(cursor, AT_REST)
        spent_s += time.process_time() - began_s
        # A share of the whole is enough to tell, and a slow one would take minutes.
        if spent_s > _RENDERED_S / limits.realtime_factor:
            _check_factor(name, limits, number * timeline.hop_s, spent_s)
        if not np.isfinite(hop).all():
            raise ModelError(f"{name} makes the engine give sound that is not finite; train and export it anew.")
        hops.append(hop)
    _check_factor(name, limits, _RENDERED_S, spent_s)
    yield {"realtime_factor": round(_RENDERED_S / spent_s, 1)}
    yield from _measured(name, limits, np.concatenate(hops))


def _measured(name: str, limits: TrialLimits, sound: Floats) -> Iterator[dict[str, Any]]:
    lufs = loop_lufs(sound, _RATE)
    if lufs == float("-inf"):
        raise ModelError(f"{name} is silent when it is played; train and export it anew.")
    yield {"loudness_lufs": round(lufs, 2)}
    if abs(lufs - _TARGET_LUFS) > limits.off_target_lu:
        raise ModelError(
            f"{name} plays at {lufs:.1f} LUFS where {_TARGET_LUFS:g} are wanted; train it on louder or steadier sounds."
        )


def _check_factor(name: str, limits: TrialLimits, sound_s: float, spent_s: float) -> None:
    factor = sound_s / max(spent_s, 1e-6)
    if factor < limits.realtime_factor:
        raise ModelError(
            f"{name} is too slow for this machine: it plays at {factor:.1f} times real time where "
            f"{limits.realtime_factor:g} are needed; export a smaller model."
        )


def _lacks_memory(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, MemoryError) or any(words in str(error).lower() for words in _NO_MEMORY):
            return True
        error = error.__cause__
    return False
