"""`whyfit check`, `whyfit compare` and `whyfit report`: reports for machines and for comparing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.report.situations import report_named
from whyfit.cli import dispatch
from whyfit.report import check, panels
from whyfit.report.compare import compare


@pytest.fixture
def written(tmp_path: Path):
    def write(name: str) -> str:
        path = tmp_path / f"{name}.json"
        path.write_bytes(panels.to_json(report_named(name)))
        return str(path)

    return write


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("starting_case", 1),
        ("healthy", 0),
        ("deep", 1),
        ("diverged", 1),
        ("unsupported", 0),
        ("constant_target", 1),
    ],
)
def test_exit_status(written, name: str, status: int, capsys: pytest.CaptureFixture[str]):
    assert dispatch(["check", written(name)]) == status
    said = capsys.readouterr().out
    assert ("not healthy" in said) == bool(status)


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b'{"schema_version": 2}'])
def test_what_is_no_report_is_a_usage_error(tmp_path: Path, content: bytes, capsys):
    (tmp_path / "no.json").write_bytes(content)
    for command in (["check"], ["report"], ["compare", str(tmp_path / "no.json")]):
        assert dispatch([*command, str(tmp_path / "no.json")]) == 2
    assert dispatch(["check", str(tmp_path / "missing.json")]) == 2
    assert "whyfit: " in capsys.readouterr().err


def test_json(written, capsys):
    assert dispatch(["check", "--output-format", "json", written("starting_case")]) == 1
    said = json.loads(capsys.readouterr().out)
    assert said["healthy"] is False
    causes = [each["cause"] for each in said["fits"][0]["problems"]]
    assert "initial-weights-too-small" in causes


def test_junit(written, capsys):
    dispatch(["check", "--output-format", "junit", written("starting_case")])
    suite = ElementTree.fromstring(capsys.readouterr().out)
    assert suite.attrib["failures"] == "1"
    assert suite[0].attrib["name"] == "fit at line 28"
    assert {failure.attrib["type"] for failure in suite[0]} >= {"initial-weights-too-small"}
    dispatch(["check", "--output-format", "junit", written("healthy")])
    assert ElementTree.fromstring(capsys.readouterr().out).attrib["failures"] == "0"


def test_sarif(written, capsys):
    dispatch(["check", "--output-format", "sarif", written("starting_case")])
    (run,) = json.loads(capsys.readouterr().out)["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    for result in run["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]
        place = result["locations"][0]["physicalLocation"]
        assert place["artifactLocation"]["uri"] == "sine_relu.py"
        assert place["region"]["startLine"] == 28


def test_github(written, capsys):
    dispatch(["check", "--output-format", "github", written("starting_case")])
    lines = capsys.readouterr().out.splitlines()
    assert all(line.startswith("::error file=sine_relu.py,line=28,title=") for line in lines)
    dispatch(["check", "--output-format", "github", written("healthy")])
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("made", check.FORMATS.values(), ids=check.FORMATS)
def test_hostile_names_stay_inside_their_field(made):
    hostile = 'a",<b>\n::error::x%0A\x1b[2J\u202e.py'
    report = report_named("starting_case")
    checks = check.check(replace(report, script=hostile))
    said = made(checks)
    assert "\x1b" not in said
    assert "\u202e" not in said
    assert not any(line.startswith("::error::x") for line in said.splitlines())
    if made is check.to_junit:
        ElementTree.fromstring(said)
    if made in (check.to_json, check.to_sarif):
        json.loads(said)


def test_compare_says_what_changed():
    said = compare(report_named("starting_case"), report_named("healthy"))
    assert "verdict: explained -> sound" in said
    assert "initial-weights-too-small: confirmed -> not suspected" in said
    same = compare(report_named("starting_case"), report_named("starting_case"))
    assert "->" not in same
    assert "initial-weights-too-small: still confirmed" in same
    two = replace(report_named("healthy"), fits=report_named("healthy").fits * 2)
    assert "Only the second report has 1 more" in compare(report_named("healthy"), two)


def test_the_commands(written, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first, second = written("starting_case"), written("healthy")
    assert dispatch(["compare", first, second]) == 0
    assert "Fit 1: sine_relu.py:28 against script.py:1" in capsys.readouterr().out
    assert dispatch(["report", second]) == 0
    assert (tmp_path / "healthy.html").read_text().startswith("<!doctype html>")
