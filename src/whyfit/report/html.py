"""The report as one HTML file: no request, complete without JavaScript."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import jinja2

from whyfit.report import draw
from whyfit.report.panels import ArmPanel, FitPanel, Report
from whyfit.rules import rule_named

STATUS_MARKS = {"confirmed": "✓", "refuted": "✗", "undecided": "?", "not-tested": "–"}
ANSWER_WORDS = {
    "yes": "yes",
    "together": "only together",
    "helps": "not the cause, but it helps",
    "no": "no",
    "undecided": "undecided",
    "not-tested": "not tested",
}
MOST_STRIPS = 14


@dataclass(frozen=True)
class Drawn:
    """A fit's panels with its figures."""

    panel: FitPanel
    figures: dict[str, str]
    strips: tuple[ArmPanel, ...]


def render(report: Report) -> str:
    """The whole page."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("whyfit.report", "."),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    filters: dict[str, Any] = environment.filters
    filters.update(percent=percent, number=number, span=span, diff=diff_lines)
    template = environment.get_template("report.html.j2")
    return template.render(
        report=report,
        fits=[_drawn(panel) for panel in report.fits],
        marks=STATUS_MARKS,
        answers=ANSWER_WORDS,
        title_of=_title_of,
        axis_name=_axis_name,
    )


def _drawn(panel: FitPanel) -> Drawn:
    shown = _shown_arms(panel)
    figures = {
        "fit": draw.fit_and_residual(panel),
        "contributions": draw.contributions(panel),
        "training": draw.training(panel),
        "capacity": draw.capacity(panel),
        "strips": draw.strips(panel, shown),
        "luck": draw.luck(panel),
    }
    return Drawn(panel, {name: svg for name, svg in figures.items() if svg}, shown)


def _shown_arms(panel: FitPanel) -> tuple[ArmPanel, ...]:
    """The baseline, single changes and what works, on the confirmation seeds."""
    confirmed = [arm for arm in panel.arms if arm.phase == "confirmation"]
    wanted = {fix.arm for fix in panel.fixes}
    first = [arm for at, arm in enumerate(panel.arms) if at in wanted]
    rest = [arm for arm in confirmed if len(arm.changes) <= 1 and arm not in first]
    rest.sort(key=lambda arm: (len(arm.changes), -arm.success_rate))
    return tuple((rest[:1] + first + rest[1:])[:MOST_STRIPS])


def percent(value: float | None) -> str:
    """A share in percent, with one digit below ten."""
    if value is None:
        return "–"
    return f"{value:.0%}" if value >= 0.0995 or value == 0 else f"{value:.1%}"


def number(value: float | None, digits: int = 3) -> str:
    """A number as people write it, or a dash where there is none."""
    return "–" if value is None else f"{value:.{digits}g}"


def span(interval: tuple[float | None, float | None] | None) -> str:
    """An interval of shares."""
    if interval is None:
        return "–"
    return f"{percent(interval[0])} to {percent(interval[1])}"


def diff_lines(diff: str) -> list[tuple[str, str]]:
    """Lines of a diff with their kind: head, place, added, removed, same."""
    kinds = []
    for line in diff.splitlines():
        if line.startswith(("---", "+++")):
            kinds.append(("head", line))
        elif line.startswith("@@"):
            kinds.append(("place", line))
        else:
            kinds.append(({"+": "added", "-": "removed"}.get(line[:1], "same"), line))
    return kinds


def _title_of(slug: str) -> str:
    rule = rule_named(slug)
    return rule.title if rule else ""


def _axis_name(factor: str) -> str:
    return re.sub("_", " ", factor)
