"""Many fits of one script as a table: what tells them apart, and how well each fits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from whyfit.records.diagnosis import NOT_ASKED_FOR
from whyfit.report.panels.conclusions import number
from whyfit.report.panels.fit import FitPanel
from whyfit.report.panels.report import Report

MOST_WHOLE = 3
"""Fits that are told in full; of more only the one that was retrained, the worst."""

MOST_ROWS = 40


@dataclass(frozen=True)
class FitTable:
    """Cells of a table of fits; `fits` are their indices, `whole` that of the one to tell in full: the
    worst that could be tried, or, where none could be, the last, with which the script ends.

    `left_out` rows are not in it: those of the fits that fit best are the first to go.
    """

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    fits: tuple[int, ...]
    whole: int | None
    left_out: int = 0
    tried: bool = True

    @property
    def caption(self) -> str:
        """What the table holds, and what follows it."""
        said = f"{len(self.rows) + self.left_out} fits"
        if self.left_out:
            said += f", the best {self.left_out} left out"
        if self.whole is not None:
            which = "the worst" if self.tried else "none can be retrained; the last"
            said += f"; {which}, fit {self.whole + 1}, is explained below"
        return said


COLUMNS: tuple[tuple[str, Callable[[dict[str, Any]], Any]], ...] = (
    ("optimizer", lambda recipe: recipe["optimizer"]["name"]),
    ("rate", lambda recipe: number(recipe["optimizer"]["learning_rate"])),
    ("batch", lambda recipe: recipe["batch_size"]),
    ("epochs", lambda recipe: recipe["epochs"]),
    ("loss", lambda recipe: recipe["loss"]),
    ("start", lambda recipe: recipe["layers"][0]["kernel_initializer"]["name"]),
)
"""Parts of a recipe that loops over settings usually change; shown where they differ."""


def fit_table(report: Report) -> FitTable | None:
    """The table of a report with more fits than can be told one by one, or None."""
    fits = report.fits
    if len(fits) <= MOST_WHOLE:
        return None
    cells = [_settings(panel) for panel in fits]
    names = [name for name, _read in COLUMNS if len({each.get(name, "–") for each in cells}) > 1]
    places = len({_place(panel) for panel in fits}) > 1
    head = ("fit", *(["line"] if places else []), "network", *names, "unexplained")
    kept = _kept(fits)
    rows = tuple(
        (
            str(at + 1),
            *([_place(fits[at])] if places else []),
            fits[at].network.summary,
            *(cells[at].get(name, "–") for name in names),
            _left(fits[at]),
        )
        for at in kept
    )
    tried = _tried(fits)
    last = len(fits) - 1 if _asked_for(fits) else None
    whole = last if tried is None else tried
    return FitTable(head, rows, tuple(kept), whole, len(fits) - len(kept), tried is not None)


def _asked_for(fits: tuple[FitPanel, ...]) -> bool:
    """Whether fits were to be retrained, so that each says why it could not be."""
    return all(panel.not_tested != NOT_ASKED_FOR for panel in fits)


def _place(panel: FitPanel) -> str:
    """The line of a fit, with the file where that is not the script."""
    return f"{panel.file}:{panel.line}" if panel.file else str(panel.line)


def _settings(panel: FitPanel) -> dict[str, str]:
    recipe = panel.recipe
    return {name: str(read(recipe)) for name, read in COLUMNS} if recipe else {}


def _left(panel: FitPanel) -> str:
    left = panel.unexplained_variance
    if left is None:
        return "not finite"
    return number(left) + (" ✓" if left <= panel.criterion.tolerance else "")


def _kept(fits: tuple[FitPanel, ...]) -> list[int]:
    def left(at: int) -> float:
        value = fits[at].unexplained_variance
        return float("inf") if value is None else value

    return sorted(sorted(range(len(fits)), key=left, reverse=True)[:MOST_ROWS])


def _tried(fits: tuple[FitPanel, ...]) -> int | None:
    """The fit that was retrained, or replayed and not reproduced; the diagnosis chose it."""
    tried = (panel.plan is not None or panel.replay.status != "not-run" for panel in fits)
    return next((at for at, was in enumerate(tried) if was), None)
