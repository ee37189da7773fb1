"""A captured recipe, trained again by the engine from the captured start, ends where the framework did.

Without shuffling nothing is left to chance, so the weights themselves are compared.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.adapters.scripts import fits
from whyfit.engine.lanes import Order, train
from whyfit.records.fit import Fit
from whyfit.records.recipe import flatten

pytestmark = pytest.mark.framework

TORCH = """
import torch
from torch import nn
torch.manual_seed(3)
x = torch.linspace(-1, 1, 70).reshape(-1, 1)
y = torch.sin(3 * x)
F, optim, rates = nn.functional, torch.optim, torch.optim.lr_scheduler
def net(*parts):
    return nn.Sequential(nn.Linear(1, 6), *parts, nn.Linear(6, 1))
def loop(model, opt, loss=F.mse_loss, size=32, after=lambda: None, last=True, before=lambda: None):
    for epoch in range(30):
        for i in range(0, len(x) if last else len(x) - size + 1, size):
            opt.zero_grad()
            loss(model(x[i:i+size]), y[i:i+size]).backward()
            before()
            opt.step()
        after()
"""
TORCH_LOOPS = {
    "adam": "model = net(nn.Tanh()); loop(model, optim.Adam(model.parameters(), 0.01))",
    "nesterov": """
model = net(nn.ReLU())
loop(model, optim.SGD(model.parameters(), 0.05, momentum=0.9, nesterov=True, weight_decay=1e-3))
""",
    "dampening": """
model = net(nn.Sigmoid())
loop(model, optim.SGD(model.parameters(), 0.1, momentum=0.8, dampening=0.3), size=70)
""",
    "adamw": """
model = net(nn.SiLU()); loop(model, optim.AdamW(model.parameters(), 0.01, weight_decay=0.1))
""",
    "rmsprop": """
model = net(nn.ELU(0.7))
loop(model, optim.RMSprop(model.parameters(), 0.005, centered=True, momentum=0.5))
""",
    "adagrad": """
model = net(nn.GELU()); loop(model, optim.Adagrad(model.parameters(), 0.05, lr_decay=0.01))
""",
    "amsgrad": "model = net(nn.Tanh()); loop(model, optim.Adam(model.parameters(), 0.01, amsgrad=True))",
    "nadam": "model = net(nn.LeakyReLU(0.1)); loop(model, optim.NAdam(model.parameters(), 0.01))",
    "step": """
model = net(nn.Tanh()); opt = optim.Adam(model.parameters(), 0.02)
loop(model, opt, after=rates.StepLR(opt, 7, 0.5).step)
""",
    "huber, sum": """
model = net(nn.Softplus())
loop(model, optim.SGD(model.parameters(), 0.005), nn.HuberLoss("sum", delta=0.3))
""",
    "by hand": """
model = net(nn.Tanh())
loop(model, optim.SGD(model.parameters(), 0.1), lambda a, b: 0.5 * ((b - a) ** 2).mean())
""",
    "clipped": """
model = net(nn.Tanh())
loop(model, optim.SGD(model.parameters(), 0.2),
     before=lambda: nn.utils.clip_grad_norm_(model.parameters(), 0.3))
""",
}

SKLEARN = """
import warnings
import numpy as np
from sklearn.neural_network import MLPRegressor
warnings.simplefilter("ignore")
x = np.linspace(-1, 1, 70).reshape(-1, 1)
y = np.sin(3 * x).ravel()
def fit(**options):
    given = dict(hidden_layer_sizes=(6,), batch_size=32, shuffle=False, random_state=1, max_iter=40)
    MLPRegressor(**{**given, **options}).fit(x, y)
"""
SKLEARN_FITS = {
    "adam": "activation='tanh', learning_rate_init=0.01",
    "sgd": "activation='relu', solver='sgd', learning_rate_init=0.05",
    "plain sgd": "activation='tanh', solver='sgd', learning_rate_init=0.2, momentum=0.0",
    "invscaling": "activation='tanh', solver='sgd', learning_rate_init=0.5, "
    "learning_rate='invscaling', power_t=0.3",
    "adaptive": "activation='tanh', solver='sgd', learning_rate_init=0.1, "
    "learning_rate='adaptive', tol=0.01, n_iter_no_change=2",
    "penalty": "activation='logistic', learning_rate_init=0.05, alpha=0.5",
    "stops early": "activation='tanh', learning_rate_init=0.02, tol=0.02, n_iter_no_change=3",
    "full batch": "activation='relu', learning_rate_init=0.01, batch_size='auto', "
    "hidden_layer_sizes=(8, 5)",
}


def ends_alike(fit: Fit) -> None:
    assert fit.unsupported is None
    assert fit.recipe is not None
    trained = train(
        fit.recipe, fit.x, fit.y, flatten(fit.start)[None], order=Order("given"), history=True
    )
    assert int(trained.epochs_done[0]) == fit.epochs_done
    start, end = flatten(fit.start), flatten(fit.end)
    assert np.abs(end - start).max() > 0.05  # it did train
    assert trained.weights[0] == pytest.approx(end, abs=2e-3)
    losses = np.array(fit.history["loss"])
    assert trained.history[0, : len(losses)] == pytest.approx(losses, rel=0.08)


@pytest.mark.parametrize("name", TORCH_LOOPS)
def test_torch(tmp_path: Path, name: str):
    (fit,) = fits(tmp_path, TORCH + TORCH_LOOPS[name] + "\n")
    assert not fit.recipe.shuffle
    ends_alike(fit)


@pytest.mark.parametrize("name", SKLEARN_FITS)
def test_sklearn(tmp_path: Path, name: str):
    (fit,) = fits(tmp_path, SKLEARN + f"fit({SKLEARN_FITS[name]})\n")
    ends_alike(fit)
