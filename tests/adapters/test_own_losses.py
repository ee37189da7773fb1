"""Loss functions that Keras scripts write themselves: told by what they give, or left as unknown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.adapters.scripts import fits
from whyfit.adapters.keras.own_losses import known_as
from whyfit.study.replay import replay

pytestmark = pytest.mark.framework

SCRIPT = """
import keras
import numpy as np
from keras import ops
keras.utils.set_random_seed(0)
x = np.linspace(-1, 1, 60).reshape(-1, 1)
y = np.concatenate([np.sin(3 * x), x ** 2], axis=1)[:, :OUTPUTS]
LOSS
model = keras.Sequential([
    keras.Input((1,)), keras.layers.Dense(6, activation='tanh'), keras.layers.Dense(OUTPUTS)
])
model.compile(loss=mine, optimizer=keras.optimizers.SGD(0.05))
model.fit(x, y, epochs=8, batch_size=16, verbose=0)
"""

KNOWN = {
    "def mine(t, p): return ops.sqrt(ops.mean(ops.square(p - t)))": ("rmse", 1.0),
    "mine = lambda t, p: ops.mean(ops.square(p - t), axis=-1)": ("mse", 1.0),
    "mine = lambda t, p: 0.5 * (t - p) ** 2": ("mse", 0.5),
    "def mine(t, p): print('asked'); return ops.mean(ops.abs(t - p))": ("mae", 1.0),
    """class Mine(keras.losses.Loss):
    def call(self, t, p): return ops.mean(ops.square(p - t), axis=-1)
mine = Mine()""": ("mse", 1.0),
}
UNKNOWN = {
    "a root for each sample": "mine = lambda t, p: ops.sqrt(ops.mean(ops.square(p - t), axis=-1))",
    "uneven": "mine = lambda t, p: ops.mean(ops.where(p > t, p - t, 3 * (t - p)))",
    "bent far out": "mine = lambda t, p: ops.mean(ops.minimum(ops.square(p - t), 25.0))",
    "of the targets too": "mine = lambda t, p: ops.mean(ops.square(p - t) * (1 + ops.square(t)))",
    "of large targets": "mine = lambda t, p: ops.mean(ops.where(t > 0.9, 9.0, 1.0) * ops.square(p - t))",
    "with another slope": """def mine(t, p):
    return ops.mean(ops.square(ops.stop_gradient(p) - t))""",
    "remembering": """seen = []
def mine(t, p):
    seen.append(1)
    return ops.mean(ops.square(p - t))""",
    "counting": """count = 0
def helper(t, p):
    global count
    count += 1
    return p - t
def mine(t, p): return ops.mean(ops.square(helper(t, p)))""",
    "drawing": """generator = keras.random.SeedGenerator(1)
def mine(t, p):
    return ops.mean(ops.square(p - t + 0 * keras.random.normal(ops.shape(t), seed=generator)))""",
}


def script(loss: str, outputs: int) -> str:
    return SCRIPT.replace("LOSS", loss).replace("OUTPUTS", str(outputs))


def asked(loss: str, outputs: int) -> tuple[str, float] | None:
    """What is said of a loss, asked as the fit of such a script asks it."""
    import keras

    names: dict[str, Any] = {"keras": keras, "ops": keras.ops}
    exec(loss, names)
    x = np.linspace(-1, 1, 60).reshape(-1, 1)
    y = np.concatenate([np.sin(3 * x), x**2], axis=1)[:, :outputs]
    return known_as(names["mine"], y, flat=False)


@pytest.mark.parametrize("outputs", [2])
@pytest.mark.parametrize("loss", KNOWN)
def test_known_by_what_it_gives(loss: str, outputs: int):
    assert asked(loss, outputs) == KNOWN[loss]


@pytest.mark.parametrize("name", UNKNOWN)
def test_any_other_is_left_alone(name: str):
    assert asked(UNKNOWN[name], 2) is None


def test_a_root_is_retrained(tmp_path: Path):
    (fit,) = fits(tmp_path, script(next(iter(KNOWN)), 2))
    assert fit.unsupported is None
    assert (fit.recipe.loss, fit.recipe.loss_factor) == ("rmse", 1.0)
    assert replay(fit, 0).status == "reproduced"


def test_that_it_was_asked_is_not_seen(tmp_path: Path, capsys):
    loss = next(each for each in KNOWN if "print" in each)
    code = script(loss, 1)
    fits(tmp_path, code)
    printed = capsys.readouterr().out.count("asked")
    exec(compile(code, "plain.py", "exec"), {"__name__": "__main__"})
    assert capsys.readouterr().out.count("asked") == printed > 0


def test_an_unknown_one_gets_evidence(tmp_path: Path):
    (fit,) = fits(tmp_path, script(UNKNOWN["uneven"], 2))
    assert fit.unsupported == "loss <lambda> is not supported"
    assert fit.predictions is not None


def test_weighted_samples_beside_one_are_told(tmp_path: Path):
    known = next(iter(KNOWN))
    code = script(known, 1).replace("verbose=0", "verbose=0, sample_weight=np.ones(60)")
    (fit,) = fits(tmp_path, code)
    assert fit.unsupported == "loss mine beside weights or a data set is not supported"
    batches = """class Batches(keras.utils.PyDataset):
    def __len__(self): return 4
    def __getitem__(self, at): return x[at::4], y[at::4], np.ones(15)
model.fit(Batches(), epochs=8"""
    code = script(known, 1).replace("model.fit(x, y, epochs=8, batch_size=16", batches)
    (fit,) = fits(tmp_path, code)
    assert fit.unsupported == "loss mine beside weights or a data set is not supported"


def test_a_loss_class_is_asked_with_the_scripts_own_shape(tmp_path: Path):
    """Keras does not align what a `Loss` gets: flat targets are spread against the outputs."""
    known = next(each for each in KNOWN if each.startswith("class"))
    code = script(known, 1).replace("[:, :1]", "[:, 0]")
    (fit,) = fits(tmp_path, code)
    assert fit.unsupported == "loss Mine is not supported"
