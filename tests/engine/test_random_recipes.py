"""Random recipes, one to four layers of 1 to 32 units, end where PyTorch does in float64."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine import parity
from whyfit.records.network import Activation
from whyfit.records.recipe import DenseLayer, Initializer, Optimizer, Recipe

torch = pytest.importorskip("torch")
from tests.engine import torch_reference  # noqa: E402
from tests.engine.test_parity_torch import ACTIVATIONS, LOSSES, OPTIMIZERS, SCHEDULES  # noqa: E402

pytestmark = pytest.mark.framework

START = Initializer("torch_uniform")


# Plain choices, made into records inside the test: the checks of types that run in tests draw random
# numbers of their own, which a strategy must not.
CHOICES = st.fixed_dictionaries(
    {
        "hidden": st.lists(
            st.fixed_dictionaries(
                {
                    "units": st.integers(1, 32),
                    "activation": st.sampled_from(ACTIVATIONS),
                    "use_bias": st.booleans(),
                    "shared_slope": st.booleans(),
                }
            ),
            max_size=3,
        ),
        "inputs": st.integers(1, 5),
        "outputs": st.integers(1, 4),
        "batch_size": st.sampled_from([1, 7, 16, 64]),
        "loss": st.sampled_from(list(LOSSES)),
        "optimizer": st.sampled_from(list(OPTIMIZERS)),
        "schedule": st.sampled_from(list(SCHEDULES)),
    }
)


def recipe_from(choice: dict[str, Any]) -> Recipe:
    start = {"kernel_initializer": START, "bias_initializer": START}
    slope = Initializer("constant", value=0.25)
    hidden = [DenseLayer(**each, **start, slope_initializer=slope) for each in choice["hidden"]]
    loss = dict(LOSSES[choice["loss"]])
    last = DenseLayer(choice["outputs"], Activation(loss.pop("output", "linear")), **start)
    optimizer: Optimizer = OPTIMIZERS[choice["optimizer"]]
    if loss.get("reduction") == "sum":
        optimizer = replace(optimizer, learning_rate=optimizer.learning_rate / 200)
    return Recipe(
        inputs=choice["inputs"],
        layers=(*hidden, last),
        optimizer=optimizer,
        batch_size=choice["batch_size"],
        epochs=2,
        shuffle=False,
        schedule=SCHEDULES[choice["schedule"]],
        **loss,
    )


@settings(max_examples=100, deadline=None, derandomize=True)
@given(CHOICES)
def test_random_recipes(choice: dict[str, Any]):
    recipe = recipe_from(choice)
    torch.set_num_threads(1)
    x, y = parity.data(recipe.inputs, recipe.layers[-1].units, parity.kind_of_targets(recipe))
    start = parity.starts_of(recipe, 1)
    reference = torch_reference.train(recipe, x, y, start[0])
    row = parity.ours(recipe, x, y, start, "float64")[0]
    assert np.isfinite(reference).all()
    assert parity.difference(recipe, row, reference) <= 1e-9
