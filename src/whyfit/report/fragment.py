"""The report as part of another page, for notebooks: no script, no request, and its own style."""

from __future__ import annotations

import hashlib

from markupsafe import Markup

from whyfit.report.figures import Figure, figure_of_fit
from whyfit.report.html import STATUS_MARKS, resource, templates
from whyfit.report.panels.document import to_json
from whyfit.report.panels.fit import FitPanel
from whyfit.report.panels.plain_text import clipped
from whyfit.report.panels.report import Report
from whyfit.report.panels.table import MOST_WHOLE, fit_table


def render(report: Report) -> str:
    """The part of a page: the answer, the curve, the causes and the fix of each fit."""
    report = clipped(report)
    table = fit_table(report)
    if table is None:
        whole = report.fits[:MOST_WHOLE]
    else:
        whole = (report.fits[table.whole],) if table.whole is not None else ()
    # Figures of two cells stand on one page, so their identifiers come from what they show.
    prefix = "w" + hashlib.sha256(to_json(report)).hexdigest()[:10]
    return (
        templates()
        .get_template("fragment.html.j2")
        .render(
            report=report,
            fits=[(panel, *_figure(panel, f"{prefix}-{at}")) for at, panel in enumerate(whole)],
            table=table,
            marks=STATUS_MARKS,
            style=Markup(resource("fragment.css")),
        )
    )


def _figure(panel: FitPanel, prefix: str) -> tuple[Figure | None, Markup]:
    figure = figure_of_fit(panel, prefix)
    return figure, Markup(figure.svg if figure else "")
