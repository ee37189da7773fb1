"""Weighted samples: captured as the framework weighs them, trained again, judged and told."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import r2_score

from tests.adapters.scripts import fits, run
from whyfit.diagnosing import Options, diagnose_fit
from whyfit.engine import lanes
from whyfit.fast import EngineSubstitute
from whyfit.measure.evidence import gather
from whyfit.records.fit import Fit
from whyfit.records.recipe import flatten
from whyfit.records.study import BASELINE
from whyfit.study.conduct import StudyOptions
from whyfit.study.replay import replay
from whyfit.study.workers.block import Data

pytestmark = pytest.mark.framework

KERAS = """
import numpy as np
import keras
keras.utils.set_random_seed(3)
random = np.random.default_rng(0)
x = random.uniform(-2, 2, (200, 1))
y = np.where(x > 0, np.sin(3 * x), 3 - 2 * x)
w = np.where(x[:, 0] > 0, 1.0, 0.001)
c = np.round(random.uniform(size=200)).astype(int)
model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(12, activation="tanh"),
                          keras.layers.Dense(1)])
model.compile(keras.optimizers.Adam(0.02), LOSS)
model.fit(ARGUMENTS, epochs=EPOCHS, verbose=0)
"""
SKLEARN = """
import numpy as np
from sklearn.neural_network import MLPRegressor
random = np.random.default_rng(0)
x = random.uniform(-2, 2, (200, 1))
y = np.where(x > 0, np.sin(3 * x), 3 - 2 * x).ravel()
w = np.where(x[:, 0] > 0, 1.0, 0.001)
model = MLPRegressor(hidden_layer_sizes=(12,), learning_rate_init=0.02, max_iter=60, alpha=0.1,
                     random_state=3, batch_size=32, OPTIONS)
model.fit(x, y, sample_weight=w)
"""


def keras(
    folder: Path, arguments: str, epochs: int = 60, loss: str = "'mse'", **session: object
) -> Fit:
    source = KERAS.replace("ARGUMENTS", arguments).replace("EPOCHS", str(epochs))
    (fit,) = fits(folder, source.replace("LOSS", loss), **session)
    return fit


def sklearn(folder: Path, options: str = "", **session: object) -> Fit:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the last epoch
        (fit,) = fits(folder, SKLEARN.replace("OPTIONS", options), **session)
    return fit


WEIGHTED = {
    "sample_weight": "x, y, sample_weight=w",
    "in a column": "x, y, sample_weight=w[:, None]",
    "validation split": "x, y, sample_weight=w, validation_split=0.25",
}


@pytest.mark.parametrize("loss", ["'mse'", "keras.losses.MeanSquaredError('sum')"])
@pytest.mark.parametrize("name", WEIGHTED)
def test_keras_unshuffled_ends_with_the_engines_weights(tmp_path: Path, name: str, loss: str):
    rate = "x, y" if "sum" not in loss else "0.1 * x, y"  # or a sum of so many losses diverges
    fit = keras(tmp_path, WEIGHTED[name].replace("x, y", rate) + ", shuffle=False", 5, loss)
    assert fit.unsupported is None
    samples = 150 if "split" in name else 200
    assert fit.sample_weight == pytest.approx(np.where(fit.x[:, 0] > 0, 1.0, 0.001))
    assert len(fit.x) == len(fit.sample_weight) == samples
    assert_same_end(fit)


def test_keras_weighs_classes(tmp_path: Path):
    fit = keras(tmp_path, "x, c, class_weight={0: 0.2, 1: 3.0}, shuffle=False", 5)
    assert fit.unsupported is None
    assert fit.sample_weight == pytest.approx(np.where(fit.y[:, 0] == 1, 3.0, 0.2))
    assert_same_end(fit)


def test_keras_divides_by_the_weights_where_asked_to(tmp_path: Path):
    loss = "keras.losses.MeanSquaredError('mean_with_sample_weight')"
    fit = keras(tmp_path, "x, y, sample_weight=w, shuffle=False", 5, loss)
    assert fit.recipe is not None
    assert fit.recipe.divide_by_weights
    assert_same_end(fit)


def test_scikit_learn_unshuffled_ends_with_the_engines_weights(tmp_path: Path):
    fit = sklearn(tmp_path, "shuffle=False")
    assert fit.unsupported is None
    assert fit.sample_weight == pytest.approx(np.where(fit.x[:, 0] > 0, 1.0, 0.001))
    assert_same_end(fit)


def assert_same_end(fit: Fit) -> None:
    """Same start, same order: the network's weights after training are the framework's."""
    assert fit.recipe is not None
    assert fit.start is not None
    assert fit.end is not None
    start, end = flatten(fit.start), flatten(fit.end)
    recipe = replace(fit.recipe, epochs=fit.epochs_done)
    trained = lanes.train(recipe, fit.x, fit.y, start[None], sample_weight=fit.sample_weight)
    assert trained.weights[0] == pytest.approx(end, rel=1e-3, abs=1e-4)
    alike = lanes.train(recipe, fit.x, fit.y, start[None])
    assert np.max(np.abs(alike.weights[0] - end)) > 0.01, "the weights made no difference"


def test_a_weighted_fit_is_judged_by_its_weights(tmp_path: Path):
    for fit in (keras(tmp_path, "x, y, sample_weight=w"), sklearn(tmp_path)):
        assert replay(fit, 0).status == "reproduced"
        score = r2_score(fit.y, fit.predictions, sample_weight=fit.sample_weight)
        assert fit.unexplained_variance == pytest.approx(1 - score)
        alike = replace(fit, sample_weight=None)
        assert alike.unexplained_variance > 2 * fit.unexplained_variance
        assert replay(alike, 0).status == "differs"


def test_the_weights_tell_data_apart(tmp_path: Path):
    fit = keras(tmp_path, "x, y, sample_weight=w", 1)
    digests = {
        Data.of_fit(each).digest
        for each in (
            fit,
            replace(fit, sample_weight=None),
            replace(fit, sample_weight=fit.sample_weight * 2),
        )
    }
    assert len(digests) == 3


def test_the_twins_train_with_the_same_weights(tmp_path: Path):
    """A network that is told to learn half of the curve learns it, and is not blamed for the rest."""
    fit = keras(tmp_path, "x, y, sample_weight=np.where(x[:, 0] > 0, 1.0, 0.0)", 300)
    assert fit.unexplained_variance < 0.05 < replace(fit, sample_weight=None).unexplained_variance
    said = diagnose_fit(fit, Options(study=StudyOptions(budget=2.0)))
    assert said.study is not None
    assert said.verdict == "sound"
    assert said.study.of(BASELINE).rate > 0.9


def test_a_mask_is_measured_on_what_counts(tmp_path: Path):
    fit = keras(tmp_path, "x, y, sample_weight=np.where(x[:, 0] > 0, 1.0, 0.0)", 5)
    far = fit.y + np.where(fit.x > 0, 0.0, 1000.0)
    plain, spoilt = (gather(each) for each in (fit, replace(fit, y=far)))
    assert spoilt.data == plain.data
    assert spoilt.data.samples == np.sum(fit.x > 0)
    assert spoilt.steps == plain.steps
    assert spoilt.fit.unexplained_variance == pytest.approx(plain.fit.unexplained_variance)


@pytest.mark.parametrize("framework", [keras, sklearn])
def test_trained_fast_with_the_same_weights(tmp_path: Path, framework):
    arguments = ("x, y, sample_weight=w",) if framework is keras else ("n_iter_no_change=60",)
    plain = framework(tmp_path, *arguments)
    fast = framework(tmp_path, *arguments, substitute=EngineSubstitute())
    assert fast.engine_trained
    assert fast.unexplained_variance == pytest.approx(plain.unexplained_variance, rel=1.0)
    alike = replace(fast, sample_weight=None)
    assert alike.unexplained_variance > 2 * fast.unexplained_variance


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ("x, y, sample_weight=-w", "negative sample weights"),
        ("x, y, sample_weight=0 * w", "all 0"),
        ("x, y, sample_weight=w + np.inf", "not finite"),
    ],
)
def test_weights_by_which_nothing_can_be_judged(tmp_path: Path, arguments: str, reason: str):
    fit = keras(tmp_path, arguments, 1)
    assert reason in (fit.unsupported or "")
    assert fit.sample_weight is None


def test_both_kinds_of_weights_are_the_scripts_own_mistake(tmp_path: Path):
    source = KERAS.replace("ARGUMENTS", "x, c, sample_weight=w, class_weight={0: 1.0}")
    captured, _program = run(tmp_path, source.replace("EPOCHS", "1").replace("LOSS", "'mse'"))
    assert "at the same time" in (captured.error or "")
