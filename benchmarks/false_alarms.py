"""False alarms: what is confirmed of fits with nothing wrong with them, and of pure noise.

    python benchmarks/false_alarms.py [--healthy N] [--noise N] [--budget SECONDS] [--bounds N]

Prints a line for each fit and the counts; and with how many random problems the lower bound of the
capacity lay above the witness or above a trained fit (it never may).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.fits import HE, fit_of, recipe
from tests.healthy import confirmed, diagnosed, healthy, noise_only

from whyfit.measure.capacity import capacity
from whyfit.records.recipe import Initializer


def broken_bounds(problems: int) -> int:
    """Random problems in which a bound does not hold."""
    broken = 0
    for seed in range(problems):
        random = np.random.default_rng(seed)
        samples = int(random.integers(10, 200))
        x = random.uniform(-1.0, 1.0, (samples, 1))
        y = np.interp(x, np.linspace(-1, 1, 9), random.normal(size=9))
        y = y + float(random.choice([0.0, 0.3])) * random.normal(size=y.shape)
        widths = tuple(int(each) for each in random.integers(1, 6, size=random.integers(1, 4)))
        spread = Initializer("random_uniform", -1.0, 1.0)
        one = recipe(widths, kernel=HE, bias=spread, rate=0.02, epochs=60)
        found = capacity(one, x, y)
        assert found is not None
        fit = fit_of(one, x, y, seed)
        least = min(found.witness, fit.unexplained_variance)
        broken += found.lower_bound > least + 1e-9
    return broken


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--healthy", type=int, default=30)
    parser.add_argument("--noise", type=int, default=20)
    parser.add_argument("--bounds", type=int, default=500)
    parser.add_argument("--budget", type=float, default=2.0)
    options = parser.parse_args()
    alarms = suspected = 0
    for seed in range(options.healthy):
        words, fit = healthy(seed)
        found = diagnosed(fit, options.budget)
        rules = [finding.rule for finding in found.findings]
        alarms += bool(confirmed(found))
        suspected += bool(set(rules) - {"noise-floor-reached"})
        left = fit.unexplained_variance
        print(
            f"healthy {words}: {left:.3g}, {found.verdict}, {rules}, {confirmed(found)}", flush=True
        )
    right = 0
    for seed in range(options.noise):
        words, fit = noise_only(seed)
        found = diagnosed(fit, options.budget)
        rules = [finding.rule for finding in found.findings]
        right += rules == ["noise-floor-reached"] and not confirmed(found)
        print(
            f"noise {words}: {fit.unexplained_variance:.3g}, {rules}, {confirmed(found)}",
            flush=True,
        )
    print(
        f"{alarms} of {options.healthy} healthy fits have a confirmed cause, {suspected} a suspicion"
    )
    print(f"{right} of {options.noise} fits of noise are called just that")
    print(f"{broken_bounds(options.bounds)} of {options.bounds} problems break a bound")


if __name__ == "__main__":
    main()
