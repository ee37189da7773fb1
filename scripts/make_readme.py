"""Remake what is shown of the starting case: report, golden file of the figures, README, screenshots.

    python scripts/make_readme.py           # runs whyfit on examples/sine_relu.py (about a minute)
    python scripts/make_readme.py --stored  # from the stored report, after a change of the views

A test compares the README's text with the text view of the stored report, so it cannot go stale.
"""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from whyfit.report import html, panels, text
from whyfit.report.figures import figures

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tests.report import shapes

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "examples" / "sine_relu.py"
STORED = ROOT / "tests" / "report" / "starting_case.json"
IMAGES = ROOT / "docs" / "images"
COMMAND = ("run", "--fast", "--seed", "1", SCRIPT.name)
BEGIN, END = "<!-- starting case: made by scripts/make_readme.py -->\n```\n", "```\n<!-- end -->"
CHROMIUM = "/usr/bin/chromium"
SHOTS = tuple(
    (width, height, scheme)
    for width, height in ((1280, 900), (360, 780))
    for scheme in ("light", "dark")
)


def main() -> None:
    """Remake all of it."""
    if "--stored" not in sys.argv:
        STORED.write_text(run() + "\n")
    report = panels.from_json(STORED.read_bytes())
    readme = ROOT / "README.md"
    readme.write_text(with_text(readme.read_text(), shown_text(report)))
    shapes.write(
        {name: shapes.shapes(each.svg) for name, each in figures(report.fits[0], "fit1").items()}
    )
    screenshots(html.render(report))


def run() -> str:
    """The report of the starting case as compact JSON, without times and work."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / SCRIPT.name).write_text(SCRIPT.read_text())
        command = [sys.executable, "-m", "whyfit", *COMMAND]
        without = {**os.environ, "WHYFIT_LEDGER": ""}
        subprocess.run(command, cwd=folder, env=without, check=True, stdout=subprocess.DEVNULL)
        plain = json.loads((Path(folder) / "sine_relu.whyfit.json").read_text())
    return json.dumps({**plain, "seconds": {}, "work": {}}, separators=(",", ":"))


def shown_text(report: panels.Report) -> str:
    """What the terminal shows, from the command to the files."""
    out = io.StringIO()
    text.render(report, Console(file=out, width=80, highlight=False))
    lines = [f"$ whyfit {' '.join(COMMAND)}", "─" * 80, *out.getvalue().splitlines()]
    lines.append("Wrote sine_relu.whyfit.html and sine_relu.whyfit.json")
    return "".join(f"{line}\n" for line in lines)


def with_text(readme: str, shown: str) -> str:
    """The README with the text between its marks replaced."""
    pattern = re.escape(BEGIN) + ".*?" + re.escape(END)
    return re.sub(pattern, lambda _match: BEGIN + shown + END, readme, flags=re.S)


def screenshots(page: str) -> None:
    """The top of the page, wide and light, narrow and dark."""
    from playwright.sync_api import sync_playwright

    IMAGES.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for width, height, scheme in SHOTS:
            context = browser.new_context(
                viewport={"width": width, "height": height}, color_scheme=scheme, offline=True
            )
            tab = context.new_page()
            tab.set_content(page)
            tab.locator("#fit1-fit-part").scroll_into_view_if_needed()
            name = f"report-{width}-{scheme}.png"
            tab.screenshot(path=IMAGES / name, full_page=True, clip=_clip(tab, width))
            _shrink(IMAGES / name)
            print(f"Wrote docs/images/{name}")
        browser.close()


def _shrink(path: Path) -> None:
    """Few colours are enough for lines and text, if rare ones are kept: thin lines have them."""
    from PIL import Image

    with Image.open(path) as image:
        colours = image.convert("RGB").quantize(96, Image.Quantize.MAXCOVERAGE)
        colours.save(path, optimize=True)


def _clip(tab: object, width: int) -> dict[str, float]:
    """From the top to the end of the person's own fit, without the long list of answers."""
    tab.evaluate(
        "document.querySelectorAll('#fit1-answer details').forEach(each => each.open = false)"
    )
    box = tab.locator("#fit1-fit-part").bounding_box()
    scrolled = tab.evaluate("scrollY")
    return {"x": 0, "y": 0, "width": width, "height": box["y"] + box["height"] + scrolled}


if __name__ == "__main__":
    main()
