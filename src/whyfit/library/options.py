"""What may be asked for in a program, in the words of the command line."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor

from whyfit.diagnosing import Options
from whyfit.errors import UsageError
from whyfit.progress import ProgressLine
from whyfit.study.conduct import StudyOptions
from whyfit.study.confirm import ConfirmOptions
from whyfit.study.factors import FACTOR_NAMES
from whyfit.study.plan import DEFAULT_BUDGET


def options_of(
    *,
    budget: float = DEFAULT_BUDGET,
    tolerance: float | None = None,
    seed: int = 0,
    keep: str | Sequence[str] = (),
    retrain: bool = True,
    executor: Executor | None = None,
    quiet: bool = True,
) -> Options:
    """Options of a diagnosis. Raises UsageError where one makes no sense.

    Patched scripts are not run from inside a program: that would start the program again.
    """
    for name, value in (("budget", budget), ("tolerance", tolerance)):
        if value is not None and not 0.0 < value < float("inf"):
            raise UsageError(f"{name} must be a number above 0: got {value}")
    if seed < 0:
        raise UsageError(f"seed must be a whole number from 0: got {seed}")
    kept = tuple(name.strip() for name in (keep.split(",") if isinstance(keep, str) else keep))
    kept = tuple(name for name in kept if name)
    unknown = [name for name in kept if name not in FACTOR_NAMES]
    if unknown:
        raise UsageError(f"unknown factor {unknown[0]}; known: {', '.join(FACTOR_NAMES)}")
    study = StudyOptions(budget=budget, tolerance=tolerance, seed=seed, kept=kept)
    return Options(
        study=study,
        confirm=ConfirmOptions(runs=0),
        retrain=retrain,
        executor=executor,
        report=ProgressLine(quiet=quiet),
    )
