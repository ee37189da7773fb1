"""Weights that the script updates itself."""

import torch
from torch import nn

torch.manual_seed(1)
x = torch.linspace(-1, 1, 64).reshape(-1, 1)
y = x**3

model = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 1))
for _step in range(500):
    loss = ((model(x) - y) ** 2).mean()
    model.zero_grad()
    loss.backward()
    with torch.no_grad():
        for weight in model.parameters():
            weight -= 0.1 * weight.grad
