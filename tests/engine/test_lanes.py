"""What a replicate's lane may not do to its neighbours, and what a call may not do to a replicate."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests import fits
from tests.engine import parity
from whyfit.engine.initializers import draw
from whyfit.engine.lanes import TARGETS, Order, train, why_unsupported
from whyfit.errors import Unsupported, UsageError
from whyfit.records.recipe import Optimizer, Recipe
from whyfit.records.schedule import EarlyStopping, Schedule


def dropping(recipe: Recipe, rate: float = 0.3) -> Recipe:
    return replace(recipe, layers=(replace(recipe.layers[0], dropout=rate), *recipe.layers[1:]))


RECIPES = {
    "shallow relu": fits.recipe((4,), epochs=3),
    "shallow tanh": fits.recipe((5,), "tanh", epochs=3),
    "deep gelu": fits.recipe((4, 3), "gelu", epochs=3),
    "dropout": dropping(fits.recipe((6, 3), "silu", epochs=3)),
    "dropped inputs": replace(fits.recipe((6,), "silu", epochs=3), input_dropout=0.2),
    "watching": replace(
        fits.recipe((5,), "sigmoid", epochs=6, rate=0.3),
        schedule=Schedule("plateau", per="epoch", factor=0.5, patience=1, threshold=1e-3),
        early_stopping=EarlyStopping(patience=2, min_delta=1e-3, restore_best=True),
    ),
}


@pytest.mark.parametrize("kind", ["group", "replicate"])
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", RECIPES)
def test_a_replicate_is_the_same_in_every_call(name: str, target: str, kind: str):
    """Bitwise, whatever the number of replicates, of threads, and the cut into calls."""
    recipe = RECIPES[name]
    x, y = fits.sine(150)
    starts = draw(recipe, 0, 0, 50)
    options = {"order": Order(kind, seed=4), "target": target}
    whole = train(recipe, x, y, starts, threads=2, **options).weights
    one = train(recipe, x, y, starts, threads=1, **options).weights
    few = train(recipe, x, y, starts[:17], threads=2, **options).weights
    alone = train(recipe, x, y, starts[:16], threads=8, **options).weights
    later = train(recipe, x, y, starts[32:], first_replicate=32, **options).weights
    assert np.array_equal(whole, one)
    assert np.array_equal(whole[:17], few)
    assert np.array_equal(whole[:16], alone)
    assert np.array_equal(whole[32:], later)
    assert len(np.unique(whole[:, 0])) == 50


@pytest.mark.parametrize("samples", [1, 2, 3, 64, 65, 66, 150, 333])
@pytest.mark.parametrize("batch", [1, 32, 200])
@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("target", TARGETS)
def test_a_shuffle_beside_the_passes_is_the_permutation(
    target: str, activation: str, batch: int, samples: int
):
    """Pairs are shuffled while four units are trained, weighted samples by a permutation at once."""
    recipe = replace(fits.recipe((4,), activation, epochs=4), batch_size=batch)
    x, y = fits.sine(samples)
    options = {"order": Order("group", seed=9), "target": target, "precision": "float64"}
    starts = draw(recipe, 0, 0, 18)
    beside = train(recipe, x, y, starts, **options).weights
    at_once = train(recipe, x, y, starts, sample_weight=np.ones(samples), **options).weights
    assert beside == pytest.approx(at_once, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("kind", ["given", "group", "replicate"])
@pytest.mark.parametrize("units", [(4,), (5,), (4, 3)])
@pytest.mark.parametrize("target", TARGETS)
def test_weights_stay_with_their_samples(target: str, units: tuple[int, ...], kind: str):
    """Samples of weight 0 may have any targets, however the samples are shuffled."""
    recipe = fits.recipe(units, "tanh", epochs=3)
    x, y = fits.sine(100)
    weight = np.where(np.arange(100) % 3, 1.0, 0.0)
    starts = draw(recipe, 0, 0, 20)
    options = {"sample_weight": weight, "order": Order(kind, seed=2), "target": target}
    found = train(recipe, x, y, starts, **options)
    other = train(recipe, x, np.where(weight[:, None] > 0, y, 1e3), starts, **options)
    assert np.array_equal(found.weights, other.weights)


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("units", [(4,), (4, 3)])
def test_divergence_stays_in_its_lane(units: tuple[int, ...], target: str, precision: str):
    recipe = replace(fits.recipe(units, "leaky_relu", epochs=4), optimizer=Optimizer("sgd", 0.05))
    x, y = fits.sine(100)
    starts = draw(recipe, 0, 0, 16)
    options = {"target": target, "precision": precision}
    calm = train(recipe, x, y, starts, **options)
    wild = starts.copy()
    wild[5] = wild[5] * 1e3  # swings wider at every step until it overflows
    wild[9] = np.nan
    found = train(recipe, x, y, wild, history=True, **options)
    others = [lane for lane in range(16) if lane not in (5, 9)]
    assert np.array_equal(found.weights[others], calm.weights[others])
    assert np.all(found.diverged_at[others] == -1)
    assert found.diverged_at[9] == 0
    assert 0 < found.diverged_at[5] < recipe.steps(len(x))
    assert np.isfinite(found.history[others]).all()


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("units", [(4,), (9,), (4, 3)])
@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "elu"])
def test_a_nan_stays_one(activation: str, units: tuple[int, ...], target: str, precision: str):
    """Whichever weight it is that is NaN: a unit that is neither on nor off is not off."""
    recipe = fits.recipe(units, activation, kernel=fits.HE, epochs=2)
    x, y = fits.sine(70, -1.0, 1.0)
    starts = np.repeat(draw(recipe, 0, 0, 1), recipe.parameters + 1, axis=0)
    starts[np.arange(recipe.parameters), np.arange(recipe.parameters)] = np.nan
    found = train(recipe, x, y, starts, target=target, precision=precision)
    assert np.isnan(found.mean_squared_error[:-1]).all()
    assert np.all(found.diverged_at == [0] * recipe.parameters + [-1])
    assert np.isfinite(found.weights[-1]).all()


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("units", [(4,), (9,), (4, 3)])
def test_an_infinite_weight_of_a_dead_unit_is_seen(units: tuple[int, ...], target: str):
    """0 times infinity is NaN, in the frameworks and here."""
    recipe = fits.recipe(units, "relu", kernel=fits.HE, epochs=2)
    x, y = fits.sine(70)
    starts = draw(recipe, 0, 0, 2)
    last = recipe.layers[-2].units
    starts[1, 0], starts[1, units[0]] = -1.0, -1.0  # off for all x in [0, 1]
    if len(units) == 1:
        starts[1, -1 - last] = np.inf
    else:
        starts[1, 2 * units[0] : 2 * units[0] + units[1]] = np.inf
    found = train(recipe, x, y, starts, target=target)
    assert found.diverged_at.tolist() == [-1, 0]


def test_the_step_of_divergence():
    """The loss of step k is the first that is not a finite number: k steps were sound before."""
    recipe = replace(
        fits.recipe((4,), epochs=1, batch_size=1, shuffle=False), optimizer=Optimizer("sgd", 1e-3)
    )
    x, y = fits.sine(50)
    y[7] = np.inf
    found = train(recipe, x, y, draw(recipe, 0, 0, 4), order=Order("given"))
    assert found.diverged_at.tolist() == [7] * 4


@pytest.mark.parametrize("target", TARGETS)
def test_instruction_sets_agree(target: str):
    for recipe in RECIPES.values():
        if recipe.early_stopping:
            continue  # a last bit may move the epoch at which a lane stops
        x, y = fits.sine(150)
        starts = draw(recipe, 0, 0, 16)
        best = train(recipe, x, y, starts).weights
        found = train(recipe, x, y, starts, target=target).weights
        assert found == pytest.approx(best, rel=1e-3, abs=1e-4)


def test_stopped_replicates_keep_what_they_had():
    recipe = RECIPES["watching"]
    recipe = replace(recipe, epochs=60)
    x, y = fits.sine(150)
    starts = draw(recipe, 0, 0, 32)
    found = train(recipe, x, y, starts, history=True, snapshot_every=1)
    assert len(set(found.epochs_done.tolist())) > 3, "all stopped at once"
    for lane, done in enumerate(found.epochs_done):
        history = found.history[lane]
        assert np.isfinite(history[:done]).all()
        assert np.isnan(history[done:]).all()
        past = found.snapshots[lane, :done]
        assert any(np.array_equal(found.weights[lane], row) for row in past)
        network = recipe.network(found.weights[lane].astype(np.float64))
        assert found.mean_squared_error[lane] == pytest.approx(
            np.mean((network(x) - y) ** 2), rel=1e-3
        )


def test_dropout_drops_its_share():
    """Of the inputs of a linear unit that sums ones, 1 - rate stay, divided by 1 - rate."""
    rate, inputs = 0.3, 64
    recipe = replace(
        fits.recipe((), inputs=inputs, epochs=1, batch_size=1, shuffle=False),
        input_dropout=rate,
        optimizer=Optimizer("sgd", 0.0),
    )
    x, y = np.ones((500, inputs)), np.zeros((500, 1))
    starts = np.zeros((16, recipe.parameters))
    starts[:, :inputs] = 1.0
    # Without learning the mean loss is the second moment of sums of Bernoulli variables.
    losses = train(recipe, x, y, starts, order=Order("given"), history=True).history[:, 0]
    variance = inputs * rate / (1 - rate)
    assert len(np.unique(losses)) == 16
    spread = 2 * inputs * np.sqrt(variance / 500)
    assert np.abs(losses - (inputs**2 + variance)).max() < 5 * spread
    assert np.abs(losses.mean() - (inputs**2 + variance)) < 5 * spread / 4


def test_no_dropout_in_the_end_error():
    recipe = dropping(fits.recipe((8,), "tanh", epochs=2), 0.5)
    x, y = fits.sine(100)
    found = train(recipe, x, y, draw(recipe, 0, 0, 16))
    for row, error in zip(found.weights, found.mean_squared_error, strict=True):
        network = recipe.network(row.astype(np.float64))
        assert error == pytest.approx(np.mean((network(x) - y) ** 2), rel=1e-4)


def test_refusals():
    recipe = parity.recipe_of("softmax")
    assert why_unsupported(recipe) == "softmax before the last layer is not supported"
    with pytest.raises(Unsupported, match="softmax"):
        train(recipe, *parity.data(2, 2), draw(recipe, 0, 0, 1))
    recipe = parity.recipe_of(drop_last=True)
    with pytest.raises(UsageError, match="no step would be taken"):
        train(recipe, np.zeros((3, 2)), np.zeros((3, 2)), draw(recipe, 0, 0, 1))


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("units", [(4,), (16,)])
def test_signs_that_cancel_give_a_gradient_of_zero(units: tuple[int, ...], target: str):
    """As many outputs too high as too low: Adam would make a step of what rounding left of their sum."""
    recipe = fits.recipe(units, "tanh", kernel=fits.HE, epochs=5, batch_size=100, shuffle=False)
    recipe = replace(recipe, loss="mae", optimizer=Optimizer("adam", 0.01, framework="torch"))
    recipe = replace(recipe, optimizer=replace(recipe.optimizer, epsilon=1e-8))
    x = np.random.default_rng(0).uniform(-1, 1, (100, 1))
    y = np.where(np.arange(100) < 50, 9.0, -9.0)[:, None]
    found = train(recipe, x, y, draw(recipe, 0, 0, 8), order=Order("given"), target=target)
    assert np.all(found.weights[:, -1] == 0.0)
