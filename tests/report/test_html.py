"""The HTML view: one file, ten parts, no request, the same bytes every time."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace

import pytest

from tests.report.situations import NAMES, dead, diagnosis_of, page_named, report_named
from whyfit.records.finding import Change
from whyfit.records.study import arm
from whyfit.report import html, panels

PARTS = [
    "answer",
    "fit-part",
    "built",
    "training",
    "capacity-part",
    "causes",
    "luck",
    "takes",
    "fix",
    "method",
]


@pytest.fixture(params=NAMES)
def name(request) -> str:
    return request.param


def test_all_parts_stand_in_order(name: str):
    page = page_named(name)
    assert re.findall(r'<section id="fit1-([a-z-]+)"', page) == PARTS
    assert page.count("<h1>") == 1


def test_it_asks_for_nothing(name: str):
    page = page_named(name)
    assert "default-src 'none'" in page
    outside = re.findall(r'(?:src|href|xlink:href|url)\s*[=(]\s*["\']?([^"\'\s)>]+)', page)
    assert all(each.startswith(("#", "data:")) for each in outside)
    assert len(page.encode()) < 1_000_000


def test_the_policy_allows_our_script_alone(name: str):
    page = page_named(name)
    (script,) = re.findall(r"<script>(.*?)</script>", page, flags=re.S)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in page
    assert "unsafe-inline'; script" not in page.split("style-src", 1)[0]
    assert page.count("<script") == 1
    assert not re.search(r"<[^>]+\son[a-z]+=", page)


def test_the_starting_case_is_small():
    assert len(page_named("starting_case").encode()) < 400_000


def test_identifiers_are_unique_and_references_lead_somewhere(name: str):
    page = page_named(name)
    names = re.findall(r'\sid="([^"]+)"', page)
    assert len(names) == len(set(names))
    asked = re.findall(r'(?:href="#|url\(#|aria-labelledby=")([^")]+)', page)
    assert set(asked) <= set(names)


def test_each_figure_says_what_it_shows(name: str):
    page = page_named(name)
    drawn = re.findall(r'<div class="plot" role="img" aria-label="([^"]*)">', page)
    assert all(len(each) > 20 for each in drawn)
    assert page.count("<svg viewBox") == page.count('aria-hidden="true" focusable="false"') - (
        page.count('<svg width="0"') + page.count('<svg class="')
    )


def test_one_colour_for_one_role(name: str):
    """All colours of figures come from the page's variables, so that dark and print follow."""
    page = page_named(name)
    body = page[page.index("<body>") : page.index("<script>")]
    assert not re.findall(r"(?:fill|stroke): ?#[0-9a-fA-F]{3,6}", body)


def test_no_text_is_read_as_mathematics(name: str):
    assert "mathdefault" not in page_named(name)


def test_the_same_report_gives_the_same_bytes():
    report = report_named("starting_case")
    again = panels.from_json(panels.to_json(report))
    assert html.render(again) == page_named("starting_case")


def test_a_script_with_many_fits_stays_small():
    report = report_named("starting_case")
    many = replace(report, fits=report.fits * 50)
    page = html.render(many)
    assert len(page.encode()) < 1_000_000
    assert page.count("<h1>") == 1
    assert page.count('id="fit40-answer"') == 1
    assert "10 more fits are in the JSON file only" in page
    names = re.findall(r'\sid="([^"]+)"', page)
    assert len(names) == len(set(names))


def test_arms_that_were_asked_for_without_the_script_as_it_is():
    arms = (arm(Change("activation", "tanh")), arm(Change("units", "8")))
    said = panels.make_report(diagnosis_of(dead(), arms=arms), lambda _file: "script.py")
    assert [each.label for each in said.fits[0].arms] == ["tanh", "8 units"]
    assert "The arms that were asked for, paired" in html.render(said)


def test_no_fit():
    page = html.render(replace(report_named("starting_case"), fits=(), notes=("nothing ran",)))
    assert "No fit was found" in page
    assert "nothing ran" in page
