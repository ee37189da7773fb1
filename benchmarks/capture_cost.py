"""What watching costs: processor time of a training with and without, alternating in one process.

    python benchmarks/capture_cost.py [--repeat N] [--epochs N] [--only keras,torch,scikit-learn]

The networks and data are those of the starting case, over fewer epochs.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
import warnings
from collections.abc import Callable

import numpy as np

from whyfit.adapters._adapter import Session
from whyfit.adapters.keras.adapter import KerasAdapter
from whyfit.adapters.sklearn.adapter import SklearnAdapter
from whyfit.adapters.torch.adapter import TorchAdapter

EPOCHS = 100
"""Of the starting case's 500: what is done once, or in the first passes, counts five times as much."""


def data() -> tuple[np.ndarray, np.ndarray]:
    """One period of a sine, both scaled to [0, 1]."""
    x = np.linspace(0.0, 1.0, 10000).reshape(-1, 1).astype(np.float32)
    return x, (0.5 + 0.5 * np.sin(2.0 * np.pi * x)).astype(np.float32)


def torch_loop(kind: str) -> None:
    """A PyTorch loop: slices, a loader, or the whole data at each step."""
    import torch
    from torch import nn
    from torch.utils.data import DataLoader, TensorDataset

    torch.manual_seed(1)
    x, y = (torch.tensor(each) for each in data())
    model = nn.Sequential(nn.Linear(1, 4), nn.ReLU(), nn.Linear(4, 1))
    optimizer = torch.optim.Adam(model.parameters())

    def step(a: torch.Tensor, b: torch.Tensor) -> None:
        optimizer.zero_grad()
        nn.functional.mse_loss(model(a), b).backward()
        optimizer.step()

    match kind:
        case "slices":
            for _epoch in range(EPOCHS):
                for i in range(0, len(x), 32):
                    step(x[i : i + 32], y[i : i + 32])
        case "loader":
            for _epoch in range(EPOCHS):
                for a, b in DataLoader(TensorDataset(x, y), batch_size=32, shuffle=True):
                    step(a, b)
        case _:
            for _epoch in range(EPOCHS * 100):
                step(x, y)


def by_hand() -> None:
    """A loop that updates its weights itself."""
    import torch
    from torch import nn

    torch.manual_seed(1)
    x, y = (torch.tensor(each) for each in data())
    model = nn.Sequential(nn.Linear(1, 4), nn.ReLU(), nn.Linear(4, 1))
    for _epoch in range(EPOCHS):
        for i in range(0, len(x), 32):
            model.zero_grad()
            nn.functional.mse_loss(model(x[i : i + 32]), y[i : i + 32]).backward()
            with torch.no_grad():
                for weight in model.parameters():
                    weight -= 0.01 * weight.grad


def keras_fit() -> None:
    """The same in Keras."""
    import keras
    from keras.layers import Dense

    keras.utils.set_random_seed(1)
    x, y = data()
    model = keras.Sequential([keras.Input((1,)), Dense(4, activation="relu"), Dense(1)])
    model.compile("adam", "mse")
    model.fit(x, y, epochs=EPOCHS, verbose=0)


def sklearn_fit() -> None:
    """The same in scikit-learn."""
    from sklearn.neural_network import MLPRegressor

    warnings.simplefilter("ignore")
    x, y = data()
    MLPRegressor(
        hidden_layer_sizes=(4,), batch_size=32, max_iter=EPOCHS, random_state=1, tol=0.0
    ).fit(x, y.ravel())


def cost(train: Callable[[], None], repeat: int) -> tuple[float, float]:
    """Median seconds without watching, and the median ratio with to without."""
    plain, watched = [], []
    for _repeat in range(repeat):
        plain.append(seconds(train))
        adapters = [KerasAdapter(), TorchAdapter(), SklearnAdapter()]
        for adapter in adapters:
            adapter.install(Session(strict=True))
        try:
            watched.append(seconds(train))
        finally:
            for adapter in adapters:
                adapter.remove()
    ratios = [one / other for one, other in zip(watched, plain, strict=True)]
    return statistics.median(plain), statistics.median(ratios)


def seconds(train: Callable[[], None]) -> float:
    """Processor time of one training."""
    began = time.process_time()
    train()
    return time.process_time() - began


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--only", default="", help="beginnings of names, with commas")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    options = parser.parse_args()
    globals()["EPOCHS"] = options.epochs
    os.environ.setdefault("KERAS_BACKEND", "jax")
    trainings = {
        "keras": keras_fit,
        "torch, slices": lambda: torch_loop("slices"),
        "torch, loader": lambda: torch_loop("loader"),
        "torch, full batch": lambda: torch_loop("whole"),
        "torch, by hand": by_hand,
        "scikit-learn": sklearn_fit,
    }
    for name, train in trainings.items():
        if not name.startswith(tuple(options.only.split(","))):
            continue
        train()  # imports and compiles whatever is kept
        plain, ratio = cost(train, options.repeat)
        print(f"{name}: {plain:.2f} s, watched {ratio:.3f} times that", flush=True)


if __name__ == "__main__":
    main()
