"""Trainings that go by samples they do not learn from: captured, trained again, and patched."""

from __future__ import annotations

import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from whyfit.adapters import capture
from whyfit.adapters._adapter import Session
from whyfit.adapters.capture import load_script
from whyfit.diagnosing import Options, diagnose_fit, why_not_studied
from whyfit.engine import lanes
from whyfit.fast import EngineSubstitute
from whyfit.measure.evidence import gather
from whyfit.patching.patch import patch, unified_diff
from whyfit.records.finding import Change
from whyfit.records.fit import Fit
from whyfit.records.recipe import flatten
from whyfit.records.study import arm
from whyfit.rules import findings
from whyfit.study.replay import replay
from whyfit.study.workers.block import Data

pytestmark = pytest.mark.framework

KERAS = """
import numpy as np
import keras
from keras.callbacks import EarlyStopping
keras.utils.set_random_seed(3)
x = np.random.default_rng(0).uniform(-3, 3, 200)
y = np.sin(2 * x)
model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(12, activation="tanh"),
                          keras.layers.Dense(1)])
model.compile(optimizer=keras.optimizers.Adam(0.02), loss="mse")
stop = EarlyStopping(patience=2, restore_best_weights=True)
model.fit(x, y, {validation}, epochs=60, verbose=0, callbacks=[stop])
"""
SPLIT, GIVEN = "validation_split=0.25", "validation_data=(x[:30], y[:30])"

SKLEARN = """
import numpy as np
from sklearn.neural_network import MLPRegressor
x = np.random.default_rng(0).uniform(-3, 3, (200, 1))
net = MLPRegressor(hidden_layer_sizes=(12,), early_stopping=True,
                   learning_rate_init=0.02, n_iter_no_change=3, random_state=1, max_iter=300)
net.fit(x, np.sin(2 * x[:, 0]))
"""


TORCH = """
import torch, torch.nn as nn, torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset
torch.manual_seed(3)
x = torch.rand(200, 1) * 6 - 3
y = torch.sin(2 * x) + 0.1 * torch.randn(200, 1)
x_train, y_train, x_test, y_test = x[:150], y[:150], x[150:], y[150:]
model = nn.Sequential(nn.Linear(1, 12), nn.Tanh(), nn.Linear(12, 1))
opt = torch.optim.Adam(model.parameters(), lr=0.05)
plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(opt, patience=0, factor=0.7, threshold=0.1)
held_out = DataLoader(TensorDataset(x_test, y_test), batch_size=20)
for epoch in range(60):
    for i in range(0, 150, 30):
        opt.zero_grad()
        F.mse_loss(model(x_train[i:i+30]), y_train[i:i+30]).backward()
        opt.step()
    {validation}
"""
GONE_BY = {
    "a loss": "model.eval(); plateau.step(F.mse_loss(model(x_test), y_test))",
    "by hand, without gradients": """
    with torch.no_grad():
        value = ((model(x_test) - y_test) ** 2).mean().item()
    plateau.step(metrics=value)""",
    "a loader": """
    with torch.no_grad():
        total = sum(len(a) * nn.MSELoss()(model(a), b) for a, b in held_out)
    del i
    plateau.step(total / 50)""",
}
NOT_GONE_BY = {
    "mae": ("plateau.step(F.l1_loss(model(x_test), y_test))", "samples or a measure not known"),
    "every second": (
        "if epoch % 2: plateau.step(F.mse_loss(model(x_test), y_test))",
        "not asked once after each pass",
    ),
    "noisy": (
        "plateau.step(F.mse_loss(model(x_test + 0.1 * torch.randn(50, 1)), y_test))",
        "samples or a measure not known",
    ),
}


def captured(folder: Path, source: str, *, fast: bool = False) -> Fit:
    script = folder / "script.py"
    script.write_text(source)
    session = Session(substitute=EngineSubstitute() if fast else None, strict=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn's of the last epoch
        (fit,) = capture.run(load_script(str(script), []), session).fits
    return fit


@pytest.mark.parametrize("validation", [SPLIT, GIVEN])
def test_keras(tmp_path: Path, validation: str):
    fit = captured(tmp_path, KERAS.format(validation=validation))
    assert fit.unsupported is None
    assert fit.held_out is not None
    assert (len(fit.x), len(fit.held_out.x)) == ((150, 50) if validation == SPLIT else (200, 30))
    assert fit.epochs_done < 60, "nothing was stopped"
    assert replay(fit, 0).status == "reproduced"


@pytest.mark.parametrize("callbacks", ["stop", "(stop,)"])
def test_callbacks_in_every_form_that_keras_takes(tmp_path: Path, callbacks: str):
    source = KERAS.format(validation=SPLIT).replace("callbacks=[stop]", f"callbacks={callbacks}")
    fit = captured(tmp_path, source)
    assert fit.unsupported is None
    assert fit.recipe is not None
    assert fit.recipe.early_stopping is not None
    assert replay(fit, 0).status == "reproduced"


def test_keras_without_shuffling_stops_where_the_engine_does(tmp_path: Path):
    source = KERAS.format(validation=SPLIT).replace("verbose=0", "shuffle=False, verbose=0")
    fit = captured(tmp_path, source)
    assert fit.recipe is not None
    assert fit.start is not None
    assert fit.end is not None
    trained = lanes.train(fit.recipe, fit.x, fit.y, flatten(fit.start)[None], held_out=fit.held_out)
    assert trained.epochs_done[0] == fit.epochs_done
    assert trained.weights[0] == pytest.approx(flatten(fit.end), rel=1e-3, abs=1e-4)


def test_keras_trained_fast_stops_too(tmp_path: Path):
    fit = captured(tmp_path, KERAS.format(validation=SPLIT), fast=True)
    assert fit.engine_trained
    assert fit.epochs_done < 60
    assert len(fit.history["val_loss"]) == fit.epochs_done


@pytest.mark.parametrize("name", GONE_BY)
def test_torch_plateau(tmp_path: Path, name: str):
    fit = captured(tmp_path, TORCH.format(validation=GONE_BY[name]))
    assert fit.unsupported is None
    assert fit.recipe is not None
    assert fit.recipe.schedule is not None
    assert fit.recipe.schedule.monitor == "held_out_loss"
    assert fit.held_out is not None
    assert fit.held_out.x.shape == (50, 1)
    assert (len(fit.x), fit.recipe.epochs) == (150, 60)
    trained = lanes.train(
        fit.recipe,
        fit.x,
        fit.y,
        flatten(fit.start)[None],
        held_out=fit.held_out,
        order=lanes.Order("given"),
    )
    assert trained.weights[0] == pytest.approx(flatten(fit.end), rel=1e-2, abs=2e-3)
    if name == "a loss":
        plain = replace(fit.recipe, schedule=None)
        other = lanes.train(
            plain, fit.x, fit.y, flatten(fit.start)[None], order=lanes.Order("given")
        )
        assert np.abs(other.weights[0] - flatten(fit.end)).max() > 0.02, "nothing was reduced"


@pytest.mark.parametrize("name", NOT_GONE_BY)
def test_torch_plateau_by_something_else_is_told(tmp_path: Path, name: str):
    validation, reason = NOT_GONE_BY[name]
    fit = captured(tmp_path, TORCH.format(validation=validation))
    assert fit.unsupported is not None
    assert reason in fit.unsupported
    assert fit.predictions is not None


STOPPING = """
    value = F.mse_loss(model(x_test), y_test).item()
    if epoch > 10 and value > 0:
        {leave}
"""


def test_torch_loops_that_end_themselves(tmp_path: Path):
    source = TORCH.format(validation=STOPPING.format(leave="break"))
    reason = "a loop that ended itself after 12 of its 60 turns is not supported"
    assert captured(tmp_path, source).unsupported == reason
    inside = source.replace("        opt.step()", "        after()").replace(
        "for epoch", "def after():\n    opt.step()\nfor epoch"
    )
    assert captured(tmp_path, inside).unsupported == reason
    unknown = source.replace("range(60)", "range(len(x) - 140)")
    assert captured(tmp_path, unknown).unsupported == "a loop that ends itself is not supported"
    for harmless in ("pass", "for _each in x: break"):
        text = TORCH.format(validation=STOPPING.format(leave=harmless))
        assert captured(tmp_path, text).unsupported is None
    never = source.replace("epoch > 10", "epoch > 100")
    assert captured(tmp_path, never).unsupported is None


STEPS = """
import torch
x = torch.linspace(-1, 1, 80)[:, None]
y = torch.sin(3 * x)
model = torch.nn.Sequential(torch.nn.Linear(1, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
opt = torch.optim.Adam(model.parameters(), lr=0.01)
for step in range(40):
    rows = slice(20 * (step % 4), 20 * (step % 4) + 20)
    opt.zero_grad()
    loss = ((model(x[rows]) - y[rows]) ** 2).mean()
    loss.backward()
    opt.step()
    if loss.item() < LIMIT or step == LAST:
        break
"""


def test_torch_loops_that_count_steps_and_not_passes(tmp_path: Path):
    """Forty steps are ten passes: a `break` that never came did not end them."""
    whole = captured(tmp_path, STEPS.replace("LIMIT", "0").replace("LAST", "99"))
    assert whole.unsupported is None
    assert whole.recipe is not None
    assert whole.recipe.epochs == 10
    ended = captured(tmp_path, STEPS.replace("LIMIT", "0").replace("LAST", "19"))
    assert ended.unsupported == "a loop that ended itself after 20 of its 40 turns is not supported"


def test_scikit_learn(tmp_path: Path):
    fit = captured(tmp_path, SKLEARN)
    assert fit.unsupported is None
    assert fit.held_out is not None
    assert (len(fit.x), len(fit.held_out.x)) == (180, 20)
    assert fit.recipe is not None
    assert fit.recipe.batch_size == 180
    assert fit.epochs_done < 300, "nothing was stopped"
    assert replay(fit, 0).status == "reproduced"


def test_samples_that_are_held_out_elsewhere_are_told(tmp_path: Path):
    """Of data in order, a validation split holds out a stretch of x that is never learned from."""
    source = KERAS.format(validation=SPLIT).replace(
        "np.random.default_rng(0).uniform(-3, 3, 200)", "np.linspace(-3, 3, 200)"
    )
    for text, told in ((source, True), (KERAS.format(validation=SPLIT), False)):
        found = {each.rule: each.message for each in findings(gather(captured(tmp_path, text)))}
        assert "training-too-short" in found
        said = "100% of which lie outside the data that are learned from"
        assert (said in found["training-too-short"]) == told


def test_what_cannot_be_gone_by_is_told(tmp_path: Path):
    source = KERAS.format(validation=f"{SPLIT}, validation_freq=2")
    fit = captured(tmp_path, source)
    assert fit.unsupported is not None
    assert "validation_freq" in fit.unsupported
    lost = replace(captured(tmp_path, KERAS.format(validation=SPLIT)), held_out=None)
    assert "held out" in (why_not_studied(gather(lost), Options()) or "")


def test_the_held_out_samples_tell_data_apart(tmp_path: Path):
    fit = captured(tmp_path, KERAS.format(validation=SPLIT))
    assert fit.held_out is not None
    other = replace(fit, held_out=replace(fit.held_out, y=fit.held_out.y + 1.0))
    assert Data.of_fit(fit).digest != Data.of_fit(other).digest
    assert Data.of_fit(fit).digest != Data.of(fit.x, fit.y).digest


def test_a_study_of_a_training_that_is_stopped_too_early(tmp_path: Path):
    source = KERAS.format(validation=SPLIT).replace("Adam(0.02)", "Adam(0.005)")
    said = diagnose_fit(captured(tmp_path, source), Options())
    assert said.study is not None
    (cause,) = [each for each in said.study.causes if each.slug == "training-too-short"]
    assert cause.status == "confirmed", cause.sentence
    (finding,) = [each for each in said.findings if each.rule == "training-too-short"]
    assert "on the held-out samples" in finding.message


@pytest.mark.parametrize("source", [KERAS.format(validation=SPLIT), SKLEARN])
def test_the_patch_trains_to_the_end(tmp_path: Path, source: str):
    fit = captured(tmp_path, source)
    change = arm(Change("early_stopping", "none"))
    made = patch(source, str(tmp_path / "script.py"), fit, change)
    assert made.source is not None
    (tmp_path / "patched").mkdir()
    again = captured(tmp_path / "patched", made.source)
    assert again.recipe is not None
    assert again.epochs_done == again.recipe.epochs
    assert again.held_out is None
    assert np.isfinite(again.unexplained_variance)
    diff = unified_diff(source, made.source, "script.py")
    assert (
        sum(line.startswith("-") for line in diff.splitlines()) <= 3
    )  # the head, at most two lines
    subprocess.run([sys.executable, "-c", made.source], check=True, capture_output=True)
