"""Changes of an MLPRegressor: placed, applied with patch(1), read back."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.adapters.scripts import run
from whyfit.patching.patch import exists, patch, unified_diff
from whyfit.records.finding import Change
from whyfit.records.fit import Fit
from whyfit.records.study import arm
from whyfit.study import factors

pytestmark = pytest.mark.framework

HEAD = """
import warnings
import numpy as np
from sklearn.neural_network import MLPRegressor
warnings.simplefilter("ignore")
x = np.linspace(0, 5, 60).reshape(-1, 1)
y = 3 + np.sin(x).ravel()
"""
STYLES = {
    "plain": HEAD
    + """
model = MLPRegressor(hidden_layer_sizes=(4,), activation="relu",  # keep me
                     max_iter=5, random_state=0)
model.fit(x, y)
print(model.predict(x).mean())
""",
    "chained": HEAD
    + """
model = MLPRegressor(hidden_layer_sizes=(4,), activation="relu",  # keep me
                     max_iter=5, random_state=0).fit(x, y)
print(model.predict(x).mean())
""",
    "pipeline": HEAD
    + """
from sklearn.compose import TransformedTargetRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
STEPS = 5
model = TransformedTargetRegressor(
    make_pipeline(MinMaxScaler(), MLPRegressor(hidden_layer_sizes=4, max_iter=STEPS)),
    transformer=MinMaxScaler(feature_range=(0, 1)))  # keep me
model.fit(x, y)
""",
}
CHANGES = {
    "input range": (Change("input_range", "[-1, 1]"), lambda fit: abs(fit.x.min() + 1.0) < 1e-9),
    "standardised": (
        Change("target_range", "standardised"),
        lambda fit: fit.target_scaler.kind == "StandardScaler" and abs(fit.y.mean()) < 1e-9,
    ),
    "units": (Change("units", "16"), lambda fit: fit.recipe.layers[0].units == 16),
    "depth": (
        Change("depth", "2 hidden layers"),
        lambda fit: [each.units for each in fit.recipe.layers] == [4, 4, 1],
    ),
    "activation": (
        Change("activation", "sigmoid"),
        lambda fit: fit.recipe.layers[0].activation.name == "sigmoid",
    ),
    "optimizer": (
        Change("optimizer", "sgd(0.02)"),
        lambda fit: (
            (fit.recipe.optimizer.name, fit.recipe.optimizer.learning_rate) == ("sgd", 0.02)
        ),
    ),
    "learning rate": (
        Change("learning_rate", "0.02"),
        lambda fit: fit.recipe.optimizer.learning_rate == 0.02,
    ),
    "epochs": (Change("epochs", "7"), lambda fit: fit.epochs_done == fit.recipe.epochs == 7),
    "batch size": (Change("batch_size", "8"), lambda fit: fit.recipe.batch_size == 8),
}


def fit_in(folder: Path, source: str) -> tuple[Fit, str]:
    captured, program = run(folder, source)
    assert captured.error is None, captured.error
    return captured.fits[0], program.path


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("style", STYLES)
def test_a_change_is_placed_and_does_what_it_says(tmp_path: Path, style: str, name: str):
    fit, path = fit_in(tmp_path, STYLES[style])
    source = Path(path).read_text()
    change, holds = CHANGES[name]
    patched = patch(source, path, fit, arm(change))
    assert patched.source is not None, patched.words
    (tmp_path / "fix.diff").write_text(unified_diff(source, patched.source, "script.py"))
    subprocess.run(["patch", "-p1", "--quiet", "--input", "fix.diff"], cwd=tmp_path, check=True)
    again, _path = fit_in(tmp_path, (tmp_path / "script.py").read_text())
    assert holds(again)
    if name not in ("input range", "standardised", "biases"):  # whose data or bounds are others
        assert factors.apply(arm(change), fit, fit.recipe) == again.recipe
    assert not (fit.target_scaler and holds(fit))
    assert "# keep me" in patched.source


def test_units_and_depth_are_one_argument(tmp_path: Path):
    fit, path = fit_in(tmp_path, STYLES["plain"])
    wanted = arm(Change("units", "8"), Change("depth", "2 hidden layers"))
    patched = patch(Path(path).read_text(), path, fit, wanted)
    assert patched.source is not None
    assert "hidden_layer_sizes=(8, 8)" in patched.source


def test_start_weights_are_not_scikit_learns_to_change(tmp_path: Path):
    fit, path = fit_in(tmp_path, STYLES["plain"])
    wanted = arm(Change("kernel_initializer", "he_uniform"))
    patched = patch(Path(path).read_text(), path, fit, wanted)
    assert patched.source is None
    assert "in one way only" in patched.words[0]


SEARCH = """
from sklearn.model_selection import GridSearchCV
model = MLPRegressor(max_iter=5)
GridSearchCV(model, {'hidden_layer_sizes': [(3,)]}, cv=2).fit(x, y)
"""
IN_PARTS = """
model = MLPRegressor(hidden_layer_sizes=4, batch_size=32, random_state=0)
for _epoch in range(5):
    model.partial_fit(x, y.ravel())
"""
SURROUNDED = {
    "epochs of partial_fit": (IN_PARTS, Change("epochs", "20"), "one epoch: make 20 passes"),
    "one order of partial_fit": (IN_PARTS, Change("shuffle", "every epoch"), "leave it out"),
    "set again": (
        "model = MLPRegressor(max_iter=5)\nmodel.set_params(learning_rate_init=1e-4)\nmodel.fit(x, y)\n",
        Change("learning_rate", "0.01"),
        "in line 9, which sets it again",
    ),
    "searched for": (SEARCH, Change("units", "8"), "search sets hidden_layer_sizes"),
    "named by a search": (SEARCH, Change("input_range", "standardised"), "names parameters"),
    "read afterwards": (
        STYLES["plain"].removeprefix(HEAD) + "print(model.n_iter_)\n",
        Change("target_range", "standardised"),
        "reads n_iter_",
    ),
}


def test_a_loop_of_partial_fit_that_does_not_shuffle(tmp_path: Path):
    source = IN_PARTS.replace("random_state=0", "shuffle = False, random_state=0")
    captured, program = run(tmp_path, HEAD + source)
    change = Change("shuffle", "every epoch")
    found = patch(program.source, program.path, captured.fits[0], arm(change))
    assert found.source is not None
    assert "shuffle = True" in found.source


@pytest.mark.parametrize("name", SURROUNDED)
def test_what_the_rest_of_the_script_would_not_bear_is_told(tmp_path: Path, name: str):
    source, change, words = SURROUNDED[name]
    captured, program = run(tmp_path, HEAD + source)
    found = patch(program.source, program.path, captured.fits[0], arm(change))
    assert found.source is None
    assert words in found.words[0]


def test_what_scikit_learn_does_not_have_is_known():
    there = [Change("activation", "tanh"), Change("optimizer", "adam(0.003)"), Change("units", "8")]
    missing = [
        Change("activation", "leaky_relu"),
        Change("kernel_initializer", "he_uniform"),
        Change("bias_initializer", "spread"),
        Change("optimizer", "rmsprop(0.01)"),
    ]
    assert all(exists("sklearn", arm(each)) for each in there)
    assert not any(exists("sklearn", arm(each)) for each in missing)
    assert all(exists("keras", arm(each)) for each in missing)
