"""Start weights have the distribution of the frameworks' own draws (two-sample Kolmogorov-Smirnov)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from tests import fits
from whyfit.engine.initializers import draw
from whyfit.records.recipe import Initializer

pytestmark = pytest.mark.framework

KERAS = {
    "random_uniform": "RandomUniform",
    "random_normal": "RandomNormal",
    "truncated_normal": "TruncatedNormal",
    "glorot_uniform": "GlorotUniform",
    "glorot_normal": "GlorotNormal",
    "he_uniform": "HeUniform",
    "he_normal": "HeNormal",
    "lecun_uniform": "LecunUniform",
    "lecun_normal": "LecunNormal",
    "orthogonal": "Orthogonal",
}
ROWS, COLUMNS, DRAWS = 6, 9, 500


def ours(kernel: Initializer, bias: Initializer) -> tuple[np.ndarray, np.ndarray]:
    """All kernel and all bias values of many draws of a layer of six inputs and nine units."""
    recipe = fits.recipe((COLUMNS,), inputs=ROWS, kernel=kernel, bias=bias)
    weights = draw(recipe, 5, 0, DRAWS)
    size = ROWS * COLUMNS
    return weights[:, :size].ravel(), weights[:, size : size + COLUMNS].ravel()


def same(a: np.ndarray, b: np.ndarray) -> None:
    assert stats.ks_2samp(a, b).pvalue > 1e-3
    assert stats.ks_2samp(a, 1.1 * b).pvalue < 1e-2, "the test could not tell a tenth"


@pytest.mark.parametrize("name", KERAS)
def test_keras(name: str):
    import keras

    kind = getattr(keras.initializers, KERAS[name])
    drawn = [np.asarray(kind(seed=seed)((ROWS, COLUMNS))).ravel() for seed in range(DRAWS)]
    kernel, _bias = ours(Initializer(name), Initializer("zeros"))
    same(kernel, np.concatenate(drawn))


def test_torch():
    torch = pytest.importorskip("torch")
    torch.manual_seed(1)
    layers = [torch.nn.Linear(ROWS, COLUMNS) for _draw in range(DRAWS)]
    torch_uniform = Initializer("torch_uniform")
    kernel, bias = ours(torch_uniform, torch_uniform)
    same(kernel, np.concatenate([layer.weight.detach().numpy().ravel() for layer in layers]))
    same(bias, np.concatenate([layer.bias.detach().numpy() for layer in layers]))


@pytest.mark.parametrize("activation", ["relu", "logistic"])
def test_sklearn(activation: str):
    neural_network = pytest.importorskip("sklearn.neural_network")
    model = neural_network.MLPRegressor(activation=activation)
    model.activation, model._random_state = activation, np.random.RandomState(2)
    drawn = [model._init_coef(ROWS, COLUMNS, np.float64) for _draw in range(DRAWS)]
    name = "sklearn_logistic_uniform" if activation == "logistic" else "sklearn_uniform"
    kernel, bias = ours(Initializer(name), Initializer(name))
    same(kernel, np.concatenate([each[0].ravel() for each in drawn]))
    same(bias, np.concatenate([each[1] for each in drawn]))


def test_slopes_of_prelu_begin_where_they_should():
    recipe = fits.recipe((3,), "prelu")
    first = replace(recipe.layers[0], slope_initializer=Initializer("constant", value=0.25))
    recipe = replace(recipe, layers=(first, *recipe.layers[1:]))
    network = recipe.network(draw(recipe, 0, 0, 1)[0])
    assert network.layers[0].activation.constants == (0.25, 0.25, 0.25)
