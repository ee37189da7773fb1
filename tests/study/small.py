"""A study small enough to be run many times, and its result as text."""

from __future__ import annotations

from pathlib import Path

import msgspec

from tests.fits import UNIFORM, fit_of, recipe, sine
from whyfit.diagnosing import Options, diagnose_fit
from whyfit.ledger.ledger import Ledger
from whyfit.records.diagnosis import Diagnosis
from whyfit.records.fit import Fit
from whyfit.report import panels
from whyfit.study.conduct import StudyOptions
from whyfit.study.factors import FACTOR_NAMES


def small_fit(samples: int = 64, epochs: int = 6) -> Fit:
    """Two units on one sine period, hardly trained."""
    x, y = sine(samples)
    return fit_of(recipe((2,), kernel=UNIFORM, epochs=epochs), x, y)


KEPT = tuple(
    name for name in FACTOR_NAMES if name not in ("kernel_initializer", "input_range", "units")
)
"""Few levels make a short study."""


def options(
    ledger: Ledger | None = None, *, budget: float = 0.5, seed: int = 0, **others
) -> Options:
    """What the small study is asked for."""
    study = StudyOptions(budget=budget, seed=seed, kept=KEPT)
    return Options(study=study, ledger=ledger or Ledger.nowhere(), **others)


def diagnosed(fit: Fit, ledger: Ledger | None = None, **others) -> Diagnosis:
    """The diagnosis of a script with this fit, without runs in a framework."""
    said = diagnose_fit(fit, options(ledger, **others))
    return Diagnosis("script.py", 0, None, (said,), work=said.work)


def result(diagnosis: Diagnosis) -> str:
    """The report as JSON without what says how it was made."""
    plain = msgspec.json.decode(
        panels.to_json(panels.make_report(diagnosis, lambda _file: "script.py"))
    )
    for name in ("seconds", "work"):
        del plain[name]
    return msgspec.json.encode(plain).decode()


def opened(path: Path, said: list[str] | None = None) -> Ledger:
    """A ledger whose troubles are gathered, or else are errors."""

    def fail(sentence: str) -> None:
        raise AssertionError(sentence)

    return Ledger.open(path, said.append if said is not None else fail)
