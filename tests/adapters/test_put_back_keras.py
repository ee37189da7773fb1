"""Weights put into a Keras model: before its fit, after it from a checkpoint, or for something else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.adapters.scripts import fits
from whyfit.adapters.keras import recorder
from whyfit.records.fit import Fit
from whyfit.study.replay import replay

pytestmark = pytest.mark.framework

HEAD = """
import keras
import numpy as np
from keras.layers import Dense, Input
keras.utils.set_random_seed(4)
rng = np.random.default_rng(0)
x = rng.uniform(-1, 1, (60, 1)); y = np.sin(4 * x) + rng.normal(0, 0.3, x.shape)
held = rng.uniform(-1, 1, (30, 1)); target = np.sin(4 * held)
model = keras.Sequential([Input((1,)), Dense(30, "relu"), Dense(1)])
model.compile(keras.optimizers.Adam(0.05), "mse")
"""
FIT = """
saved = keras.callbacks.ModelCheckpoint(
    "FILE", monitor="MONITOR", save_best_only=True, save_weights_only=True)
class Kept(keras.callbacks.Callback):
    weights = []
    def on_epoch_end(self, epoch, logs=None):
        self.weights.append(self.model.get_weights())
kept = Kept()
model.fit(
    x, y, epochs=30, batch_size=20, verbose=0, validation_data=(held, target), callbacks=[saved, kept])
"""
LOAD = 'model.load_weights("FILE")\n'
END = 'np.save("OUT", model.predict(x, verbose=0))\n'


def captured(folder: Path, source: str, monitor: str = "val_loss") -> tuple[list[Fit], np.ndarray]:
    """The fits, and what the script's model predicts in the end."""
    text = (
        (source + END).replace("FILE", str(folder / "best.weights.h5")).replace("MONITOR", monitor)
    )
    found = fits(folder, text.replace("OUT", str(folder / "out.npy")))
    return list(found), np.load(folder / "out.npy")


@pytest.mark.parametrize("few", [False, True])
@pytest.mark.parametrize("monitor", ["loss", "val_loss"])
def test_the_best_epoch_of_a_checkpoint(tmp_path: Path, monkeypatch, monitor: str, few: bool):
    """Also where only some epochs' weights are kept."""
    if few:
        monkeypatch.setattr(recorder, "MOST_SNAPSHOT_BYTES", 8 * 91 * 4)
    (fit,), predicted = captured(tmp_path, HEAD + FIT + LOAD, monitor)
    assert fit.unsupported is None
    assert fit.predictions == pytest.approx(predicted, abs=1e-5)
    assert int(np.argmin(fit.history[monitor])) < 29  # it is not the last
    stopping = fit.recipe.early_stopping
    assert (stopping.restore_best, stopping.patience) == (True, 30)
    assert stopping.monitor == {"loss": "loss", "val_loss": "held_out_loss"}[monitor]
    assert (fit.held_out is not None) == (monitor == "val_loss")
    assert fit.epochs_done == 30
    assert replay(fit, 0).status == "reproduced"


def test_an_epoch_that_is_the_best_of_nothing(tmp_path: Path):
    (fit,), predicted = captured(tmp_path, HEAD + FIT + "model.set_weights(kept.weights[1])\n")
    assert "could not be found out" in fit.unsupported
    assert fit.predictions == pytest.approx(predicted, abs=1e-5)


@pytest.mark.parametrize(
    "put",
    [
        "model.set_weights(kept.weights[-1])\n",
        "model.set_weights(start)\n",
        "model.set_weights([rng.normal(0, 9, each.shape) for each in start])\n",
    ],
    ids=["the last", "the start", "others"],
)
def test_weights_that_do_not_end_the_fit_otherwise(tmp_path: Path, put: str):
    """As where the next experiment begins: the training ended before."""
    before = "start = model.get_weights()\n"
    (fit,), _predicted = captured(tmp_path, HEAD + before + FIT + put)
    assert fit.unsupported is None
    assert fit.recipe.early_stopping is None
    assert fit.end(fit.x) == pytest.approx(fit.predictions)


def test_a_fit_after_weights_were_put_back_goes_on_with_none(tmp_path: Path):
    again = "model.fit(x, y, epochs=3, batch_size=20, verbose=0)\n"
    (first, second), _predicted = captured(tmp_path, HEAD + FIT + LOAD + again)
    assert "trained on by another fit" in first.unsupported
    assert second.unsupported == "a model that was trained before this fit is not supported"


@pytest.mark.parametrize(
    "put",
    [
        "model.set_weights([rng.normal(0, 1, each.shape) for each in model.get_weights()])\n",
        "model.layers[0].set_weights([np.ones((1, 30)), np.zeros(30)])\n",
    ],
)
def test_start_weights_of_the_scripts_own(tmp_path: Path, put: str):
    """Nobody knows how they would be drawn anew."""
    (fit,), _predicted = captured(tmp_path, HEAD + put + FIT)
    assert fit.unsupported == "start weights that the script sets by hand are not supported"
    assert fit.end is not None
