"""The sections of the report: each says what was found, shows it, and tells how to read it."""

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from appliance.studio.judging import report_plots, verdict
from appliance.studio.judging.judgement import Example, Judgement, Latents
from appliance.studio.judging.report_sounds import player

__all__ = ["Section", "sections", "table"]

_PARTS = {
    "held_out": "held out: never heard",
    "recordings": "recordings from elsewhere",
    "tune": "tuned on",
    "train": "trained on",
}
_REASONS = {
    "near silent": "near silent",
    "clipped": "clipped",
    "pitch": "pitch outside",
    "tonality": "tonality outside",
    "bands": "a half octave too loud or soft",
    "bins": "too many odd bins",
}
_WORST = 12
_EVEN, _UNEVEN = 2.0, 3.0
_ENTANGLED = 0.5
_FAR = 1.15


@dataclass(frozen=True)
class Section:
    """A part of the page: the name of its anchor, its heading as text, its body as HTML."""

    name: str
    title: str
    body: str


def sections(judgement: Judgement) -> list[Section]:
    """All that there is something to say about, in order."""
    made: tuple[tuple[str, str, Callable[[Judgement], str]], ...] = (
        ("error", "How far off is what comes back?", _error),
        ("traits", "Do pitch, level and tonality survive?", _traits),
        ("worst", "The worst, to listen to", lambda found: _examples(found, "worst", _THERE_AND_BACK)),
        ("usual", "The usual, to listen to", lambda found: _examples(found, "usual", _THERE_AND_BACK)),
        ("prior", "Draws out of nothing", _prior),
        ("dimensions", "Which dimensions are used?", _dimensions),
        ("posterior", "Do sounds lie where the prior expects them?", _posterior),
        ("neighbours", "Do neighbours sound alike?", _neighbours),
        ("lines", "Is a straight line a smooth walk?", _lines),
        ("int8", "Is int8 as good, and faster?", _precision),
        ("training", "How the training went", _training),
        ("material", "What it learned from", _material),
    )
    told = [Section(name, title, body(judgement)) for name, title, body in made]
    return [section for section in told if section.body]


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of cells that are HTML already."""
    head = "".join(f'<th scope="col">{html.escape(cell)}</th>' for cell in heads)
    body = "\n".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>'


_THERE_AND_BACK = (
    "The original, as the codec gives it back, and what the model makes of it. Press the other while one sounds, and "
    "it goes straight over."
)


def _error(found: Judgement) -> str:
    rows = [
        (
            name,
            f"{part.clips:,}",
            f"{part.rms_db:.2f}",
            f"{part.alone_rms_db:.2f}",
            f"{part.pca_rms_db:.2f}",
            f"{part.share:.2f}",
            f"{part.peaks_db:.1f}",
            f"{part.data_peaks_db:.1f}",
        )
        for key, name in _PARTS.items()
        if (part := found.parts.get(key))
    ]
    heads = ("", "clips", "model", "not lent", "PCA-32", "share", "peaks", "were")
    worst = [
        (html.escape(one.name), f"{one.clips:,}", f"{one.rms_db:.2f}", f"{one.pca_rms_db:.2f}")
        for one in found.sources[:_WORST]
    ]
    named = f"<h3>By source, worst first</h3>{table(('', 'clips', 'this model', 'PCA-32'), worst)}" if worst else ""
    of = "what was held out" if "held_out" in found.parts else "the clips at hand"
    return (
        _p(
            "Each clip is encoded and decoded again. Errors are in dB RMS over all bins, beside those of principal "
            "components (PCA) with as many numbers from the same training clips; share is the one over the other. 'Not "
            "lent' is the network without the detail that places of the atlas lend. Peaks: how many dB the twelve "
            "highest stand over what surrounds them, now and as they were."
        )
        + table(heads, rows)
        + _figure(report_plots.error_along_frequency(found), f"Error along frequency, of {of}.")
        + named
    )


def _traits(found: Judgement) -> str:
    rows = [
        (
            one.name,
            f"{one.mean_abs:.2f} {one.unit}",
            f"{one.correlation:.2f}" if np.isfinite(one.correlation) else "\N{EN DASH}",
        )
        for one in found.traits
    ]
    return (
        table(("", "off by, on average", "correlation"), rows)
        + _figure(report_plots.traits(found.traits), "On the line, nothing has changed.")
        + _p("All clips were brought to one loudness, so of level only how far it is off counts.")
    )


def _dimensions(found: Judgement) -> str:
    active = sum(found.latents.active)
    return _p(
        f"{active} of {len(found.latents.active)} are active: the variance of their mean over the clips is above "
        "0.01 (Burda et al. 2015). One that is not has been switched off by the KL divergence, and says nothing."
    ) + _figure(report_plots.dimensions(found.latents), "What each carries. Those that are not active are red.")


def _posterior(found: Judgement) -> str:
    latents = found.latents
    return (
        _p(_reading(latents))
        + _figure(
            report_plots.posterior(latents),
            "Left: each dimension over all clips. Right: how far sounds are from the origin. Dashed: the prior.",
        )
        + _p(
            f"Most entangled are dimensions {latents.worst_pair[0]} and {latents.worst_pair[1]}, with a correlation "
            f"of {latents.worst_correlation:+.2f}."
        )
    )


def _reading(latents: Latents) -> str:
    """Say what the pictures show."""
    radius, spread = float(np.mean(latents.radii)), float(np.mean(latents.spread))
    prior = stats.chi(len(latents.active))
    wanted = float(prior.mean())
    said = f"Sounds lie {radius:.1f} from the origin on average, where the prior expects {wanted:.1f}. "
    if radius > _FAR * wanted:
        said += "They reach further than the prior: its draws huddle in the middle. "
    elif radius < wanted / _FAR:
        said += "They fill less than the prior: it draws from places where nothing is. "
    inner, outer = (float(np.quantile(latents.radii, share)) for share in (0.05, 0.95))
    said += f"Nine in ten are between {inner:.1f} and {outer:.1f} "
    said += f"(the prior: {prior.ppf(0.05):.1f} and {prior.ppf(0.95):.1f}). "
    said += f"Along a dimension they spread by {spread:.2f}, where 1 is expected. "
    if abs(latents.worst_correlation) > _ENTANGLED:
        return said + "Some dimensions say the same twice."
    return said + "No two dimensions say the same twice."


def _neighbours(found: Judgement) -> str:
    near = found.neighbours
    rows = (
        ("its nearest in latent space", f"{near.near_db:.1f}", f"{near.near_bands_db:.1f}"),
        ("any other", f"{near.random_db:.1f}", f"{near.random_bands_db:.1f}"),
        ("the most alike there is", f"{near.closest_db:.1f}", "\N{EN DASH}"),
    )
    return (
        _p(
            f"Of the likeness that there is between sounds of different sources, the latent space finds "
            f"{100.0 * max(near.found, 0.0):.0f} %. Median distance from a clip ({near.clips:,} tried), in dB RMS:"
        )
        + table(("to", "by bins", "by half octaves"), rows)
        + _examples(found, "neighbours", "A clip and the two that are nearest to it in latent space.")
    )


def _lines(found: Judgement) -> str:
    median = float(np.median(found.lines.unevenness))
    reading = "an even walk" if median < _EVEN else "some steps are larger" if median < _UNEVEN else "the sound jumps"
    return _p(
        f"From one place to another in 32 equal steps, {len(found.lines.unevenness)} times: at the median the largest "
        f"step changes the sound {median:.1f} times as much as the mean step ({reading})."
    ) + _figure(report_plots.straight_lines(found.lines), "Change of sound from step to step.")


def _precision(found: Judgement) -> str:
    if found.precision is None:
        return ""
    one = found.precision
    faster = one.int8_us < one.fp32_us
    ships = "int8 is what export will write." if _int8_ships(found) else "Export will write float32."
    return _p(
        f"int8 is {one.off_db:.2f} dB RMS off float32. One spectrum takes {one.int8_us:.0f} \N{MICRO SIGN}s against "
        f"{one.fp32_us:.0f} \N{MICRO SIGN}s: {'faster' if faster else 'no faster'}. {ships}"
    )


def _int8_ships(found: Judgement) -> bool:
    one = found.precision
    return one is not None and one.off_db <= verdict.INT8_OFF_DB and one.int8_us < one.fp32_us


def _prior(found: Judgement) -> str:
    prior = found.prior
    rows = [(_REASONS[name], f"{100.0 * share:.1f} %") for name, share in prior.reasons.items()]
    return (
        _p(
            f"{prior.draws:,} points were drawn from a normal distribution as wide as the atlas, as the engine draws "
            f"them. {100.0 * prior.unusable:.1f} % are of no use. Of training clips that were left out of the measure "
            f"{100.0 * prior.own:.1f} % would be: so much is chance."
        )
        + table(("of no use, because", "draws"), rows)
        + _p(
            f"Their peaks stand {prior.peaks_db:.1f} dB over what surrounds them, those of training clips "
            f"{prior.training_peaks_db:.1f} dB. Their loudness varies by {prior.level_sd_lu:.1f} LU, that of the clips "
            f"by {prior.training_level_sd_lu:.1f} LU. 'Outside' is beyond the 0.1 and 99.9 percentiles of the training "
            "clips, once brought to the same loudness."
        )
        + _examples(found, "draws", "")
    )


def _training(found: Judgement) -> str:
    told = found.training
    if told is None or not told.tune_rms_db:
        return ""
    took = f"It took {_duration(told.seconds[-1])}. " if told.seconds else ""
    best = int(np.argmin(told.tune_rms_db))
    share = (best + 1) / len(told.tune_rms_db)
    return _p(
        f"{took}The best error on the tuning clips, {told.tune_rms_db[best]:.2f} dB, came after "
        f"{100.0 * share:.0f} % of the training; that is what was kept."
    ) + _figure(
        report_plots.training_curve(told),
        "In training, clips come transposed, mixed and with noise in latent space, so the two errors do not compare.",
    )


def _material(found: Judgement) -> str:
    names = {"train": "to train on", "tune": "to tune on", "held_out": "held out"}
    material = found.material
    splits = [(name, f"{material.clips[key]:,}", f"{material.sources[key]:,}") for key, name in names.items()]
    licences = [
        (html.escape(licence.strip() or "none stated"), f"{clips:,}", f"{sources:,}")
        for licence, sources, clips in material.licences
    ]
    return (
        table(("", "clips", "sources"), splits)
        + _p(f"Most training clips of one source: {material.largest} ({100.0 * material.largest_share:.0f} %).")
        + "<h3>Licences</h3>"
        + table(("", "clips", "sources"), licences)
    )


def _examples(found: Judgement, kind: str, said: str) -> str:
    shown = [one for one in found.examples if one.kind == kind]
    return (_p(said) if said else "") + "".join(_example(one) for one in shown) if shown else ""


def _example(one: Example) -> str:
    players = "".join(player(label, spectrum) for label, spectrum in zip(one.labels, one.spectra, strict=True))
    picture = (
        _figure(report_plots.curves(one.spectra[0], one.spectra[1], one.title), "")
        if one.kind in ("worst", "usual")
        else ""
    )
    return f'<h3>{html.escape(one.title)}</h3><div class="players">{players}</div>{picture}'


def _figure(picture: str, caption: str) -> str:
    said = f"<figcaption>{html.escape(caption)}</figcaption>" if caption else ""
    return f"<figure>{picture}{said}</figure>"


def _p(sentence: str) -> str:
    return f"<p>{html.escape(sentence)}</p>"


def _duration(seconds: float) -> str:
    if seconds < 90.0:
        return f"{seconds:.0f} s"
    if seconds < 5400.0:
        return f"{seconds / 60.0:.0f} minutes"
    return f"{seconds / 3600.0:.1f} hours"
