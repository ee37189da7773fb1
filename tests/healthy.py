"""Fits with nothing wrong with them, and fits of nothing but noise; seeded, made by the engine."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.fits import HE, fit_of, recipe
from whyfit.diagnosing import FitDiagnosis, Options, diagnose_fit
from whyfit.records.fit import Fit
from whyfit.records.recipe import Initializer
from whyfit.study.conduct import StudyOptions

GLOROT = Initializer("glorot_uniform")

FUNCTIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "line": lambda x: 0.7 * x[:, :1] - 0.2,
    "parabola": lambda x: x[:, :1] ** 2,
    "sine": lambda x: np.sin(3.0 * x[:, :1]),
    "cubic": lambda x: x[:, :1] ** 3 - 0.5 * x[:, :1],
    "step": lambda x: np.tanh(4.0 * x[:, :1]),
    "sum": lambda x: x.sum(axis=1, keepdims=True),
}


def healthy(seed: int) -> tuple[str, Fit]:
    """A customary network on scaled data with enough steps; its name and the fit."""
    random = np.random.default_rng(seed)
    name = str(random.choice(list(FUNCTIONS)))
    inputs = int(random.choice([1, 1, 2]))
    samples = int(random.choice([100, 300, 1000]))
    activation = str(random.choice(["relu", "tanh", "leaky_relu"]))
    units = tuple(int(each) for each in random.choice([24, 32, 48], size=random.integers(1, 3)))
    noise = float(random.choice([0.0, 0.0, 0.05]))
    x = random.uniform(-1.0, 1.0, (samples, inputs))
    y = FUNCTIONS[name](x)
    y = y + noise * float(y.std()) * random.normal(size=y.shape)
    steps_an_epoch = -(-samples // 32)
    one = recipe(
        units,
        activation,
        kernel=GLOROT if activation == "tanh" else HE,
        rate=0.01,
        epochs=max(60, 1500 // steps_an_epoch),
        inputs=inputs,
    )
    words = f"{seed}: {name} of {inputs}, {samples} samples, {units} {activation}, noise {noise}"
    return words, fit_of(one, x, y, seed)


def noise_only(seed: int) -> tuple[str, Fit]:
    """A customary network on targets that have nothing to do with the inputs."""
    random = np.random.default_rng(1000 + seed)
    samples = int(random.choice([300, 600, 1000]))
    activation = str(random.choice(["relu", "tanh"]))
    x = random.uniform(-1.0, 1.0, (samples, 1))
    y = random.normal(size=(samples, 1))
    one = recipe((16,), activation, kernel=GLOROT, rate=0.003, epochs=40)
    return f"{seed}: {samples} samples of noise, {activation}", fit_of(one, x, y, seed)


def diagnosed(fit: Fit, budget: float = 1.0) -> FitDiagnosis:
    """What whyfit says of it."""
    return diagnose_fit(fit, Options(study=StudyOptions(budget=budget)))


def confirmed(diagnosis: FitDiagnosis) -> list[str]:
    """Causes it confirms."""
    causes = diagnosis.study.causes if diagnosis.study else ()
    return [cause.slug for cause in causes if cause.status == "confirmed"]
