"""The documentation site: links out of docs/ lead to copies of the repository's files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from benchmarks.development_cases import CASES, stored
from scripts import gallery
from scripts.docs_site import to_copies

from whyfit.report import panels

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted((ROOT / "docs").rglob("*.md"))


@pytest.mark.parametrize(
    ("before", "after", "depth"),
    [
        ("[a](../../cases/x/bad.py)", "[a](../sources/cases/x/bad.py.txt)", 1),
        ("[a](../examples/sine_relu.py)", "[a](sources/examples/sine_relu.py.txt)", 0),
        ("[a](../index.md)", "[a](../index.md)", 1),
        ("[a](../cases/x/bad.py)", "[a](../cases/x/bad.py)", 1),
    ],
)
def test_links_out_of_the_documentation(before: str, after: str, depth: int):
    assert to_copies(before, depth) == after


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_name_files_that_are_there(page: Path):
    """The strict build checks links among pages; this one also those into the repository."""
    for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
        assert (page.parent / link).exists(), link


def test_the_gallery_shows_what_is_stored():
    assert (gallery.FOLDER / "index.md").read_text() == gallery.page()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_case_of_the_gallery_has_its_report(case):
    report = panels.from_json(stored(case).read_bytes())
    assert report.script == case.script.name
    assert report.fits
