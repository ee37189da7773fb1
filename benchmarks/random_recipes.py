"""Random recipes, trained by the engine and by PyTorch in float64 from the same start in the same order.

    python benchmarks/random_recipes.py [--recipes 5000] [--seconds 3000]

The recipes are drawn as in `tests/engine/test_random_recipes.py` (which takes 300): up to four layers of
up to 32 units, every activation, loss, optimizer and schedule that PyTorch has. Prints how far the end
weights are apart, relative to the largest weight of each tensor, and every recipe beyond 1e-9.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.engine import parity, torch_reference
from tests.engine.test_parity_torch import ACTIVATIONS, LOSSES, OPTIMIZERS, SCHEDULES
from tests.engine.test_random_recipes import recipe_from

BOUND = 1e-9


def choice(draw: np.random.Generator) -> dict[str, Any]:
    """What makes a recipe, each part uniform over what there is."""

    def one_of(options: Any) -> Any:
        return options[int(draw.integers(len(options)))]

    hidden = [
        {
            "units": int(draw.integers(1, 33)),
            "activation": one_of(ACTIVATIONS),
            "use_bias": bool(draw.integers(2)),
            "shared_slope": bool(draw.integers(2)),
        }
        for _layer in range(int(draw.integers(4)))
    ]
    return {
        "hidden": hidden,
        "inputs": int(draw.integers(1, 6)),
        "outputs": int(draw.integers(1, 5)),
        "batch_size": one_of([1, 7, 16, 64]),
        "loss": one_of(list(LOSSES)),
        "optimizer": one_of(list(OPTIMIZERS)),
        "schedule": one_of(list(SCHEDULES)),
    }


def difference(chosen: dict[str, Any]) -> float:
    """Largest relative difference of the end weights: NaN where both diverged, inf where one did."""
    recipe = recipe_from(chosen)
    x, y = parity.data(recipe.inputs, recipe.layers[-1].units, parity.kind_of_targets(recipe))
    start = parity.starts_of(recipe, 1)
    reference = torch_reference.train(recipe, x, y, start[0])
    row = parity.ours(recipe, x, y, start, "float64")[0]
    finite = [bool(np.isfinite(each).all()) for each in (reference, row)]
    if not all(finite):
        return np.inf if any(finite) else np.nan
    return float(parity.difference(recipe, row, reference))


def main() -> None:
    """Compare and print."""
    import torch

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipes", type=int, default=5000)
    parser.add_argument("--seconds", type=float, default=np.inf, help="stop after so long")
    options = parser.parse_args()
    torch.set_num_threads(1)
    draw = np.random.default_rng(1)
    began, found = time.monotonic(), []
    while len(found) < options.recipes and time.monotonic() - began < options.seconds:
        chosen = choice(draw)
        found.append(difference(chosen))
        if found[-1] > BOUND:
            print(f"{found[-1]:.1e} {chosen}", flush=True)
        if len(found) % 250 == 0:
            print(
                f"{len(found)} so far, largest {np.nanmax(found):.1e}", file=sys.stderr, flush=True
            )
    diverged = sum(np.isnan(found))
    found = [each for each in found if each == each]
    beyond = sum(each > BOUND for each in found)
    print(
        f"{len(found)} recipes ({diverged} more diverged in both): {beyond} differ by more than "
        f"{BOUND:g}; median {np.median(found):.1e}, "
        f"99.9 % within {np.quantile(found, 0.999):.1e}, largest {np.nanmax(found):.1e}"
    )


if __name__ == "__main__":
    main()
