"""The report in a terminal: the answer in plain words, at most 25 lines of 80 columns."""

from __future__ import annotations

import re
import textwrap
from itertools import takewhile

from rich.console import Console
from rich.text import Text

from whyfit.report.braille import plot
from whyfit.report.html import percent
from whyfit.report.panels import CausePanel, FitPanel, FixPanel, Report

STATUS_MARKS = {
    "confirmed": ("✓", "v"),
    "refuted": ("✗", "x"),
    "undecided": ("?", "?"),
    "not-tested": ("–", "-"),
}
STATUS_ORDER = ("confirmed", "undecided", "refuted", "not-tested")


def render(report: Report, console: Console, *, verbosity: int = 0) -> None:
    """Print a report; `verbosity` -1 is the verdict alone, 1 adds arms and refuted causes."""
    for note in report.notes:
        _wrapped(console, note)
    for panel in report.fits:
        _render_fit(report, panel, console, verbosity)


def _render_fit(report: Report, panel: FitPanel, console: Console, verbosity: int) -> None:
    where = f"{report.script}:{panel.line}"
    backend = report.environment.get("backend", "")
    framework = f"{panel.framework} on {backend}" if backend else panel.framework
    facts = f"{where}  {panel.network['summary']}, {framework}; " + (
        f"{percent(panel.unexplained_variance)} of the variance unexplained"
        if panel.unexplained_variance is not None
        else "its error is not a finite number"
    )
    if verbosity < 0:
        _wrapped(console, f"{where}: {panel.headline} {panel.fix_sentence}".strip())
        return
    _wrapped(console, facts, style="dim")
    if verbosity >= 0 and panel.curve is not None and console.width >= 60:
        for line in plot(
            panel.curve, width=min(console.width, 80) - 4, height=4, plain=_plain(console)
        ):
            console.print(Text("  " + line), no_wrap=True, overflow="crop")
    _wrapped(console, panel.headline, style="bold")
    if panel.fix_sentence:
        _wrapped(console, panel.fix_sentence)
    for fix in panel.fixes[1:3]:
        _wrapped(console, f"Or: {_fix_words(fix)}", indent=2)
    if panel.not_to_blame:
        _wrapped(console, f"Not to blame: {', '.join(panel.not_to_blame)}.")
    _causes(panel, console, verbosity)
    if panel.not_checked and verbosity > 0:
        _wrapped(console, f"Not checked: {'; '.join(panel.not_checked)}.")
    _diff(panel, console)
    if verbosity > 0:
        _arms(panel, console)


def _fix_words(fix: FixPanel) -> str:
    words = f"{fix.label} ({fix.successes} of {fix.replicates} starts"
    if fix.framework_runs is not None:
        words += f", {fix.framework_runs.successes} of {fix.framework_runs.runs} runs"
    return words + ")"


def _causes(panel: FitPanel, console: Console, verbosity: int) -> None:
    """Confirmed and open ones, and what is said of size; all of them when asked."""
    for cause in sorted(panel.causes, key=lambda cause: STATUS_ORDER.index(cause.status)):
        open_one = cause.observed and cause.status == "undecided"
        size = cause.cause == "too-few-units"
        if verbosity > 0 or cause.status == "confirmed" or open_one or size:
            _cause(cause, console, verbosity)


def _cause(cause: CausePanel, console: Console, verbosity: int) -> None:
    mark, ascii_mark = STATUS_MARKS[cause.status]
    mark = ascii_mark if _plain(console) else mark
    sentence = cause.sentence if verbosity > 0 else _without_intervals(cause.sentence)
    _wrapped(console, f"{mark} {cause.cause} {cause.status}: {sentence}", indent=2)


def _without_intervals(sentence: str) -> str:
    """The counts without the differences and intervals, which -v and the reports give."""
    return re.sub(r" \((?:difference [^()]*|95 % interval [^()]*)\)", "", sentence)


def _diff(panel: FitPanel, console: Console) -> None:
    if not panel.fixes:
        return
    fix = panel.fixes[0]
    if fix.diff is not None:
        for line in _short_diff(fix.diff, max(30, min(console.width, 80)) - 2):
            console.print(Text("  " + _printable(line, console)), no_wrap=True, overflow="crop")
    for word in fix.words:
        _wrapped(console, f"{word}.", indent=2)


def _short_diff(diff: str, width: int) -> list[str]:
    """The changed lines; of a long one the part around the first difference from its partner."""
    changed = [
        line
        for line in diff.splitlines()
        if line.startswith(("+", "-")) and not line.startswith(("+++", "---"))
    ]
    removed = [line for line in changed if line.startswith("-")]
    added = [line for line in changed if line.startswith("+")]
    partners = dict(zip(removed, added[-len(removed) :], strict=False)) if removed else {}
    partners |= {after: before for before, after in partners.items()}
    return [_around_difference(line, partners.get(line, ""), width) for line in changed]


def _around_difference(line: str, partner: str, width: int) -> str:
    if len(line) <= width:
        return line
    pairs = zip(line[1:], partner[1:], strict=False)
    common = sum(1 for _same in takewhile(lambda pair: pair[0] == pair[1], pairs))
    start = max(0, min(common - width // 3, len(line) - width + 2))
    return line[0] + ("…" if start else "") + line[1 + start :][: width - 2]


def _arms(panel: FitPanel, console: Console) -> None:
    for at, arm in enumerate(panel.arms):
        if arm.phase == "confirmation":
            low, high = arm.interval
            _wrapped(
                console,
                f"arm {at}: {arm.label}: {arm.successes} of {arm.replicates} "
                f"({percent(low)} to {percent(high)})",
                indent=2,
            )


def _wrapped(console: Console, text: str, *, style: str = "", indent: int = 0) -> None:
    """Wrap at 80 columns or the terminal's width; the text is never read as markup."""
    width = max(20, min(console.width, 80))
    pad = " " * indent
    for line in textwrap.wrap(
        _printable(text, console), width, initial_indent=pad, subsequent_indent=pad + "  "
    ):
        console.print(Text(line, style=style), no_wrap=True, overflow="ignore", crop=False)


def _printable(text: str, console: Console) -> str:
    """Without control characters, and without what the terminal's encoding cannot show."""
    clean = "".join(
        character if character.isprintable() or character == "\n" else "�" for character in text
    )
    return clean.encode(console.encoding, errors="replace").decode(console.encoding)


def _plain(console: Console) -> bool:
    return not console.encoding.lower().startswith("utf")
