"""What is captured of a Keras fit, in this process."""

from __future__ import annotations

import io
import textwrap
from contextlib import redirect_stderr
from pathlib import Path

import numpy as np
import pytest

from whyfit.adapters import capture
from whyfit.adapters._adapter import Session
from whyfit.fast import EngineSubstitute
from whyfit.measure.evidence import gather
from whyfit.rules import findings

pytestmark = pytest.mark.framework

HEAD = """
import keras
import numpy as np
from keras.layers import Dense, Input
x = np.linspace(-1, 1, 50).reshape(-1, 1)
y = np.sin(3 * x)
"""
MODEL = "model = keras.Sequential([Input((1,)), Dense(5, activation='tanh'), Dense(1)])\n"
COMPILE = "model.compile(loss='mse', optimizer='sgd', metrics=['mae'])\n"


def captured(tmp_path: Path, source: str, **session) -> capture.Captured:
    script = tmp_path / "script.py"
    script.write_text(HEAD + textwrap.dedent(source))
    with redirect_stderr(io.StringIO()):
        return capture.run(capture.load_script(str(script), []), Session(strict=True, **session))


def test_everything_about_a_fit(tmp_path: Path):
    source = (
        MODEL + COMPILE + "model.fit(x, y, epochs=4, batch_size=16, verbose=0, shuffle=False)\n"
    )
    (fit,) = captured(tmp_path, "keras.utils.set_random_seed(3)\n" + source).fits
    assert fit.recipe is not None
    assert [layer.units for layer in fit.recipe.layers] == [5, 1]
    assert fit.recipe.layers[0].activation.name == "tanh"
    assert fit.recipe.layers[0].kernel_initializer.name == "glorot_uniform"
    assert (fit.recipe.loss, fit.recipe.optimizer.name) == ("mse", "sgd")
    assert fit.recipe.optimizer.learning_rate == 0.01
    assert (fit.recipe.batch_size, fit.recipe.epochs, fit.recipe.shuffle) == (16, 4, False)
    assert set(fit.history) == {"loss", "mae"}
    assert fit.weight_history is not None
    assert fit.weight_history.weights.shape == (5, fit.recipe.parameters)
    assert np.array_equal(fit.weight_history.epochs, np.arange(5))
    assert fit.seeds_weights
    assert fit.seeds[0].function == "keras.utils.set_random_seed"
    assert {call.role for call in fit.calls} == {"fit", "compile", "optimizer", "layer"}
    assert fit.unsupported is None


def test_start_weights_are_those_before_the_first_step(tmp_path: Path):
    source = (
        MODEL
        + COMPILE
        + (
            "before = model.get_weights()\nmodel.fit(x, y, epochs=2, verbose=0)\n"
            "np.save('weights.npy', np.concatenate([w.ravel() for w in before]))\n"
            "np.save('end.npy', model.predict(x, verbose=0))\n"
        )
    )
    import os

    kept = os.getcwd()
    os.chdir(tmp_path)
    try:
        (fit,) = captured(tmp_path, source).fits
    finally:
        os.chdir(kept)
    assert fit.weight_history is not None
    assert fit.weight_history.weights[0] == pytest.approx(np.load(tmp_path / "weights.npy"))
    assert fit.predictions == pytest.approx(np.load(tmp_path / "end.npy"), abs=1e-5)


def test_watching_changes_nothing(tmp_path: Path):
    """The same script with the same seed ends with the same weights, watched or not."""
    source = (
        HEAD
        + "keras.utils.set_random_seed(1)\n"
        + MODEL
        + COMPILE
        + ("model.fit(x, y, epochs=3, verbose=0)\n")
    )
    (fit,) = captured(tmp_path, source.replace(HEAD, "")).fits
    namespace: dict = {"__name__": "plain"}
    exec(source, namespace)
    plain = np.concatenate([w.ravel() for w in namespace["model"].get_weights()])
    assert fit.weight_history is not None
    assert np.array_equal(fit.weight_history.weights[-1].astype(np.float32), plain)


def test_the_callers_callbacks_are_not_touched(tmp_path: Path):
    source = (
        MODEL
        + COMPILE
        + (
            "mine = [keras.callbacks.TerminateOnNaN()]\n"
            "model.fit(x, y, epochs=1, verbose=0, callbacks=mine)\nassert len(mine) == 1\n"
        )
    )
    result = captured(tmp_path, source)
    assert result.error is None
    assert len(result.fits) == 1


def test_shapes_of_one_dimension(tmp_path: Path):
    source = MODEL + COMPILE + "model.fit(x.ravel(), y.ravel(), epochs=1, verbose=0)\n"
    (fit,) = captured(tmp_path, source).fits
    assert fit.x.shape == fit.y.shape == (50, 1)
    assert fit.x_shape == (50,)


def test_validation_split_leaves_the_last_samples_out(tmp_path: Path):
    source = MODEL + COMPILE + "model.fit(x, y, epochs=2, verbose=0, validation_split=0.2)\n"
    (fit,) = captured(tmp_path, source).fits
    assert len(fit.x) == 40
    assert fit.x[-1, 0] < 0.7
    assert "val_loss" in fit.history


def test_scalers_and_units_of_the_person(tmp_path: Path):
    source = """
    from sklearn.preprocessing import MinMaxScaler, StandardScaler
    raw = x * 50 + 7
    a, b = StandardScaler(), MinMaxScaler(feature_range=(0, 1))
    """
    source = (
        textwrap.dedent(source)
        + MODEL
        + COMPILE
        + ("model.fit(a.fit_transform(raw), b.fit_transform(y).ravel(), epochs=1, verbose=0)\n")
    )
    (fit,) = captured(tmp_path, source).fits
    assert fit.input_scaler is not None
    assert fit.target_scaler is not None
    assert (fit.input_scaler.kind, fit.target_scaler.kind) == ("StandardScaler", "MinMaxScaler")
    assert fit.in_input_units(fit.x).min() == pytest.approx(-43.0)
    assert fit.in_target_units(fit.y).max() == pytest.approx(
        np.sin(3 * np.linspace(-1, 1, 50)).max()
    )
    roles = {call.role: call.place.line for call in fit.calls}
    assert roles["input_scaler"] == roles["target_scaler"]


UNSUPPORTED = [
    (
        "keras.Sequential([Input((1,)), Dense(4), keras.layers.BatchNormalization(), Dense(1)])",
        "BatchNormalization is not supported",
    ),
    (
        "keras.Sequential([Input((1,)), keras.layers.Reshape((1, 1)), keras.layers.LSTM(2), Dense(1)])",
        "Reshape is not supported",
    ),
    (
        "keras.Sequential([Input((1,)), keras.layers.Reshape((1, 1)), keras.layers.Conv1D(2, 1), "
        "keras.layers.Flatten(), Dense(1)])",
        "Reshape is not supported",
    ),
]


@pytest.mark.parametrize(("model", "reason"), UNSUPPORTED, ids=["norm", "recurrent", "conv"])
def test_what_the_engine_cannot_train_still_gets_evidence(tmp_path: Path, model: str, reason: str):
    source = f"model = {model}\n{COMPILE}model.fit(x, y, epochs=3, verbose=0)\n"
    (fit,) = captured(tmp_path, source).fits
    assert fit.unsupported == reason
    assert fit.predictions is not None
    evidence = gather(fit)
    assert evidence.training.epochs == 3
    assert evidence.not_measured
    findings(evidence)  # no rule falls over for want of weights


def test_a_branching_graph(tmp_path: Path):
    source = """
    inputs = Input((1,))
    hidden = Dense(3, activation='relu')(inputs)
    model = keras.Model(inputs, keras.layers.add([Dense(1)(hidden), inputs]))
    """
    source = textwrap.dedent(source) + COMPILE + "model.fit(x, y, epochs=1, verbose=0)\n"
    (fit,) = captured(tmp_path, source).fits
    assert fit.unsupported is not None
    assert "not supported" in fit.unsupported


def test_a_functional_chain_is_a_chain(tmp_path: Path):
    source = """
    inputs = Input((1,))
    hidden = Dense(3, activation='relu')(inputs)
    model = keras.Model(inputs, Dense(1)(hidden))
    """
    source = textwrap.dedent(source) + COMPILE + "model.fit(x, y, epochs=1, verbose=0)\n"
    (fit,) = captured(tmp_path, source).fits
    assert fit.recipe is not None
    assert fit.unsupported is None


def test_two_fits_of_two_models(tmp_path: Path):
    one = MODEL + COMPILE + "model.fit(x, y, epochs=1, verbose=0)\n"
    first, second = captured(tmp_path, one + one.replace("Dense(5", "Dense(9")).fits
    assert (first.recipe.layers[0].units, second.recipe.layers[0].units) == (5, 9)
    assert first.place.line < second.place.line


def test_two_fits_that_go_on_are_one_training(tmp_path: Path):
    source = (
        MODEL + COMPILE + ("for _round in range(3):\n    model.fit(x, y, epochs=2, verbose=0)\n")
    )
    (fit,) = captured(tmp_path, source).fits
    assert fit.recipe is not None
    assert fit.recipe.epochs == fit.epochs_done == 6
    assert len(fit.history["loss"]) == 6
    assert fit.weight_history is not None
    assert fit.weight_history.epochs.tolist() == list(range(7))


def test_going_on_with_other_data_is_not(tmp_path: Path):
    source = (
        MODEL
        + COMPILE
        + ("model.fit(x, y, epochs=1, verbose=0)\nmodel.fit(x, y**2, epochs=1, verbose=0)\n")
    )
    _first, second = captured(tmp_path, source).fits
    assert second.unsupported == "a model that was trained before this fit is not supported"


def test_fast_trains_in_place_of_keras(tmp_path: Path):
    source = (
        MODEL
        + COMPILE
        + (
            "history = model.fit(x, y, epochs=30, verbose=0, validation_data=(x, y))\n"
            "assert len(history.history['loss']) == 30\n"
            "assert len(history.history['mae']) == 30\n"
            "assert len(history.history['val_loss']) == 30\n"
            "np.savetxt('/dev/null', model.predict(x, verbose=0))\n"
        )
    )
    result = captured(tmp_path, source, substitute=EngineSubstitute())
    assert result.error is None
    (fit,) = result.fits
    assert fit.engine_trained
    assert fit.history["loss"][-1] < fit.history["loss"][0]
    assert fit.history["val_loss"][-1] == pytest.approx(fit.unexplained_variance * fit.y.var())


def test_fast_leaves_to_keras_what_the_engine_cannot(tmp_path: Path):
    source = (
        "model = keras.Sequential([Input((1,)), keras.layers.BatchNormalization(), Dense(1)])\n"
    )
    source += COMPILE + "model.fit(x, y, epochs=2, verbose=0)\n"
    result = captured(tmp_path, source, substitute=EngineSubstitute())
    assert result.error is None
    assert not result.fits[0].engine_trained
    assert result.fits[0].epochs_done == 2


def test_numpy_seed_is_seen_and_does_not_seed_weights(tmp_path: Path):
    source = "np.random.seed(7)\n" + MODEL + COMPILE + "model.fit(x, y, epochs=1, verbose=0)\n"
    (fit,) = captured(tmp_path, source).fits
    assert [(call.function, call.seed) for call in fit.seeds] == [("numpy.random.seed", "7")]
    assert not fit.seeds_weights


def test_everything_is_put_back(tmp_path: Path):
    import random

    import keras

    before = (keras.Model.fit, keras.layers.Dense.__init__, random.seed, np.random.seed)
    captured(tmp_path, MODEL + COMPILE + "model.fit(x, y, epochs=1, verbose=0)\n")
    assert before == (keras.Model.fit, keras.layers.Dense.__init__, random.seed, np.random.seed)


OWN_CLASS = """
class Net(keras.Model):
    def __init__(self):
        super().__init__()
        self.last = Dense(1)
        self.first = Dense(3, activation="tanh")
        self.second = Dense(2)
    def call(self, x, training=False):
        h = keras.ops.relu(self.second(self.first(x)))
        return self.last(h)
"""


def test_a_model_of_the_scripts_own_class_is_read_by_its_call(tmp_path: Path):
    train = "model.compile('adam', 'mse'); model.fit(x, y, epochs=2, verbose=0)\n"
    source = (
        OWN_CLASS
        + f"made = keras.layers.InputLayer\nbefore = made((1,)).name; model = Net(); {train}"
        + "names = [before, made((1,)).name]\nmodel.fit(x, y, epochs=1, verbose=0)\n"
        + "np.save('OUT', model.predict(x, verbose=0)); np.save('NAMES', names)\n"
    )
    source = source.replace("OUT", str(tmp_path / "out.npy")).replace(
        "NAMES", str(tmp_path / "names.npy")
    )
    (fit,) = captured(tmp_path, source).fits
    assert fit.unsupported is None
    assert [(each.units, each.activation.name) for each in fit.recipe.layers] == [
        (3, "tanh"),
        (2, "relu"),
        (1, "linear"),
    ]
    assert fit.recipe.epochs == 3
    assert fit.predictions == pytest.approx(np.load(tmp_path / "out.npy"), abs=1e-5)
    layers = [call.place.line for call in fit.calls if call.role == "layer"]
    lines = (HEAD + source).splitlines()
    assert ["first" in lines[at - 1] for at in layers] == [True, False, False]
    before, after = (f"{name}_0".split("_")[2] for name in np.load(tmp_path / "names.npy"))
    assert int(after) == int(before) + 1  # the script's own names are not used up


def test_a_class_whose_call_keeps_something_is_left_alone(tmp_path: Path):
    own = OWN_CLASS.replace("        h = ", "        self.seen = 1\n        h = ")
    train = "model = Net(); model.compile('adam', 'mse'); model.fit(x, y, epochs=1, verbose=0)\n"
    (fit,) = captured(tmp_path, own + train).fits
    assert "sets attributes" in fit.unsupported
    assert fit.predictions is not None


SCHEDULED = """
from keras.callbacks import EarlyStopping, LearningRateScheduler
model = keras.Sequential([keras.Input((1,)), Dense(2, activation="tanh"), Dense(1)])
model.compile(keras.optimizers.SGD(0.1), "mse")
seen = []
def rate(epoch, lr):
    return 0.1 if epoch < 2 else lr * 0.5
model.fit(x, y, epochs=4, verbose=0, callbacks=[LearningRateScheduler(rate)])
"""


def test_a_scheduler_of_the_learning_rate_is_a_table(tmp_path: Path):
    (fit,) = captured(tmp_path, SCHEDULED).fits
    assert fit.unsupported is None
    assert fit.recipe.schedule.multiples[:6] == pytest.approx([1, 1, 0.5, 0.25, 0.125, 0.0625])
    old = SCHEDULED.replace("(epoch, lr)", "(epoch)").replace("lr * 0.5", "0.05")
    (fit,) = captured(tmp_path, old).fits
    assert fit.recipe.schedule.multiples[:4] == pytest.approx([1, 1, 0.5, 0.5])
    keeps = SCHEDULED.replace("    return", "    seen[:0] = [epoch]\n    return")
    (fit,) = captured(tmp_path, keeps).fits
    assert "keeps a state" in fit.unsupported


def test_fits_with_other_rates_are_not_one_training(tmp_path: Path):
    source = """
model = keras.Sequential([keras.Input((1,)), Dense(2, activation="tanh"), Dense(1)])
model.compile(keras.optimizers.SGD(0.1), "mse")
model.fit(x, y, epochs=2, verbose=0)
model.optimizer.learning_rate = 0.01
model.fit(x, y, epochs=2, verbose=0)
"""
    first, second = captured(tmp_path, source).fits
    assert "trained on by another fit (line 12)" in first.unsupported
    assert "trained before" in second.unsupported


STOPS = """
class Enough(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        if epoch == 1: self.model.stop_training = True
model = keras.Sequential([keras.Input((1,)), Dense(2, activation="tanh"), Dense(1)])
model.compile(keras.optimizers.SGD(0.1), "mse")
model.fit(x, y, epochs=9, verbose=0, callbacks=[Enough()])
"""


@pytest.mark.parametrize("fast", [False, True])
def test_a_callback_of_the_script_that_stops_the_training(tmp_path: Path, fast: bool):
    """It is called under --fast too, and no fit that it cut off is compared with whole ones."""
    (fit,) = captured(tmp_path, STOPS, **({"substitute": EngineSubstitute()} if fast else {})).fits
    assert fit.epochs_done == 2
    assert "stopped after 2 of its 9 epochs (by Enough?)" in fit.unsupported


def test_a_callback_of_the_script_that_stops_before_early_stopping_does(tmp_path: Path):
    """The recipe has the early stopping, by which other starts would be trained to their ends."""
    stopping = "keras.callbacks.EarlyStopping('loss', patience=3)"
    source = STOPS.replace("[Enough()]", f"[Enough(), {stopping}]")
    (fit,) = captured(tmp_path, source).fits
    assert fit.recipe.early_stopping is not None
    assert "stopped after 2 of its 9 epochs (by Enough?)" in fit.unsupported
    alone = STOPS.replace(
        "[Enough()]", f"[{stopping.replace('patience=3', 'patience=1, min_delta=9')}]"
    )
    (fit,) = captured(tmp_path, alone).fits
    assert fit.epochs_done < 9
    assert fit.unsupported is None
