"""Fixes: sets of changes that work, how far each was checked, and the curves they give."""

from __future__ import annotations

from dataclasses import dataclass

from whyfit.records.diagnosis import FitDiagnosis
from whyfit.records.study import Fix, Study
from whyfit.report.panels.arms import ArmIndex, ChangePanel, change_panel
from whyfit.report.panels.values import Pair, Series, pair, series
from whyfit.study.effects import outcome_interval
from whyfit.study.words import describe


@dataclass(frozen=True)
class FrameworkRunsPanel:
    """Runs of the patched script in the person's own framework."""

    runs: int
    successes: int
    unexplained_variance: Series
    failures: tuple[str, ...]


@dataclass(frozen=True)
class FixPanel:
    """A set of changes that mends the fit."""

    changes: tuple[ChangePanel, ...]
    label: str
    status: str
    arm: int
    success_rate: float
    successes: int
    replicates: int
    interval: Pair
    diff: str | None
    words: tuple[str, ...]
    framework_runs: FrameworkRunsPanel | None


def fixes(said: FitDiagnosis, index: ArmIndex) -> tuple[FixPanel, ...]:
    """All fixes of a study."""
    study = said.study
    return () if study is None else tuple(_fix(fix, said, study, index) for fix in said.fixes)


def _fix(fix: Fix, said: FitDiagnosis, study: Study, index: ArmIndex) -> FixPanel:
    outcomes = study.of(fix.changes)
    assert outcomes is not None  # a fix is an arm of the study
    runs = fix.framework_runs
    return FixPanel(
        tuple(change_panel(said.evidence.fit, change) for change in fix.changes),
        describe(fix.changes),
        fix.status,
        index.of(fix.changes),
        outcomes.rate,
        outcomes.successes,
        outcomes.replicates,
        pair(outcome_interval(outcomes)),
        fix.diff,
        fix.words,
        FrameworkRunsPanel(runs.runs, runs.successes, series(runs.unexplained, 4), runs.failures)
        if runs
        else None,
    )
