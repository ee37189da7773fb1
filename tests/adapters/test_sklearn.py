"""What is captured of scikit-learn's MLPRegressor, wherever it is trained."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.adapters.scripts import fits, run
from whyfit.adapters.sklearn import recipe as sklearn_recipe
from whyfit.engine.lanes import train
from whyfit.fast import EngineSubstitute
from whyfit.measure.evidence import gather
from whyfit.records.recipe import flatten
from whyfit.rules import findings

pytestmark = pytest.mark.framework

HEAD = """
import warnings
import numpy as np
from sklearn.compose import TransformedTargetRegressor
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
warnings.simplefilter("ignore")
x = np.linspace(-3, 3, 300).reshape(-1, 1)
y = 5 * np.sin(x).ravel()
"""


def test_defaults_are_in_the_recipe(tmp_path: Path):
    (fit,) = fits(tmp_path, HEAD + "MLPRegressor(max_iter=3, random_state=0).fit(x, y)\n")
    recipe = fit.recipe
    assert [(each.units, each.activation.name) for each in recipe.layers] == [
        (100, "relu"),
        (1, "linear"),
    ]
    assert recipe.layers[0].kernel_initializer.name == "sklearn_uniform"
    assert recipe.layers[0].kernel_penalty.l2 == 0.0001 / 2
    assert (recipe.batch_size, recipe.epochs, recipe.shuffle) == (200, 3, True)
    assert (recipe.loss, recipe.optimizer.name, recipe.optimizer.epsilon) == (
        "half_mse",
        "adam",
        1e-8,
    )
    assert (recipe.early_stopping.patience, recipe.early_stopping.min_delta) == (10, 1e-4)
    assert fit.seeds_weights


def test_scalers_of_a_pipeline_and_of_the_target(tmp_path: Path):
    source = """
model = TransformedTargetRegressor(
    make_pipeline(StandardScaler(),
                  MLPRegressor(hidden_layer_sizes=5, max_iter=4)),
    transformer=MinMaxScaler())
model.fit(x, y)
"""
    (fit,) = fits(tmp_path, HEAD + source)
    lines = (HEAD + source).splitlines()
    assert (fit.input_scaler.kind, fit.target_scaler.kind) == ("StandardScaler", "MinMaxScaler")
    assert fit.in_target_units(fit.y).max() == pytest.approx(5.0, abs=0.01)
    shown = {call.role: lines[call.place.line - 1] for call in fit.calls}
    assert "StandardScaler()" in shown["input_scaler"]
    assert "MinMaxScaler()" in shown["target_scaler"]
    assert "MLPRegressor(" in shown["regressor"]
    assert "model.fit" in shown["fit"]


def test_every_training_of_a_search_is_a_fit(tmp_path: Path):
    source = """
search = GridSearchCV(MLPRegressor(max_iter=2), {"hidden_layer_sizes": [3, 5]}, cv=2)
search.fit(x, y)
"""
    found = fits(tmp_path, HEAD + source)
    assert [fit.recipe.layers[0].units for fit in found[:4]] == [3, 3, 5, 5]
    assert len(found) == 5  # and the best once more, on all data
    assert len(found[-1].x) == 300


def test_partial_fit_is_one_training(tmp_path: Path):
    source = """
model = MLPRegressor(hidden_layer_sizes=4)
for epoch in range(6):
    for i in range(0, 300, 60):
        model.partial_fit(x[i:i+60], y[i:i+60])
"""
    (fit,) = fits(tmp_path, HEAD + source)
    assert fit.unsupported is None
    assert (fit.recipe.batch_size, fit.recipe.epochs, fit.recipe.shuffle) == (60, 6, False)
    assert fit.recipe.early_stopping is None
    assert fit.x == pytest.approx(np.linspace(-3, 3, 300)[:, None])
    assert fit.weight_history.epochs.tolist() == list(range(7))
    assert len(fit.history["loss"]) == 6


def test_partial_fit_with_a_fixed_random_state_repeats_one_order(tmp_path: Path):
    """From the second call on the engine, given that order, ends where scikit-learn does."""
    source = """
model = MLPRegressor(hidden_layer_sizes=4, solver="sgd", momentum=0.0, batch_size=32, random_state=3)
for epoch in range(6):
    model.partial_fit(x, y)
"""
    (fit,) = fits(tmp_path, HEAD + source)
    assert fit.unsupported is None
    assert not fit.recipe.shuffle
    assert sorted(fit.x.ravel()) == pytest.approx(np.linspace(-3, 3, 300))
    assert not np.array_equal(fit.x, np.sort(fit.x, axis=0))
    after_first = fit.weight_history.weights[1:2]
    rest = replace(fit.recipe, epochs=5)
    trained = train(rest, fit.x, fit.y, after_first, precision="float64")
    assert trained.weights[0] == pytest.approx(flatten(fit.end), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("more", ["random_state=3", "shuffle=False"])
def test_a_loop_that_shuffles_by_itself(tmp_path: Path, more: str):
    source = f"""
model = MLPRegressor(hidden_layer_sizes=4, batch_size=32, {more})
for epoch in range(6):
    order = np.random.permutation(len(x))
    model.partial_fit(x[order], y[order])
"""
    (fit,) = fits(tmp_path, HEAD + source)
    assert fit.unsupported is None
    assert fit.recipe.shuffle


@pytest.mark.parametrize("how", ["solver='adam'", "solver='sgd'", "early_stopping=True"])
@pytest.mark.parametrize("seed", ["random_state=3", "random_state=None"])
def test_watching_changes_nothing(tmp_path: Path, how: str, seed: str):
    """The same seed ends with the same weights to the last bit, watched or not."""
    source = (
        f"{HEAD}np.random.seed(7)\n"
        f"m = MLPRegressor({how}, {seed}, max_iter=30).fit(x[:250], y[:250])\n"
    )
    (fit,) = fits(tmp_path, source)
    plain: dict = {"__name__": "plain"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(source, plain)
    assert fit.end is not None
    assert np.array_equal(flatten(fit.end), sklearn_recipe.flat(plain["m"]))


REFUSED = {
    "MLPRegressor(solver='lbfgs', max_iter=9).fit(x, y)": "solver lbfgs",
    "m = MLPRegressor(max_iter=3, warm_start=True).fit(x, y); m.fit(x, y)": "warm_start",
    "m = MLPRegressor(max_iter=3, warm_start=True).fit(x, y); m.fit(x[:9], y[:9])": "trained before",
    "MLPRegressor(max_iter=3).fit(x, y, sample_weight=-np.ones(300))": "negative sample weights",
    "MLPRegressor(max_iter=9, early_stopping=True).fit(x, y, sample_weight=np.ones(300))": (
        "weighted validation data"
    ),
}


@pytest.mark.parametrize("code", REFUSED)
def test_what_cannot_be_trained_again_gets_evidence_and_a_reason(tmp_path: Path, code: str):
    fit = fits(tmp_path, HEAD + code)[-1]
    assert fit.unsupported is not None
    assert REFUSED[code] in fit.unsupported
    assert fit.predictions is not None
    assert bool(fit.history["loss"]) == ("lbfgs" not in code)  # which has no epochs
    findings(gather(fit))


def test_numbers_that_overflow_end_the_script_and_keep_the_fit(tmp_path: Path):
    code = "MLPRegressor(solver='sgd', learning_rate_init=1e6, max_iter=20).fit(x * 1e9, y)\n"
    captured, _program = run(tmp_path, HEAD + code)
    assert captured.error is not None
    (fit,) = captured.fits
    assert not np.isfinite(fit.unexplained_variance)


def test_fast_trains_in_place_of_scikit_learn(tmp_path: Path):
    source = (
        HEAD
        + """
np.random.seed(1)
m = MLPRegressor(hidden_layer_sizes=20, max_iter=300, learning_rate_init=0.01, tol=1e-3).fit(x, y)
assert m.n_iter_ == len(m.loss_curve_) < 300
assert m.score(x, y) > 0.9
"""
    )
    (fit,) = fits(tmp_path, source, substitute=EngineSubstitute())
    assert fit.engine_trained
    assert fit.unexplained_variance < 0.1
    assert fit.epochs_done == len(fit.history["loss"])


def test_everything_is_put_back(tmp_path: Path):
    from sklearn import base
    from sklearn.neural_network import MLPRegressor

    names = ("_fit", "_fit_stochastic", "_update_no_improvement_count", "__init__")
    before = [base._clone_parametrized, *(getattr(MLPRegressor, name) for name in names)]
    fits(tmp_path, HEAD + "MLPRegressor(max_iter=2).fit(x, y)\n")
    after = [base._clone_parametrized, *(getattr(MLPRegressor, name) for name in names)]
    assert before == after


def test_fits_that_go_on_with_the_weights_are_one(tmp_path: Path):
    source = """
import warnings
import numpy as np
from sklearn.neural_network import MLPRegressor
warnings.simplefilter("ignore")
x = np.linspace(-1, 1, 40).reshape(-1, 1)
model = MLPRegressor(hidden_layer_sizes=(3,), max_iter=2, warm_start=True)
for _ in range(5):
    model.fit(x, np.sin(3 * x).ravel())
"""
    (fit,) = fits(tmp_path, source)
    assert "warm_start" in fit.unsupported
    assert fit.recipe.epochs == fit.epochs_done == 10
    assert len(fit.history["loss"]) == 10
    assert list(fit.weight_history.epochs) == list(range(11))


def test_a_part_of_what_a_scaler_made_is_known_as_its(tmp_path: Path):
    """Scaled as a whole and split then; what was never scaled is not taken for it."""
    (fit,) = fits(
        tmp_path,
        """
import warnings
import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPRegressor
from sklearn.preprocessing import MinMaxScaler
warnings.simplefilter("ignore")
x = np.linspace(100, 900, 80).reshape(-1, 1)
y = np.sin(x.ravel() / 100)
a, _held_out, c, _rest = train_test_split(MinMaxScaler().fit_transform(x), y, random_state=0)
MLPRegressor(max_iter=5, random_state=0).fit(a, c)
""",
    )
    assert len(fit.x) == 60
    assert fit.input_scaler.kind == "MinMaxScaler"
    assert fit.target_scaler is None
    assert fit.input_scaler.transform.invert(fit.x).max() == pytest.approx(900.0, abs=60.0)
