"""A whole study: plan, search, judge, and what follows."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass

from whyfit.errors import Interrupted
from whyfit.ledger.ledger import Page
from whyfit.records.evidence import Evidence
from whyfit.records.finding import Finding
from whyfit.records.recipe import Recipe
from whyfit.records.study import BASELINE, Arm, Plan, Study
from whyfit.study import alternatives, asked, blame, judging, offer, orders, verdict
from whyfit.study.alternatives import Alternative
from whyfit.study.foretold import foretold
from whyfit.study.judging import controls
from whyfit.study.plan import DEFAULT_BUDGET, make_plan
from whyfit.study.run import Laboratory, Progress, Report, nobody
from whyfit.study.search import search
from whyfit.study.words import describe
from whyfit.study.workers.crew import Place


@dataclass(frozen=True)
class StudyOptions:
    """What a person may set: seconds, tolerance, seed, and factors that a fix may not touch.

    Where they name `arms`, these alone are trained, so many `replicates` of each.
    """

    budget: float = DEFAULT_BUDGET
    tolerance: float | None = None
    seed: int = 0
    kept: tuple[str, ...] = ()
    arms: tuple[Arm, ...] = ()
    replicates: int = asked.DEFAULT_REPLICATES


def conduct(
    evidence: Evidence,
    findings: tuple[Finding, ...],
    recipe: Recipe,
    options: StudyOptions,
    *,
    source: str | None = None,
    executor: Executor | Place | None = None,
    report: Report = nobody,
    page: Page | None = None,
) -> Study:
    """Retrain until every suspected cause is decided or the budget is spent.

    `source` is the script; what its author left commented out in it is tried as well. Replicates run
    on `executor` (default: on this machine's cores); what `page` knows is not trained again. Neither
    changes the result.
    """
    left = alternatives.read(source, evidence.fit, recipe) if source else ()
    plan = make_plan(
        evidence,
        findings,
        recipe,
        tolerance=options.tolerance,
        budget=options.budget,
        seed=options.seed,
        kept=options.kept,
        alternatives=left,
    )
    laboratory = Laboratory(evidence.fit, recipe, plan, executor, report, page or Page.blank())
    try:
        if options.arms:
            return _asked(laboratory, findings, plan, options)
        return conduct_in(laboratory, evidence, findings, left)
    finally:
        laboratory.close()


def conduct_in(
    laboratory: Laboratory,
    evidence: Evidence,
    findings: tuple[Finding, ...],
    left: tuple[Alternative, ...] = (),
) -> Study:
    """The study in a laboratory that is ready: its plan, its seeds and its way of training."""
    plan = laboratory.plan
    succeeded = evidence.fit.unexplained_variance <= plan.criterion.tolerance
    try:
        first = {BASELINE: controls.BASELINE_ROUNDS[0]}
        _foretell(laboratory, first, then_more=not succeeded)
        controls.train_baseline(laboratory)
        lucky = verdict.luck(laboratory, evidence)
        if succeeded or lucky.status == "confirmed":
            return _baseline_only(laboratory, evidence, findings, plan)
        return _full(laboratory, evidence, findings, left)
    except Interrupted as reason:
        note = f"{reason}; nothing was decided"
        return Study(
            plan,
            laboratory.everything(),
            (),
            verdict.not_tested(findings, note),
            (),
            None,
            None,
            (note,),
            _work(laboratory),
            stopped=str(reason),
        )


def _baseline_only(
    laboratory: Laboratory, evidence: Evidence, findings: tuple[Finding, ...], plan: Plan
) -> Study:
    """Luck is the only question where the fit, or most fits of the script, succeed."""
    reason = "the fit meets the tolerance"
    if evidence.fit.unexplained_variance > plan.criterion.tolerance:
        reason = "most starts of the unchanged script succeed"
    said = (verdict.luck(laboratory, evidence), *verdict.not_tested(findings, reason))
    return Study(plan, laboratory.everything(), (), said, (), None, None, (), _work(laboratory))


def _foretell(laboratory: Laboratory, first: dict[Arm, int], *, then_more: bool) -> None:
    if laboratory.report is nobody:
        return
    line = foretold(laboratory, first, "confirmation", then_more=then_more)
    if line:
        laboratory.report(Progress(line, 0, 0.0, stays=True))


def _asked(
    laboratory: Laboratory, findings: tuple[Finding, ...], plan: Plan, options: StudyOptions
) -> Study:
    """The arms that were asked for; one alone is compared with the script as it is."""
    arms = tuple(dict.fromkeys(options.arms))
    if len(arms) == 1 and arms != (BASELINE,):
        arms = (*arms, BASELINE)
    compared, stopped = (), ""
    try:
        for each in arms:
            asked.check(laboratory, each)
        _foretell(laboratory, dict.fromkeys(arms, options.replicates), then_more=False)
        compared = asked.compare_arms(laboratory, arms, options.replicates)
    except Interrupted as reason:
        stopped = str(reason)
    untested = verdict.not_tested(findings, "only the arms asked for were trained")
    return Study(
        plan,
        laboratory.everything(),
        (),
        untested,
        (),
        None,
        None,
        (stopped,) if stopped else (),
        _work(laboratory),
        asked=compared,
        stopped=stopped,
    )


def _full(
    laboratory: Laboratory,
    evidence: Evidence,
    findings: tuple[Finding, ...],
    left: tuple[Alternative, ...],
) -> Study:
    laboratory.reserved = offer.RESERVED * laboratory.plan.budget
    found = search(laboratory)
    judged = judging.judge(laboratory, found)
    tried = offer.try_alternatives(laboratory, left)
    laboratory.reserved = 0.0
    surest = offer.sharpen(laboratory, judged.sets)
    judged = judging.go_on(laboratory, judged, suspected_only=True)
    values = controls.factorial(laboratory, judged)
    smallest = min((len(held) for held in judged.representatives), default=0)
    control = controls.random_changes(laboratory, smallest) if smallest else None
    judged = judging.go_on(laboratory, judged)
    causes = verdict.causes(laboratory, judged, evidence, findings)
    return Study(
        laboratory.plan,
        laboratory.everything(),
        judged.sets,
        causes,
        verdict.in_accord(blame.blamed(laboratory, judged, evidence), causes),
        values,
        control,
        (*tried, *judged.notes, *surest, *_clustered(laboratory)),
        _work(laboratory),
    )


def _clustered(laboratory: Laboratory) -> tuple[str, ...]:
    """A warning where replicates that share a data order end alike."""
    uneven = [
        describe(each.arm)
        for each in laboratory.everything()
        if each.phase == "confirmation" and orders.clustered(each)
    ]
    if not uneven:
        return ()
    return (
        "starts that share the order of the data end alike here, so that the intervals are too "
        f"narrow: {'; '.join(uneven)}",
    )


def _work(laboratory: Laboratory) -> dict[str, float]:
    return {"fits": float(laboratory.fits), "modelled_seconds": round(laboratory.spent, 3)}
