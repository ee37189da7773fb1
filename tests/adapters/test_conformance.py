"""What every adapter owes: the same training, written in each framework, is the same Fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.adapters.scripts import fits, run
from tests.fits import fit_of, recipe, sine
from whyfit.adapters import capture
from whyfit.adapters._adapter import Adapter, Session
from whyfit.adapters.capture import ADAPTERS
from whyfit.adapters.fake import FakeAdapter
from whyfit.records.fit import Fit

pytestmark = pytest.mark.framework

HEAD = """
import numpy as np
x = np.linspace(-1, 1, 40).reshape(-1, 1).astype("float32")
y = (0.5 * np.sin(3 * x)).astype("float32")
kernels = [np.linspace(-1, 1, 5).reshape(1, 5), np.linspace(0.8, -0.4, 5).reshape(5, 1)]
biases = [np.linspace(-0.2, 0.3, 5), np.array([0.1])]
"""

SCRIPTS = {
    "keras": HEAD
    + """
import keras
keras.utils.set_random_seed(5)
model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(5, activation="tanh"),
                          keras.layers.Dense(1)])
model.set_weights([kernels[0], biases[0], kernels[1], biases[1]])
model.compile(keras.optimizers.SGD(0.1), "mse")
model.fit(x, y, batch_size=40, epochs=6, verbose=0)  # trains
np.save("PREDICTIONS", model.predict(x, verbose=0))
""",
    "torch": HEAD
    + """
import torch
torch.manual_seed(5)
model = torch.nn.Sequential(torch.nn.Linear(1, 5), torch.nn.Tanh(), torch.nn.Linear(5, 1))
with torch.no_grad():
    for layer, kernel, bias in zip([model[0], model[2]], kernels, biases):
        layer.weight.copy_(torch.tensor(kernel.T))
        layer.bias.copy_(torch.tensor(bias))
opt = torch.optim.SGD(model.parameters(), 0.1)
inputs, targets = torch.tensor(x), torch.tensor(y)
for epoch in range(6):
    opt.zero_grad()
    torch.nn.functional.mse_loss(model(inputs), targets).backward()
    opt.step()  # trains
np.save("PREDICTIONS", model(inputs).detach().numpy())
""",
    "sklearn": HEAD
    + """
import warnings
from sklearn.neural_network import MLPRegressor
warnings.simplefilter("ignore")
np.random.seed(5)
class Given(MLPRegressor):
    def _init_coef(self, fan_in, fan_out, dtype):
        at = 0 if fan_in == 1 else 1
        return kernels[at].astype(dtype), biases[at].astype(dtype)
# Its loss is half the mean square, so twice the rate.
model = Given(hidden_layer_sizes=(5,), activation="tanh", solver="sgd", learning_rate_init=0.2,
              momentum=0.0, nesterovs_momentum=False, alpha=0.0, batch_size=40, max_iter=6)
model.fit(x, y.ravel())  # trains
np.save("PREDICTIONS", model.predict(x))
""",
}
SEEDS = {
    "keras": "keras.utils.set_random_seed",
    "torch": "torch.manual_seed",
    "sklearn": "numpy.random.seed",
}


@pytest.fixture(scope="module")
def captured(tmp_path_factory) -> dict[str, tuple[Fit, np.ndarray, str]]:
    found = {}
    for name, script in SCRIPTS.items():
        folder = tmp_path_factory.mktemp(name)
        source = script.replace("PREDICTIONS", str(folder / "predictions.npy"))
        (fit,) = fits(folder, source)
        found[name] = (fit, np.load(folder / "predictions.npy"), source)
    return found


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_fit_is_what_the_script_trained(captured, name: str):
    fit, predictions, source = captured[name]
    assert fit.framework == name
    assert fit.unsupported is None or "by hand" in fit.unsupported
    assert fit.predictions == pytest.approx(predictions.reshape(-1, 1), abs=1e-5)
    assert fit.end(fit.x) == pytest.approx(fit.predictions)
    line = next(at for at, text in enumerate(source.splitlines(), 1) if "# trains" in text)
    assert fit.place.line == line
    assert fit.epochs_done == fit.recipe.epochs == 6
    assert len(fit.history["loss"]) == 6
    assert fit.history["loss"][-1] < fit.history["loss"][0]
    assert fit.weight_history.epochs[0] == 0
    assert fit.weight_history.epochs[-1] == 6
    assert [(call.function, call.seed) for call in fit.seeds] == [(SEEDS[name], "5")]
    assert fit.seeds_weights
    assert fit.calls[0].role == "fit"
    assert name in fit.environment


@pytest.mark.parametrize("name", ["torch", "sklearn"])
def test_all_adapters_see_the_same_network_and_data(captured, name: str):
    mine, (other, _predictions, _source) = captured[name][0], captured["keras"]
    assert mine.x == pytest.approx(other.x)
    assert mine.y == pytest.approx(other.y)
    assert mine.weight_history.weights[0] == pytest.approx(other.weight_history.weights[0])
    assert mine.weight_history.weights[-1] == pytest.approx(
        other.weight_history.weights[-1], abs=2e-6
    )
    for one, two in zip(mine.recipe.layers, other.recipe.layers, strict=True):
        assert (one.units, one.activation, one.use_bias) == (
            two.units,
            two.activation,
            two.use_bias,
        )
    assert (mine.recipe.batch_size, mine.recipe.epochs) == (40, 6)
    factor = 0.5 if name == "sklearn" else 1.0
    assert np.array(mine.history["loss"]) == pytest.approx(
        factor * np.array(other.history["loss"]), rel=1e-4
    )


def test_adapters_have_the_shape_of_an_adapter():
    for adapter in (*(each() for each in ADAPTERS), FakeAdapter()):
        assert isinstance(adapter, Adapter)
    assert len({adapter.name for adapter in ADAPTERS}) == len(ADAPTERS)


def test_the_fake_adapter_hands_over_what_it_was_given(tmp_path: Path):
    x, y = sine(50)
    given = fit_of(recipe(epochs=2), x, y)
    (tmp_path / "script.py").write_text("print('hello')")
    program = capture.load_script(str(tmp_path / "script.py"), [])
    assert capture.run(program, Session(), adapters=[FakeAdapter(given)]).fits[0].x is x


def test_a_script_without_training_has_no_fit(tmp_path: Path):
    result, _program = run(tmp_path, "import torch, sklearn.neural_network\n")
    assert result.fits == ()
