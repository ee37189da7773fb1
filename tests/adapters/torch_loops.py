"""Parts of PyTorch scripts, of which the tests make loops, and the passes of a fit."""

from __future__ import annotations

from whyfit.records.fit import Fit

HEAD = """
import torch
import torch.nn as nn
import torch.nn.functional as F
import numpy as np
from torch.utils.data import DataLoader, TensorDataset
torch.manual_seed(0)
N = 100
x = torch.linspace(-1, 1, N).reshape(-1, 1)
y = torch.sin(3 * x)
"""
NET = """
model = nn.Sequential(nn.Linear(1, 4), nn.Tanh(), nn.Linear(4, 1))
opt = torch.optim.SGD(model.parameters(), lr=0.1)
"""
STEP = "opt.zero_grad(); loss.backward(); opt.step()"
FULL = f"""
for epoch in range(20):
    loss = F.mse_loss(model(x), y); {STEP}
"""


def batch(fit: Fit) -> tuple[int, int, bool, bool]:
    recipe = fit.recipe
    return recipe.batch_size, recipe.epochs, recipe.shuffle, recipe.drop_last
