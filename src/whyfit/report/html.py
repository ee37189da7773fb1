"""The report as one HTML file: no request, complete without JavaScript."""

from __future__ import annotations

import base64
import hashlib
import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources
from typing import Any

import jinja2
from markupsafe import Markup

from whyfit.report.drawing import sketch
from whyfit.report.figures import Figure, figures
from whyfit.report.panels.arms import ArmPanel
from whyfit.report.panels.captions import dose_arm
from whyfit.report.panels.conclusions import number
from whyfit.report.panels.curve import ArmSamplesPanel
from whyfit.report.panels.fit import FitPanel
from whyfit.report.panels.plain_text import clipped
from whyfit.report.panels.report import Report
from whyfit.report.panels.table import FitTable, fit_table
from whyfit.report.panels.values import Number, Pair, percent
from whyfit.rules import rule_named

STATUS_MARKS = {"confirmed": "✓", "refuted": "✗", "undecided": "?", "not-tested": "–"}
STATUS_ORDER = ("confirmed", "undecided", "refuted", "not-tested")
ANSWER_WORDS = {
    "yes": "yes",
    "together": "only together",
    "helps": "not the cause, but it helps",
    "no": "no",
    "undecided": "undecided",
    "not-tested": "not tested",
}
MOST_TABLE_ARMS = 120


@dataclass(frozen=True)
class Drawn:
    """A fit's panels with its figures, sketches and what the parts of the page need of them."""

    panel: FitPanel
    prefix: str
    figures: dict[str, Figure]
    strips: dict[int, Markup]
    first_arms: tuple[int, ...]
    box: sketch.CurveBox | None
    dose: int | None
    brief: bool

    def curve(self, values: tuple[Number, ...]) -> str:
        """Path data of a curve in the common frame of the small multiples."""
        return self.box.path(values) if self.box else ""

    def samples_of(self, arm: int) -> ArmSamplesPanel | None:
        """Sample fits of an arm, or None."""
        samples = self.panel.samples
        found = samples.arms if samples and self.box else ()
        return next((each for each in found if each.arm == arm), None)

    @property
    def baseline(self) -> ArmSamplesPanel | None:
        """Sample fits of the unchanged script."""
        first = next((at for at, arm in enumerate(self.panel.arms) if not arm.changes), None)
        return None if first is None else self.samples_of(first)


def render(report: Report) -> str:
    """The whole page. The same report gives the same bytes."""
    report = clipped(report)
    script = resource("report.js")
    table = fit_table(report)
    shown = _order(report, table)
    whole = shown if table is None else shown[: table.whole is not None]
    return (
        templates()
        .get_template("report.html.j2")
        .render(
            report=report,
            fits=[_drawn(report.fits[at], at, whole=at in whole) for at in shown],
            table=table,
            plots=[(base64.b64encode(each.png).decode(), each) for each in report.figures],
            marks=STATUS_MARKS,
            answers=ANSWER_WORDS,
            sketch=sketch,
            bar=bar,
            in_order=_in_order,
            style=Markup(resource("report.css")),
            script=Markup(script),
            script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        )
    )


def templates() -> jinja2.Environment:
    """The templates of the page and of its parts, with their filters; all text is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("whyfit.report", "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    filters: dict[str, Any] = environment.filters
    filters.update(
        percent=percent, number=number, span=span, signed=signed, diff=diff_lines, title=title_of
    )
    filters["without_answer"] = without_answer
    filters["again"] = again
    return environment


def resource(name: str) -> str:
    """The text of a file beside the templates."""
    return resources.files("whyfit.report").joinpath("templates", name).read_text("utf-8").strip()


def _order(report: Report, table: FitTable | None) -> list[int]:
    """The fits of a page: of many the worst first, as the only one whole, then those of the table."""
    if table is None:
        return list(range(len(report.fits)))
    first = [] if table.whole is None else [table.whole]
    return [*first, *(at for at in table.fits if at != table.whole)]


def _drawn(panel: FitPanel, at: int, *, whole: bool) -> Drawn:
    prefix, drawn = f"fit{at + 1}", whole
    samples = panel.samples
    box = sketch.CurveBox(samples.x, samples.target) if drawn and samples else None
    first = shown_arms(panel) if drawn else ()
    wanted = set(first) | {arm for cause in panel.causes for arm in cause.arms}
    strips = {
        arm: Markup(sketch.strip(panel.arms[arm].strip, panel.criterion.tolerance))
        for arm in sorted(wanted)
        if drawn
    }
    made = figures(panel, prefix) if drawn else {}
    return Drawn(panel, prefix, made, strips, first, box, dose_arm(panel), not drawn)


def shown_arms(panel: FitPanel) -> tuple[int, ...]:
    """The baseline, what works, and the single changes, on the confirmation seeds."""
    fixes = list(dict.fromkeys(fix.arm for fix in panel.fixes))
    judged = [at for at, arm in enumerate(panel.arms) if arm.phase == "confirmation"]
    none = [at for at in judged if not panel.arms[at].changes]
    single = [at for at in judged if len(panel.arms[at].changes) == 1 and at not in fixes]
    single.sort(key=lambda at: -panel.arms[at].success_rate)
    return tuple((none + fixes + single)[:14])


def bar(arm: ArmPanel) -> Markup:
    """A sketch of a success rate with its interval."""
    return Markup(sketch.bar(arm.success_rate, arm.interval))


def _in_order(causes: Iterable[Any]) -> list[Any]:
    return sorted(causes, key=lambda cause: STATUS_ORDER.index(cause.status))


def span(interval: Pair | None) -> str:
    """An interval of shares."""
    return "–" if interval is None else f"{percent(interval[0])} to {percent(interval[1])}"


def signed(value: Number) -> str:
    """A difference with its sign."""
    return "–" if value is None else f"{value:+.2f}"


def diff_lines(diff: str) -> list[tuple[str, str]]:
    """Lines of a diff with their kind: head, place, added, removed, same."""
    kinds = []
    for line in diff.split("\n"):
        if line.startswith(("---", "+++")):
            kinds.append(("head", line))
        elif line.startswith("@@"):
            kinds.append(("place", line))
        elif line:
            kinds.append(({"+": "added", "-": "removed"}.get(line[:1], "same"), line))
    return kinds


def without_answer(sentence: str) -> str:
    """A sentence without the answer that stands before it already.

    >>> without_answer("No: spread biases take 0 to 0 of 64.")
    'spread biases take 0 to 0 of 64.'
    """
    return re.sub(r"^(Yes|No|Undecided|Only together with others|Not tested): ", "", sentence)


def again(command: str, options: tuple[str, ...]) -> str:
    """The command that made a report, with options that make a part of it again.

    >>> again("whyfit run --seed 1 sine.py", ("--arm", "as it is"))
    "whyfit run --arm 'as it is' --seed 1 sine.py"
    """
    head = "whyfit run "
    rest = command.removeprefix(head)
    return command if rest == command else f"{head}{shlex.join(options)} {rest}".replace("  ", " ")


def title_of(slug: str) -> str:
    """The first line of a rule's page, empty if there is no such rule."""
    rule = rule_named(slug)
    return rule.title if rule else ""
