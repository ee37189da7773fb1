"""Situations a report must cope with, each diagnosed once for all tests."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from tests.fits import HE, fit_of, recipe, sine
from whyfit.adapters.capture import Captured, load_script
from whyfit.diagnosing import Options, diagnose
from whyfit.records.diagnosis import Diagnosis
from whyfit.records.fit import Fit
from whyfit.records.study import Arm
from whyfit.report import html, panels
from whyfit.report.panels import Report
from whyfit.study.conduct import StudyOptions
from whyfit.study.confirm import ConfirmOptions


def diagnosis_of(
    fit: Fit, *, budget: float = 1.0, error: str | None = None, arms: tuple[Arm, ...] = ()
) -> Diagnosis:
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "script.py"
        script.write_text("pass\n")
        captured = Captured(load_script(str(script), []), (fit,), 0, error, False, (), ())
    options = Options(
        study=StudyOptions(budget=budget, arms=arms, replicates=16), confirm=ConfirmOptions(runs=0)
    )
    return diagnose(captured, options)


def report_of(fit: Fit, *, budget: float = 1.0, error: str | None = None) -> Report:
    return panels.make_report(
        diagnosis_of(fit, budget=budget, error=error), lambda _file: "script.py"
    )


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


def several_outputs() -> Fit:
    x, y = sine(200, -1.0, 1.0)
    easy, hard = x, np.sin(9.0 * x)
    made = recipe((5,), kernel=HE, outputs=3, rate=0.02, epochs=20)
    return fit_of(made, x, np.hstack([y, easy, hard]))


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
    for each in (
        dead,
        healthy,
        deep,
        several_inputs,
        several_outputs,
        diverged,
        unsupported,
        constant_target,
    )
}


STORED = Path(__file__).parent / "starting_case.json"
"""The report of examples/sine_relu.py, made by scripts/make_readme.py."""


@cache
def report_named(name: str) -> Report:
    if name == "starting_case":
        return panels.from_json(STORED.read_bytes())
    return report_of(FITS[name]())


@cache
def page_named(name: str) -> str:
    return html.render(report_named(name))


NAMES = ("starting_case", *FITS)
