"""Do replicates that share a data order end alike? The intraclass correlation in groups of 16.

    python benchmarks/groups_of_16.py [--replicates N]

Three arms of one sine period; the correlation of log unexplained variance within groups (one-way random
effects, Fisher 1925) with its 95 % interval (Searle 1971), and of success at 0.05. Zero means
that 16 replicates of a group count as 16.
"""

from __future__ import annotations

import argparse

import numpy as np
from scipy import stats

from whyfit.engine.initializers import draw
from whyfit.engine.lanes import GROUP, Order, train
from whyfit.records.network import Activation
from whyfit.records.recipe import DenseLayer, Initializer, Optimizer, Recipe


def arm(name: str, units: int, kernel: str, low: float) -> tuple[str, Recipe, float]:
    """A network of one hidden layer, and where its input range begins."""
    hidden = DenseLayer(units, Activation("relu"), True, Initializer(kernel))
    last = DenseLayer(1, kernel_initializer=Initializer(kernel))
    recipe = Recipe(1, (hidden, last), "mse", Optimizer("adam", 1e-2), 32, 60)
    return name, recipe, low


ARMS = (
    arm("4 ReLU units as posted", 4, "random_uniform", 0.0),
    arm("4 units, he_uniform, input centred", 4, "he_uniform", -1.0),
    arm("16 units, he_uniform, input centred", 16, "he_uniform", -1.0),
)


def correlation(values: np.ndarray) -> tuple[float, float, float]:
    """Intraclass correlation of (groups, members), with its interval."""
    groups, members = values.shape
    between = members * values.mean(axis=1).var(ddof=1)
    within = values.var(axis=1, ddof=1).mean()
    if within == 0.0:
        return 0.0, 0.0, 0.0
    ratio = between / within
    degrees = groups - 1, groups * (members - 1)
    high, low = (ratio / stats.f.ppf(share, *degrees) for share in (0.025, 0.975))
    return tuple(float((each - 1) / (each + members - 1)) for each in (ratio, low, high))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replicates", type=int, default=4096)
    count = parser.parse_args().replicates // GROUP * GROUP
    phase = np.linspace(0.0, 1.0, 1000)[:, None]
    y = 0.5 + 0.5 * np.sin(2 * np.pi * phase)
    for name, recipe, low in ARMS:
        x = low + (1.0 - low) * phase
        trained = train(recipe, x, y, draw(recipe, 0, 0, count), order=Order("group", seed=1))
        unexplained = trained.mean_squared_error / y.var()
        logs = np.log(unexplained).reshape(-1, GROUP)
        success = (unexplained <= 0.05).astype(float).reshape(-1, GROUP)
        for what, values in (("log error", logs), ("success", success)):
            value, least, most = correlation(values)
            print(f"{name}; {what}: {value:+.4f} ({least:+.4f} to {most:+.4f})")
        print(f"  {int(success.sum())} of {count} succeed")


if __name__ == "__main__":
    main()
