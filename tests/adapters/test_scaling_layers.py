"""A first layer that scales the inputs, Keras's Normalization or Rescaling: part of the data, not of the
network.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.adapters.scripts import fits, run
from whyfit.adapters.given import Given
from whyfit.adapters.trained import fit_of_trained
from whyfit.fast import EngineSubstitute
from whyfit.patching.patch import patch
from whyfit.records.finding import Change
from whyfit.study.replay import replay

pytestmark = pytest.mark.framework

HEAD = """
import keras
import numpy as np
from keras.layers import Dense, Input, Normalization, Rescaling
keras.utils.set_random_seed(5)
x = np.linspace(0, 40, 60).reshape(-1, 1)
y = np.sin(x / 10)
"""
TRAIN = """
model = keras.Sequential([Input((1,)), scaling, Dense(5, activation='tanh'), Dense(1)])
model.compile(loss='mse', optimizer='sgd')
model.fit(x, y, epochs=4, batch_size=16, verbose=0)
print(*model.predict(x, verbose=0).ravel())
print(*np.ravel(scaling(x)))
"""
LAYERS = {
    "adapted": ("scaling = Normalization(axis=-1)\nscaling.adapt(x)\n", "Normalization"),
    "given": ("scaling = Normalization(mean=20.0, variance=100.0)\n", "Normalization"),
    "never adapted": ("scaling = Normalization()\n", "Normalization"),
    "rescaled": ("scaling = Rescaling(1 / 20, offset=-1)\n", "Rescaling"),
}


@pytest.mark.parametrize("name", LAYERS)
def test_the_network_sees_scaled_inputs(tmp_path: Path, capsys, name: str):
    made, kind = LAYERS[name]
    (fit,) = fits(tmp_path, HEAD + made + TRAIN)
    predicted, seen = numbers(capsys)
    raw = np.linspace(0, 40, 60)[:, None]
    assert fit.unsupported is None
    assert fit.input_scaler is not None
    assert fit.input_scaler.kind == kind
    assert fit.x.ravel() == pytest.approx(seen, rel=1e-6, abs=1e-6)
    assert fit.input_scaler.transform.invert(fit.x) == pytest.approx(raw, rel=1e-6)
    assert fit.end(fit.x).ravel() == pytest.approx(predicted, abs=1e-5)
    assert [layer.units for layer in fit.recipe.layers] == [5, 1]
    assert fit.weight_history.weights.shape == (5, 16)


@pytest.mark.parametrize("data", ["x = x * 0 + 1234.5678", "x = x + 1.6e9"])
def test_keras_rounds_the_inputs_first(tmp_path: Path, capsys, data: str):
    """What float32 does not tell apart is the same for the network."""
    (fit,) = fits(tmp_path, f"{HEAD}{data}\n{LAYERS['adapted'][0]}{TRAIN}")
    _predicted, seen = numbers(capsys)
    assert fit.x.ravel() == pytest.approx(seen, rel=1e-5, abs=1e-6)


RATE = "keras.callbacks.LearningRateScheduler(lambda epoch: 0.01 / (1 + epoch))"


def test_what_the_engine_leaves_to_keras_is_scaled_once(tmp_path: Path, capsys):
    source = TRAIN.replace(
        "verbose=0)\nprint(*model", f"verbose=0, callbacks=[{RATE}])\nprint(*model"
    )
    (fit,) = fits(tmp_path, HEAD + LAYERS["adapted"][0] + source, substitute=EngineSubstitute())
    _predicted, seen = numbers(capsys)
    assert not fit.engine_trained
    assert fit.x.ravel() == pytest.approx(seen, rel=1e-6, abs=1e-6)


def test_a_layer_adapted_between_two_fits(tmp_path: Path, capsys):
    again = (
        "scaling.adapt(x * 3)\nmodel.fit(x, y, epochs=2, verbose=0)\nprint(*np.ravel(scaling(x)))\n"
    )
    found = fits(tmp_path, HEAD + LAYERS["adapted"][0] + TRAIN + again)
    *_first, seen = numbers(capsys)
    assert len(found) == 2
    assert found[1].unsupported is not None
    assert found[1].x.ravel() == pytest.approx(seen, rel=1e-6, abs=1e-6)


def numbers(capsys) -> list[np.ndarray]:
    """The lines of numbers that a script printed."""
    lines = capsys.readouterr().out.splitlines()
    return [np.array([float(each) for each in line.split()]) for line in lines]


def test_behind_a_scaler_of_scikit_learn_there_are_two(tmp_path: Path):
    made = (
        "from sklearn.preprocessing import MinMaxScaler\nx = MinMaxScaler().fit_transform(x)\n"
        + LAYERS["adapted"][0]
    )
    (fit,) = fits(tmp_path, HEAD + made + TRAIN)
    assert fit.x.std() == pytest.approx(1.0)
    assert fit.input_scaler.transform.invert(fit.x).ravel() == pytest.approx(np.linspace(0, 40, 60))


def test_held_out_inputs_and_those_asked_for_are_scaled_too(tmp_path: Path):
    source = TRAIN.replace(
        "verbose=0)\nprint",
        "verbose=0, validation_data=(x + 40, y),\n"
        "          callbacks=[keras.callbacks.EarlyStopping(patience=9)])\nprint",
    )
    captured, _program = run(tmp_path, HEAD + LAYERS["adapted"][0] + source)
    (fit,) = captured.fits
    assert fit.held_out is not None
    raw = fit.in_input_units(fit.x)
    assert fit.held_out.x == pytest.approx(fit.input_scaler.transform(raw + 40))
    assert fit.asked == pytest.approx(fit.x)


FED = {
    "train_on_batch": "for _ in range(4):\n    for at in range(0, 60, 15): "
    "model.train_on_batch(x[at:at + 15], y[at:at + 15])",
    "a data set": "import torch\n"
    "data = torch.utils.data.TensorDataset(*map(torch.from_numpy, (x, y)))\n"
    "model.fit(torch.utils.data.DataLoader(data, batch_size=15), epochs=4, verbose=0, shuffle=False)",
}


@pytest.mark.parametrize("name", FED)
def test_batches_are_scaled_too(tmp_path: Path, capsys, name: str):
    fed = TRAIN.replace("model.fit(x, y, epochs=4, batch_size=16, verbose=0)", FED[name])
    captured, _program = run(tmp_path, HEAD + LAYERS["adapted"][0] + fed)
    (fit,) = captured.fits
    predicted, seen = numbers(capsys)
    assert fit.unsupported is None
    assert (fit.recipe.batch_size, fit.recipe.epochs) == (15, 4)
    assert fit.x.ravel() == pytest.approx(seen, rel=1e-6, abs=1e-6)
    assert fit.in_input_units(fit.x).ravel() == pytest.approx(np.linspace(0, 40, 60), abs=1e-5)
    assert fit.end(fit.x).ravel() == pytest.approx(predicted, abs=1e-5)
    assert replay(fit, 0).status == "reproduced"
    assert captured.fits[0].asked == pytest.approx(fit.x)


@pytest.mark.parametrize("name", LAYERS)
def test_a_trained_model_is_read_behind_its_scaling(name: str):
    made, kind = LAYERS[name]
    program: dict = {"__name__": "plain"}
    exec(HEAD + made + TRAIN, program)
    trained = fit_of_trained(program["model"], Given(program["x"], program["y"])).fit
    assert trained.unsupported is None
    assert trained.input_scaler.kind == kind
    assert trained.recipe.epochs == 4
    assert trained.x.ravel() == pytest.approx(np.ravel(program["scaling"](program["x"])), abs=1e-6)
    predicted = program["model"].predict(program["x"], verbose=0)
    assert trained.predictions == pytest.approx(predicted, abs=1e-5)


def test_watching_changes_nothing(tmp_path: Path):
    source = HEAD + LAYERS["adapted"][0] + TRAIN
    (fit,) = fits(tmp_path, source)
    plain: dict = {"__name__": "plain"}
    exec(source, plain)
    weights = np.concatenate([each.ravel() for each in plain["model"].get_weights()[3:]])
    assert np.array_equal(fit.weight_history.weights[-1].astype(np.float32), weights)


def test_the_engine_trains_in_its_place(tmp_path: Path, capsys):
    source = HEAD + LAYERS["adapted"][0] + TRAIN
    (fit,) = fits(tmp_path, source, substitute=EngineSubstitute())
    predicted = numbers(capsys)[0]
    assert fit.engine_trained
    assert fit.end(fit.x).ravel() == pytest.approx(predicted, abs=1e-5)


@pytest.mark.parametrize(
    ("name", "words"),
    [("adapted", "a Normalization layer scales it now"), ("never adapted", "call its adapt(x)")],
)
def test_another_scaling_is_told_in_words(tmp_path: Path, name: str, words: str):
    captured, program = run(tmp_path, HEAD + LAYERS[name][0] + TRAIN)
    change = Change("input_range", "[-1, 1]")
    found = patch(program.source, program.path, captured.fits[0], (change,))
    assert found.source is None
    assert words in found.words[0]


@pytest.mark.parametrize(
    ("made", "train", "reason"),
    [
        ("scaling = Normalization(mean=0.0, variance=4.0, invert=True)\n", TRAIN, "invert=True"),
        (
            "scaling = Rescaling(0.1)\n",
            TRAIN.replace(
                "scaling, ", "scaling, keras.layers.Reshape((1, 1)), keras.layers.GRU(3), "
            ),
            "Rescaling is not supported",
        ),
    ],
)
def test_what_cannot_be_trained_again_says_why(tmp_path: Path, made: str, train: str, reason: str):
    (fit,) = fits(tmp_path, HEAD + made + train)
    assert fit.unsupported is not None
    assert reason in fit.unsupported
