"""Schedules that lower the learning rate to nothing before the training is over."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.fits import HE, fit_of, recipe, sine
from whyfit.adapters import capture
from whyfit.adapters._adapter import Session
from whyfit.diagnosing import Options, diagnose
from whyfit.measure.evidence import gather
from whyfit.patching.patch import patch
from whyfit.records.finding import Change
from whyfit.records.fit import Fit
from whyfit.records.recipe import Optimizer
from whyfit.records.schedule import EarlyStopping, Schedule
from whyfit.records.study import arm
from whyfit.rules import learning_rate_too_low
from whyfit.study import factors
from whyfit.study.conduct import StudyOptions
from whyfit.study.confirm import ConfirmOptions


def scheduled(schedule: Schedule, epochs: int = 40) -> Fit:
    x, y = sine(64)
    one = recipe((8,), "tanh", kernel=HE, epochs=epochs, batch_size=16)
    return fit_of(replace(one, schedule=schedule), x, y)


def test_a_rate_that_is_gone_early_is_seen():
    fit = scheduled(Schedule("exponential", interval=2, factor=0.5))
    said = learning_rate_too_low.check(gather(fit))
    assert said is not None
    assert "all 160 steps together go as far as 3 steps at the largest rate" in said.message
    assert said.remedies == (Change("schedule", "none"),)
    assert fit.recipe is not None
    loop = replace(fit.recipe, optimizer=replace(fit.recipe.optimizer, framework="torch"))
    said = learning_rate_too_low.check(gather(replace(fit, recipe=loop)))
    assert said is not None
    assert said.remedies == (Change("schedule", "once an epoch"), Change("schedule", "none"))


def test_what_counts_are_the_epochs_that_were_made():
    """A schedule made for longer trainings, and a training that stopped itself long before."""
    fit = scheduled(Schedule("exponential", interval=16, factor=0.9))
    assert fit.recipe is not None
    longer = replace(fit, recipe=replace(fit.recipe, epochs=4000))
    said = learning_rate_too_low.check(gather(longer))
    assert said is None or "schedule" not in said.message


def test_a_rate_that_rises_is_not_gone():
    fit = scheduled(Schedule("exponential", interval=4, factor=1.5))
    said = learning_rate_too_low.check(gather(fit))
    assert said is None or "schedule" not in said.message


@pytest.mark.parametrize(
    "schedule",
    [
        Schedule("cosine", interval=160),
        Schedule("exponential", interval=160, factor=1e-3),
        Schedule("polynomial", interval=160, minimum=1e-4),
        Schedule("plateau", per="epoch", factor=0.1),
    ],
    ids=lambda schedule: schedule.kind,
)
def test_usual_schedules_are_not_blamed(schedule: Schedule):
    said = learning_rate_too_low.check(gather(scheduled(schedule)))
    assert said is None or "schedule" not in said.message


def test_a_rate_that_followed_the_loss_to_nothing_is_seen():
    """It is known from the run alone, which the history tells."""
    fit = scheduled(Schedule("plateau", per="epoch", factor=0.1))
    rates = tuple(1e-2 * 0.1 ** min(at, 6) for at in range(40))
    said = learning_rate_too_low.check(
        gather(replace(fit, history={**fit.history, "learning_rate": rates}))
    )
    assert said is not None
    assert "from 0.01 to 1e-08: all 160 steps together go as far as 4 steps" in said.message
    assert said.remedies == (Change("schedule", "none"),)
    slow = tuple(1e-2 * 0.5 ** (at // 10) for at in range(40))
    said = learning_rate_too_low.check(
        gather(replace(fit, history={**fit.history, "learning_rate": slow}))
    )
    assert said is None or "schedule" not in said.message


def test_the_way_of_steps_is_that_of_the_schedule():
    """Adam's steps are about the rate: what they can reach is the sum of the rates."""
    fit = scheduled(Schedule("exponential", per="epoch", change="epoch", factor=0.9))
    steps = gather(fit).steps
    assert steps is not None
    assert steps.reach == pytest.approx(4 * 1e-2 * np.sum(0.9 ** np.arange(40)))


def test_the_way_of_steps_is_that_of_the_epochs_made():
    fit = fit_of(recipe((8,), "tanh", kernel=HE, epochs=10, batch_size=16), *sine(64))
    assert fit.recipe is not None
    stopped = replace(fit, recipe=replace(fit.recipe, epochs=500))
    steps = gather(stopped).steps
    assert steps is not None
    assert steps.reach == pytest.approx(10 * 4 * 1e-2)


def test_levels():
    fit = scheduled(Schedule("exponential", interval=2, factor=0.5))
    assert fit.recipe is not None
    slower = factors.apply(arm(Change("schedule", "once an epoch")), fit, fit.recipe)
    assert slower.learning_rates(64) == pytest.approx(1e-2 * 0.5 ** (np.arange(40) / 2))
    assert factors.apply(arm(Change("schedule", "none")), fit, fit.recipe).schedule is None
    warm = Schedule("cosine", interval=20, warmup=10, warmup_target=0.1)
    held = factors.apply(arm(Change("schedule", "none")), fit, replace(fit.recipe, schedule=warm))
    assert held.optimizer.learning_rate == pytest.approx(0.1)
    both = arm(Change("schedule", "none"), Change("learning_rate", "0.5"))
    set_so = factors.apply(both, fit, replace(fit.recipe, schedule=warm))
    assert set_so.optimizer.learning_rate == 0.5  # as the patch writes it
    by_epoch = replace(fit.recipe, schedule=replace(fit.recipe.schedule, per="epoch"))
    assert factors.resolve(Change("schedule", "once an epoch"), fit, by_epoch) is None
    assert factors.resolve(Change("schedule", "none"), fit, by_epoch) is not None
    constant = replace(fit.recipe, schedule=None)
    assert factors.resolve(Change("schedule", "none"), fit, constant) is None


def test_schedules_of_scikit_learn_are_those_of_sgd_alone():
    one = replace(recipe((8,)), optimizer=Optimizer("sgd", 1e-3, framework="sklearn"))
    adaptive = replace(one, schedule=Schedule("adaptive", per="epoch", patience=7, threshold=1e-5))
    fit = fit_of(recipe((8,), epochs=1), *sine(16))
    for changes in ("optimizer", "adam(0.003)"), ("schedule", "none"):
        changed = factors.apply(arm(Change(*changes)), fit, adaptive)
        assert changed.schedule is None
        assert changed.early_stopping == EarlyStopping(7, 1e-5, framework="sklearn")


TORCH = """
import torch
from torch import nn

torch.manual_seed(0)
x = torch.linspace(-2, 2, 100).unsqueeze(1)
y = torch.tanh(3 * x)
model = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.9)
for epoch in range(40):
    order = torch.randperm(100)
    for rows in order.split(10):
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x[rows]), y[rows]).backward()
        optimizer.step()
        scheduler.step()
"""


@pytest.mark.framework
def test_a_scheduler_that_is_moved_on_after_each_batch(tmp_path):
    pytest.importorskip("torch")
    (tmp_path / "loop.py").write_text(TORCH)
    program = capture.load_script(str(tmp_path / "loop.py"), [])
    captured = capture.run(program, Session(strict=True))
    options = Options(study=StudyOptions(budget=1.0), confirm=ConfirmOptions(runs=0))
    fit = diagnose(captured, options).fits[0]
    (cause,) = [each for each in fit.study.causes if each.slug == "learning-rate-too-low"]
    assert cause.status == "confirmed"
    arms = {fix.changes for fix in fit.fixes}
    assert any(change.factor == "schedule" for changes in arms for change in changes)


KERAS = """
import keras
import numpy as np

keras.utils.set_random_seed(1)
x = np.linspace(-2, 2, 100).reshape(-1, 1)
y = np.tanh(3 * x)
model = keras.Sequential([
    keras.Input((1,)), keras.layers.Dense(8, activation='tanh'), keras.layers.Dense(1),
])
rate = keras.optimizers.schedules.ExponentialDecay(0.01, decay_steps=10, decay_rate=0.5)
model.compile(loss='mse', optimizer=keras.optimizers.Adam(learning_rate=rate))
model.fit(x, y, epochs=2, batch_size=10, verbose=0)
"""

SKLEARN = """
import numpy as np
from sklearn.neural_network import MLPRegressor

x = np.linspace(-2, 2, 100).reshape(-1, 1)
model = MLPRegressor(hidden_layer_sizes=(8,), solver='sgd', learning_rate='invscaling', max_iter=3)
model.fit(x, np.tanh(3 * x[:, 0]))
"""


@pytest.mark.framework
def test_another_rate_does_not_end_a_schedule(tmp_path):
    path = tmp_path / "script.py"
    path.write_text(KERAS)
    fit = capture.run(capture.load_script(str(path), []), Session(strict=True)).fits[0]
    higher = Change("learning_rate", "0.1")
    patched = patch(path.read_text(), str(path), fit, arm(higher))
    assert patched.source is None
    assert patched.words[-1] == "let the schedule begin at 0.1"
    both = patch(path.read_text(), str(path), fit, arm(higher, Change("schedule", "none")))
    assert both.source is not None
    assert "keras.optimizers.Adam(learning_rate=0.1)" in both.source


@pytest.mark.framework
@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
@pytest.mark.parametrize(
    ("text", "constant"),
    [(KERAS, "keras.optimizers.Adam(learning_rate=0.01)"), (SKLEARN, "learning_rate='constant'")],
    ids=["keras", "sklearn"],
)
def test_the_patch_puts_the_rate_in_place_of_the_schedule(tmp_path, text: str, constant: str):
    path = tmp_path / "script.py"
    path.write_text(text)
    fit = capture.run(capture.load_script(str(path), []), Session(strict=True)).fits[0]
    patched = patch(path.read_text(), str(path), fit, arm(Change("schedule", "none")))
    assert patched.source is not None
    assert constant in patched.source


PLATEAUS = {
    "keras": """
import keras
import numpy as np

keras.utils.set_random_seed(1)
x = np.linspace(-1, 1, 128).reshape(-1, 1)
model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(8, "tanh"), keras.layers.Dense(1)])
model.compile(keras.optimizers.Adam(0.02), "mse")
slower = keras.callbacks.ReduceLROnPlateau("loss", factor=0.1, patience=0, min_delta=1.0)
model.fit(x, np.sin(4 * x), epochs=60, batch_size=32, verbose=0, callbacks=[slower])
""",
    "torch": TORCH.replace(
        "ExponentialLR(optimizer, gamma=0.9)", "ReduceLROnPlateau(optimizer, patience=0)"
    )
    .replace("        scheduler.step()\n", "    scheduler.step(1.0)\n")
    .replace("range(40)", "range(60)"),
}


@pytest.mark.framework
@pytest.mark.parametrize("framework", PLATEAUS)
def test_a_plateau_that_takes_the_rate_to_nothing(tmp_path, framework: str):
    """It is named, and the patch takes it out of the training."""
    pytest.importorskip(framework)
    (tmp_path / "script.py").write_text(PLATEAUS[framework])
    program = capture.load_script(str(tmp_path / "script.py"), [])
    (fit,) = capture.run(program, Session(strict=True)).fits
    assert fit.recipe is not None
    assert fit.recipe.schedule is not None
    said = learning_rate_too_low.check(gather(fit))
    assert said is not None
    assert "the schedule takes the learning rate from" in said.message
    made = patch(program.source, program.path, fit, arm(Change("schedule", "none")))
    assert made.source is not None, made.words
    (tmp_path / "script.py").write_text(made.source)
    (again,) = capture.run(capture.load_script(program.path, []), Session(strict=True)).fits
    kept = again.history.get("learning_rate", (fit.recipe.optimizer.learning_rate,))
    assert min(kept) == pytest.approx(fit.recipe.optimizer.learning_rate)
    assert again.unexplained_variance < fit.unexplained_variance
