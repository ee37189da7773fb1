"""The study on small data: what is planted is found, what is absent is not, and nothing is shared
between selection and confirmation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.fits import HE, UNIFORM, fit_of, recipe, sine
from tests.healthy import GLOROT, diagnosed
from whyfit import diagnosing
from whyfit.adapters.capture import load_script
from whyfit.diagnosing import Options, diagnose_fit
from whyfit.engine.initializers import draw
from whyfit.engine.lanes import Order, train
from whyfit.measure.evidence import gather
from whyfit.records.finding import Change
from whyfit.records.fit import Fit
from whyfit.records.recipe import Optimizer, flatten
from whyfit.records.study import Fix, FrameworkRuns, Outcomes, Study, arm, best_unjudged
from whyfit.records.variance import variance
from whyfit.report.panels.headline import fix_sentence
from whyfit.rules import findings
from whyfit.study import confirm, factors, verdict
from whyfit.study.conduct import StudyOptions, conduct
from whyfit.study.confirm import rank
from whyfit.study.judging.sets import clearly_minimal, counting_sets, minimal_sets
from whyfit.study.plan import make_plan
from whyfit.study.replay import ROUNDING, replay
from whyfit.study.run import Laboratory
from whyfit.study.search import _each_fault_first
from whyfit.study.size import trained_witness


def study_of(fit, **options) -> Study:
    evidence = gather(fit)
    return conduct(evidence, findings(evidence), fit.recipe, StudyOptions(**options))


def statuses(study: Study) -> dict[str, str]:
    return {cause.slug: cause.status for cause in study.causes}


@pytest.fixture(scope="module")
def dead_start() -> Study:
    """The starting case in small: one-signed x, tiny weights, zero biases."""
    x, y = sine(400)
    return study_of(fit_of(recipe((4,), kernel=UNIFORM, rate=2e-3, epochs=1000), x, y))


def test_the_interaction_is_found(dead_start: Study):
    sets = {each.changes for each in dead_start.sets if each.counts}
    together = arm(Change("input_range", "[-1, 1]"), Change("kernel_initializer", "he_uniform"))
    assert together in sets
    assert arm(Change("kernel_initializer", "he_uniform")) not in sets


def test_its_causes(dead_start: Study):
    found = statuses(dead_start)
    assert found["units-dead-at-start"] == "confirmed"
    assert found["initial-weights-too-small"] == "confirmed"
    assert found["too-few-units"] == "refuted"
    assert found["target-not-scaled"] == "refuted"
    assert found["unlucky-start"] == "refuted"


def test_every_counting_set_is_minimal_and_sufficient(dead_start: Study):
    for each in dead_start.sets:
        outcomes = dead_start.of(each.changes)
        assert outcomes is not None
        assert outcomes.phase == "confirmation"
        assert outcomes.rate >= dead_start.plan.target_rate
        if each.minimal:
            smaller = [set(other.changes) < set(each.changes) for other in dead_start.sets]
            assert not any(smaller)


def test_selection_and_confirmation_never_share_a_start(dead_start: Study):
    plan = dead_start.plan
    one = recipe()
    selected = {row.tobytes() for row in draw(one, plan.selection_seed, 0, 1024)}
    confirmed = {row.tobytes() for row in draw(one, plan.confirmation_seed, 0, 1024)}
    assert selected.isdisjoint(confirmed)


def test_every_sentence_carries_counts(dead_start: Study):
    for cause in dead_start.causes:
        if cause.status in ("confirmed", "refuted", "undecided"):
            assert any(character.isdigit() for character in cause.sentence), cause


def test_the_same_seed_gives_the_same_study():
    x, y = sine(200)
    fit = fit_of(recipe((4,), epochs=30), x, y)
    first, second = (study_of(fit, budget=0.5, seed=5) for _again in range(2))
    assert first.causes == second.causes
    for one, other in zip(first.outcomes, second.outcomes, strict=True):
        assert one.arm == other.arm
        assert np.array_equal(one.unexplained, other.unexplained)


def test_a_healthy_fit_confirms_nothing():
    x, y = sine(400, -1.0, 1.0)
    fit = fit_of(recipe((16,), "tanh", kernel=HE, rate=0.02, epochs=200), x, y)
    study = study_of(fit)
    assert fit.unexplained_variance < 0.05
    assert not [cause for cause in study.causes if cause.status == "confirmed"]
    assert {outcomes.arm for outcomes in study.outcomes} == {()}


def test_kept_factors_are_left_alone():
    x, y = sine(200)
    fit = fit_of(recipe((4,), epochs=60), x, y)
    study = study_of(fit, kept=("activation", "input_range"), budget=0.5)
    touched = {change.factor for outcomes in study.outcomes for change in outcomes.arm}
    assert touched.isdisjoint({"activation", "input_range"})
    answers = {each.factor: each.answer for each in study.blamed}
    assert answers["activation"] == "not-tested"


def test_a_proof_decides_size():
    x = np.linspace(-1, 1, 400)[:, None]
    fit = fit_of(recipe((2,), kernel=HE, epochs=100), x, np.sin(7 * x))
    study = study_of(fit, budget=5.0)
    (size,) = [cause for cause in study.causes if cause.slug == "too-few-units"]
    assert size.status == "confirmed"
    assert "Proven" in size.sentence


def test_an_output_out_of_reach():
    x = np.linspace(-1, 1, 300)[:, None]
    fit = fit_of(recipe((16,), "tanh", kernel=HE, output="sigmoid", epochs=100), x, np.sin(3 * x))
    study = study_of(fit, budget=10.0)
    assert statuses(study)["output-cannot-reach-target"] == "confirmed"
    assert rank(study, fit, fit.recipe)[0] == arm(Change("output_activation", "linear"))


def test_the_budget_is_kept_and_said():
    x, y = sine(400)
    fit = fit_of(recipe((4,), epochs=100), x, y)
    small, large = study_of(fit, budget=0.05), study_of(fit, budget=1.0)
    assert small.work["fits"] < large.work["fits"]
    assert small.notes


@pytest.mark.parametrize("budget", [0.05, 0.1])
def test_what_the_budget_did_not_reach_to_judge_is_not_called_missing(budget: float):
    """A set that works in the search and could not be judged is said to be just that."""
    x, y = sine(400)
    linear = fit_of(recipe((16,), "linear", epochs=120), x, y)
    said = diagnose_fit(linear, Options(study=StudyOptions(budget=budget)))
    assert said.study is not None
    assert not said.study.sets
    promising = best_unjudged(said.study.outcomes, said.study.plan.target_rate)
    assert promising is not None
    sentence = fix_sentence(said)
    assert f"{promising.successes} of {promising.replicates}" in sentence
    assert "budget" in sentence
    assert "No set" not in sentence


def test_what_is_kept_for_fixes_judges_the_first_candidate_where_nothing_else_can():
    x, y = sine(400)
    linear = fit_of(recipe((16,), "linear", epochs=120), x, y)
    study = study_of(linear, budget=0.15)
    assert study.sets


@pytest.mark.parametrize("budget", [0.2, 0.4])
def test_a_part_of_a_scaling_that_was_not_taken_back_accuses_nobody(budget: float):
    """Scaled inputs mend this for their scale; where the budget ends before the offset alone was kept,
    the offset is not called a cause for the sake of the whole scaling.
    """
    x = np.linspace(0.0, 700.0, 400)[:, None]
    one = recipe((16, 16), "tanh", kernel=GLOROT, rate=0.005, epochs=120, batch_size=50)
    study = study_of(fit_of(one, x, np.sin(x / 111.0)), budget=budget)
    assert study.sets
    assert statuses(study)["input-off-centre"] == "undecided"
    kept = {
        change.to
        for cause in study.causes
        if cause.status == "confirmed" and "kept" in cause.sentence
        for comparison in cause.comparisons
        for change in comparison.without
    }
    assert all("kept" in each for each in kept)


def test_a_short_budget_tries_something_against_each_fault_first():
    x, y = sine(400)
    fit = fit_of(recipe((4,), epochs=5), x, y)
    evidence = gather(fit)
    plan = make_plan(evidence, findings(evidence), fit.recipe)
    rules = list(dict.fromkeys(claim.rule for claim in plan.claims))
    assert len(plan.claims) > len(rules) > 1
    ordered = _each_fault_first(plan)
    first = {rule: next(each.change for each in plan.claims if each.rule == rule) for rule in rules}
    assert set(ordered[: len(set(first.values()))]) == set(first.values())
    assert sorted(ordered) == sorted(plan.levels)


def test_levels_come_from_recipe_and_data():
    x, y = sine(300, -1.0, 1.0)
    fit = fit_of(recipe((8,), epochs=10, batch_size=300), x, y)
    changes = factors.common_changes(fit, fit.recipe)
    assert Change("input_range", "[-1, 1]") not in changes  # it has that range already
    assert Change("units", "16") in changes
    assert Change("batch_size", "75") in changes
    assert not [change for change in changes if change.factor == "output_activation"]


def test_parts_of_a_scaling():
    x, _y = sine(100)
    whole, offset_kept, scale_kept = (
        factors.scaling(x, level)(x)
        for level in ("[-1, 1]", "[-1, 1], offset kept", "[-1, 1], scale kept")
    )
    assert (whole.min(), whole.max()) == pytest.approx((-1.0, 1.0))
    assert (offset_kept.min(), offset_kept.max()) == pytest.approx((0.0, 2.0))
    assert (scale_kept.min(), scale_kept.max()) == pytest.approx((-0.5, 0.5))


def test_replay_tells_another_training_apart():
    x, y = sine(300)
    one = recipe((6,), "tanh", kernel=HE, epochs=50)
    fit = fit_of(one, x, y)
    assert replay(fit, 0).status == "reproduced"
    other = replace(fit, recipe=replace(one, optimizer=replace(one.optimizer, learning_rate=1e-5)))
    assert replay(other, 0).status == "differs"


def chaotic() -> tuple[Fit, Fit]:
    """A training that swings ever more, in float32 and, from a start a rounding away, in float64."""
    x, y = sine(200)
    one = recipe((6, 6), "tanh", kernel=HE, epochs=2000, batch_size=200, shuffle=False)
    descent = Optimizer("sgd", 0.1, framework="torch")
    one = replace(one, optimizer=descent, clears_gradients=False)
    fit = fit_of(one, x, y)
    nudges = 1.0 + ROUNDING * np.random.default_rng(0).uniform(-1.0, 1.0, (16, one.parameters))
    starts = flatten(fit.start) * nudges
    trained = train(one, x, y, starts, order=Order("given"), precision="float64")
    apart = np.abs(trained.mean_squared_error - fit.unexplained_variance * variance(y))
    end = one.network(trained.weights[np.argmax(apart)])
    return fit, replace(fit, end=end, predictions=end(x))


def test_replay_of_a_training_that_rounding_alone_turns_into_another():
    fit, moved = chaotic()
    low, high = 0.98 * fit.unexplained_variance, 1.02 * fit.unexplained_variance
    assert not low < moved.unexplained_variance < high
    assert replay(fit, 0).status == "reproduced"
    assert replay(moved, 0).status == "reproduced"
    cleared = replace(moved, recipe=replace(moved.recipe, clears_gradients=True))
    assert replay(cleared, 0).status == "differs"


def test_a_laboratory_trains_only_what_is_missing():
    x, y = sine(100)
    fit = fit_of(recipe(epochs=2), x, y)
    evidence = gather(fit)
    plan = make_plan(evidence, findings(evidence), fit.recipe)
    laboratory = Laboratory(fit, fit.recipe, plan)
    laboratory.run({(): 32}, "selection", "")
    before = laboratory.outcomes((), "selection").unexplained
    laboratory.run({(): 64}, "selection", "")
    assert laboratory.fits == 64
    assert np.array_equal(laboratory.outcomes((), "selection").unexplained[:32], before)


def test_a_diverged_replicate_has_failed():
    x, y = sine(200)
    fit = fit_of(recipe(epochs=3), x, y)
    evidence = gather(fit)
    plan = make_plan(evidence, (), fit.recipe)
    laboratory = Laboratory(fit, fit.recipe, plan)
    blown = arm(Change("learning_rate", "1e30"))
    laboratory.run({blown: 16}, "selection", "")
    outcomes = laboratory.outcomes(blown, "selection")
    assert np.all(np.isinf(outcomes.unexplained))
    assert outcomes.successes == 0


def test_nothing_is_refuted_where_nothing_works():
    """Alone a change may do nothing and still be half of what works, if nothing that works is known."""
    x, y = sine(200)
    fit = fit_of(recipe((3,), kernel=UNIFORM, epochs=20), x, y)
    study = study_of(fit, budget=3.0, tolerance=1e-12)
    assert not study.sets
    proven = {"too-few-units", "unlucky-start"}
    assert "refuted" not in {
        status for slug, status in statuses(study).items() if slug not in proven
    }
    assert "no" not in {each.answer for each in study.blamed}


TANH, LEAKY = Change("activation", "tanh"), Change("activation", "leaky_relu")
RATE, HE_UNIFORM = Change("learning_rate", "0.01"), Change("kernel_initializer", "he_uniform")


def test_a_smaller_set_makes_a_larger_one_needless():
    sufficient = [arm(TANH), arm(TANH, RATE), arm(LEAKY, RATE), arm(LEAKY, HE_UNIFORM)]
    # Tanh alone does what the activation can do; what findings propose is kept all the same.
    assert minimal_sets(sufficient, {LEAKY, HE_UNIFORM}) == [arm(TANH), arm(LEAKY, HE_UNIFORM)]
    assert minimal_sets([arm(LEAKY, RATE)], set()) == [arm(LEAKY, RATE)]


def test_what_makes_up_for_a_fault_accuses_nobody():
    proposed = {HE_UNIFORM, RATE}
    spread = Change("bias_initializer", "spread")
    # One proposed change surely mends all: neither the pair of others nor a mixed one says why.
    minimal = [arm(HE_UNIFORM), arm(TANH, RATE), arm(RATE, spread)]
    assert counting_sets(minimal, [arm(HE_UNIFORM)], {*proposed, spread}) == [arm(HE_UNIFORM)]
    # One that works by a hair does not silence the larger repair.
    assert arm(RATE, spread) in counting_sets(minimal, [], {*proposed, spread})
    # A change that nobody proposed goes round the faults and is offered; the two faults count still.
    minimal = [arm(TANH), arm(HE_UNIFORM, RATE), arm(LEAKY, RATE)]
    assert counting_sets(minimal, minimal, proposed) == [arm(TANH), arm(HE_UNIFORM, RATE)]
    # Without any repair the smallest sets are all there is to go by.
    minimal = [arm(LEAKY, RATE), arm(TANH, spread)]
    assert counting_sets(minimal, minimal, proposed) == minimal


def test_a_set_whose_part_nearly_suffices_counts_only_where_no_other_does():
    minimal = [arm(TANH), arm(LEAKY, RATE), arm(HE_UNIFORM, RATE)]
    assert clearly_minimal(minimal, {arm(LEAKY)}) == [arm(TANH), arm(HE_UNIFORM, RATE)]
    assert clearly_minimal(minimal, {arm(RATE)}) == [arm(TANH)]
    assert clearly_minimal(minimal, {arm(TANH)}) == minimal
    assert clearly_minimal([arm(LEAKY, RATE)], {arm(LEAKY)}) == [arm(LEAKY, RATE)]


@pytest.mark.parametrize(
    ("runs", "successes", "engine", "status"),
    [
        (3, 3, 64, "verified"),
        (3, 2, 64, "verified"),  # at a rate of 0.94 one failure in three comes once in six times
        (3, 1, 64, "promising"),  # and two failures once in a hundred
        (3, 2, 48, "verified"),
        (3, 0, 48, "promising"),
        (20, 3, 48, "promising"),
    ],
)
def test_a_fix_is_verified_by_the_frameworks_own_runs(runs, successes, engine, status):
    outcomes = Outcomes(
        arm(TANH), "confirmation", np.where(np.arange(64) < engine, 0.0, 1.0), np.zeros(64), 0.05
    )
    assert confirm._status(FrameworkRuns(runs, successes), outcomes) == status


@pytest.mark.parametrize(
    ("successes", "order"),
    [((3, 0), "ab"), ((0, 3), "ba"), ((0, 0), "ab")],
)
def test_a_fix_that_never_works_in_the_framework_gives_way(successes, order, monkeypatch, tmp_path):
    x, y = sine(200)
    fit = fit_of(recipe(epochs=2), x, y)
    study = study_of(fit, budget=0.1)
    (tmp_path / "script.py").write_text("pass\n")
    program = load_script(str(tmp_path / "script.py"), [])
    fixes = tuple(Fix(arm(Change("units", to)), "promising", to) for to in "ab")

    def run(_program, _fit, _index, _recipe, fix, *_others):
        runs = FrameworkRuns(3, successes["ab".index(fix.diff)])
        return replace(fix, framework_runs=runs)

    monkeypatch.setattr(confirm, "verify", run)
    ordered = diagnosing._verified_first(program, fit, 0, fixes, study, Options())
    assert "".join(fix.diff for fix in ordered) == order


def test_a_new_optimizer_brings_its_own_rate():
    """A tenth of an SGD rate of 0.2, beside Adam, would be a rate seven times Adam's usual one."""
    assert not factors.compatible(
        Change("optimizer", "adam(0.003)"), Change("learning_rate", "0.02")
    )
    assert factors.compatible(Change("optimizer", "adam(0.003)"), Change("epochs", "20"))


def test_a_run_that_most_starts_equal_is_not_lucky():
    x, y = sine(100)
    fit = fit_of(recipe(epochs=2), x, y)
    evidence = gather(replace(fit, predictions=y))
    plan = make_plan(evidence, (), fit.recipe, budget=1.0)
    for rate, status in ((0.62, "undecided"), (0.2, "confirmed"), (0.95, "refuted")):
        laboratory = Laboratory(fit, fit.recipe, plan)
        good = np.arange(512) < rate * 512
        laboratory._blocks[(), "confirmation"] = [
            np.stack([np.where(good, 0.0, 1.0), np.full(512, 4.0)])
        ]
        assert verdict.luck(laboratory, evidence).status == status


def test_a_smooth_network_that_was_trained_shows_that_its_size_suffices():
    x, y = sine(100, -1.0, 1.0)
    slow = recipe((6,), "tanh", kernel=HE, rate=1e-5, epochs=100, batch_size=10)
    study = study_of(fit_of(slow, x, y), budget=2.0)
    size = next(cause for cause in study.causes if cause.slug == "too-few-units")
    assert size.status == "refuted"
    assert size.proven
    assert "a network of this size was trained to" in size.sentence
    shapes = ("units", "depth", "activation")
    met = [
        each.arm
        for each in study.outcomes
        if each.unexplained.min() <= study.plan.criterion.tolerance
    ]
    assert any(not any(change.factor in shapes for change in each) for each in met)


@pytest.mark.parametrize(("outputs", "proves"), [(1, True), (2, False)])
def test_scaling_several_targets_proves_nothing_of_size(outputs: int, proves: bool):
    """Each target's share in the error changes with its scale, and the tolerance is of the whole."""
    x, y = sine(50, -1.0, 1.0)
    made = recipe((4,), "tanh", outputs=outputs, epochs=2)
    fit = fit_of(made, x, np.hstack([y, 100.0 * x])[:, :outputs])
    evidence = gather(fit)
    laboratory = Laboratory(fit, made, make_plan(evidence, findings(evidence), made))
    scaled = arm(Change("target_range", "standardised"))
    laboratory._blocks[scaled, "selection"] = [np.zeros((2, 16))]
    assert (trained_witness(laboratory) is not None) == proves


def narrow(size: int) -> Study:
    """A study of a product of two inputs by few tanh units, or by enough of them trained too briefly."""
    random = np.random.default_rng(3)
    x = random.uniform(-1.0, 1.0, (200, 2))
    y = x[:, :1] * x[:, 1:]
    one = recipe((size,), "tanh", kernel=GLOROT, rate=0.01, epochs=60 if size == 1 else 4, inputs=2)
    said = diagnosed(fit_of(one, x, y / y.std()), 8.0)
    assert said.study is not None
    return said.study


def test_more_units_mend_it_and_no_network_of_its_size_was_good():
    cause = next(each for each in narrow(1).causes if each.slug == "too-few-units")
    assert cause.status == "confirmed"
    assert "None of " in cause.sentence
    assert not cause.proven


def test_what_is_only_too_short_is_not_too_small():
    found = {each.slug: each.status for each in narrow(24).causes}
    assert found["too-few-units"] != "confirmed"
    assert found["training-too-short"] == "confirmed"
