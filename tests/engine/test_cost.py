"""The model of training time: complete, deterministic, and what a forecast makes of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests import fits
from whyfit.engine import cost, forecast, translate
from whyfit.records.recipe import Optimizer


def test_the_model_knows_all_that_the_engine_trains():
    assert set(cost.ACTIVATION) == set(translate.ACTIVATIONS)
    assert set(cost.OPTIMIZER) == set(translate.OPTIMIZERS)
    assert set(cost.LOSS) <= set(translate.LOSSES)


@pytest.mark.parametrize("units", [(4,), (16, 16)])
def test_more_work_costs_more(units: tuple[int, ...]):
    recipe = fits.recipe(units)
    base = cost.seconds(recipe, 1000, 16, cores=1)
    assert cost.seconds(recipe, 1000, 17, cores=1) == pytest.approx(2 * base)
    assert cost.seconds(recipe, 1000, 16, cores=2) == pytest.approx(base / 2)
    assert cost.seconds(replace(recipe, batch_size=1), 1000, 16, cores=1) > 1.5 * base
    assert cost.seconds(fits.recipe(units, "gelu"), 1000, 16, cores=1) > 1.5 * base
    slow = replace(recipe, batch_size=2, optimizer=Optimizer("adadelta", 1e-3))
    fast = replace(slow, optimizer=Optimizer("sgd", 1e-3))
    assert cost.seconds(slow, 1000, 16) > 1.2 * cost.seconds(fast, 1000, 16)


def test_a_forecast_is_the_model_times_this_machine(monkeypatch: pytest.MonkeyPatch):
    recipe = fits.recipe((4,))
    monkeypatch.setattr(forecast, "slowness", lambda _threads: 3.0)
    model = cost.seconds(recipe, 1000, 16, cores=1)
    assert forecast.seconds(recipe, 1000, 16, threads=1) == pytest.approx(3 * model)
    # Three groups on two threads: one waits for a second turn.
    assert forecast.seconds(recipe, 1000, 48, threads=2) == pytest.approx(6 * model)


def test_this_machine_is_measured_once():
    forecast.slowness.cache_clear()
    first = forecast.slowness(1)
    assert first == forecast.slowness(1)
    assert 0.05 < first < 500


def test_what_is_told():
    assert forecast.told(0.2) == "less than a second"
    assert forecast.told(90) == "about 90 s"
    assert forecast.told(600) == "about 10 min"
    assert forecast.told(10_000) == "about 3 h"
