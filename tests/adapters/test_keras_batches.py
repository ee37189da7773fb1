"""Keras fed batch by batch, by `train_on_batch` or by a data set: the same fit as one with arrays."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.adapters.scripts import fits, run
from whyfit.engine import lanes
from whyfit.patching.patch import patch
from whyfit.records.finding import Change
from whyfit.records.fit import Fit
from whyfit.records.recipe import flatten
from whyfit.records.study import arm

pytestmark = pytest.mark.framework

HEAD = """
import numpy as np
import keras
keras.utils.set_random_seed(5)
x = np.linspace(-1, 1, 44).reshape(-1, 1).astype("float32")
y = (0.5 * np.sin(3 * x)).astype("float32")
w = np.linspace(0.1, 2, 44)
def net(*first):
    model = keras.Sequential([*first, keras.layers.Dense(5, activation="tanh"),
                              keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.05), "mse")
    return model
model = net()
def batches():
    return [(x[at:at + 10], y[at:at + 10], w[at:at + 10]) for at in range(0, 44, 10)]
"""
ARRAYS = "model.fit(x, y, batch_size=10, epochs=6, shuffle=False, verbose=0{weights})"
LOOP = """
size = 10
for epoch in range(6):
    for at in range(0, 44, size):
        loss = model.train_on_batch(x[at:at + size], y[at:at + size]{weights})
"""
CLASSES = """
for epoch in range(6):
    for at in range(0, 44, 10):
        model.train_on_batch(x[at:at + 10], np.round(2 * y[at:at + 10]), class_weight={0: 0.3})
"""
GENERATOR = """
def endless():
    while True:
        yield from batches()
keras.utils.set_random_seed(5)
model = net(keras.Input((1,)))
model.fit(endless(), steps_per_epoch=5, epochs=6, shuffle=False, verbose=0)
"""
SET = """
class Set(keras.utils.PyDataset):
    def __len__(self):
        return 5
    def __getitem__(self, at):
        return batches()[at]
keras.utils.set_random_seed(5)
model = net(keras.Input((1,)))
model.fit(Set(), epochs=6, shuffle=False, verbose=0)
"""
LOADER = """
import torch
data = torch.utils.data.TensorDataset(*(torch.tensor(each) for each in (x, y)))
keras.utils.set_random_seed(5)
model = net(keras.Input((1,)))
model.fit(torch.utils.data.DataLoader(data, batch_size=10), epochs=6, shuffle=False,
          verbose=0)
"""


def weighted(script: str, part: str = "") -> str:
    return script.replace("{weights}", part)


FED = {
    "loop": (weighted(LOOP), weighted(ARRAYS)),
    "weighted loop": (
        weighted(LOOP, ", sample_weight=w[at:at + size]"),
        weighted(ARRAYS, ", sample_weight=w"),
    ),
    "weighted classes": (
        CLASSES,
        weighted(ARRAYS, ", class_weight={0: 0.3}").replace("x, y", "x, np.round(2 * y)"),
    ),
    "generator": (GENERATOR, weighted(ARRAYS, ", sample_weight=w")),
    "set": (SET, weighted(ARRAYS, ", sample_weight=w")),
    "loader": (LOADER, weighted(ARRAYS)),
}


@pytest.mark.parametrize("name", FED)
def test_it_is_the_fit_that_arrays_give(tmp_path: Path, name: str):
    ways = []
    for at, script in enumerate(FED[name]):
        folder = tmp_path / str(at)
        folder.mkdir()
        ways += fits(folder, HEAD + script)
    fed, whole = ways
    assert fed.unsupported is None
    assert whole.unsupported is None
    assert fed.recipe == whole.recipe
    assert fed.epochs_done == whole.epochs_done == 6
    assert fed.x == pytest.approx(whole.x)
    assert fed.y == pytest.approx(whole.y)
    assert (fed.sample_weight is None) == (whole.sample_weight is None)
    if whole.sample_weight is not None:
        assert fed.sample_weight == pytest.approx(whole.sample_weight)
    assert fed.history["loss"] == pytest.approx(whole.history["loss"], rel=1e-4)
    assert flatten(fed.start) == pytest.approx(flatten(whole.start))
    assert flatten(fed.end) == pytest.approx(flatten(whole.end), rel=1e-4, abs=1e-5)
    assert fed.weight_history.epochs[-1] == 6
    assert fed.seeds_weights
    assert fed.calls[0].role == ("step" if "train_on_batch" in FED[name][0] else "fit")
    trained = lanes.train(
        fed.recipe, fed.x, fed.y, flatten(fed.start)[None], sample_weight=fed.sample_weight
    )
    assert trained.weights[0] == pytest.approx(flatten(fed.end), rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("script", [weighted(LOOP), GENERATOR])
def test_watching_changes_no_weight(tmp_path: Path, script: str):
    saved = f"\nnp.save({str(tmp_path / 'end.npy')!r}, model.get_weights()[0])\n"
    fits(tmp_path, HEAD + script + saved)
    watched = np.load(tmp_path / "end.npy")
    subprocess.run([sys.executable, str(tmp_path / "script.py")], check=True, capture_output=True)
    assert np.array_equal(np.load(tmp_path / "end.npy"), watched)


REASONS = {
    "in turns": (
        """
other = net()
for step in range(4):
    for each in (model, other):
        each.train_on_batch(x, y)
""",
        "trained in turns",
    ),
    "drawn anew": (
        """
for step in range(40):
    rows = np.random.randint(0, 44, 10)
    model.train_on_batch(x[rows], y[rows])
""",
        "not passes over one data set",
    ),
    "within a pass": (weighted(LOOP) + "model.train_on_batch(x[:10], y[:10])", None),
    "weights now and then": (
        """
for step in range(4):
    model.train_on_batch(x, y, **({"sample_weight": w} if step % 2 else {}))
""",
        "batches of different kinds",
    ),
    "fit goes on": (weighted(LOOP) + weighted(ARRAYS), "trained on by another fit"),
}


@pytest.mark.parametrize("name", REASONS)
def test_what_is_no_training_of_whole_passes_is_told(tmp_path: Path, name: str):
    script, reason = REASONS[name]
    found = fits(tmp_path, HEAD + script)
    if name == "in turns":
        assert len(found) == 2
        assert all(reason in (fit.unsupported or "") for fit in found)
    elif reason is not None:
        assert reason in (found[0].unsupported or "")
    else:
        assert found[0].unsupported is None
        assert found[0].epochs_done == 6
    if name == "fit goes on":
        assert "trained before" in (found[1].unsupported or "")


def test_a_rate_that_the_loop_sets_is_a_schedule(tmp_path: Path):
    script = weighted(LOOP).replace(
        "    for at", "    model.optimizer.learning_rate = 0.05 / (1 + epoch)\n    for at"
    )
    (fit,) = fits(tmp_path, HEAD + script)
    assert fit.unsupported is None
    assert fit.recipe.schedule.multiples == pytest.approx([1 / (1 + at) for at in range(6)])
    trained = lanes.train(fit.recipe, fit.x, fit.y, flatten(fit.start)[None])
    assert trained.weights[0] == pytest.approx(flatten(fit.end), rel=1e-3, abs=1e-4)


def test_predictions_after_the_loop_belong_to_it(tmp_path: Path):
    captured, _program = run(tmp_path, HEAD + weighted(LOOP) + "model.predict(3 * x, verbose=0)")
    (fit,) = captured.fits
    assert fit.asked is not None
    assert float(fit.asked.max()) == pytest.approx(3.0)


def patched(folder: Path, fit: Fit, source: str, *changes: Change) -> tuple[str | None, str]:
    made = patch(source, str(folder / "script.py"), fit, arm(*changes))
    return made.source, " ".join(made.words)


def test_the_loop_is_patched_where_it_counts(tmp_path: Path):
    source = HEAD + weighted(LOOP)
    (fit,) = fits(tmp_path, source)
    longer, _words = patched(
        tmp_path, fit, source, Change("epochs", "12"), Change("batch_size", "4")
    )
    assert longer is not None
    (again,) = fits(tmp_path, longer)
    assert again.recipe is not None
    assert (again.recipe.epochs, again.recipe.batch_size) == (12, 4)
    nothing, words = patched(tmp_path, fit, source, Change("input_range", "[-1, 1]"))
    assert nothing is None
    assert "loop of the script's own" in words


def test_a_data_set_is_left_to_the_person(tmp_path: Path):
    source = HEAD + GENERATOR
    (fit,) = fits(tmp_path, source)
    for change in (Change("batch_size", "4"), Change("input_range", "[-1, 1]")):
        nothing, words = patched(tmp_path, fit, source, change)
        assert nothing is None
        assert "data set" in words
    longer, _words = patched(tmp_path, fit, source, Change("epochs", "12"))
    assert longer is not None
    assert "epochs=12" in longer
