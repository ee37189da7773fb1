"""A `decay` that Keras 3 takes and ignores: seen, suspected, retrained as it was meant, and patched."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.adapters.scripts import run
from whyfit.measure.evidence import gather
from whyfit.patching.patch import Patch, patch
from whyfit.records.finding import Change
from whyfit.records.fit import Fit
from whyfit.records.study import arm
from whyfit.rules import decay_ignored
from whyfit.study import factors

pytestmark = [
    pytest.mark.framework,
    pytest.mark.filterwarnings("ignore:Argument `decay` is no longer supported"),
]

SCRIPT = """
import keras
import numpy as np
from keras import optimizers
from keras.optimizers import SGD, Adam

rate = 0.5
x = np.linspace(-1, 1, 40).reshape(-1, 1)
model = keras.Sequential([keras.layers.Input((1,)), keras.layers.Dense(1)])
made = OPTIMIZER
model.compile(loss='mse', optimizer=made)
model.fit(x, x ** 2, epochs=2, batch_size=20, verbose=0)
"""


def script(optimizer: str) -> str:
    return SCRIPT.replace("OPTIMIZER", optimizer)


def captured(folder: Path, source: str) -> Fit:
    found, _program = run(folder, source)
    assert found.error is None, found.error
    assert all("Keras 3 ignores decay=" in each for each in found.problems)
    (fit,) = found.fits
    return fit


def patched(folder: Path, source: str, *changes: Change) -> tuple[Fit, Patch]:
    found, program = run(folder, source)
    (fit,) = found.fits
    return fit, patch(source, program.path, fit, arm(*changes))


@pytest.mark.parametrize(
    ("optimizer", "decay"),
    [
        ("SGD(0.1, decay=1e-3)", 1e-3),
        ("Adam(decay=np.float32(0.25))", 0.25),
        ("Adam(**{'learning_rate': 0.1, 'decay': 0.5})", 0.5),
        ("SGD(0.1)", None),
        ("SGD(0.1, decay=0.0)", None),
        ("SGD(0.1, decay=-1.0)", None),
        ("SGD(0.1, decay='slow')", None),
        # Of an optimizer that is not the model's it is no matter.
        ("[SGD(0.1, decay=1e-3), SGD(0.1)][1]", None),
    ],
)
def test_what_was_ignored_is_noted(tmp_path: Path, optimizer: str, decay: float | None):
    fit = captured(tmp_path, script(optimizer))
    assert fit.ignored_decay == decay
    assert (decay_ignored.check(gather(fit)) is None) == (decay is None)


def test_the_finding_has_the_numbers_and_the_change(tmp_path: Path):
    fit = captured(tmp_path, script("SGD(0.1, decay=0.25)"))
    found = decay_ignored.check(gather(fit))
    assert found is not None
    assert found.message == (
        "Keras 3 ignores decay=0.25: the learning rate stayed 0.1, and was to fall to 0.05 in 4 steps"
    )
    assert found.measures[0].value == 0.25
    assert found.remedies == (Change("decay", "0.25"),)
    assert fit.recipe is not None
    assert factors.resolve(found.remedies[0], fit, fit.recipe) == found.remedies[0]


def test_beside_a_schedule_it_is_told_and_not_tested(tmp_path: Path):
    schedule = "keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9)"
    fit = captured(tmp_path, script(f"SGD({schedule}, decay=0.25)"))
    found = decay_ignored.check(gather(fit))
    assert found is not None
    assert not found.remedies
    assert fit.recipe is not None
    assert factors.resolve(Change("decay", "0.25"), fit, fit.recipe) is None


PLACED = {
    "SGD(0.1, decay=1e-3)": "SGD(InverseTimeDecay(0.1, 1, 1e-3))",
    "SGD(decay=1e-3, learning_rate=rate)": "SGD(learning_rate=InverseTimeDecay(rate, 1, 1e-3))",
    # What the author wrote stays; the rate that Keras 3 takes by itself is that of the fit.
    "Adam(decay=rate / 100)": "Adam(learning_rate=InverseTimeDecay(0.001, 1, rate / 100))",
    "optimizers.SGD(0.1, decay=1e-3, momentum=0.9)": (
        "optimizers.SGD(optimizers.schedules.InverseTimeDecay(0.1, 1, 1e-3), momentum=0.9)"
    ),
    "SGD(learning_rate=0.1, decay=1e-3, **{'momentum': 0.9})": (
        "SGD(learning_rate=InverseTimeDecay(0.1, 1, 1e-3), **{'momentum': 0.9})"
    ),
}


@pytest.mark.parametrize("optimizer", PLACED)
def test_the_patch_is_what_was_retrained(tmp_path: Path, optimizer: str):
    source = script(optimizer)
    fit = captured(tmp_path, source)
    change = Change("decay", repr(fit.ignored_decay))
    fit, made = patched(tmp_path, source, change)
    assert made.source is not None, made.words
    assert f"made = {PLACED[optimizer]}\n" in made.source
    assert fit.recipe is not None
    meant = factors.apply(arm(change), fit, fit.recipe)
    again = captured(tmp_path, made.source)
    assert again.recipe == meant
    assert again.ignored_decay is None


def test_with_another_rate_in_one_patch(tmp_path: Path):
    changes = Change("decay", "0.001"), Change("learning_rate", "0.05")
    fit, made = patched(tmp_path, script("SGD(learning_rate=0.1, decay=0.001)"), *changes)
    assert made.source is not None, made.words
    assert "SGD(learning_rate=InverseTimeDecay(0.05, 1, 0.001))" in made.source
    assert fit.recipe is not None
    again = captured(tmp_path, made.source)
    assert again.recipe == factors.apply(arm(*changes), fit, fit.recipe)


def test_another_decay_than_the_authors(tmp_path: Path):
    _fit, made = patched(tmp_path, script("SGD(0.1, decay=0.001)"), Change("decay", "0.5"))
    assert made.source is not None, made.words
    assert "SGD(InverseTimeDecay(0.1, 1, 0.5))" in made.source


@pytest.mark.parametrize(
    "optimizer",
    [
        "Adam(**{'learning_rate': 0.1, 'decay': 0.5})",
        "SGD(*[0.1], decay=0.5)",
        "SGD(decay=0.5, **{'learning_rate': 0.1})",
        "optimizers.get({'class_name': 'SGD', 'config': {'learning_rate': 0.1, 'decay': 0.5}})",
    ],
)
def test_what_cannot_be_placed_is_told(tmp_path: Path, optimizer: str):
    fit, made = patched(tmp_path, script(optimizer), Change("decay", "0.5"))
    assert fit.ignored_decay == 0.5
    assert made.source is None
    assert made.words == (
        "write learning_rate=keras.optimizers.schedules.InverseTimeDecay(rate, 1, 0.5) by hand: the "
        "call of line 10 does not say which rate and decay it passes",
    )


def test_no_patch_beside_a_scheduler(tmp_path: Path):
    """A LearningRateScheduler that leaves the rate alone: Keras cannot set that of a schedule."""
    source = script("SGD(0.1, decay=0.5)").replace(
        "verbose=0", "verbose=0, callbacks=[keras.callbacks.LearningRateScheduler(lambda _e, r: r)]"
    )
    _fit, made = patched(tmp_path, source, Change("decay", "0.5"))
    assert made.source is None
    assert "a LearningRateScheduler sets the rate" in made.words[0]


def test_goes_with_a_rate_and_not_with_an_optimizer():
    decay = Change("decay", "0.5")
    assert factors.compatible(decay, Change("learning_rate", "0.01"))
    assert not factors.compatible(decay, Change("optimizer", factors.ADAM))
