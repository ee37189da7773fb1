"""How near the engine is to what the machine can do, and how far from what people would use.

    python benchmarks/engine_speed.py [--part shares ...] [--repeat N] [--clock cpu]

Every line is a ratio whose two sides are measured in turn in this run, medians over the repeats; a
part takes less than three minutes. Fits are long enough that their beginning and end weigh as little as
in one of 500 epochs, and that threads which began on one core have long been moved apart. Floating
point operations are those of the textbook: for each weight and sample two forward, two for its
gradient, and, beyond the first layer, two for the layer's input; what the optimizer does is not
counted. The peak is that of `_lanes.multiply_add`, multiply-adds in registers alone, on as many
threads. With `--clock cpu`, for a machine that is busy with other work, processor time counts in
place of time on the wall, divided by the threads that share the work evenly.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np

from whyfit.engine import _lanes
from whyfit.engine.initializers import draw
from whyfit.engine.lanes import TARGETS, train
from whyfit.records.network import Activation
from whyfit.records.recipe import DenseLayer, Initializer, Optimizer, Recipe

CORES = os.cpu_count() or 1
HE = Initializer("he_uniform")


def recipe(
    units: tuple[int, ...], activation: str = "relu", epochs: int = 20, inputs: int = 1
) -> Recipe:
    """The starting case's recipe with other layers."""
    hidden = tuple(DenseLayer(each, Activation(activation), True, HE) for each in units)
    return Recipe(inputs, (*hidden, DenseLayer(1)), "mse", Optimizer("adam", 1e-3), 32, epochs)


def data(samples: int, inputs: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """A sine of the first input."""
    x = np.random.default_rng(0).uniform(-1, 1, (samples, inputs))
    return x, np.sin(3 * x[:, :1])


def operations(plan: Recipe, samples: int) -> float:
    """Textbook floating point operations of one fit."""
    per_sample = 0.0
    for at, (inputs, units, _biased) in enumerate(plan.shapes):
        per_sample += (6 if at else 4) * inputs * units + 2 * units
    return per_sample * samples * plan.epochs


CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
clock = {"name": "wall"}


def seconds_of(work: Callable[[], object], threads: int = 1) -> float:
    """Seconds of one call, on the chosen clock."""
    now = CLOCKS[clock["name"]]
    began = now()
    work()
    return (now() - began) / (threads if clock["name"] == "cpu" else 1)


def peak(threads: int, rounds: int = 30_000_000) -> float:
    """Floating point operations a second of all threads together, at best.

    Rounds for some 50 ms: in the first of these both threads may run on one core, until the operating
    system moves one of them.
    """
    done: list[int] = []
    with ThreadPoolExecutor(threads) as pool:

        def work() -> None:
            done[:] = pool.map(lambda _: _lanes.multiply_add(TARGETS[0], rounds), range(threads))

        taken = min(seconds_of(work, threads) for _round in range(3))
    return sum(done) / taken


def fit_seconds(plan: Recipe, samples: int, replicates: int, threads: int = CORES) -> float:
    """Wall time of so many fits."""
    x, y = data(samples, plan.inputs)
    starts = draw(plan, 0, 0, replicates)
    return seconds_of(
        lambda: train(plan, x, y, starts, threads=threads), min(threads, -(-replicates // 16))
    )


def line(name: str, value: float, unit: str, wanted: str, met: bool) -> None:
    """One row of the table."""
    print(
        f"{name:<54} {value:>10.4g} {unit:<10} wanted {wanted:<12} {'' if met else 'MISSED'}",
        flush=True,
    )


def share_of_peak(plan: Recipe, samples: int, repeat: int, replicates: int) -> tuple[float, float]:
    """Share of the peak of all cores, and milliseconds a fit of 500 epochs."""
    shares, times = [], []
    for _round in range(repeat):
        best = peak(CORES)
        seconds = fit_seconds(plan, samples, replicates)
        shares.append(operations(plan, samples) * replicates / seconds / best)
        times.append(seconds / replicates * 500 / plan.epochs * 1e3)
    return median(shares), median(times)


def shares(repeat: int) -> None:
    """ReLU networks of the starting case's data."""
    best = median(peak(CORES) for _round in range(5))
    print(f"peak of {CORES} threads, {TARGETS[0]}: {best / 1e9:.0f} GFLOP/s")
    for units, epochs, wanted in (
        ((4,), 2000, 0.25),
        ((16,), 500, 0.4),
        ((64,), 120, 0.5),
        ((64, 64), 3, 0.5),
    ):
        name = "-".join(str(each) for each in (1, *units, 1))
        share, milliseconds = share_of_peak(
            recipe(units, epochs=epochs), 10_000, repeat, 16 * CORES
        )
        line(
            f"share of peak, {name} ReLU ({milliseconds:.3g} ms a fit)",
            share,
            "",
            f">= {wanted}",
            share >= wanted,
        )


def smooth(repeat: int) -> None:
    """tanh and sigmoid against ReLU."""
    for units, epochs in (((4,), 2000), ((16,), 500), ((64,), 120)):
        for name in ("tanh", "sigmoid"):
            found = [
                fit_seconds(recipe(units, name, epochs), 10_000, 16 * CORES)
                / fit_seconds(recipe(units, "relu", epochs), 10_000, 16 * CORES)
                for _round in range(repeat)
            ]
            line(
                f"{name} / ReLU, {units[0]} units",
                median(found),
                "x",
                "<= 2.5",
                median(found) <= 2.5,
            )


def threads(repeat: int) -> None:
    """All cores against one."""
    found = [
        fit_seconds(recipe((4,), epochs=500), 10_000, 128, 1)
        / fit_seconds(recipe((4,), epochs=500), 10_000, 128, 2)
        for _round in range(repeat)
    ]
    line("2 threads / 1 thread, 1-4-1", median(found), "x", ">= 1.9", median(found) >= 1.9)


def keras_seconds(epochs: int) -> float:
    """Seconds of 500 epochs of the starting case in Keras on JAX, scaled from `epochs` warm ones."""
    os.environ["KERAS_BACKEND"] = "jax"
    import keras

    x, y = data(10_000)
    model = keras.Sequential([keras.layers.Dense(4, activation="relu"), keras.layers.Dense(1)])
    model.compile(optimizer="adam", loss="mse")
    model.fit(x, y, batch_size=32, epochs=2, verbose=0)
    taken = seconds_of(lambda: model.fit(x, y, batch_size=32, epochs=epochs, verbose=0))
    return taken * 500 / epochs


def keras(repeat: int) -> None:
    """One fit, and 1 024 fits amortised, against one in Keras."""
    single, amortised, alone = [], [], []
    for _round in range(repeat):
        one = keras_seconds(20)
        alone.append(one)
        single.append(one / fit_seconds(recipe((4,), epochs=500), 10_000, 1))
        amortised.append(one / (fit_seconds(recipe((4,), epochs=500), 10_000, 1024) / 1024))
    print(f"Keras on JAX: {median(alone):.1f} s for 500 epochs, scaled from 20")
    line(
        "one fit of the starting case against Keras on JAX",
        median(single),
        "x",
        ">= 150",
        median(single) >= 150,
    )
    value = median(amortised)
    line(
        "1 024 fits, amortised, against Keras fitting once",
        value,
        "x",
        ">= 10 000",
        value >= 10_000,
    )


def jax(repeat: int) -> None:
    """1 024 fits against the JAX ensemble."""
    try:
        from benchmarks import jax_ensemble
    except ImportError:
        import jax_ensemble

    x, y = data(10_000)
    found = []
    for _round in range(repeat):
        theirs = jax_ensemble.seconds_per_fit(
            x[:, 0], y[:, 0], 4, 1024, 10, lambda work: seconds_of(work, CORES)
        )
        ours = fit_seconds(recipe((4,), epochs=500), 10_000, 1024) / 1024
        found.append(theirs * 50 / ours)
    print(f"JAX ensemble of 1 024: {theirs * 50 * 1e3:.1f} ms a fit of 500 epochs, scaled from 10")
    line("1 024 fits against a JAX ensemble", median(found), "x", ">= 20", median(found) >= 20)


def many(_repeat: int) -> None:
    """Time and memory of 100 000 replicates, each count in a process of its own."""
    found = {}
    for count in (10_000, 100_000):
        command = [sys.executable, __file__, "--part", "count", "--count", str(count)]
        command += ["--clock", clock["name"]]
        answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        found[count] = float(answer[0]), float(answer[1])
    growth = found[100_000][0] / found[10_000][0] / 10
    line("time of 100 000 replicates / 10 x that of 10 000", growth, "", "<= 1.1", growth <= 1.1)
    line(
        "memory of 100 000 fits of the starting case",
        found[100_000][1],
        "MB",
        "<= 200",
        found[100_000][1] <= 200,
    )


def peak_megabytes() -> float:
    """The most memory that this process has held. What getrusage says begins with the parent's."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(float(each.split()[1]) / 1024 for each in lines if each.startswith("VmHWM"))


def count_memory(count: int) -> None:
    """Seconds, and growth of the peak memory in MB, from start weights to results."""
    plan = recipe((4,), epochs=2)
    x, y = data(10_000)
    train(plan, x, y, draw(plan, 0, 0, 16))
    before = peak_megabytes()
    starts = draw(plan, 0, 0, count)
    seconds = seconds_of(lambda: train(plan, x, y, starts), CORES)
    print(seconds, peak_megabytes() - before)


def wide(repeat: int) -> None:
    """Networks whose weights do not fit a core's cache."""
    for inputs, units, epochs in ((1, (256, 256), 30), (20, (100, 1000, 100), 20)):
        plan = recipe(units, epochs=epochs, inputs=inputs)
        name = "-".join(str(each) for each in (inputs, *units, 1))
        share, milliseconds = share_of_peak(plan, 1000, repeat, 16 * CORES)
        line(
            f"share of peak, {name} ReLU ({milliseconds:.3g} ms a fit)",
            share,
            "",
            ">= 0.4",
            share >= 0.4,
        )
    command = [sys.executable, __file__, "--part", "wide-memory"]
    megabytes = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    line(
        "memory of 16 replicates of 20-100-1000-100-1",
        megabytes,
        "MB",
        "<= 1 000",
        megabytes <= 1000,
    )


def wide_memory() -> None:
    """Peak memory of the whole process in MB."""
    fit_seconds(replace(recipe((100, 1000, 100), inputs=20), epochs=1), 1000, 16)
    print(peak_megabytes())


PARTS = {each.__name__: each for each in (shares, smooth, threads, keras, jax, many, wide)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", action="append", choices=[*PARTS, "count", "wide-memory"])
    parser.add_argument("--clock", choices=list(CLOCKS), default="wall")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--count", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    clock["name"] = options.clock
    for name in options.part or PARTS:
        if name == "count":
            count_memory(options.count)
        elif name == "wide-memory":
            wide_memory()
        else:
            PARTS[name](options.repeat)


if __name__ == "__main__":
    main()
