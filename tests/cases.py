"""The case pairs: what running one of their scripts gives."""

from __future__ import annotations

import io
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

from whyfit.adapters import capture
from whyfit.adapters._adapter import Session
from whyfit.diagnose import Options, diagnose
from whyfit.fast import EngineSubstitute
from whyfit.study.conduct import StudyOptions
from whyfit.study.confirm import ConfirmOptions

FOLDER = Path(__file__).resolve().parent.parent / "cases"
CASES = sorted(path for path in FOLDER.iterdir() if path.is_dir())

STUDIED = ("lucky_start", "unlucky_start")
"""Cases whose fault only retraining can show."""


def outcome(script: Path) -> dict[str, Any]:
    """Findings of the script's first fit, and causes confirmed where the case needs a study."""
    studied = script.parent.name in STUDIED
    with redirect_stderr(io.StringIO()):
        captured = capture.run(
            capture.load_script(str(script), []),
            Session(substitute=EngineSubstitute(), strict=True),
        )
    options = Options(
        retrain=studied, study=StudyOptions(budget=10.0), confirm=ConfirmOptions(runs=0)
    )
    fit = diagnose(captured, options).fits[0]
    causes = fit.study.causes if fit.study else ()
    return {
        "findings": [finding.rule for finding in fit.findings],
        "confirmed": [cause.slug for cause in causes if cause.status == "confirmed"],
    }
