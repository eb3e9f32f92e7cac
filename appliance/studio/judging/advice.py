"""What to do next, in words, by plain rules over what was measured.

Each rule looks at one thing and says one sentence or nothing; they stand in the order in which to follow them.
"""

from collections.abc import Callable

import numpy as np

from appliance.studio.judging import verdict as bars
from appliance.studio.judging.judgement import Judgement
from appliance.studio.judging.verdict import scores

__all__ = ["advise"]

_FEW_CLIPS, _FEW_SOURCES = 2000, 30
_LARGE_SHARE = 0.3
_OVERFIT = 1.25
_STILL_FALLING_DB = 0.05
_ODD_SOURCE = 1.3
_NAMED = 3
_FAR_RADIUS = 0.25
_ENTANGLED = 0.7
_VAGUE_CORRELATION = 0.8
_JUMPY = 3.0
_UNLIKE = 0.5
_PLACES = 2048
# Mean distance from the origin of N(0, 1) in 32 dimensions: sqrt(2) gamma(33 / 2) / gamma(16).
_RADIUS = 5.612


def advise(judgement: Judgement) -> list[str]:
    """Say what to do next, the most useful first; never nothing."""
    said = [sentence for rule in _RULES if (sentence := rule(judgement))]
    if said:
        return said
    passed = all(score.passed for score in scores(judgement))
    if passed:
        return ["Nothing stands in the way: write it with 'latent studio export mine.latent' and listen to it."]
    return [
        "No rule here knows why a bar is missed: listen to the worst sounds below, and gather more that is like them."
    ]


def _more_clips(found: Judgement) -> str | None:
    clips, sources = found.material.clips["train"], found.material.sources["train"]
    if clips < _FEW_CLIPS:
        return (
            f"Gather more: {clips:,} clips are few to learn from; some thousands, from as many different recordings "
            "as you can find, help more than anything else here."
        )
    if sources < _FEW_SOURCES:
        return (
            f"Gather more sources: {clips:,} clips come from only {sources}, and what it never heard differs more "
            "from them than they do from each other."
        )
    return None


def _one_source(found: Judgement) -> str | None:
    share = found.material.largest_share
    if share <= _LARGE_SHARE or found.material.sources["train"] < _NAMED:
        return None
    return (
        f"Take fewer clips of {found.material.largest}: {100.0 * share:.0f} % of all that is learned from are of it, "
        "and the space bends towards it."
    )


def _overfit(found: Judgement) -> str | None:
    if not _knows_by_heart(found):
        return None
    learned, unseen = found.parts["train"], _unseen(found)
    return (
        f"Gather other sources, or stop earlier: it knows what it learned from by heart ({learned.alone_rms_db:.1f} dB "
        f"off) and does worse on what it did not ({unseen:.1f} dB)."
    )


def _longer(found: Judgement) -> str | None:
    told = found.training.tune_rms_db if found.training else ()
    last = max(1, len(told) // 10)
    if len(told) < 2 * last + 1 or _knows_by_heart(found):
        return None
    gain = min(told[:-last]) - min(told[-last:])
    if gain <= _STILL_FALLING_DB:
        return None
    return (
        f"Train longer: the last tenth of the training still lowered the error by {gain:.2f} dB. Twice as many epochs "
        "are worth a try (--epochs)."
    )


def _underfit(found: Judgement) -> str | None:
    learned = found.parts.get("train")
    if learned is None or not _misses(found) or learned.alone_rms_db <= bars.HELD_OUT_SHARE * learned.pca_rms_db:
        return None
    # As many components as there are clips hold them all: PCA is no measure then.
    if _knows_by_heart(found):
        return None
    return (
        f"Even what it learned from comes back {learned.alone_rms_db:.1f} dB off, against {learned.pca_rms_db:.1f} dB "
        "with PCA: train longer, or curate towards fewer kinds of sound, because 32 numbers do not hold everything."
    )


def _unheard(found: Judgement) -> str | None:
    held, learned = found.parts.get("held_out"), found.parts.get("train")
    if held is None or learned is None or not _misses(found) or _knows_by_heart(found) or _underfit(found):
        return None
    return (
        f"Gather more that is like what was held out: the network is {held.alone_rms_db:.1f} dB off there, and "
        f"{learned.alone_rms_db:.1f} dB on what it learned from."
    )


def _elsewhere(found: Judgement) -> str | None:
    heard = found.parts.get("recordings")
    if heard is None or heard.share <= bars.RECORDINGS_SHARE:
        return None
    return (
        f"Gather more kinds of sound: on recordings from elsewhere it is {heard.rms_db:.1f} dB off against "
        f"{heard.pca_rms_db:.1f} dB of PCA, so what it learned does not carry over."
    )


def _odd_sources(found: Judgement) -> str | None:
    errors = [one.rms_db for one in found.sources]
    if len(errors) < _NAMED:
        return None
    odd = [one.name for one in found.sources if one.rms_db > _ODD_SOURCE * float(np.median(errors))]
    if not odd:
        return None
    names = ", ".join(odd[:_NAMED]) + (f" and {len(odd) - _NAMED} more" if len(odd) > _NAMED else "")
    fare = "fares" if len(odd) == 1 else "fare"
    return (
        f"Curate: {names} {fare} far worse than the rest. Hear them with 'latent studio curate'; reject what does not "
        "belong, or gather more that is like them."
    )


def _divergence(found: Judgement) -> str | None:
    """More or less weight of the KL divergence; where both are asked for, only more data helps."""
    active, weight = sum(found.latents.active), _weight(found, "kl")
    dead, loose = active < bars.LEAST_ACTIVE, _loose(found)
    if dead and loose:
        return (
            f"Gather more before you turn beta, which is --weight kl{weight}: only {active} of 32 dimensions are used, "
            f"which asks for less, and {loose}, which asks for more."
        )
    if dead:
        return f"Less beta: of the dimensions, only {active} of 32 are used. Train with half of --weight kl{weight}."
    if loose:
        return f"More beta: {loose}. Train with twice --weight kl{weight}."
    return None


def _loudness(found: Judgement) -> str | None:
    off = found.prior.reasons.get("near silent", 0.0) + found.prior.reasons.get("clipped", 0.0)
    if off <= bars.UNUSABLE_SHARE:
        return None
    return (
        f"{100.0 * off:.1f} % of the draws are near silent or clipped: raise --weight prior_level"
        f"{_weight(found, 'prior_level')} and train again."
    )


def _blurred(found: Judgement) -> str | None:
    held = found.parts.get("held_out")
    if held and held.data_peaks_db - held.peaks_db > bars.HELD_OUT_PEAKS_DB:
        return (
            f"Sharper: peaks come back {held.peaks_off_db:.1f} dB lower than they were, which sounds like filtered "
            f"noise. Raise --weight contrast{_weight(found, 'contrast')}, or let the atlas have more places."
        )
    if found.prior.training_peaks_db - found.prior.peaks_db > bars.PRIOR_PEAKS_DB:
        return (
            f"Sharper draws: their peaks are {found.prior.peaks_off_db:.1f} dB lower than those of the training data. "
            f"Raise --weight prior_contrast{_weight(found, 'prior_contrast')}."
        )
    return None


def _vague(found: Judgement) -> str | None:
    vague = [
        one.name
        for one in found.traits
        if np.isfinite(one.correlation) and one.correlation < _VAGUE_CORRELATION and one.name != "level"
    ]
    if not vague:
        return None
    return (
        f"The {' and the '.join(vague)} of a sound hardly survive the way there and back, so the knobs of that name "
        "will be vague: gather sounds that differ in it."
    )


def _jumps(found: Judgement) -> str | None:
    if float(np.median(found.lines.unevenness)) <= _JUMPY:
        return None
    return (
        "Smoother: half way from one place to another the sound jumps. Raise --weight between"
        f"{_weight(found, 'between')} and train again."
    )


def _unlike(found: Judgement) -> str | None:
    if found.neighbours.found >= _UNLIKE:
        return None
    return (
        "Neighbours hardly sound alike, so wandering will feel like chance: train longer, and curate what is neither "
        "one thing nor the other."
    )


def _few_places(found: Judgement) -> str | None:
    if not 0 < found.places < _PLACES:
        return None
    return f"The atlas has {found.places:,} places to start from instead of {_PLACES:,}: sounds come back sooner."


def _unlicensed(found: Judgement) -> str | None:
    count = sum(sources for licence, sources, _ in found.material.licences if not licence.strip())
    if not count:
        return None
    many = "1 source has no licence note" if count == 1 else f"{count:,} sources have no licence note"
    return f"{many}: find out whether you may use them before you give the model to anybody."


def _loose(found: Judgement) -> str:
    """Why the prior does not fit the posterior; empty where it does."""
    spectral = sum(share for name, share in found.prior.reasons.items() if name not in ("near silent", "clipped"))
    trusted = found.prior.own <= bars.UNUSABLE_SHARE
    if trusted and found.prior.unusable > bars.UNUSABLE_SHARE and spectral > bars.UNUSABLE_SHARE / 2.0:
        return f"{100.0 * found.prior.unusable:.1f} % of the draws from the prior are of no use"
    radius = float(np.mean(found.latents.radii))
    if abs(radius / _RADIUS - 1.0) > _FAR_RADIUS:
        return f"sounds lie {radius:.1f} from the origin, where the prior expects {_RADIUS:.1f}"
    if abs(found.latents.worst_correlation) > _ENTANGLED:
        return f"two dimensions move together (correlation {found.latents.worst_correlation:.2f})"
    return ""


def _unseen(found: Judgement) -> float | None:
    """Error of the network alone on what it was not trained on."""
    part = found.parts.get("tune") or found.parts.get("held_out")
    return part.alone_rms_db if part else None


def _misses(found: Judgement) -> bool:
    """Whether what was held out comes back too far off."""
    held = found.parts.get("held_out")
    return held is not None and held.share > bars.HELD_OUT_SHARE


def _knows_by_heart(found: Judgement) -> bool:
    unseen, learned = _unseen(found), found.parts.get("train")
    return unseen is not None and learned is not None and unseen > _OVERFIT * learned.alone_rms_db


def _weight(found: Judgement, name: str) -> str:
    """What a weight was set to, in words to put behind its name; empty where it is not known."""
    weights = found.settings.get("weights", {})
    return f" (now {weights[name]:g})" if name in weights else ""


_RULES: tuple[Callable[[Judgement], str | None], ...] = (
    _more_clips,
    _one_source,
    _overfit,
    _longer,
    _underfit,
    _unheard,
    _odd_sources,
    _elsewhere,
    _divergence,
    _loudness,
    _blurred,
    _vague,
    _jumps,
    _unlike,
    _few_places,
    _unlicensed,
)
