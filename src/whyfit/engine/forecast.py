"""How long a plan will take on this machine, said before it starts.

`cost` models the time of another machine; here that is multiplied by how much slower this one is, found
by training two small networks for some milliseconds. What depends on a clock is for the person to read:
nothing that is trained may depend on it.
"""

from __future__ import annotations

import os
import time
from functools import cache
from statistics import median

import numpy as np

from whyfit.engine import cost
from whyfit.engine.initializers import draw
from whyfit.engine.lanes import train
from whyfit.records.network import Activation
from whyfit.records.recipe import DenseLayer, Optimizer, Recipe

ROUNDS = 3
SAMPLES = 4096


def seconds(recipe: Recipe, samples: int, replicates: int, threads: int | None = None) -> float:
    """Expected wall time of training so many replicates here, early stopping not counted."""
    threads = threads or os.cpu_count() or 1
    # A group of 16 is trained by one thread, so that the last ones may wait for each other.
    groups = -(-replicates // cost.GROUP)
    turns = -(-groups // threads)
    return cost.seconds(recipe, samples, turns * cost.GROUP, cores=1) * slowness(threads)


@cache
def slowness(threads: int) -> float:
    """Time of this machine over that of the model, measured once a process."""
    return median(
        _ratio(recipe, threads) for recipe in _small_recipes() for _round in range(ROUNDS)
    )


def _small_recipes() -> tuple[Recipe, Recipe]:
    def recipe(units: tuple[int, ...], activation: str, epochs: int) -> Recipe:
        hidden = tuple(DenseLayer(each, Activation(activation)) for each in units)
        return Recipe(1, (*hidden, DenseLayer(1)), "mse", Optimizer("adam", 1e-3), 32, epochs)

    return recipe((16,), "relu", 16), recipe((16, 16), "tanh", 2)


def _ratio(recipe: Recipe, threads: int) -> float:
    x = np.linspace(-1, 1, SAMPLES)[:, None]
    starts = draw(recipe, 0, 0, cost.GROUP * threads)
    began = time.perf_counter()
    train(recipe, x, x, starts, threads=threads)
    return (time.perf_counter() - began) / cost.seconds(recipe, SAMPLES, cost.GROUP, cores=1)


def told(expected: float) -> str:
    """The time as a person would say it: "about 40 s", "about 3 min", "about 2 h"."""
    if expected < 1:
        return "less than a second"
    for size, unit in ((3600.0, "h"), (60.0, "min")):
        if expected >= 2 * size:
            return f"about {expected / size:.0f} {unit}"
    return f"about {expected:.0f} s"
