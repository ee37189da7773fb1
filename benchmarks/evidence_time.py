"""Seconds of evidence and rules on the starting case: 10 000 samples, weights of all 500 epochs.

    python benchmarks/evidence_time.py [--runs N]

Prints the processor time of each measurement and of the whole, the least of N runs, and for the capacity
how far its two bounds are apart on 10 000 samples of random curves.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.fits import fit_of, recipe, sine

from whyfit import rules
from whyfit.measure.capacity import capacity
from whyfit.measure.evidence import gather

SAMPLES, EPOCHS = 10_000, 500


def seconds(call: Callable[[], object], runs: int) -> float:
    """Least processor time of a call."""
    taken = []
    for _run in range(runs):
        began = time.process_time()
        call()
        taken.append(time.process_time() - began)
    return min(taken)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    x, y = sine(SAMPLES)
    one = recipe((4,), rate=1e-3, epochs=EPOCHS)
    fit = fit_of(one, x, y)
    evidence = gather(fit)
    whole = seconds(lambda: rules.findings(gather(fit)), options.runs)
    print(f"evidence and rules, 1-4-1, {SAMPLES} samples, {EPOCHS} epochs: {whole:.2f} s")
    print(f"  rules alone: {seconds(lambda: rules.findings(evidence), options.runs):.4f} s")
    for units in (4, 8, 16):
        for seed in range(3):
            random = np.random.default_rng(seed)
            places = np.linspace(0.0, 1.0, 3 * units)
            curve = np.interp(x, places, random.normal(size=len(places)))
            shape = recipe((units,))
            taken = seconds(lambda shape=shape, curve=curve: capacity(shape, x, curve), 1)
            found = capacity(shape, x, curve)
            assert found is not None
            print(
                f"capacity of {units} units on a random curve: {taken:.2f} s; at least "
                f"{found.lower_bound:.4g}, reached {found.witness:.4g}"
                f"{'' if found.exact else ' (the bound is not exact)'}"
            )


if __name__ == "__main__":
    main()
