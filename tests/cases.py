"""The case pairs: what running one of their scripts gives."""

from __future__ import annotations

import importlib.util
import io
import re
import subprocess
import warnings
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from whyfit.adapters import capture
from whyfit.adapters._adapter import Session
from whyfit.diagnosing import Options, diagnose
from whyfit.fast import EngineSubstitute
from whyfit.records.diagnosis import FitDiagnosis
from whyfit.study.conduct import StudyOptions
from whyfit.study.confirm import ConfirmOptions

FOLDER = Path(__file__).resolve().parent.parent / "cases"
NO_PAIRS = ("development", "kinds")
CASES = sorted(path for path in FOLDER.iterdir() if path.is_dir() and path.name not in NO_PAIRS)

BUDGET = 1.0
"""Modelled seconds for a case's study: its networks are small enough for that."""


def needs(script: Path) -> str | None:
    """The framework a script imports that is not here."""
    if "import torch" not in script.read_text():
        return None
    if importlib.util.find_spec("torch") is None:
        return "torch is not installed"
    return None


def captured(script: Path) -> capture.Captured:
    """What a script trains, with the engine in place of the framework where it can stand in."""
    # What a script's libraries warn of is the script's own: plain Python would go on.
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("default")
        return capture.run(
            capture.load_script(str(script), []),
            Session(substitute=EngineSubstitute(), strict=True),
        )


def diagnosed(script: Path, budget: float = BUDGET) -> FitDiagnosis:
    """The script's first fit and what a small study says of it."""
    options = Options(study=StudyOptions(budget=budget), confirm=ConfirmOptions(runs=0))
    return diagnose(captured(script), options).fits[0]


def outcome(fit: FitDiagnosis) -> dict[str, list[str]]:
    """What is suspected of a fit, and which causes its study confirms."""
    causes = fit.study.causes if fit.study else ()
    return {
        "findings": [finding.rule for finding in fit.findings],
        "confirmed": [cause.slug for cause in causes if cause.status == "confirmed"],
    }


def diffs(fit: FitDiagnosis) -> list[str]:
    """The diffs that a diagnosis offers."""
    return [fix.diff for fix in fit.fixes if fix.diff is not None]


def assert_applies_and_runs(script: Path, diff: str, folder: Path) -> None:
    """A diff applies by patch(1) to a copy of the script, and the copy trains and ends as the script."""
    named = re.search(r"^\+\+\+ b/(\S+)", diff, re.MULTILINE)
    assert named is not None
    copy = folder / named[1]
    copy.parent.mkdir(parents=True)
    copy.write_text(script.read_text())
    subprocess.run(["patch", "-p1", "--quiet"], cwd=folder, input=diff, text=True, check=True)
    after = captured(copy)
    assert after.error is None
    assert len(after.fits) > 0
