"""Loops whose steps cannot change the network, or not by all data: the optimizer or the loss belongs to
something else, or most batches reach no step.
"""

from __future__ import annotations

import numpy as np
import pytest

from whyfit.adapters import capture
from whyfit.adapters._adapter import Session
from whyfit.adapters.capture import Captured

pytest.importorskip("torch")

pytestmark = pytest.mark.framework

LOOP = """
import torch
from torch import nn

torch.manual_seed(1)
x = torch.linspace(0, 1, 50).unsqueeze(1)
y = x ** 2
net = nn.Sequential(nn.Linear(1, 4), nn.ReLU(), nn.Linear(4, 1))
optimizer = torch.optim.SGD(net.parameters(), lr=0.05)
{again}
for epoch in range(20):
    loss = nn.functional.mse_loss(net(x), y)
    {cut}
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""


def captured(tmp_path, *, again: str = "", cut: str = "") -> Captured:
    (tmp_path / "loop.py").write_text(LOOP.format(again=again, cut=cut))
    return capture.run(capture.load_script(str(tmp_path / "loop.py"), []), Session(strict=True))


def test_an_optimizer_made_for_another_network(tmp_path):
    again = "net = nn.Sequential(nn.Linear(1, 4), nn.ReLU(), nn.Linear(4, 1))"
    (fit,) = captured(tmp_path, again=again).fits
    assert fit.unsupported is not None
    assert "given none of the 4 weights and biases of this network" in fit.unsupported
    assert fit.gradients_cleared is None  # what it clears is another network's
    assert fit.predictions is not None


@pytest.mark.parametrize(
    "cut",
    [
        "loss = torch.tensor(loss.item(), requires_grad=True)",
        "loss = loss.detach().requires_grad_()",
    ],
)
def test_a_loss_that_is_cut_off(tmp_path, cut: str):
    found = captured(tmp_path, cut=cut)
    assert found.status == 0
    assert found.fits == ()
    (problem,) = found.problems
    assert "depends on no weight" in problem


def test_a_loop_that_is_sound(tmp_path):
    (fit,) = captured(tmp_path).fits
    assert fit.unsupported is None
    assert fit.gradients_cleared


BATCHES = """
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(1)
x = torch.linspace(0, 1, 50).unsqueeze(1)
y = x ** 2
loader = DataLoader(TensorDataset(x, y), batch_size=10, shuffle={shuffle})
net = nn.Sequential(nn.Linear(1, 4), nn.ReLU(), nn.Linear(4, 1))
optimizer = torch.optim.SGD(net.parameters(), lr=0.05)
def step(loss):
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
for epoch in range(20):
    for number, (inputs, targets) in enumerate(loader):
        loss = nn.functional.mse_loss(net(inputs), targets)
        {inside}
    {outside}
"""
OUTSIDE = {"inside": "", "outside": "step(loss)"}


def of_batches(tmp_path, *, shuffle: bool, inside: str, outside: str):
    code = BATCHES.format(shuffle=shuffle, inside=inside, outside=outside)
    (tmp_path / "loop.py").write_text(code)
    return capture.run(capture.load_script(str(tmp_path / "loop.py"), []), Session(strict=True))


@pytest.mark.parametrize("shuffle", [True, False])
def test_steps_outside_of_the_inner_loop(tmp_path, shuffle: bool):
    """Only the last batch of each pass is learned from, and the fit is looked at on all data."""
    (fit,) = of_batches(tmp_path, shuffle=shuffle, **OUTSIDE).fits
    assert fit.unsupported is not None
    assert "only one of its 5 batches is learned from in each pass" in fit.unsupported
    assert fit.x == pytest.approx(np.linspace(0, 1, 50, dtype=np.float32)[:, None])
    assert fit.predictions is not None
    assert fit.predictions.shape == (50, 1)


def test_passes_that_are_broken_off(tmp_path):
    inside = "step(loss)\n        if number == 2: break"
    (fit,) = of_batches(tmp_path, shuffle=True, inside=inside, outside="").fits
    assert fit.unsupported is not None
    assert "3 steps in each pass over a loader of 5 batches" in fit.unsupported


@pytest.mark.parametrize(
    "look",
    [
        "next(iter(DataLoader(TensorDataset(x[:30] + 1, y[:30]), batch_size=10)))",
        "[net(each) for each, _y in DataLoader(loader.dataset, batch_size=50)]",
    ],
)
def test_a_look_at_other_batches_within_the_loop(tmp_path, look: str):
    """Another loader, of other data or of larger batches, begins no pass."""
    inside = f"{look}\n        step(loss)\n        {look}"
    (fit,) = of_batches(tmp_path, shuffle=True, inside=inside, outside="").fits
    assert fit.unsupported is None
    assert len(fit.x) == 50
    assert fit.recipe is not None
    assert (fit.recipe.batch_size, fit.recipe.epochs) == (10, 20)


def test_inputs_changed_within_the_loop_are_not_those_of_the_loader(tmp_path):
    outside = OUTSIDE | {"inside": "loss = nn.functional.mse_loss(net(inputs * 2 - 1), targets)"}
    (fit,) = of_batches(tmp_path, shuffle=True, **outside).fits
    assert fit.unsupported is not None
    assert "learned from" not in fit.unsupported
    assert fit.x.min() < 0.0


def test_a_step_for_each_batch(tmp_path):
    (fit,) = of_batches(tmp_path, shuffle=True, inside="step(loss)", outside="").fits
    assert fit.unsupported is None
    assert fit.recipe is not None
    assert fit.recipe.batch_size == 10
