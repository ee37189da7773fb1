"""Make docs/gallery/: what whyfit says of ten questions that people asked, each with its whole report.

    python scripts/gallery.py           # runs the scripts of cases/development (about ten minutes)
    python scripts/gallery.py --stored  # from the stored reports, after a change of the views

A report is kept as JSON; the documentation's build makes its HTML. A test compares the page with what
the stored reports give.
"""

from __future__ import annotations

import html
import json
import sys
from pathlib import Path

from whyfit.report import panels
from whyfit.report.drawing.sketch import CURVE_HEIGHT, CURVE_WIDTH, CurveBox
from whyfit.report.panels.curve import CurvePanel
from whyfit.report.panels.fit import FitPanel

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
from benchmarks.development_cases import CASES, Case, run  # noqa: E402  found by the line above

FOLDER = ROOT / "docs" / "gallery"
BUDGET = 15.0

HEAD = """# Gallery

Written by `python scripts/gallery.py`; do not edit. Ten questions that people asked in public, as
scripts, and what `whyfit run --fast` says of each. Behind every picture is the whole report. How the
answers compare with what was expected stands in [the ten development cases](../development-cases.md).

"""


def main() -> None:
    """Run the cases, or read what is stored, and write the page."""
    FOLDER.mkdir(exist_ok=True)
    if "--stored" not in sys.argv:
        for case in CASES:
            store(case)
    (FOLDER / "index.md").write_text(page())
    print("Wrote docs/gallery/index.md")


def store(case: Case) -> None:
    """Run one case and keep its report, without the times, which differ each time."""
    report, _seconds, problem = run(case, BUDGET)
    if report is None:
        raise SystemExit(f"{case.name}: {problem}")
    content = json.dumps({**report, "seconds": {}}, separators=(",", ":"))
    stored(case).write_text(content + "\n")
    print(f"Wrote {stored(case).relative_to(ROOT)}", flush=True)


def stored(case: Case) -> Path:
    """Where the report of a case is kept."""
    return FOLDER / f"{case.script.stem}.json"


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
