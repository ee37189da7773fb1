"""A report as the verdict of a check, for machines: healthy or not, and why.

Formats: text, json, junit (JUnit's XML as CI servers read it), sarif (SARIF 2.1.0, OASIS 2020) and
github (workflow commands, one annotation a problem).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from whyfit.report.panels.fit import FitPanel
from whyfit.report.panels.plain_text import visible
from whyfit.report.panels.report import Report
from whyfit.rules import rule_named

HEALTHY, UNHEALTHY = 0, 1


@dataclass(frozen=True)
class Problem:
    """One reason why a fit is not healthy: a confirmed cause, or that it misses its tolerance."""

    slug: str
    message: str


@dataclass(frozen=True)
class FitCheck:
    """The verdict on one fit; healthy if there is no problem."""

    script: str
    line: int
    verdict: str
    headline: str
    problems: tuple[Problem, ...]


MISSES = "misses-tolerance"


def check(report: Report) -> tuple[FitCheck, ...]:
    """The verdict on every fit of a report."""
    return tuple(
        FitCheck(
            visible(panel.file or report.script).replace("\n", " "),
            panel.line,
            panel.verdict,
            panel.headline,
            _problems(panel),
        )
        for panel in report.fits
    )


def _problems(panel: FitPanel) -> tuple[Problem, ...]:
    """Confirmed causes; where there is none, that the fit misses its tolerance."""
    confirmed = tuple(
        Problem(cause.cause, f"{cause.observed_as}. {cause.sentence}".removeprefix(". "))
        for cause in panel.causes
        if cause.status == "confirmed"
    )
    left = panel.unexplained_variance
    if confirmed or (left is not None and left <= panel.criterion.tolerance):
        return confirmed
    return (Problem(MISSES, panel.headline),)


def status(checks: tuple[FitCheck, ...]) -> int:
    """The exit status: 0 if every fit is healthy, else 1."""
    return UNHEALTHY if any(each.problems for each in checks) else HEALTHY


def to_text(checks: tuple[FitCheck, ...]) -> str:
    """A line for each fit and for each problem."""
    lines = []
    for each in checks:
        word = "not healthy" if each.problems else "healthy"
        lines.append(f"{each.script}:{each.line}: {word}: {each.headline}")
        lines += [f"  {one.slug}: {one.message}" for one in each.problems if one.slug != MISSES]
    return "\n".join(visible(line).replace("\n", " ") for line in lines)


def to_json(checks: tuple[FitCheck, ...]) -> str:
    """A JSON document with one entry for each fit."""
    fits = [
        {
            "script": each.script,
            "line": each.line,
            "healthy": not each.problems,
            "verdict": each.verdict,
            "headline": each.headline,
            "problems": [{"cause": one.slug, "message": one.message} for one in each.problems],
        }
        for each in checks
    ]
    return json.dumps({"healthy": status(checks) == HEALTHY, "fits": fits}, indent=1)


def to_junit(checks: tuple[FitCheck, ...]) -> str:
    """A test suite in which every fit is a test case."""
    failures = sum(bool(each.problems) for each in checks)
    suite = ElementTree.Element(
        "testsuite",
        {"name": "whyfit", "tests": str(len(checks)), "failures": str(failures), "errors": "0"},
    )
    for each in checks:
        case = ElementTree.SubElement(
            suite, "testcase", {"classname": each.script, "name": f"fit at line {each.line}"}
        )
        for one in each.problems:
            failure = ElementTree.SubElement(
                case, "failure", {"type": one.slug, "message": visible(one.message)}
            )
            failure.text = visible(each.headline)
    ElementTree.indent(suite)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True)


def to_sarif(checks: tuple[FitCheck, ...]) -> str:
    """A SARIF log with one result for each problem, at the line of the fit."""
    slugs = list(dict.fromkeys(one.slug for each in checks for one in each.problems))
    results = [
        {
            "ruleId": one.slug,
            "ruleIndex": slugs.index(one.slug),
            "level": "warning",
            "message": {"text": one.message},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": _uri(each.script)},
                        "region": {"startLine": max(1, each.line)},
                    }
                }
            ],
        }
        for each in checks
        for one in each.problems
    ]
    driver = {"name": "whyfit", "rules": [_sarif_rule(slug) for slug in slugs]}
    log = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "results": results}],
    }
    return json.dumps(log, indent=1)


def _sarif_rule(slug: str) -> dict[str, Any]:
    rule = rule_named(slug)
    title = rule.title if rule else "The fit leaves more unexplained than its tolerance."
    return {"id": slug, "shortDescription": {"text": title}}


def _uri(path: str) -> str:
    from urllib.parse import quote

    return quote(path.replace("\\", "/"))


def to_github(checks: tuple[FitCheck, ...]) -> str:
    """A workflow command for each problem; nothing where all is well."""
    return "\n".join(
        f"::error file={_property(each.script)},line={each.line},title={_property(one.slug)}"
        f"::{_data(one.message)}"
        for each in checks
        for one in each.problems
    )


def _data(text: str) -> str:
    """As actions/toolkit escapes a command's data (packages/core/src/command.ts)."""
    return visible(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


FORMATS: dict[str, Callable[[tuple[FitCheck, ...]], str]] = {
    "text": to_text,
    "json": to_json,
    "junit": to_junit,
    "sarif": to_sarif,
    "github": to_github,
}
