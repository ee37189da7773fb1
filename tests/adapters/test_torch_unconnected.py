"""Loops whose steps cannot change the network: the optimizer, or the loss, belongs to something else."""

from __future__ import annotations

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


def test_an_optimizer_that_leaves_a_layer_out(tmp_path):
    again = "optimizer = torch.optim.SGD(net[2].parameters(), lr=0.05)"
    (fit,) = captured(tmp_path, again=again).fits
    assert fit.unsupported is not None
    assert "given 2 of the 4 weights and biases" in fit.unsupported


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
