"""Verdicts and intervals against known truth: the small form of benchmarks/study_coverage.py."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from benchmarks.study_coverage import SCENES, Counts, Scene, count

from tests.study.simulated import (
    CENTRED,
    EPOCHS,
    FASTER,
    HE,
    LEAKY,
    SPREAD,
    TANH,
    Simulated,
    evidence,
    finding,
    needs,
    simulate,
    statuses,
)
from whyfit.records.finding import Change
from whyfit.records.study import (
    BASELINE,
    Arm,
    Cause,
    Comparison,
    Interval,
    Outcomes,
    Study,
    SufficientSet,
    arm,
)
from whyfit.study.confirm import rank
from whyfit.study.effects import LOOKS, difference_interval
from whyfit.study.judging import Judged
from whyfit.study.judging.additions import effects
from whyfit.study.plan import make_plan
from whyfit.study.tested import open_question
from whyfit.study.verdict import without_false_discoveries

STUDIES = 3


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_verdicts_where_the_truth_is_known(scene: Scene):
    planted = {f"wrong-{change.factor}" for change in scene.planted}
    wrong = missed = 0
    for seed in range(STUDIES):
        said = statuses(simulate(scene.rates, scene.suspected, 1000 + seed))
        confirmed = {slug for slug, status in said.items() if status == "confirmed"}
        wrong += bool(confirmed - planted)
        missed += not planted <= confirmed
    # 5 % may go wrong: of three studies two or more in 1 of 140, were it that many.
    assert wrong <= 1
    assert missed <= 1


def test_intervals_hold_whenever_a_study_stops():
    counts = Counts()
    for scene in (each for each in SCENES if "0.3" in each.name or "0.4" in each.name):
        for seed in range(4):
            count(simulate(scene.rates, scene.suspected, seed), scene, counts)
    for what, least in (
        (
            "interval of an arm",
            0.92,
        ),  # arms of one study share starts: a few hundred scatter by 1 %
        ("interval of a paired difference", 0.92),
        ("deciding interval of an arm", 0.95),
        ("deciding interval of a paired difference", 0.95),
    ):
        held, of = counts.held[what], counts.all[what]
        assert of > 150
        assert held >= least * of


def test_a_study_of_four_faults_says_which_and_no_more():
    (scene,) = [each for each in SCENES if each.name.startswith("four")]
    study = simulate(scene.rates, scene.suspected, 3)
    counting = [each.changes for each in study.sets if each.counts]
    assert counting == [arm(*scene.planted)]


def test_a_change_that_nearly_works_is_tried_with_others():
    """Alone it succeeds in two starts of three, which is near the target rate and below it."""

    def rates(held):
        return (0.99 if EPOCHS in held else 0.66) if CENTRED in held else 0.0

    confirmed = [
        statuses(simulate(rates, (CENTRED, EPOCHS), seed)).get("wrong-input_range") == "confirmed"
        for seed in range(5)
    ]
    assert sum(confirmed) >= 4


def test_a_small_budget_goes_to_what_works_first():
    """Five changes are suspected and two of them, together, work: the others can wait."""
    rates = needs((CENTRED, FASTER), 0.99)
    suspected = (CENTRED, FASTER, HE, SPREAD, EPOCHS)
    study = simulate(rates, suspected, 0, budget=0.02)
    assert statuses(study)["wrong-input_range"] == "confirmed"


def _cause(name: str, gained: int) -> Cause:
    shown, deciding = (difference_interval(gained, 0, 128, level) for level in (0.95, 0.9825))
    share = gained / 128
    comparison = Comparison(arm(CENTRED), BASELINE, 128, gained, 0, share, shown, deciding, 1.0)
    status = "refuted" if deciding.high < 0.1 else "undecided"
    return Cause(name, status, "No: it takes 0 to 3 of 128.", True, (comparison,))


def test_few_refutations_among_many_causes_need_more():
    """One that just holds by itself does not as one of twenty; beside others like it, it does."""
    barely = next(gained for gained in range(20, 0, -1) if _cause("x", gained).status == "refuted")
    open_ones = tuple(_cause(f"open-{at}", 20) for at in range(19))
    alone = without_false_discoveries((_cause("it", barely), *open_ones))
    assert alone[0].status == "undecided"
    assert "one of 20 causes" in alone[0].sentence
    among = without_false_discoveries(tuple(_cause(f"it-{at}", barely) for at in range(20)))
    assert {each.status for each in among} == {"refuted"}


def test_what_is_proven_needs_no_correction():
    wide = Interval(0.0, 0.3)
    comparison = Comparison(arm(HE), BASELINE, 64, 9, 0, 0.1, wide, wide, 0.2)
    proven = Cause("too-few-units", "refuted", "No: proven.", False, (comparison,), proven=True)
    assert without_false_discoveries((proven,)) == (proven,)


def _nearly(held: tuple[Change, ...]) -> float:
    """The starting case with leaky ReLU, which alone lies at the target rate."""
    if TANH in held or {LEAKY, FASTER} <= set(held):
        return 1.0
    if LEAKY in held:
        return 0.86 if CENTRED in held else 0.68
    if {CENTRED, HE} <= set(held):
        return 0.75
    return 0.014 if HE in held else 0.0


def test_a_change_at_the_target_rate_makes_no_verdict_a_toss():
    studies = [simulate(_nearly, (CENTRED, HE, LEAKY), 40 + seed) for seed in range(8)]
    for slug in ("wrong-input_range", "wrong-kernel_initializer"):
        assert {statuses(each)[slug] for each in studies} == {"confirmed"}
    # Beside leaky ReLU and centred inputs a larger rate helps; whether that set counts decides whether
    # the rate is to blame.
    assert not any(
        each.counts and set(each.changes) == {CENTRED, LEAKY}
        for study in studies
        for each in study.sets
    )
    said = [statuses(each)["learning-rate-too-low"] for each in studies]
    assert "confirmed" not in said
    assert said.count("refuted") >= 7


def test_one_failure_in_64_does_not_choose_a_fix():
    """Eight units and sixteen both lift a set that often fails; the smaller network is offered, though
    another activation is as good and cheaper still.
    """
    seen = evidence()
    assert seen.fit.recipe is not None
    held, eight, sixteen = arm(CENTRED, HE), Change("units", "8"), Change("units", "16")

    def outcomes(changes: Arm, failures: int) -> Outcomes:
        unexplained = np.where(np.arange(64) < failures, 0.9, 0.01)
        return Outcomes(changes, "confirmation", unexplained, np.zeros(64), 0.05)

    plan = replace(
        make_plan(seen, (), seen.fit.recipe, seed=1), levels=(LEAKY, CENTRED, HE, eight, sixteen)
    )
    for failures, offered in ((0, eight), (1, eight), (4, eight), (12, sixteen)):
        trained = (
            outcomes(held, 16),
            outcomes(arm(*held, LEAKY), 4),
            outcomes(arm(*held, eight), failures),
            outcomes(arm(*held, sixteen), 0),
        )
        works = SufficientSet(held, True, True, speaks=True)
        study = Study(plan, trained, (works,), (), (), None, None)
        assert rank(study, seen.fit, seen.fit.recipe) == (held, arm(*held, offered))


def test_a_learning_rate_is_tried_in_place_of_an_optimizer_not_beside_it():
    seen = evidence()
    assert seen.fit.recipe is not None
    plan = make_plan(seen, (), seen.fit.recipe, seed=1)
    laboratory = Simulated(seen.fit, seen.fit.recipe, plan, rates=lambda _arm: 0.0)
    adam, deeper = Change("optimizer", "adam(0.003)"), Change("depth", "2 hidden layers")
    held = arm(adam, deeper)
    judged = Judged((SufficientSet(held, True, True),), (held,), {}, 1, {}, {}, 1)
    said = open_question(laboratory, judged, (FASTER,))
    assert said == "the budget did not reach learning rate 0.01 in place of optimizer adam(0.003)"
    laboratory.run({arm(FASTER, deeper): 16}, "selection", "")
    assert open_question(laboratory, judged, (FASTER,)) is None


def test_what_a_finding_suspects_is_judged_before_what_is_cheaper():
    seen = evidence()
    assert seen.fit.recipe is not None
    plan = make_plan(seen, (finding(EPOCHS),), seen.fit.recipe, budget=30.0, seed=1)
    laboratory = Simulated(seen.fit, seen.fit.recipe, plan)
    pairs = {change: (arm(change), BASELINE) for change in (HE, EPOCHS)}
    dear = laboratory.price(pairs[EPOCHS], LOOKS[0], "confirmation")
    assert laboratory.price(pairs[HE], LOOKS[0], "confirmation") < dear
    laboratory.spent = plan.budget - 1.01 * dear
    assert set(effects(laboratory, pairs, "alone", 2)) == {EPOCHS}
