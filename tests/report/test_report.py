"""The report: one record, three views that add nothing."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace

import msgspec
import numpy as np
import pytest
from rich.console import Console

from tests.fits import HE, fit_of, recipe, sine
from whyfit.adapters.capture import Captured, load_script
from whyfit.diagnose import Options, diagnose
from whyfit.records.fit import Fit
from whyfit.report import html, panels, text
from whyfit.report.panels import Report
from whyfit.study.conduct import StudyOptions
from whyfit.study.confirm import ConfirmOptions


def report_of(fit: Fit, tmp_path, *, budget: float = 3.0, error: str | None = None) -> Report:
    script = tmp_path / "script.py"
    script.write_text("pass\n")
    captured = Captured(load_script(str(script), []), (fit,), 0, error, False, (), ())
    options = Options(study=StudyOptions(budget=budget), confirm=ConfirmOptions(runs=0))
    return panels.make_report(diagnose(captured, options), "script.py")


def dead() -> Fit:
    x, y = sine(300)
    return fit_of(recipe((4,), epochs=60), x, y)


def healthy() -> Fit:
    x, y = sine(300, -1.0, 1.0)
    return fit_of(recipe((16,), "tanh", kernel=HE, rate=0.02, epochs=150), x, y)


def deep() -> Fit:
    x, y = sine(200, -1.0, 1.0)
    return fit_of(recipe((6, 5), kernel=HE, epochs=10), x, y)


def several_inputs() -> Fit:
    x = np.random.default_rng(0).uniform(-1, 1, (200, 3))
    return fit_of(recipe((6,), kernel=HE, inputs=3, epochs=3), x, x[:, :1] * x[:, 1:2])


def diverged() -> Fit:
    x, y = sine(100)
    return fit_of(recipe((6,), kernel=HE, rate=1e20, epochs=5), x, y)


def unsupported() -> Fit:
    fit = healthy()
    return replace(
        fit,
        recipe=None,
        unsupported="LSTM is not supported",
        start=None,
        end=None,
        weight_history=None,
        summary="LSTM, Dense",
    )


def constant_target() -> Fit:
    x, _y = sine(100)
    return fit_of(recipe(epochs=3), x, np.full((100, 1), 3.0))


FITS = {
    each.__name__: each
    for each in (dead, healthy, deep, several_inputs, diverged, unsupported, constant_target)
}


@pytest.fixture(scope="module", params=FITS)
def report(request, tmp_path_factory) -> Report:
    return report_of(FITS[request.param](), tmp_path_factory.mktemp("report"), budget=1.0)


CONTRACT = {
    "schema_version",
    "whyfit_version",
    "script",
    "environment",
    "fits",
}
FIT_CONTRACT = {
    "framework",
    "line",
    "network",
    "recipe",
    "unexplained_variance",
    "criterion",
    "capacity",
    "replay",
    "findings",
    "causes",
    "arms",
    "fixes",
    "controls",
}


def test_json_keeps_the_contract(report: Report):
    plain = json.loads(panels.to_json(report), parse_constant=pytest.fail)
    assert set(plain) >= CONTRACT
    for fit in plain["fits"]:
        assert set(fit) >= FIT_CONTRACT
        for cause in fit["causes"]:
            assert cause["status"] in ("confirmed", "refuted", "undecided", "not-tested")
            assert all(0 <= arm < len(fit["arms"]) for arm in cause["arms"])
        for arm in fit["arms"]:
            assert arm["successes"] <= arm["replicates"]
            assert arm["interval"][0] <= arm["success_rate"] <= arm["interval"][1]
            for change in arm["changes"]:
                assert set(change) == {"factor", "from", "to"}


def test_a_report_can_be_made_again_from_its_json(report: Report):
    again = panels.from_json(panels.to_json(report))
    assert panels.to_json(again) == panels.to_json(report)
    assert html.render(again) == html.render(report)


def test_html_is_one_file_without_requests(report: Report):
    page = html.render(report)
    assert "default-src 'none'" in page
    outside = re.findall(r'(?:src|href|xlink:href|url)\s*[=(]\s*["\']?([^"\'\s)>]+)', page)
    assert all(each.startswith(("#", "data:")) for each in outside)
    assert "<script" not in page
    assert len(page.encode()) < 1_000_000
    assert page.count("<h1>") == len(report.fits)
    assert "$\\mathdefault" not in page


def test_text_fits_a_terminal(report: Report):
    out = io.StringIO()
    text.render(report, Console(file=out, width=80, highlight=False))
    lines = out.getvalue().splitlines()
    assert max(len(line) for line in lines) <= 80
    # One line for the rule above and one for the files come from the command line.
    assert len(lines) <= 28


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_text_in_ascii_and_narrow(report: Report, width: int):
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii", errors="strict", newline="")
    text.render(report, Console(file=out, width=width, highlight=False), verbosity=1)
    out.flush()
    assert raw.getvalue()


def test_quiet_is_the_verdict_alone(report: Report):
    out = io.StringIO()
    text.render(report, Console(file=out, width=80), verbosity=-1)
    assert out.getvalue().startswith("script.py:1: ")
    assert len(out.getvalue().splitlines()) <= 8


def test_the_same_report_gives_the_same_bytes(report: Report):
    assert html.render(report) == html.render(report)


HOSTILE = "<script>alert(1)</script>\"'&\x1b[31m\u202e$x^2$"


def test_hostile_text_is_shown_not_run(tmp_path):
    fit = replace(
        dead(),
        warnings=(HOSTILE,),
        framework=HOSTILE,
        environment={"keras": HOSTILE},
        summary=HOSTILE,
    )
    report = replace(report_of(fit, tmp_path, budget=0.2, error=HOSTILE), script=HOSTILE)
    page = html.render(report)
    assert "<script>alert" not in page
    assert "&lt;script&gt;" in page
    out = io.StringIO()
    text.render(report, Console(file=out, width=80, highlight=False), verbosity=1)
    assert "\x1b[31m" not in out.getvalue()
    assert "\u202e" not in out.getvalue()


def test_not_a_report(tmp_path):
    with pytest.raises((msgspec.DecodeError, msgspec.ValidationError)):
        panels.from_json(b'{"schema_version": 1}')


def test_contributions_add_up(tmp_path):
    panel = report_of(dead(), tmp_path, budget=0.2).fits[0]
    assert panel.contributions is not None
    assert panel.contributions.largest_error_of_sum < 1e-6
    assert panel.curve is not None
    total = np.sum(panel.contributions.curves, axis=0) + panel.contributions.bias
    assert total == pytest.approx(np.array(panel.curve.fit), abs=1e-4)


def test_the_healthy_fit_says_so(tmp_path):
    panel = report_of(healthy(), tmp_path).fits[0]
    assert panel.verdict == "sound"
    assert panel.headline.startswith("Nothing is wrong")
    assert not [cause for cause in panel.causes if cause.status == "confirmed"]


def test_the_unsupported_fit_says_why(tmp_path):
    panel = report_of(unsupported(), tmp_path).fits[0]
    assert panel.not_tested == "LSTM is not supported"
    assert "LSTM is not supported" in panel.headline
    assert panel.network["summary"] == "LSTM, Dense"
