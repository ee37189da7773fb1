"""What training costs: a model of the engine's time, so that a plan can be made before any run.

The model counts multiply-adds and special functions per sample and the work of an optimizer step. It
depends on the recipe alone, never on a clock, so that the same budget gives the same plan.
"""

from __future__ import annotations

import os

from whyfit.records.recipe import Recipe

# Nominal speed of one core, in units of work a second, measured on a 3.5 GHz AVX-512 core; machines
# differ from it by less than a factor of three.
NOMINAL_SPEED = 110e9

# Work of one activation per unit and sample, beside a multiply-add's 2.
ACTIVATION_WORK = {"linear": 0.0, "relu": 4.0, "leaky_relu": 6.0, "elu": 60.0}
SMOOTH_WORK = 70.0
STEP_WORK = 25.0  # per parameter: the optimizer's update
SAMPLE_WORK = 16.0  # per sample: order, loss


def seconds(recipe: Recipe, samples: int, replicates: int, cores: int | None = None) -> float:
    """Modelled time of training so many replicates on all cores, in seconds."""
    per_sample = SAMPLE_WORK
    shallow = len(recipe.layers) == 2 and recipe.inputs <= 2 and recipe.layers[-1].units == 1
    for (inputs, units, _biased), layer in zip(recipe.shapes, recipe.layers, strict=True):
        per_sample += 6.0 * inputs * units * (1.0 if shallow else 1.5)
        per_sample += units * ACTIVATION_WORK.get(layer.activation.name, SMOOTH_WORK)
        per_sample += 0.0 if shallow else 30.0 * units
    work = recipe.epochs * samples * per_sample + recipe.steps(samples) * (
        STEP_WORK * recipe.parameters + 200.0
    )
    groups = -(-replicates // 16) * 16
    return work * groups / (NOMINAL_SPEED * (cores or os.cpu_count() or 1))
