"""Scaling added to scripts that have no scaler, with its inverse, or the reason why it is not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import libcst as cst
import numpy as np
import pytest

from tests.adapters.scripts import run
from whyfit.patching.patch import Patch, patch
from whyfit.records.finding import Change
from whyfit.records.fit import Call, Fit
from whyfit.records.study import arm
from whyfit.study import factors
from whyfit.syntax.edits import calls_within

pytestmark = pytest.mark.framework

KERAS = """
import keras
import numpy as np
from keras.layers import Dense, Input
inputs = np.linspace(10.0, 60.0, 40)[:, None]
targets = 500 + 3 * inputs[:, 0] ** 2
model = keras.Sequential([Input((1,)), Dense(4, activation="tanh"), Dense(1)])
model.compile("adam", "mse")
# it learns
model.fit(inputs, y=targets, epochs=3, verbose=0, validation_data=(inputs[:9], targets[:9]))
new = np.array([[15.0], [30.0]])
guess = model.predict(new, verbose=0).ravel()  # asked
np.save("GUESS", np.concatenate([guess, np.ravel(model(new + 1))]))
"""
TORCH = """
import numpy as np
import torch
from torch import nn
t = torch.linspace(10.0, 60.0, 40)[:, None]
y = torch.sin(t / 9)
net = nn.Sequential(nn.Linear(1, 4), nn.Tanh(), nn.Linear(4, 1))
opt = torch.optim.Adam(net.parameters(), lr=0.01)
# it learns
for epoch in range(3):
    for i in range(0, 40, 10):
        loss = nn.functional.mse_loss(net(t[i:i + 10]), y[i:i + 10])
        opt.zero_grad()
        loss.backward()
        opt.step()
with torch.no_grad():
    np.save("GUESS", net(t[:2] + 1).numpy().ravel())
"""
X, Y = "input_range", "target_range"


def patched(folder: Path, source: str, *changes: Change) -> tuple[Fit, str, Patch]:
    source = source.replace("GUESS", str(folder / "guess.npy"))
    captured, program = run(folder, source)
    assert captured.error is None, captured.error
    (fit,) = captured.fits
    return fit, program.source, patch(program.source, program.path, fit, arm(*changes))


@pytest.mark.parametrize("level", ["standardised", "[-1, 1]"])
@pytest.mark.parametrize("framework", ["keras", "torch"])
def test_the_data_are_scaled_and_predictions_are_in_the_scripts_units(
    tmp_path: Path, framework: str, level: str
):
    both = framework == "keras"
    changes = [Change(X, level), *([Change(Y, level)] if both else [])]
    fit, source, found = patched(tmp_path, KERAS if both else TORCH, *changes)
    assert found.source is not None, found.words
    assert found.source.count("#") == source.count("#")
    again, _program = run(tmp_path, found.source)
    assert again.error is None, again.error
    (scaled,) = again.fits
    assert scaled.x == pytest.approx(factors.scaling(fit.x, level)(fit.x), abs=1e-4)
    if both:
        assert scaled.y == pytest.approx(factors.scaling(fit.y, level)(fit.y), abs=1e-4)
    asked = np.array([15.0, 30.0, 16.0, 31.0]) if both else fit.x[:2, 0] + 1
    outputs = scaled.end(factors.scaling(fit.x, level)(asked[:, None])).ravel()
    if both:
        to = factors.scaling(fit.y, level)
        outputs = outputs * np.array(to.scale) + np.array(to.offset)
    assert np.load(tmp_path / "guess.npy") == pytest.approx(outputs, rel=1e-4, abs=1e-5)
    changed = set(found.source.splitlines()) - set(source.splitlines())
    assert len(changed) <= (5 if both else 3)


LEFT_ALONE = {
    "passed on": (KERAS + "print(model)\n", X, "in a way that cannot be followed"),
    "saved": (KERAS.replace("new = ", "model.save_weights('w.weights.h5')\nnew = "), X, "line 11"),
    "loaded": (KERAS + "model.load_weights('another.weights.h5')\n", X, "be followed"),
    "asked before": (
        KERAS.replace("# it learns", "model.predict(inputs, verbose=0)"),
        X,
        "before it is trained",
    ),
    "no name": (KERAS.replace("fit(inputs,", "fit(inputs * 2,"), X, "no plain name"),
    "names taken": (KERAS + "print(inputs_mean := 1)\nprint(inputs_mean)\n", X, "uses the name"),
    "targets of a loop": (TORCH, Y, "turn predictions back"),
    "other function": (
        KERAS.replace("# it learns", "def train():").replace("model.fit(", "    model.fit("),
        X,
        "in another function",
    ),
    "data made in the loop": (
        TORCH.replace("net(t[i:i + 10])", "net(part)").replace(
            "        loss =", "        part = t[i:i + 10].clone()\n        loss ="
        ),
        X,
        "holds all inputs",
    ),
}


DATA_SETS = {
    "named": "pairs = TensorDataset(torch.from_numpy(a), torch.tensor(b))\n"
    "loader = DataLoader(pairs, batch_size=10)\n",
    "in a loader": "loader = DataLoader(TensorDataset(torch.from_numpy(a), torch.tensor(b)), 10)\n",
}


@pytest.mark.parametrize("name", DATA_SETS)
def test_a_data_set_whose_tensors_have_no_names(tmp_path: Path, name: str):
    head, loop = TORCH.split("# it learns")
    loop = loop.replace("for i in range(0, 40, 10):", "for given, wanted in loader:")
    loop = loop.replace("net(t[i:i + 10]), y[i:i + 10]", "net(given), wanted")
    made = "from torch.utils.data import DataLoader, TensorDataset\na, b = t.numpy(), y.numpy()\n"
    source = head + made + DATA_SETS[name] + loop
    _fit, _source, found = patched(tmp_path, source, Change(X, "standardised"))
    assert found.source is not None, found.words
    tensors = "pairs.tensors" if name == "named" else "loader.dataset.tensors"
    assert f"x_mean, x_std = {tensors}[0].mean(0), " in found.source
    again, _program = run(tmp_path, found.source)
    assert again.error is None, again.error
    (scaled,) = again.fits
    assert scaled.x.mean() == pytest.approx(0.0, abs=1e-5)
    assert scaled.x.std() == pytest.approx(1.0, abs=1e-5)


CHECKPOINT = """
model.fit(inputs, y=targets, epochs=3, verbose=0, callbacks=[keras.callbacks.ModelCheckpoint(
    "FILE", monitor="loss", save_best_only=True, save_weights_only=True)])
model.load_weights("FILE")
error = model.evaluate(inputs, targets, verbose=0)
"""


def test_a_checkpoint_and_an_evaluation_are_followed(tmp_path: Path):
    """Errors are those of the scaled targets then, and a comment says so."""
    source = KERAS[: KERAS.index("# it learns")] + CHECKPOINT
    source = source.replace("FILE", str(tmp_path / "best.weights.h5"))
    level = "standardised"
    _fit, _source, found = patched(tmp_path, source, Change(X, level), Change(Y, level))
    assert found.source is not None, found.words
    assert (
        "evaluate((inputs - inputs_mean) / inputs_std, (targets - targets_mean) / " in found.source
    )
    assert "# errors are those of scaled targets" in found.source
    again, _program = run(tmp_path, found.source)
    assert again.error is None, again.error
    (scaled,) = again.fits
    assert scaled.y.std() == pytest.approx(1.0, abs=1e-5)
    assert scaled.unexplained_variance < 3.0


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Fit]:
    folder = tmp_path_factory.mktemp("plain")
    return {source: patched(folder, source)[0] for source in (KERAS, TORCH)}


def moved(fit: Fit, source: str) -> Fit:
    """The fit as if captured of a script that only stands otherwise."""
    calls = []
    for role, ends in (("fit", (".fit", ".step")), ("optimizer", (".Adam",))):
        for call, place in calls_within(source, lambda _call: True, 1, 10**9):
            if cst.Module([]).code_for_node(call.func).endswith(ends):
                calls.append(Call(role, replace(place, file="script.py")))
    return replace(fit, calls=tuple(calls))


@pytest.mark.parametrize("name", LEFT_ALONE)
def test_what_cannot_be_followed_is_left_to_the_person(plain: dict[str, Fit], name: str):
    source, factor, words = LEFT_ALONE[name]
    base = KERAS if "import keras" in source else TORCH
    fit = moved(plain[base], source)
    found = patch(source, "script.py", fit, arm(Change(factor, "standardised")))
    assert found.source is None
    assert words in found.words[0]
    assert found.words[0].startswith("scale x" if factor == X else "scale y")


def test_a_constant_column_is_not_divided_by(plain: dict[str, Fit]):
    fit = moved(plain[TORCH], TORCH)
    fit = replace(fit, x=np.ones_like(fit.x))
    found = patch(TORCH, "script.py", fit, arm(Change(X, "standardised")))
    assert "one value only" in found.words[0]


def test_a_loader_is_scaled_by_the_tensor_behind_it(tmp_path: Path):
    source = (
        TORCH.replace("for i in range(0, 40, 10)", "for a, b in loader")
        .replace("net(t[i:i + 10])", "net(a)")
        .replace("y[i:i + 10]", "b")
    ).replace(
        "# it learns",
        "loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(t, y), batch_size=10)",
    )
    _fit, _source, found = patched(tmp_path, source, Change(X, "standardised"))
    assert found.source is not None, found.words
    assert "net((a - t_mean) / t_std)" in found.source
    again, _program = run(tmp_path, found.source)
    assert again.fits[0].x.std() == pytest.approx(1.0, abs=1e-5)
