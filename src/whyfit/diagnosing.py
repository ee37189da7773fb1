"""READ FIRST: how a script becomes a diagnosis.

script -- capture --> Fit -- gather --> Evidence -- rules --> Findings -- conduct --> Study
       -- verify --> Fixes --> Diagnosis
"""

from __future__ import annotations

import hashlib
import os
import platform
import time
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace

import numpy as np

from whyfit import rules
from whyfit._version import __version__
from whyfit.adapters.capture import Captured, Program
from whyfit.engine import lanes
from whyfit.errors import Interrupted
from whyfit.ledger.ledger import Ledger, Page
from whyfit.measure.evidence import gather
from whyfit.measure.residuals import curve_rows
from whyfit.records.diagnosis import NOT_ASKED_FOR, Diagnosis, FitDiagnosis, Verdict
from whyfit.records.evidence import Evidence
from whyfit.records.fit import Fit
from whyfit.records.network import Array
from whyfit.records.study import BASELINE, Fix, Replay, Samples, Study
from whyfit.study import confirm, memory, plan
from whyfit.study.conduct import StudyOptions, conduct
from whyfit.study.replay import replay
from whyfit.study.run import Progress, Report, nobody
from whyfit.study.samples import COUNT, sample
from whyfit.study.workers.crew import Place

MOST_SAMPLED, BASELINE_SAMPLES = 8, 32

MOST_STUDIED = 3
"""Fits of one script that are retrained each; of more only the worst is."""


@dataclass(frozen=True)
class Options:
    """What a person may ask for.

    The defaults are those of the command line, except that nothing is kept: `ledger` is what knows
    earlier trainings and keeps new ones. `executor` is where replicates run: any executor of
    `concurrent.futures`, or a place of `study.workers`.
    """

    study: StudyOptions = field(default_factory=StudyOptions)
    confirm: confirm.ConfirmOptions = field(default_factory=confirm.ConfirmOptions)
    retrain: bool = True
    executor: Executor | Place | None = None
    ledger: Ledger = field(default_factory=Ledger.nowhere)
    why_not: str = NOT_ASKED_FOR
    report: Report = nobody


def diagnose(captured: Captured, options: Options = Options()) -> Diagnosis:
    """Diagnose every fit of a captured script; of more than a few only the worst is retrained."""
    fits, studied = captured.fits, _studied(captured.fits)
    script = captured.program.path if captured.program else _file(fits)
    left = replace(options, retrain=False, why_not=_only_the_worst(fits, studied, script))
    diagnosed = tuple(
        diagnose_fit(fit, options if at in studied else left, captured.program, at)
        for at, fit in enumerate(fits)
    )
    return Diagnosis(
        script=script,
        status=captured.status,
        error=captured.error,
        fits=diagnosed,
        notes=captured.problems,
        figures=captured.figures,
        source_sha256=_digest(captured.program),
        environment=environment(fits),
        seconds={
            "study": sum(each.study_seconds for each in diagnosed),
            "confirmation": sum(each.confirmation_seconds for each in diagnosed),
        },
        work={
            name: sum(each.work.get(name, 0) for each in diagnosed)
            for name in ("trained", "from_ledger")
        },
    )


def _studied(fits: tuple[Fit, ...]) -> set[int]:
    """The fits to retrain: all of a few, the worst of many; a fit whose error is unknown is no worst."""
    if len(fits) <= MOST_STUDIED:
        return set(range(len(fits)))
    left = [fit.unexplained_variance for fit in fits]
    able = [at for at, fit in enumerate(fits) if not np.isnan(left[at]) and not fit.unsupported]
    return {max(able, key=lambda at: left[at])} if able else set()


def _only_the_worst(fits: tuple[Fit, ...], studied: set[int], script: str) -> str:
    if not studied:
        return f"none of the {len(fits)} fits can be retrained"
    at = min(studied)
    place = fits[at].place
    here = os.path.realpath(place.file) == os.path.realpath(script)
    elsewhere = "" if here else f" of {os.path.basename(place.file)}"
    where = f"fit {at + 1} (line {place.line}{elsewhere})"
    return f"of {len(fits)} fits only the worst, {where}, is retrained"


def _digest(program: Program | None) -> str:
    return hashlib.sha256(program.in_file.encode()).hexdigest() if program else ""


def _file(fits: tuple[Fit, ...]) -> str:
    return fits[0].place.file if fits else "<unknown>"


def diagnose_fit(
    fit: Fit, options: Options, program: Program | None = None, index: int = 0
) -> FitDiagnosis:
    """The whole way for one fit: measure, suspect, replay, retrain, conclude, verify."""
    began = time.monotonic()
    evidence = gather(fit)
    criterion = plan.criterion(evidence, options.study.tolerance)
    findings = rules.findings(evidence, criterion.tolerance)
    obstacle = why_not_studied(evidence, options)
    replayed = Replay("not-run", fit.unexplained_variance, None, reason=obstacle or "")
    study: Study | None = None
    fixes: tuple[Fix, ...] = ()
    confirming = 0.0
    page = Page.blank()
    if obstacle is None and fit.recipe is not None:
        page = _page(fit, options, criterion.tolerance)
        replayed = _replayed(fit, options, page)
        if replayed.status == "differs":
            obstacle = replayed.reason or "the engine does not reproduce this fit"
        else:
            study = conduct(
                evidence,
                findings,
                fit.recipe,
                options.study,
                source=program.source if program else None,
                executor=options.executor,
                report=options.report,
                page=page,
            )
            if study.asked is not None:
                obstacle = "only the arms asked for were trained"
    decided = time.monotonic() - began
    if study is not None and fit.recipe is not None:
        fixes = confirm.fixes(program, fit, fit.recipe, study)
        began = time.monotonic()
        if fixes and program is not None:
            fixes = _verified_first(program, fit, index, fixes, study, options)
        confirming = time.monotonic() - began
    rows = curve_rows(evidence)
    samples = _sampled(fit, study, fixes, rows, page)
    verdict = conclude(evidence, criterion.tolerance, study)
    page.end(verdict)
    return FitDiagnosis(
        evidence,
        findings,
        criterion,
        replayed,
        study,
        obstacle,
        fixes,
        verdict,
        rows,
        samples,
        confirming,
        {"trained": page.trained, "from_ledger": page.reused},
        decided,
    )


def why_not_studied(evidence: Evidence, options: Options) -> str | None:
    """The reason why nothing is retrained, or None."""
    fit = evidence.fit
    if fit.recipe is None or fit.unsupported:
        return fit.unsupported or "the network is not a chain of dense layers"
    if fit.recipe.watches_held_out and fit.held_out is None:
        return "which samples were held out, by which training goes, is unknown"
    if not options.retrain:
        return options.why_not
    if evidence.left_out:
        return (
            f"{evidence.left_out} of the {len(evidence.fit.x) + evidence.left_out} samples hold NaN or "
            "infinity, which makes the loss NaN whatever the start: leave them out "
            "(numpy.isfinite) or fill them before the training"
        )
    if evidence.data.target_is_constant:
        return "the target is constant: there is nothing to explain"
    if evidence.data.is_unrelated and (far := evidence.data.far) is not None:
        return (
            f"{far.count} of the {evidence.data.samples} targets lie far from all others and make up "
            f"{far.share:.0%} of the variance: look at these first, a number such as 9999 may stand for "
            "a missing one, and train without them"
        )
    if evidence.data.is_unrelated:
        return (
            "neighbours in x differ in y as much as any two samples, so that to a smooth curve y is "
            "noise: check that each y belongs to its x (both sorted, shuffled or cut alike)"
        )
    return lanes.why_unsupported(fit.recipe)


def conclude(evidence: Evidence, tolerance: float, study: Study | None) -> Verdict:
    """The verdict in one word."""
    met = evidence.fit.unexplained_variance <= tolerance
    if study is None or study.asked is not None:
        return "observed"
    if study.stopped:
        return "undecided"
    confirmed = {cause.slug for cause in study.causes if cause.status == "confirmed"}
    if met:
        return "lucky" if "lucky-start" in confirmed else "sound"
    if "unlucky-start" in confirmed:
        return "unlucky"
    if confirmed:
        return "explained"
    return "mended" if any(each.counts for each in study.sets) else "undecided"


def _sampled(
    fit: Fit, study: Study | None, fixes: tuple[Fix, ...], rows: Array, page: Page
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
    counts = {BASELINE: BASELINE_SAMPLES} | {each: COUNT for each in others if each != BASELINE}
    trained = {each.arm for each in study.outcomes}  # a study that was stopped may have none
    return tuple(
        sample(fit, fit.recipe, study.plan, each, rows, count, page)
        for each, count in counts.items()
        if each in trained
    )


def environment(fits: tuple[Fit, ...]) -> dict[str, str]:
    """Versions that matter for repeating the diagnosis."""
    found = {"whyfit": __version__, "python": platform.python_version()}
    for fit in fits:
        found.update(fit.environment)
    return found


def _page(fit: Fit, options: Options, tolerance: float) -> Page:
    assert fit.recipe is not None  # else nothing is trained
    study = options.study
    return options.ledger.page(memory.about(fit, fit.recipe, study.seed, study.budget, tolerance))


def _replayed(fit: Fit, options: Options, page: Page) -> Replay:
    options.report(Progress("replaying the fit with the engine", 0, 0.0))
    return replay(fit, options.study.seed, page)


def _verified_first(
    program: Program,
    fit: Fit,
    index: int,
    fixes: tuple[Fix, ...],
    study: Study,
    options: Options,
) -> tuple[Fix, ...]:
    """The first fix with its runs in the framework; where none of them succeeds the second is run too,
    and takes its place if it works there.
    """
    first, *others = fixes
    first = _verified(program, fit, index, first, study, options)
    if not others or first.framework_runs is None or first.framework_runs.successes:
        return (first, *others)
    second = _verified(program, fit, index, others[0], study, options)
    if second.framework_runs is not None and second.framework_runs.successes:
        return (second, first, *others[1:])
    return (first, second, *others[1:])


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
