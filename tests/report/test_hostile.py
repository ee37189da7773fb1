"""Hostile text: nothing is executed, nothing breaks, nothing hides."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from tests.report.situations import diagnosis_of, healthy, report_named
from whyfit.report import html, panels, text
from whyfit.report.panels import Report
from whyfit.report.panels.plain_text import visible

HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&</style></svg>{{ 7*7 }}"
    "\x1b[31m\x00\x9b\u202e\u2066\ud800$x^2$\r\n"
)
TERMINAL = "\x1b\x00\x9b\u202e\u2066\r"


def hostile(word: str) -> Report:
    """A report in which every text that comes from outside is the given one."""
    fit = replace(
        healthy(),
        warnings=(word,),
        framework=word,
        environment={"keras": word, word[:50]: "1"},
        summary=word,
        unsupported=word,
        recipe=None,
    )
    said = diagnosis_of(fit, budget=0.1, error=word)
    return panels.make_report(replace(said, notes=(word,), command=word), lambda _file: word)


def with_fix(word: str) -> Report:
    """The starting case with a diff and words from outside."""
    report = report_named("starting_case")
    fit = report.fits[0]
    fix = replace(
        fit.fixes[0], label=word, diff=f"--- a\n+++ b\n@@ -1 +1 @@\n-{word}\n+{word}", words=(word,)
    )
    return replace(report, script=word, fits=(replace(fit, fixes=(fix,)),))


@pytest.mark.parametrize("make", [hostile, with_fix])
def test_html_shows_it_and_runs_nothing(make):
    page = html.render(make(HOSTILE))
    assert page.count("<script") == 1
    assert "<img src=x" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "{{ 7*7 }}" in page
    assert page.count("</style>") == 1
    assert not [each for each in TERMINAL if each in page]
    page.encode()


@pytest.mark.parametrize("make", [hostile, with_fix])
@pytest.mark.parametrize("verbosity", [-1, 0, 1])
def test_a_terminal_is_not_commanded(make, verbosity: int):
    out = io.StringIO()
    text.render(make(HOSTILE), Console(file=out, width=80, highlight=False), verbosity=verbosity)
    assert not [each for each in TERMINAL if each in out.getvalue()]
    assert "$x^2$" in out.getvalue()


def test_json_takes_what_is_no_unicode():
    content = panels.to_json(hostile(HOSTILE))
    assert "<script>alert(1)" in json.loads(content)["script"]
    assert panels.to_json(panels.from_json(content)) == content


def test_ten_megabytes_are_cut():
    word = "<b>" * (10_000_000 // 3)
    report = hostile(word)
    assert len(panels.to_json(report)) < 500_000
    assert len(html.render(report)) < 500_000
    assert "more characters" in report.script


def test_a_long_diff_is_cut():
    page = html.render(with_fix("y" * 1_000_000))
    assert len(page) < 1_000_000


def test_a_document_from_elsewhere_is_cleaned_too():
    plain = json.loads(panels.to_json(report_named("healthy")))
    plain["fits"][0]["headline"] = "\x1b[2J\u202e" + "z" * 5_000_000
    report = panels.from_json(json.dumps(plain).encode())
    assert len(report.fits[0].headline) < 3_000
    assert "\x1b" not in report.fits[0].headline


def test_line_feeds_and_tabs_stay():
    assert visible("a\n\tb") == "a\n\tb"
