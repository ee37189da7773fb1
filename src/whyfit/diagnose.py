"""READ FIRST: how a script becomes a diagnosis.

script -- capture --> Fit -- gather --> Evidence -- rules --> Findings -- conduct --> Study
       -- verify --> Fixes --> Diagnosis
"""

from __future__ import annotations

import platform
import time
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace

from whyfit import rules
from whyfit._version import __version__
from whyfit.adapters.capture import Captured, Program
from whyfit.engine import lanes
from whyfit.errors import Interrupted
from whyfit.measure.evidence import gather
from whyfit.measure.residuals import curve_rows
from whyfit.records.diagnosis import Diagnosis, FitDiagnosis, Verdict
from whyfit.records.evidence import Evidence
from whyfit.records.fit import Fit
from whyfit.records.network import Array
from whyfit.records.study import BASELINE, Fix, Replay, Samples, Study
from whyfit.study import confirm, plan
from whyfit.study.conduct import StudyOptions, conduct
from whyfit.study.replay import replay
from whyfit.study.run import Progress, Report
from whyfit.study.samples import sample

MOST_SAMPLED, BASELINE_SAMPLES = 8, 32


@dataclass(frozen=True)
class Options:
    """What a person may ask for; the defaults are those of the command line."""

    study: StudyOptions = field(default_factory=StudyOptions)
    confirm: confirm.ConfirmOptions = field(default_factory=confirm.ConfirmOptions)
    retrain: bool = True
    executor: Executor | None = None
    report: Report = lambda _progress: None


def diagnose(captured: Captured, options: Options = Options()) -> Diagnosis:
    """Diagnose every fit of a captured script."""
    fits = tuple(
        diagnose_fit(fit, options, captured.program, index)
        for index, fit in enumerate(captured.fits)
    )
    return Diagnosis(
        script=captured.program.path,
        status=captured.status,
        error=captured.error,
        fits=fits,
        notes=captured.problems,
        figures=captured.figures,
        environment=environment(captured.fits),
        seconds={"confirmation": sum(each.confirmation_seconds for each in fits)},
    )


def diagnose_fit(
    fit: Fit, options: Options, program: Program | None = None, index: int = 0
) -> FitDiagnosis:
    """The whole way for one fit: measure, suspect, replay, retrain, conclude, verify."""
    evidence = gather(fit)
    criterion = plan.criterion(evidence, options.study.tolerance)
    findings = rules.findings(evidence, criterion.tolerance)
    obstacle = why_not_studied(evidence, options)
    replayed = Replay("not-run", fit.unexplained_variance, None, reason=obstacle or "")
    study: Study | None = None
    fixes: tuple[Fix, ...] = ()
    confirming = 0.0
    if obstacle is None and fit.recipe is not None:
        replayed = _replayed(fit, options)
        if replayed.status == "differs":
            obstacle = "the engine does not reproduce this fit"
        else:
            study = conduct(
                evidence,
                findings,
                fit.recipe,
                options.study,
                source=program.source if program else None,
                executor=options.executor,
                report=options.report,
            )
            fixes = confirm.fixes(program, fit, fit.recipe, study)
            began = time.monotonic()
            if fixes and program is not None:
                fixes = (_verified(program, fit, index, fixes[0], study, options), *fixes[1:])
            confirming = time.monotonic() - began
    rows = curve_rows(evidence)
    return FitDiagnosis(
        evidence,
        findings,
        criterion,
        replayed,
        study,
        obstacle,
        fixes,
        conclude(evidence, criterion.tolerance, study),
        rows,
        _sampled(fit, study, fixes, rows),
        confirming,
    )


def why_not_studied(evidence: Evidence, options: Options) -> str | None:
    """The reason why nothing is retrained, or None."""
    fit = evidence.fit
    if fit.recipe is None or fit.unsupported:
        return fit.unsupported or "the network is not a chain of dense layers"
    if not options.retrain:
        return "no retraining was asked for"
    if evidence.data.target_is_constant:
        return "the target is constant: there is nothing to explain"
    return lanes.why_unsupported(fit.recipe)


def conclude(evidence: Evidence, tolerance: float, study: Study | None) -> Verdict:
    """The verdict in one word."""
    met = evidence.fit.unexplained_variance <= tolerance
    if study is None:
        return "observed"
    confirmed = {cause.slug for cause in study.causes if cause.status == "confirmed"}
    if met:
        return "lucky" if "lucky-start" in confirmed else "sound"
    if "unlucky-start" in confirmed:
        return "unlucky"
    if confirmed:
        return "explained"
    return "mended" if any(each.counts for each in study.sets) else "undecided"


def _sampled(
    fit: Fit, study: Study | None, fixes: tuple[Fix, ...], rows: Array
) -> tuple[Samples, ...]:
    """Curves for the report's pictures: of the script as it is, of the first fixes, and of the arms that
    prove the confirmed causes.
    """
    if study is None or fit.recipe is None:
        return ()
    proofs = [
        each
        for cause in study.causes
        if cause.status == "confirmed"
        for comparison in cause.comparisons[:1]
        for each in (comparison.with_, comparison.without)
    ]
    others = [*(fix.changes for fix in fixes[:2]), *proofs][:MOST_SAMPLED]
    others = [each for each in dict.fromkeys(others) if each != BASELINE]
    return (
        sample(fit, fit.recipe, study.plan, BASELINE, rows, BASELINE_SAMPLES),
        *(sample(fit, fit.recipe, study.plan, each, rows) for each in others),
    )


def environment(fits: tuple[Fit, ...]) -> dict[str, str]:
    """Versions that matter for repeating the diagnosis."""
    found = {"whyfit": __version__, "python": platform.python_version()}
    for fit in fits:
        found.update(fit.environment)
    return found


def _replayed(fit: Fit, options: Options) -> Replay:
    options.report(Progress("replaying the fit with the engine", 0, 0.0))
    return replay(fit, options.study.seed)


def _verified(
    program: Program, fit: Fit, index: int, fix: Fix, study: Study, options: Options
) -> Fix:
    if options.confirm.runs < 1 or fix.diff is None or fit.recipe is None:
        return fix

    def tick(done: int) -> None:
        doing = f"running the patched script in {fit.framework}, {done} of {options.confirm.runs}"
        options.report(Progress(doing, 0, 0.0))

    try:
        return confirm.verify(program, fit, index, fit.recipe, fix, study, options.confirm, tick)
    except (KeyboardInterrupt, Interrupted):
        return replace(fix, words=("the runs in the framework were interrupted",))
