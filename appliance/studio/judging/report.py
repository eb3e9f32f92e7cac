"""The report: one HTML page with everything in it, for the artist to read and hear."""

import html
import string
from pathlib import Path

from appliance.errors import StudioError
from appliance.folders import write_whole
from appliance.studio.judging.advice import advise
from appliance.studio.judging.judgement import Judgement
from appliance.studio.judging.report_sections import Section, sections, table
from appliance.studio.judging.verdict import Score, scores

__all__ = ["page", "write"]

_TEMPLATE = Path(__file__).parent / "page" / "report.html"
_GOOD = '<span class="good">\N{CHECK MARK}<span class="word"> passed</span></span>'
_BAD = '<span class="bad">\N{BALLOT X}<span class="word"> missed</span></span>'


def write(judgement: Judgement, path: Path) -> None:
    """Write the page, whole or not at all.

    Raises
    ------
    StudioError
        If it cannot be written.
    """
    content = page(judgement).encode()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, lambda file: file.write(content))
    except OSError as error:
        raise StudioError(f"{path} cannot be written ({error}); choose another folder with --work.") from error


def page(judgement: Judgement) -> str:
    """Give the whole page: pictures and sounds inside, nothing to fetch."""
    shown = sections(judgement)
    template = string.Template(_TEMPLATE.read_text())
    return template.substitute(
        title="How good is this model?",
        subtitle=_subtitle(judgement),
        verdict=_verdict(scores(judgement)),
        scores=_scores(judgement),
        advice="\n".join(f"<li>{html.escape(sentence)}</li>" for sentence in advise(judgement)),
        contents="\n".join(f'<li><a href="#{one.name}">{html.escape(one.title)}</a></li>' for one in shown),
        sections="\n".join(_section(one) for one in shown),
    )


def _subtitle(judgement: Judgement) -> str:
    clips = judgement.material.clips
    return html.escape(
        f"Trained on {clips['train']:,} clips, tuned on {clips['tune']:,}; {clips['held_out']:,} were held out. "
        f"Corpus {judgement.corpus}. Judged in {judgement.took_s:.0f} s."
    )


def _verdict(found: tuple[Score, ...]) -> str:
    passed = sum(score.passed for score in found)
    if passed == len(found):
        return f"Good: it passes all {len(found)} bars"
    return f"It passes {passed} of {len(found)} bars"


def _scores(judgement: Judgement) -> str:
    rows = [
        (html.escape(score.name), score.told(score.value), score.wanted, _GOOD if score.passed else _BAD)
        for score in scores(judgement)
    ]
    left_out = "".join(f'<p class="soft">{html.escape(sentence)}</p>' for sentence in judgement.missing)
    return table(("", "is", "should be", ""), rows) + left_out


def _section(one: Section) -> str:
    return f'<section id="{one.name}">\n<h2>{html.escape(one.title)}</h2>\n{one.body}\n</section>'
