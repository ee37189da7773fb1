"""How far the forecast of `whyfit.engine.forecast` is from the time that training takes here.

    python benchmarks/engine_cost.py [--repeat N] [--clock cpu]

Trains networks of many shapes, activations, optimizers and batch sizes on one thread and prints measured
and expected milliseconds and their ratio; the last lines are the largest factor and how many are beyond
1.5. Use `--clock cpu` on a machine that is busy with other work.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from statistics import median

import numpy as np

from whyfit.engine import cost, translate
from whyfit.engine.initializers import draw
from whyfit.engine.lanes import train
from whyfit.records.network import Activation
from whyfit.records.recipe import DenseLayer, Optimizer, Recipe

CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
SAMPLES = 2000
REFERENCE = 2
"""The first recipes are those that the forecast calibrates itself by."""


def recipe(
    units: tuple[int, ...],
    activation: str = "relu",
    optimizer: str = "adam",
    batch: int = 32,
    inputs: int = 1,
    dropout: float = 0.0,
) -> Recipe:
    """A recipe of few words, twenty epochs long, so that what a call costs does not count."""
    hidden = tuple(DenseLayer(each, Activation(activation), dropout=dropout) for each in units)
    return Recipe(inputs, (*hidden, DenseLayer(1)), "mse", Optimizer(optimizer, 1e-3), batch, 20)


def recipes() -> Iterator[tuple[str, Recipe]]:
    """What is compared, the two references first."""
    yield "16 relu", recipe((16,))
    yield "16-16 tanh", recipe((16, 16), "tanh")
    for units in ((2,), (4,), (7,), (64,), (8, 8), (10, 10, 10), (64, 64), (128, 64)):
        yield "-".join(map(str, units)) + " relu", recipe(units)
    for name in translate.ACTIVATIONS:
        if name not in ("softmax", "bounded_relu"):
            yield f"16 {name}", recipe((16,), name)
            yield f"12-12 {name}", recipe((12, 12), name)
    for name in translate.OPTIMIZERS:
        yield f"16-16, {name}, batch 4", recipe((16, 16), optimizer=name, batch=4)
    for batch in (1, 8, 256, SAMPLES):
        yield f"4 relu, batch {batch}", recipe((4,), batch=batch)
        yield f"16-16 relu, batch {batch}", recipe((16, 16), batch=batch)
    for inputs in (2, 5, 20):
        yield f"{inputs} inputs, 16-8 relu", recipe((16, 8), inputs=inputs)
    yield "32 tanh, dropout", recipe((32,), "tanh", dropout=0.3)


def measured(plan: Recipe, repeat: int, clock: str) -> float:
    """Seconds of one group of 16 on one thread, the median of some after a first."""
    x = np.random.default_rng(0).uniform(-1, 1, (SAMPLES, plan.inputs))
    starts = draw(plan, 0, 0, 16)
    times = []
    for _round in range(repeat + 1):
        began = CLOCKS[clock]()
        train(plan, x, np.sin(3 * x[:, :1]), starts, threads=1)
        times.append(CLOCKS[clock]() - began)
    return median(times[1:])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--clock", choices=list(CLOCKS), default="wall")
    options = parser.parse_args()
    for _name, plan in [*recipes()][:REFERENCE]:
        measured(plan, 20, options.clock)  # the first milliseconds of a process are slower
    rows = [
        (name, measured(plan, options.repeat, options.clock), cost.seconds(plan, SAMPLES, 16, 1))
        for name, plan in recipes()
    ]
    slowness = median(taken / modelled for _name, taken, modelled in rows[:REFERENCE])
    factors = []
    for name, taken, modelled in rows:
        ratio = slowness * modelled / taken
        factors.append(max(ratio, 1 / ratio))
        print(
            f"{name:<28} {taken * 1e3:8.2f} ms, expected {slowness * modelled * 1e3:8.2f}  {ratio:5.2f}"
        )
    beyond = sum(each > 1.5 for each in factors)
    print(f"this machine's time over the model's: {slowness:.2f}")
    print(f"{len(factors)} recipes, largest factor {max(factors):.2f}, {beyond} beyond 1.5")


if __name__ == "__main__":
    main()
