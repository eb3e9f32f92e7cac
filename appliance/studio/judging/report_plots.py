"""The pictures of the report: SVG that takes its colours from the page, light or dark."""

import html
import io
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np
from scipy import stats

from appliance.spectrum.codec import FLOOR_DB, Floats, bin_hz, decibels
from appliance.studio.judging.judgement import Judgement, Latents, Lines, Training, Trait

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["curves", "dimensions", "error_along_frequency", "posterior", "straight_lines", "training_curve", "traits"]

# The figure is drawn in these, and in the file they are replaced by what the page calls them.
_INK, _LINE, _OURS, _OTHER, _BAD = "#010203", "#040506", "#070809", "#0a0b0c", "#0d0e0f"
_COLOURS = {_INK: "--ink", _LINE: "--line", _OURS: "--ours", _OTHER: "--other", _BAD: "--bad"}
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    # Names of files may hold a dollar.
    "text.parse_math": False,
    "font.size": 11.0,
    "axes.edgecolor": _LINE,
    "axes.labelcolor": _INK,
    "axes.titlecolor": _INK,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11.0,
    "axes.titlelocation": "left",
    "grid.color": _LINE,
    "grid.linewidth": 0.6,
    "text.color": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "xtick.major.size": 0.0,
    "ytick.major.size": 0.0,
    "xtick.minor.size": 0.0,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
}
_WIDTH_IN = 6.8
_MARKS_HZ = (20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000)
_LOWEST_HZ = 30.0
_LOW_DB, _HIGH_DB = FLOOR_DB, -10.0


def error_along_frequency(judgement: Judgement) -> str:
    """Error of the model and of PCA in sixths of an octave."""
    with matplotlib.rc_context(_STYLE):
        figure, (axes,) = _figure(1, 3.0)
        axes.semilogx(judgement.hz, judgement.pca_error_db, color=_OTHER, label="PCA with 32 components")
        axes.semilogx(judgement.hz, judgement.error_db, color=_OURS, label="this model")
        axes.set_ylim(bottom=0.0)
        _hertz(axes)
        axes.set_ylabel("error, dB RMS")
        _legend(axes)
        return _svg(figure, "Error along frequency of the model, beside PCA")


def traits(found: Sequence[Trait]) -> str:
    """Each trait of what came back over that of the original; on the diagonal nothing has changed."""
    with matplotlib.rc_context(_STYLE):
        figure, panels = _figure(len(found), 2.7)
        for axes, trait in zip(panels, found, strict=True):
            low, high = np.percentile([*trait.original, *trait.again], (0.5, 99.5))
            spare = 0.05 * max(high - low, 1e-3)
            ends = (low - spare, high + spare)
            axes.plot(ends, ends, color=_LINE, linewidth=1.2)
            axes.plot(trait.original, trait.again, ".", color=_OURS, alpha=0.45, markersize=4.0, markeredgewidth=0.0)
            axes.set(xlim=ends, ylim=ends, title=f"{trait.name}, {trait.unit}", xlabel="original")
            axes.locator_params(nbins=4)
        panels[0].set_ylabel("as it came back")
        return _svg(figure, "Pitch, level and tonality of reconstructions over those of the originals")


def dimensions(found: Latents) -> str:
    """Divergence of each latent, largest first; those that are not active in another colour."""
    with matplotlib.rc_context(_STYLE):
        figure, (axes,) = _figure(1, 2.6)
        order = np.argsort(-np.array(found.divergence))
        colours = [_OURS if found.active[at] else _BAD for at in order]
        axes.bar(range(len(order)), [found.divergence[at] for at in order], color=colours, width=0.75)
        axes.set_xticks(range(len(order)), [str(at) for at in order], fontsize=7.5)
        axes.grid(axis="x", visible=False)
        axes.set(xlabel="latent dimension", ylabel="KL divergence, nats", xlim=(-0.7, len(order) - 0.3))
        return _svg(figure, "KL divergence of each latent dimension, largest first")


def posterior(found: Latents) -> str:
    """Aggregate posterior of each latent over N(0, 1), and distances from the origin over those of the prior."""
    with matplotlib.rc_context(_STYLE):
        figure, (left, right) = _figure(2, 2.9)
        edges = np.array(found.edges)
        middles = (edges[1:] + edges[:-1]) / 2.0
        for row in found.histogram:
            left.plot(middles, row, color=_OURS, linewidth=0.8, alpha=0.35)
        left.plot(middles, stats.norm.pdf(middles), color=_INK, linestyle="--")
        left.set(title="each dimension", xlabel="value", ylim=(0.0, 1.2), yticks=[])
        reach = max(10.0, *found.radii)
        right.hist(found.radii, bins=np.linspace(0.0, reach, 50).tolist(), density=True, color=_OURS, alpha=0.6)
        distance = np.linspace(0.0, reach, 200)
        prior = stats.chi.pdf(distance, len(found.active))
        right.plot(distance, prior, color=_INK, linestyle="--", label="the prior")
        right.set(title="distance from the origin", xlabel="distance", yticks=[])
        _legend(right)
        return _svg(figure, "Where sounds lie in latent space, beside the normal distribution that the prior expects")


def straight_lines(found: Lines) -> str:
    """Size of each step along some lines, from the most even to the least; unevenness of all."""
    with matplotlib.rc_context(_STYLE):
        figure, (left, right) = _figure(2, 2.9)
        for number, steps in enumerate(found.steps_db):
            last = number == len(found.steps_db) - 1
            colour = _BAD if last else _OURS
            left.plot(range(1, len(steps) + 1), steps, color=colour, linewidth=1.2, alpha=1.0 if last else 0.6)
        left.set(title="some lines; least even in red", xlabel="step", ylabel="change, dB RMS")
        left.set_ylim(bottom=0.0)
        right.hist(found.unevenness, bins=30, color=_OURS, alpha=0.6)
        right.axvline(float(np.median(found.unevenness)), color=_INK, linestyle="--", label="median")
        right.set(title="largest over mean step", xlabel="1 is perfectly even", ylabel="lines")
        right.set_xlim(left=1.0)
        _legend(right)
        return _svg(figure, "How much the sound changes in each of 32 equal steps from one place to another")


def training_curve(found: Training) -> str:
    """Error in training and on the tuning clips, and the divergence."""
    with matplotlib.rc_context(_STYLE):
        figure, (left, right) = _figure(2, 2.7)
        steps = np.arange(1, len(found.tune_rms_db) + 1) if not found.step else np.array(found.step) / 1000.0
        label = "thousand steps" if found.step else "round"
        left.plot(steps, found.train_rms_db, color=_OTHER, label="in training, disguised")
        left.plot(steps, found.tune_rms_db, color=_OURS, label="tuning clips")
        left.set(title="error, dB RMS", xlabel=label)
        _legend(left)
        if found.kl:
            right.plot(steps, found.kl, color=_OURS)
        right.set(title="divergence from the prior, nats", xlabel=label)
        return _svg(figure, "Error and divergence in the course of the training")


def curves(original: Floats, again: Floats, title: str) -> str:
    """The spectrum of what came back over that of the original, (1233,) both."""
    with matplotlib.rc_context(_STYLE):
        figure, (axes,) = _figure(1, 2.0)
        axes.fill_between(bin_hz(), _LOW_DB, decibels(original), color=_INK, alpha=0.3, linewidth=0.0, label="original")
        axes.semilogx(bin_hz(), decibels(again), color=_OURS, linewidth=0.9, label="as it came back")
        axes.set_ylim(_LOW_DB, _HIGH_DB)
        _hertz(axes)
        axes.set_ylabel("dB")
        _legend(axes)
        return _svg(figure, f"Spectra of {title}")


def _figure(panels: int, height_in: float) -> "tuple[Figure, list[Axes]]":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH_IN, height_in), layout="constrained")
    figure.patch.set_alpha(0.0)
    row = list(figure.subplots(1, panels, squeeze=False)[0])
    for axes in row:
        axes.patch.set_alpha(0.0)
    return figure, row


def _hertz(axes: "Axes") -> None:
    from matplotlib.ticker import FixedLocator, NullLocator

    axes.set_xlim(_LOWEST_HZ, float(bin_hz()[-1]))
    marks = [hz for hz in _MARKS_HZ if hz > _LOWEST_HZ]
    axes.xaxis.set_major_locator(FixedLocator(marks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticklabels([f"{hz // 1000}k" if hz >= 1000 else str(hz) for hz in marks])
    axes.set_xlabel("frequency, Hz")


def _legend(axes: "Axes") -> None:
    axes.legend(fontsize=9.5, handlelength=1.6)


def _svg(figure: "Figure", alt: str) -> str:
    """As an element to put into the page; ids differ from those of other pictures."""
    content = io.StringIO()
    # Two drawings of the same are the same file.
    with matplotlib.rc_context({"svg.hashsalt": alt}):
        figure.savefig(content, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    picture = content.getvalue()[content.getvalue().index("<svg") :]
    for colour, name in _COLOURS.items():
        picture = picture.replace(colour, f"var({name})")
    # The page says how large it is, and a style within an SVG would hold for the whole page.
    head, rest = picture.split(">", 1)
    head = re.sub(r' (width|height|xmlns:xlink|version)="[^"]*"', "", head)
    rest = re.sub(r"<defs>\s*<style.*?</defs>", "", rest, count=1, flags=re.DOTALL)
    return f'{head} role="img" aria-label="{html.escape(alt)}">{rest}'
