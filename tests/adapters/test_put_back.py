"""PyTorch loops that keep a copy of their best weights and put it back after the training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.adapters.scripts import fits
from whyfit.measure.evidence import gather
from whyfit.records.fit import Fit
from whyfit.rules import findings
from whyfit.study.replay import replay

pytestmark = pytest.mark.framework

LOOP = """
import copy
import torch
import torch.nn.functional as F
torch.manual_seed(SEED)
x = torch.linspace(-3, 3, 120).unsqueeze(1)
y = torch.sin(2 * x) + 0.3 * torch.randn_like(x)
mixed = torch.randperm(120)
xt, yt, xv, yv = x[mixed[:90]], y[mixed[:90]], x[mixed[90:]], y[mixed[90:]]
model = torch.nn.Sequential(torch.nn.Linear(1, 8), torch.nn.ReLU(), torch.nn.Linear(8, 1))
opt = torch.optim.SGD(model.parameters(), lr=0.3)
best, kept = float("inf"), None
for epoch in range(EPOCHS):
    total = 0.0
    for i in range(0, 90, 30):
        loss = F.mse_loss(model(xt[i:i+30]), yt[i:i+30])
        opt.zero_grad(); loss.backward(); opt.step()
        total += loss.item() / 3
    with torch.no_grad():
        value = MEASURE
    if value < best:
        best, kept, at = value, copy.deepcopy(model.state_dict()), epoch
last = copy.deepcopy(model.state_dict())
model.load_state_dict(kept)
"""
HELD_OUT = "F.mse_loss(model(xv), yv).item()"


def captured(
    tmp_path: Path, measure: str, epochs: int = 60, more: str = "", seed: int = 3
) -> tuple[Fit, np.ndarray]:
    """The fit, and what the script's model predicts in the end."""
    text = LOOP.replace("MEASURE", measure).replace("EPOCHS", str(epochs)) + more
    text = text.replace("SEED", str(seed))
    out = tmp_path / "out.npy"
    text += f"import numpy\nnumpy.save({str(out)!r}, model(x).detach().numpy())\n"
    (fit,) = fits(tmp_path, text)
    return fit, np.load(out)


def away(fit: Fit, predicted: np.ndarray) -> float:
    """How far the fit's end network is from what the script's model predicts in the end."""
    assert fit.end is not None
    return float(np.max(np.abs(fit.end(np.linspace(-3, 3, 120)[:, None]) - predicted)))


@pytest.mark.parametrize("seed", [3, 4, 5])
@pytest.mark.parametrize("epochs", [60, 700])
def test_the_best_on_held_out_samples(tmp_path: Path, epochs: int, seed: int):
    """Also where only every second epoch's weights are kept, and where (seeds 4 and 5) the loss of all
    samples is least at the same time.
    """
    fit, predicted = captured(tmp_path, HELD_OUT, epochs, seed=seed)
    assert fit.unsupported is None
    assert away(fit, predicted) < 1e-5
    assert fit.recipe is not None
    stopping = fit.recipe.early_stopping
    assert stopping is not None
    assert (stopping.restore_best, stopping.monitor) == (True, "held_out_loss")
    assert fit.epochs_done == epochs
    assert fit.held_out is not None
    assert len(fit.held_out.x) == 30
    assert replay(fit, 0).status == "reproduced"


@pytest.mark.parametrize("measure", ["total", "F.mse_loss(model(xt), yt).item()"])
def test_the_best_on_what_is_learned_from(tmp_path: Path, measure: str):
    fit, predicted = captured(tmp_path, measure)
    assert fit.unsupported is None
    assert away(fit, predicted) < 1e-5
    assert fit.recipe is not None
    assert fit.recipe.early_stopping is not None
    assert replay(fit, 0).status == "reproduced"


def test_a_choice_that_cannot_be_found_out(tmp_path: Path):
    fit, predicted = captured(tmp_path, "abs(epoch - 7)")
    assert fit.unsupported is not None
    assert "could not be found out" in fit.unsupported
    assert away(fit, predicted) < 1e-5


def test_nothing_was_put_back(tmp_path: Path):
    fit, predicted = captured(tmp_path, HELD_OUT, more="model.load_state_dict(last)\n")
    assert fit.unsupported is None
    assert fit.recipe is not None
    assert fit.recipe.early_stopping is None
    assert away(fit, predicted) < 1e-5


def test_weights_of_another_network(tmp_path: Path):
    """As where the next experiment begins: the training ended before."""
    more = "model.load_state_dict({k: torch.randn_like(v) for k, v in kept.items()})\n"
    fit, predicted = captured(tmp_path, HELD_OUT, more=more)
    assert fit.unsupported is None
    assert fit.recipe is not None
    assert fit.recipe.early_stopping is None
    assert away(fit, predicted) > 0.1


def test_training_that_goes_on_from_there(tmp_path: Path):
    again = "loss = F.mse_loss(model(xt), yt)\nopt.zero_grad(); loss.backward(); opt.step()\n"
    fit, _predicted = captured(tmp_path, HELD_OUT, more=again)
    assert fit.unsupported == "networks that are trained in turns are not supported"


def test_the_last_loss_is_not_that_of_the_best_weights(tmp_path: Path):
    """Their difference is no penalty."""
    fit, _predicted = captured(tmp_path, HELD_OUT)
    named = [each.rule for each in findings(gather(fit))]
    assert "regularised-too-hard" not in named
