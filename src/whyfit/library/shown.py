"""A diagnosis that shows itself: printed, in a notebook, or saved as a file."""

from __future__ import annotations

import io
import textwrap
from functools import cached_property
from pathlib import Path
from typing import Any

from rich.console import Console

from whyfit.errors import OutputError, UsageError
from whyfit.library.cells import cell_name
from whyfit.patching.patch import shown_path
from whyfit.records.diagnosis import Diagnosis as Record
from whyfit.report import check, panels, text
from whyfit.report.panels import CausePanel, FitPanel, Report

COLUMNS = 80


class Diagnosis:
    """What was found. Print it, leave it at the end of a notebook's cell, or `save` it.

    `record` holds every number, `report` everything that the views show.
    """

    def __init__(self, record: Record) -> None:
        self.record = record

    @cached_property
    def report(self) -> Report:
        """The panels: the report as plain data, which its JSON file holds too."""
        return panels.make_report(self.record, lambda file: cell_name(file) or shown_path(file))

    @property
    def fits(self) -> tuple[FitPanel, ...]:
        """What is said of each fit, in the order of training."""
        return self.report.fits

    @property
    def healthy(self) -> bool:
        """Whether every fit meets its tolerance and no cause is confirmed."""
        return check.status(check.check(self.report)) == check.HEALTHY

    @property
    def causes(self) -> tuple[CausePanel, ...]:
        """All causes looked into, of all fits: `cause`, `status` and `sentence` of each."""
        return tuple(cause for panel in self.fits for cause in panel.causes)

    @property
    def confirmed(self) -> tuple[str, ...]:
        """The slugs of the causes that were confirmed."""
        found = [each.cause for each in self.causes if each.status == "confirmed"]
        return tuple(dict.fromkeys(found))

    @property
    def verdict(self) -> str:
        """A few sentences: for each fit why it looks odd and what mends it, then what was assumed."""
        said = [f"{panel.headline} {panel.fix_sentence}".strip() for panel in self.fits]
        lines = [textwrap.fill(each, COLUMNS) for each in (*said, *self.report.notes)]
        return "\n".join(lines)

    def save(self, path: str | Path) -> None:
        """Write the whole report; the name's ending says as what: `.html` or `.json`.

        Raises UsageError for another ending, OutputError where the file cannot be written.
        """
        target = Path(path)
        if target.suffix == ".json":
            content = panels.to_json(self.report)
        elif target.suffix in (".html", ".htm"):
            from whyfit.report import html

            content = html.render(self.report).encode()
        else:
            raise UsageError(f"the file's name must end in .html or .json: got {target.name}")
        try:
            target.write_bytes(content)
        except OSError as error:
            raise OutputError(f"{target} could not be written: {error.strerror}") from None

    def __str__(self) -> str:
        content = io.StringIO()
        console = Console(file=content, width=COLUMNS, highlight=False, no_color=True)
        text.render(self.report, console)
        return content.getvalue().rstrip("\n")

    def __repr__(self) -> str:
        words = ", ".join(panel.verdict for panel in self.fits) or "no fit"
        return f"<whyfit.Diagnosis: {words}; print it, or save it as .html>"

    def _repr_mimebundle_(self, **_asked: Any) -> dict[str, str]:
        """For IPython and Jupyter: text, and a part of a page without script."""
        from whyfit.report import fragment

        return {"text/plain": str(self), "text/html": fragment.render(self.report)}
