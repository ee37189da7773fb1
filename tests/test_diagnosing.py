"""What is said of fits that nothing can be, or need not be, retrained for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.fits import HE, fit_of, recipe, sine
from tests.healthy import diagnosed
from whyfit.diagnosing import FitDiagnosis
from whyfit.records.study import Blamed, Cause
from whyfit.report.panels.headline import headline
from whyfit.study.verdict import in_accord


@pytest.mark.parametrize("where", ["x", "y"])
def test_samples_that_are_no_numbers(where: str):
    """One makes every loss NaN: no start is to blame, and no cause is confirmed on the others."""
    x, y = sine(100)
    (x if where == "x" else y)[[3, 50]] = np.nan
    found = diagnosed(fit_of(recipe((8,), "tanh", epochs=5), x, y))
    assert found.study is None
    assert "2 of the 100 samples hold NaN or infinity" in headline(found)
    assert not {each.rule for each in found.findings} & {"learning-rate-too-high", "loss-diverged"}


def test_targets_in_another_order_than_their_inputs():
    """What looks like noise is then all of the variance; what explains nothing is no good fit."""
    x, y = sine(400)
    found = diagnosed(
        fit_of(recipe((8,), "tanh", epochs=5), x, np.random.default_rng(0).permutation(y))
    )
    assert found.study is None
    assert found.verdict == "observed"
    assert "is good" not in headline(found)
    assert "check that each y belongs to its x" in headline(found)


def of_start(replicate: int) -> FitDiagnosis:
    """A fit whose success hangs on its start: four ReLU units on a sine."""
    one = recipe((4,), "relu", kernel=HE, rate=0.01, epochs=150)
    x, y = sine(400, -1.0, 1.0)
    return diagnosed(fit_of(one, x, y, replicate=replicate))


def test_a_good_fit_that_half_of_the_starts_reach_is_not_called_usual():
    """Whether or not the share is small enough for luck to be confirmed."""
    found = next(one for at in range(16) if (one := of_start(at)).verdict in ("sound", "lucky"))
    baseline = found.study.of(())
    assert 0.1 < baseline.rate < found.study.plan.target_rate
    said = headline(found)
    assert "most starts do as well" not in said
    assert f"{baseline.successes} of {baseline.replicates} starts" in said


def test_no_answer_denies_what_a_confirmed_cause_is_about():
    """The cause may be confirmed by another change than those that were tried of the factor alone."""
    rate = Blamed(
        "Is it the learning rate?", "learning_rate", "no", "No: learning rate 1 takes 0 to 0."
    )
    depth = Blamed("Is it the depth?", "depth", "no", "No: 2 layers take 0 to 0.")
    cause = Cause("learning-rate-too-low", "confirmed", "", observed=True)
    said = in_accord((rate, depth), (cause,))
    assert [each.answer for each in said] == ["helps", "no"]
    assert said[0].sentence.startswith("In part: learning-rate-too-low is confirmed")
    assert said[0].sentence.endswith("learning rate 1 takes 0 to 0.")
    refuted = replace(cause, status="refuted")
    assert in_accord((rate, depth), (refuted,)) == (rate, depth)
