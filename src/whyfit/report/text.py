"""The report in a terminal: the answer in plain words, at most 25 lines of 80 columns."""

from __future__ import annotations

import io
import re
import textwrap
from dataclasses import dataclass
from itertools import takewhile

from rich.console import Console
from rich.table import Table
from rich.text import Text

from whyfit.report.braille import plot
from whyfit.report.panels.causes import CausePanel
from whyfit.report.panels.conclusions import number, share_alike
from whyfit.report.panels.fit import FitPanel
from whyfit.report.panels.fixes import FixPanel
from whyfit.report.panels.plain_text import visible
from whyfit.report.panels.report import Report
from whyfit.report.panels.table import FitTable, fit_table
from whyfit.report.panels.values import percent

STATUS_MARKS = {
    "confirmed": ("✓", "v"),
    "refuted": ("✗", "x"),
    "undecided": ("?", "?"),
    "not-tested": ("–", "-"),
}
MOST_LINES = 23
"""Of a fit; the command line adds a rule above and the files below."""

STATUS_ORDER = ("confirmed", "undecided", "refuted", "not-tested")


def render(report: Report, console: Console, *, verbosity: int = 0) -> None:
    """Print a report; `verbosity` -1 is the verdict alone, 1 adds intervals, refuted causes and arms."""
    for note in report.notes:
        _wrapped(console, note)
    table = fit_table(report)
    if table is not None:
        _table(table, console, whole=verbosity >= 0)
    for at, panel in enumerate(report.fits):
        if table is not None and at != table.whole:
            continue
        if verbosity < 0:
            _wrapped(
                console, f"{report.place(panel)}: {panel.headline} {panel.fix_sentence}".strip()
            )
        else:
            _render_fit(report, panel, console, verbosity)
    if (kept := from_ledger(report)) and verbosity >= 0:
        _wrapped(console, kept, style="dim")


def _table(table: FitTable, console: Console, *, whole: bool) -> None:
    """Many fits at a glance; what is said of the worst comes after it."""
    _wrapped(console, f"{table.caption}.", style="bold")
    if not whole:
        return
    drawn = Table(box=None, pad_edge=False, header_style="dim")
    for name in table.head:
        drawn.add_column(name, no_wrap=True)
    for row in table.rows:
        drawn.add_row(*(Text(_printable(cell, console)) for cell in row))
    console.print(drawn)


def from_ledger(report: Report) -> str:
    """How much of the work an earlier run had done; empty if none."""
    trained, known = (report.work.get(name, 0) for name in ("trained", "from_ledger"))
    if not known:
        return ""
    if not trained:
        return f"Nothing was trained: all {known} fits came from the ledger."
    return f"{known} of {known + trained} fits came from the ledger, {trained} were trained."


def _render_fit(report: Report, panel: FitPanel, console: Console, verbosity: int) -> None:
    _wrapped(console, _facts(report, panel), style="dim")
    most = MOST_LINES - bool(from_ledger(report))
    room = _room(panel, console, verbosity, most)
    if panel.curve is not None and console.width >= 60:
        width = min(console.width, 80) - 4
        for line in plot(panel.curve, width=width, height=room.plot, plain=_plain(console)):
            console.print(Text("  " + line), no_wrap=True, overflow="crop")
    _answer(panel, console, verbosity, room)


@dataclass(frozen=True)
class Room:
    """Lines for the plot, how many other fixes to name, how many open causes to tell in full."""

    plot: int = 4
    others: int = 2
    open: int = 2


ROOMS = (Room(), Room(3), Room(2), Room(2, 1), Room(2, 0), Room(2, 0, 1), Room(2, 0, 0))
"""From roomy to narrow: with many causes to tell all else shrinks."""


def _room(panel: FitPanel, console: Console, verbosity: int, most: int) -> Room:
    for room in ROOMS:
        written = io.StringIO()
        trial = Console(file=written, width=console.width, highlight=False)
        _answer(panel, trial, verbosity, room)
        if 1 + room.plot + written.getvalue().count("\n") <= most:
            return room
    return ROOMS[-1]


def _answer(panel: FitPanel, console: Console, verbosity: int, room: Room) -> None:
    if panel.asked is not None:
        _asked(panel, console)
        return
    if verbosity > 0:
        _wrapped(console, panel.headline, style="bold")
        _all_causes(panel, console)
    else:
        _why(panel, console, room.open)
    blameless = [each for each in panel.not_to_blame if each != "size" or verbosity > 0]
    if blameless:
        _wrapped(console, f"Not to blame: {', '.join(blameless)}.")
    if panel.fix_sentence:
        _wrapped(console, panel.fix_sentence)
    for fix in panel.fixes[1 : 1 + room.others]:
        _wrapped(console, f"Or: {_fix_words(fix)}", indent=2)
    _diff(panel, console)
    if verbosity > 0:
        if panel.not_checked:
            _wrapped(console, f"Not checked: {'; '.join(panel.not_checked)}.")
        _arms(panel, console)


def _facts(report: Report, panel: FitPanel) -> str:
    backend = report.environment.get("backend", "")
    framework = f"{panel.framework} on {backend}" if backend else panel.framework
    left = (
        f"{percent(panel.unexplained_variance)} of the variance unexplained"
        if panel.unexplained_variance is not None
        else "its error could not be measured"
        if panel.not_tested and not panel.network.layers
        else "its error is not a finite number"
    )
    weights = panel.data.weights
    if weights is not None and panel.unexplained_variance is not None:
        left += f", weighted as the samples are ({share_alike(weights)})"
    return f"{report.place(panel)}  {panel.network.summary}, {framework}; {left}"


def _fix_words(fix: FixPanel) -> str:
    words = f"{fix.label} ({fix.successes} of {fix.replicates} starts"
    if fix.framework_runs is not None:
        words += f", {fix.framework_runs.successes} of {fix.framework_runs.runs} runs"
    return words + ")"


# ---- why ----


def _why(panel: FitPanel, console: Console, most_open: int) -> None:
    """Every confirmed cause with its proof; the counts of a set that several share are said once."""
    confirmed = [cause for cause in panel.causes if cause.status == "confirmed"]
    proven = [cause for cause in confirmed if cause.converse is not None]
    if panel.verdict != "explained":
        _wrapped(console, panel.headline, style="bold")
    elif not proven:
        _wrapped(console, "Why it looks like that:", style="bold")
    for arm in dict.fromkeys(cause.converse.with_ for cause in proven if cause.converse):
        together = [cause for cause in proven if cause.converse and cause.converse.with_ == arm]
        held = panel.arms[arm]
        count = "a cause" if len(together) == 1 else f"{len(together)} causes"
        _wrapped(
            console,
            f"Why: {count}, confirmed by retraining. With {held.label} {held.successes} of "
            f"{held.replicates} starts succeed; with a cause put back:",
            style="bold",
        )
        for cause in together:
            _converse(panel, cause, console)
    for cause in confirmed:
        if cause.converse is None:
            _cause(cause, console, verbose=False)
    _open_causes(panel, console, most_open)
    _observed(panel, console)
    _size(panel, console)


def _converse(panel: FitPanel, cause: CausePanel, console: Console) -> None:
    assert cause.converse is not None
    without = panel.arms[cause.converse.without]
    seen = cause.observed_as or cause.cause.replace("-", " ")
    _wrapped(
        console,
        f"{_mark(cause, console)} {cause.cause}: {seen}; {cause.converse.put_back}: "
        f"{without.successes} of {without.replicates}",
        indent=2,
    )


def _open_causes(panel: FitPanel, console: Console, most: int) -> None:
    """What was observed and could not be decided; causes of which the same is said share a line."""
    groups: dict[str, list[CausePanel]] = {}
    for cause in panel.causes:
        if cause.status == "undecided" and cause.observed:
            groups.setdefault(cause.sentence, []).append(cause)
    shown = list(groups.items())
    for sentence, causes in shown[:most]:
        names = ", ".join(cause.cause for cause in causes)
        said = _without_intervals(_without_status(sentence, "undecided"))
        seen = f"{causes[0].observed_as}; " if len(causes) == 1 and causes[0].observed_as else ""
        _wrapped(console, f"? {names}: {seen}undecided: {said}", indent=2)
    rest = [cause.cause for _sentence, causes in shown[most:] for cause in causes]
    if rest:
        too = " too" if shown[:most] else ""
        _wrapped(console, f"? undecided{too}: {', '.join(rest)} (-v says why)", indent=2)


def _observed(panel: FitPanel, console: Console) -> None:
    """What was seen and no retraining can judge, unless the headline has said it."""
    for cause in panel.causes:
        seen = cause.observed_as
        if (
            cause.status == "not-tested"
            and cause.cause != "seed-does-not-seed-weights"  # of no use to who asks for the why
            and seen
            and seen not in panel.headline
        ):
            _wrapped(console, f"{_mark(cause, console)} {cause.cause}: {seen}", indent=2)


def _size(panel: FitPanel, console: Console) -> None:
    """What is said of size where a proof speaks: people blame it most."""
    size = [cause for cause in panel.causes if cause.cause == "too-few-units"]
    bounds = panel.capacity
    if not size or size[0].status != "refuted":
        return
    if bounds is None or bounds.witness > panel.criterion.tolerance:
        _cause(size[0], console, verbose=False)
        return
    sentence = (
        f"Not size: {bounds.bends} units can reach {number(bounds.witness)} unexplained (built and "
        f"run; no net of this size gets below {number(bounds.lower_bound)})."
    )
    helped = re.search(r"(?:\d+(?:, \d+)*) units raise .*", size[0].sentence)
    if helped:
        sentence += f" For luck, {helped.group().rstrip('.')}."
    _wrapped(console, sentence)


def _all_causes(panel: FitPanel, console: Console) -> None:
    for cause in sorted(panel.causes, key=lambda cause: STATUS_ORDER.index(cause.status)):
        _cause(cause, console, verbose=True)


def _cause(cause: CausePanel, console: Console, *, verbose: bool) -> None:
    sentence = cause.sentence if verbose else _without_intervals(cause.sentence)
    if verbose or cause.status != "confirmed":
        sentence = f"{cause.status}: {_without_status(sentence, cause.status)}"
    _wrapped(console, f"{_mark(cause, console)} {cause.cause}: {sentence}", indent=2)


def _without_status(sentence: str, status: str) -> str:
    return re.sub(rf"^{status}: ", "", sentence, flags=re.IGNORECASE)


def _mark(cause: CausePanel, console: Console) -> str:
    mark, ascii_mark = STATUS_MARKS[cause.status]
    return ascii_mark if _plain(console) else mark


def _without_intervals(sentence: str) -> str:
    """The counts without the differences and intervals, which -v and the reports give."""
    return re.sub(r" \((?:difference [^()]*|95 % interval [^()]*)\)", "", sentence)


# ---- what to do ----


def _diff(panel: FitPanel, console: Console) -> None:
    if not panel.fixes:
        return
    fix = panel.fixes[0]
    if fix.diff is not None:
        for line in _short_diff(fix.diff, max(30, min(console.width, 80)) - 2):
            console.print(Text("  " + _printable(line, console)), no_wrap=True, overflow="crop")
    if fix.words:
        _wrapped(console, f"By hand: {'; '.join(dict.fromkeys(fix.words))}.", indent=2)


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
    part, room = line[1 + start :], width - (2 if start else 1)
    end = part if len(part) <= room else part[: room - 1] + "…"
    return line[0] + ("…" if start else "") + end


def _asked(panel: FitPanel, console: Console) -> None:
    """The arms that were named, and the first against each of the others on the same starts."""
    _arms(panel, console)
    many = len(panel.asked or ()) > 1
    for each in panel.asked or ():
        (low, high), wider = each.interval, each.deciding_interval
        together = (
            f"; for all together {wider[0]:+.2f} to {wider[1]:+.2f}" if many and wider else ""
        )
        _wrapped(
            console,
            f"Paired: {panel.arms[each.with_].label} against {panel.arms[each.without].label}: "
            f"difference {each.difference:+.2f} (95 % interval {low:+.2f} to {high:+.2f}{together}); of "
            f"{each.replicates} starts {each.gained} succeed only with the first, {each.lost} only "
            "with the second",
        )


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


# ---- lines ----


def _wrapped(console: Console, text: str, *, style: str = "", indent: int = 0) -> None:
    """Wrap at 80 columns or the terminal's width; the text is never read as markup."""
    width = max(20, min(console.width, 80))
    pad = " " * indent
    for line in textwrap.wrap(
        _printable(text, console),
        width,
        initial_indent=pad,
        subsequent_indent=pad + "  ",
        break_on_hyphens=False,
    ):
        console.print(Text(line, style=style), no_wrap=True, overflow="ignore", crop=False)


def _printable(text: str, console: Console) -> str:
    """Without control characters, and without what the terminal's encoding cannot show."""
    clean = visible(text).replace("\t", " ")
    return clean.encode(console.encoding, errors="replace").decode(console.encoding)


def _plain(console: Console) -> bool:
    return not console.encoding.lower().startswith("utf")
