"""Two reports side by side: what changed between them, in plain lines."""

from __future__ import annotations

from collections.abc import Iterator

from whyfit.report.panels.fit import FitPanel
from whyfit.report.panels.plain_text import visible
from whyfit.report.panels.report import Report
from whyfit.report.panels.values import percent


def compare(before: Report, after: Report) -> str:
    """What is different, fit by fit in the order in which the scripts made them."""
    lines = []
    for at, (old, new) in enumerate(zip(before.fits, after.fits, strict=False), 1):
        lines.append(f"Fit {at}: {before.place(old)} against {after.place(new)}")
        lines += [f"  {line}" for line in _fits(old, new)]
    spare = len(before.fits) - len(after.fits)
    if spare:
        which = "first" if spare > 0 else "second"
        lines.append(f"Only the {which} report has {abs(spare)} more fit(s).")
    return "\n".join(visible(line).replace("\n", " ") for line in lines)


def _fits(old: FitPanel, new: FitPanel) -> Iterator[str]:
    yield _moved("network", old.network.summary, new.network.summary)
    yield _moved("verdict", old.verdict, new.verdict)
    yield _moved(
        "unexplained variance",
        percent(old.unexplained_variance),
        percent(new.unexplained_variance),
    )
    yield _moved("tolerance", f"{old.criterion.tolerance:g}", f"{new.criterion.tolerance:g}")
    yield _moved("starts of the script that succeed", _fresh(old), _fresh(new))
    yield _moved("smallest fix", _first_fix(old), _first_fix(new))
    yield from _causes(old, new)


def _moved(name: str, old: str, new: str) -> str:
    return f"{name}: {old}, the same" if old == new else f"{name}: {old} -> {new}"


def _fresh(panel: FitPanel) -> str:
    fresh = panel.controls.baseline_fresh
    return f"{fresh.successes} of {fresh.replicates}" if fresh else "not trained"


def _first_fix(panel: FitPanel) -> str:
    return panel.fixes[0].label if panel.fixes else "none"


def _causes(old: FitPanel, new: FitPanel) -> Iterator[str]:
    """Causes whose status is not the same, and those that stay confirmed."""
    first = {cause.cause: cause.status for cause in old.causes}
    second = {cause.cause: cause.status for cause in new.causes}
    for slug in dict.fromkeys((*first, *second)):
        was, is_ = first.get(slug, "not suspected"), second.get(slug, "not suspected")
        if was != is_:
            yield f"{slug}: {was} -> {is_}"
        elif was == "confirmed":
            yield f"{slug}: still confirmed"
