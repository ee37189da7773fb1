"""Make docs/gallery/index.md: what whyfit says of ten questions that people asked.

    python benchmarks/development_cases.py  # runs the scripts and keeps their reports
    python scripts/gallery.py               # the page, from the reports that are kept

A report is kept as JSON; the documentation's build makes its HTML. A test compares the page with what
the kept reports give.
"""

from __future__ import annotations

import html
import sys
from pathlib import Path

from whyfit.report import panels
from whyfit.report.drawing.sketch import CURVE_HEIGHT, CURVE_WIDTH, CurveBox
from whyfit.report.panels.curve import CurvePanel
from whyfit.report.panels.fit import FitPanel

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
from benchmarks.development_cases import CASES, Case, stored  # noqa: E402  found by the line above

FOLDER = ROOT / "docs" / "gallery"

HEAD = """# Gallery

Written by `python scripts/gallery.py`; do not edit. Ten questions that people asked in public, as
scripts, and what `whyfit run --fast` says of each. Behind every picture is the whole report. How the
answers compare with what was expected stands in [the ten development cases](../development-cases.md).

"""


def main() -> None:
    """Write the page."""
    (FOLDER / "index.md").write_text(page())
    print("Wrote docs/gallery/index.md")


def page() -> str:
    """The page, from the stored reports."""
    return HEAD + "\n".join(entry(case) for case in CASES if stored(case).exists())


def entry(case: Case) -> str:
    """One case: its curve, the answer and the fix, and where to read on."""
    fit = panels.from_json(stored(case).read_bytes()).fits[0]
    script = case.script.relative_to(ROOT)
    lines = [
        f"## {case.name}",
        "",
        f'<a href="{case.script.stem}.html">{picture(fit, case.name)}</a>',
        "",
        f"{fit.network.summary}, {fit.framework}. {fit.headline} {fit.fix_sentence}".strip(),
        "",
        f"[The script](../../{script})",
        "",
    ]
    return "\n".join(lines)


def picture(fit: FitPanel, name: str) -> str:
    """Target and fit as a small drawing, or words where there is no curve of one input."""
    curve = fit.curve
    if curve is None or curve.inputs > 1 or all(value is None for value in curve.fit):
        return "The report"
    return drawing(curve, html.escape(f"Target and fit of {name}: the report"))


def drawing(curve: CurvePanel, label: str) -> str:
    """SVG that takes the page's own text colour for the target."""
    box = CurveBox(curve.x, curve.target)
    line = 'fill="none" stroke-width="1.5"'
    return (
        f'<svg role="img" aria-label="{label}" viewBox="0 0 {CURVE_WIDTH} {CURVE_HEIGHT}" '
        f'width="{2 * CURVE_WIDTH}" height="{2 * CURVE_HEIGHT}">'
        f'<path {line} stroke="currentColor" d="{box.path(curve.target)}"/>'
        f'<path {line} stroke="#d55e00" stroke-dasharray="5 2" d="{box.path(curve.fit)}"/></svg>'
    )


if __name__ == "__main__":
    main()
