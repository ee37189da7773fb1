"""Trained models of each framework, small enough to train in a second."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

X = np.linspace(0.0, 1.0, 200)[:, None]
Y = 0.5 + 0.5 * np.sin(2 * np.pi * X)


def keras_model(epochs: int = 120, batch_size: int | None = None, callbacks: Any = None):
    """The starting case with a larger rate: four ReLU units and small start weights."""
    import keras

    keras.utils.set_random_seed(1)
    layers = [
        keras.Input((1,)),
        keras.layers.Dense(4, kernel_initializer="uniform", activation="relu"),
        keras.layers.Dense(1, kernel_initializer="uniform"),
    ]
    model = keras.Sequential(layers)
    model.compile(loss="mse", optimizer=keras.optimizers.Adam(0.01))
    history = model.fit(X, Y, epochs=epochs, verbose=0, batch_size=batch_size, callbacks=callbacks)
    return model, history


def torch_model(epochs: int = 300, units: int = 4):
    """The same in PyTorch, each step over all samples; also the optimizer and the losses."""
    import torch

    torch.manual_seed(0)
    x, y = (torch.tensor(each, dtype=torch.float32) for each in (X, Y))
    model = torch.nn.Sequential(
        torch.nn.Linear(1, units), torch.nn.ReLU(), torch.nn.Linear(units, 1)
    )
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    return model, optimizer, train_torch(model, optimizer, x, y, epochs)


def train_torch(model, optimizer, x, y, epochs: int) -> list[float]:
    import torch

    losses = []
    for _epoch in range(epochs):
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def sklearn_model():
    """A regressor whose x and y are both scaled by what it stands in."""
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.neural_network import MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MinMaxScaler, StandardScaler

    regressor = MLPRegressor(hidden_layer_sizes=(4,), max_iter=60, random_state=1)
    model = TransformedTargetRegressor(
        make_pipeline(MinMaxScaler(), regressor), transformer=StandardScaler()
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(10 * X, 100 * Y.ravel())
