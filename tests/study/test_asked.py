"""Arms that a person names: what they write, what is trained, and that a report's counts come back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.fits import HE, UNIFORM, fit_of, recipe, sine
from whyfit.errors import UsageError
from whyfit.measure.evidence import gather
from whyfit.records.finding import Change
from whyfit.records.schedule import Schedule
from whyfit.records.study import BASELINE, arm
from whyfit.rules import findings
from whyfit.study import factors
from whyfit.study.asked import parse_arm, written
from whyfit.study.conduct import StudyOptions, conduct
from whyfit.study.plan import make_plan


def study_of(**options):
    x, y = sine(200)
    fit = fit_of(recipe((4,), kernel=UNIFORM, rate=2e-2, epochs=60), x, y)
    evidence = gather(fit)
    return conduct(evidence, findings(evidence), fit.recipe, StudyOptions(**options))


@pytest.mark.parametrize(
    "text",
    [
        "units=8",
        "units=16, 8 and depth=2 hidden layers",
        "input_range=[-1, 1], offset kept and kernel_initializer=he_uniform",
        "optimizer=adam(0.003)",
        "learning_rate=1e-05",
        "decay=1e-06",
        "shuffle=every epoch and use_bias=in every layer",
        "as it is",
    ],
)
def test_an_arm_is_read_as_it_is_written(text: str):
    assert parse_arm(written(parse_arm(text))) == parse_arm(text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("wings=2", "factors: input_range"),
        ("units", "factor=level"),
        ("units=", "factor=level"),
        ("units=4 and units=8", "each factor once"),
        ("optimizer=adam(0.01) and learning_rate=0.1", "brings its own learning rate"),
        ("dropout=0.5", "dropout takes none"),
        ("weight_penalty=high", "weight_penalty takes none"),
        ("units=0", "units takes a width"),
        ("epochs=1.5", "epochs takes a whole number"),
        ("learning_rate=-1", "learning_rate takes a number above 0"),
        ("learning_rate=0.0", "learning_rate takes a number above 0"),
        ("decay=0", "decay takes a number above 0"),
        ("decay=0.1 and optimizer=adam(0.01)", "brings its own learning rate"),
        ("input_range=big", "input_range takes"),
        ("optimizer=adam", "optimizer takes"),
        ("activation=tanh; rm", "activation takes a name"),
    ],
)
def test_what_is_no_arm_is_told_in_a_sentence(text: str, told: str):
    with pytest.raises(UsageError, match=told):
        parse_arm(text)


def test_only_the_arms_asked_for_are_trained_and_paired():
    one, other = arm(Change("activation", "tanh")), arm(Change("units", "8"))
    study = study_of(arms=(one, other, one), replicates=20)
    assert study.asked is not None
    assert {each.arm for each in study.outcomes} == {one, other}
    assert {each.replicates for each in study.outcomes} == {32}  # whole blocks of 16
    (compared,) = study.asked
    assert (compared.with_, compared.without) == (one, other)
    assert all(cause.status == "not-tested" for cause in study.causes)


def test_one_arm_is_compared_with_the_script_as_it_is():
    study = study_of(arms=(arm(Change("activation", "tanh")),), replicates=16)
    assert study.asked is not None
    assert study.asked[0].without == BASELINE


def test_the_counts_of_a_whole_study_come_back():
    whole = study_of(budget=1.0)
    judged = [each for each in whole.outcomes if each.phase == "confirmation"][:3]
    assert judged
    again = study_of(
        arms=tuple(each.arm for each in judged), replicates=max(each.replicates for each in judged)
    )
    for before, after in zip(judged, again.outcomes, strict=True):
        assert np.array_equal(before.unexplained, after.unexplained[: before.replicates])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("loss=cat", "loss cat is not supported"),
        ("activation=wavelet", "activation wavelet is not supported"),
        ("kernel_initializer=bla", "initializer bla is not supported"),
        ("units=4, 4, 4", "the number of widths is 3, that of hidden layers 1"),
    ],
)
def test_what_cannot_be_trained_is_told_in_a_sentence(text: str, told: str):
    with pytest.raises(UsageError, match=f"no network can be trained with {text}: {told}"):
        study_of(arms=(parse_arm(text),))


def test_every_level_that_a_study_tries_can_be_named():
    """The command that a report gives to see a comparison again is one that is taken."""
    x, y = sine(50)
    for made in (
        recipe((4,), kernel=UNIFORM, epochs=2),
        recipe((4, 3), "tanh", output="sigmoid", epochs=2, shuffle=False),
        recipe((8,), "sigmoid", rate=1e-5, epochs=2, batch_size=3),
    ):
        fit = fit_of(made, x, 7.0 * y - 3.0)
        evidence = gather(fit)
        plan = make_plan(evidence, findings(evidence), made)
        spared = [claim.spared for claim in plan.claims if claim.spared]
        for change in (*plan.levels, *spared):
            assert parse_arm(written(arm(change))) == arm(change)


def test_a_start_that_needs_he_keeps_its_name():
    assert str(HE) in written(arm(Change("kernel_initializer", str(HE))))


def test_layers_can_be_taken_away():
    x, y = sine(20)
    made = recipe((4, 3), epochs=2)
    fit = fit_of(made, x, y)
    fewer = factors.apply(parse_arm("depth=1 hidden layer"), fit, made)
    more = factors.apply(parse_arm("depth=3 hidden layers and units=5"), fit, made)
    assert [layer.units for layer in fewer.hidden] == [4]
    assert [layer.units for layer in more.hidden] == [5, 5, 5]


@pytest.mark.parametrize("text", ["activation=tanh", "depth=2 hidden layers", "units=4"])
def test_what_a_network_does_not_have_cannot_be_changed(text: str):
    x, y = sine(20)
    made = recipe((), epochs=2)
    evidence = gather(fit_of(made, x, y))
    options = StudyOptions(arms=(parse_arm(text),))
    with pytest.raises(UsageError, match="the network has no hidden layer"):
        conduct(evidence, findings(evidence), made, options)


def test_a_rate_with_a_schedule_gets_no_decay():
    x, y = sine(20)
    made = replace(recipe((2,), epochs=2), schedule=Schedule("exponential", factor=0.9))
    evidence = gather(fit_of(made, x, y))
    options = StudyOptions(arms=(parse_arm("decay=0.1"),))
    with pytest.raises(UsageError, match="the script has a schedule for its learning rate"):
        conduct(evidence, findings(evidence), made, options)
