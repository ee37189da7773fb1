"""skorch's regressor, which trains a module of the person's own."""

import numpy as np
import torch
from skorch import NeuralNetRegressor
from torch import nn

torch.manual_seed(2)
x = np.linspace(-2, 2, 240, dtype=np.float32).reshape(-1, 1)
y = np.sin(2 * x)


class Net(nn.Module):
    def __init__(self, width=12):
        super().__init__()
        self.hidden = nn.Linear(1, width)
        self.out = nn.Linear(width, 1)

    def forward(self, x):
        return self.out(torch.tanh(self.hidden(x)))


net = NeuralNetRegressor(
    Net,
    max_epochs=40,
    lr=0.02,
    optimizer=torch.optim.Adam,
    batch_size=40,
    iterator_train__shuffle=True,
    train_split=None,
    verbose=0,
)
net.fit(x, y)
