"""The case pairs: what running one of their scripts gives."""

from __future__ import annotations

import importlib.util
import io
import warnings
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

from whyfit.adapters import capture
from whyfit.adapters._adapter import Session
from whyfit.diagnosing import Options, diagnose
from whyfit.fast import EngineSubstitute
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


def outcome(script: Path) -> dict[str, Any]:
    """Findings of the script's first fit, and the causes that a small study confirms."""
    # What a script's libraries warn of is the script's own: plain Python would go on.
    with redirect_stderr(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("default")
        captured = capture.run(
            capture.load_script(str(script), []),
            Session(substitute=EngineSubstitute(), strict=True),
        )
    options = Options(study=StudyOptions(budget=BUDGET), confirm=ConfirmOptions(runs=0))
    fit = diagnose(captured, options).fits[0]
    causes = fit.study.causes if fit.study else ()
    return {
        "findings": [finding.rule for finding in fit.findings],
        "confirmed": [cause.slug for cause in causes if cause.status == "confirmed"],
    }
