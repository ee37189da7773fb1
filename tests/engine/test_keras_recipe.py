"""A recipe made into a Keras model and read back is the same; callbacks do what Keras's do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.engine import keras_reference, parity
from tests.engine.parity import recipe_of
from tests.engine.test_parity_keras import ACTIVATIONS, LOSSES, OPTIMIZERS, PARTS, SCHEDULES
from whyfit.adapters.keras import recipe as keras_recipe
from whyfit.adapters.keras.graph import network_of
from whyfit.engine.lanes import Order, train, why_unsupported
from whyfit.errors import UsageError
from whyfit.records.fit import HeldOut
from whyfit.records.recipe import Initializer, Optimizer, Penalty, Recipe
from whyfit.records.schedule import EarlyStopping, Schedule

pytestmark = pytest.mark.framework

GLOROT = Initializer("glorot_uniform")
ZEROS = Initializer("zeros")

RECIPES = {
    **{f"activation {each.name}": recipe_of(each) for each in ACTIVATIONS if each.name != "sine"},
    **{f"loss {name}": recipe for name, recipe in LOSSES.items()},
    **{f"optimizer {name}": recipe_of(optimizer=each) for name, each in OPTIMIZERS.items()},
    **{f"schedule {name}": recipe_of(schedule=each) for name, each in SCHEDULES.items()},
    **PARTS,
    "dropout": replace(
        recipe_of(), layers=(replace(recipe_of().layers[0], dropout=0.2), *recipe_of().layers[1:])
    ),
    "dropped inputs": recipe_of(input_dropout=0.1),
}


def plain(recipe: Recipe) -> Recipe:
    """With Keras's default initializers, which these models have."""
    layers = tuple(
        replace(each, kernel_initializer=GLOROT, bias_initializer=ZEROS) for each in recipe.layers
    )
    return replace(recipe, layers=layers)


@pytest.mark.parametrize("name", RECIPES)
def test_round_trip(name: str):
    recipe = plain(RECIPES[name])
    # tanh and gelu's other form are plain functions in the reference; the default names stand in
    layers = [replace(each) for each in recipe.layers]
    if any(each.activation.name in ("tanh", "gelu_tanh") for each in layers):
        recipe = replace(
            recipe,
            layers=tuple(
                replace(each, activation=replace(each.activation, name="softsign"))
                if each.activation.name in ("tanh", "gelu_tanh")
                else each
                for each in layers
            ),
        )
    model = keras_reference.model_of(recipe)
    found, reason = keras_recipe.recipe_of(
        model,
        network_of(model, model.input_shape[-1]),
        batch_size=recipe.batch_size,
        epochs=recipe.epochs,
        shuffle=False,
        callbacks=[],
    )
    assert reason is None
    for ours, theirs in zip(found.layers, recipe.layers, strict=True):
        assert ours.activation.name == theirs.activation.name
        assert ours.activation.constants[:1] == theirs.activation.constants[:1]
    same_layers = replace(
        found,
        layers=tuple(
            replace(ours, activation=theirs.activation)
            for ours, theirs in zip(found.layers, recipe.layers, strict=True)
        ),
    )
    close = replace(same_layers, optimizer=recipe.optimizer, schedule=recipe.schedule)
    assert close == recipe
    for record in ("optimizer", "schedule"):
        ours, theirs = getattr(found, record), getattr(recipe, record)
        if theirs is not None:
            numbers = [
                (mine, vars(theirs)[key])
                for key, mine in vars(ours).items()
                if isinstance(mine, float)
            ]
            assert [a for a, _b in numbers] == pytest.approx([b for _a, b in numbers])
    assert found.optimizer.name == recipe.optimizer.name


CALLBACKS = {
    "plateau": Schedule(
        "plateau", per="epoch", factor=0.4, patience=2, threshold=3e-3, cooldown=2, minimum=0.02
    ),
    "stopping": EarlyStopping(patience=3, min_delta=2e-3),
    "stopping, best restored": EarlyStopping(patience=3, min_delta=2e-3, restore_best=True),
    "stopping from an epoch": EarlyStopping(patience=2, min_delta=0.01, start_from_epoch=15),
    "stopping at a baseline": EarlyStopping(
        patience=4, min_delta=2e-3, baseline=0.1, restore_best=True
    ),
}


CALLBACKS |= {
    f"{name}, by held-out samples": replace(record, monitor="held_out_loss")
    for name, record in CALLBACKS.items()
}
MONITORS = {"loss": "loss", "held_out_loss": "val_loss"}


def callback_of(record: Schedule | EarlyStopping):
    import keras

    if isinstance(record, Schedule):
        return keras.callbacks.ReduceLROnPlateau(
            monitor=MONITORS[record.monitor],
            factor=record.factor,
            patience=record.patience,
            min_delta=record.threshold,
            cooldown=record.cooldown,
            min_lr=record.minimum,
        )
    return keras.callbacks.EarlyStopping(
        monitor=MONITORS[record.monitor],
        patience=record.patience,
        min_delta=record.min_delta,
        restore_best_weights=record.restore_best,
        baseline=record.baseline,
        start_from_epoch=record.start_from_epoch,
    )


@pytest.mark.parametrize("name", CALLBACKS)
def test_callbacks(name: str):
    """Against Keras's own `fit` with a short last batch; a large rate makes the loss rise at times."""
    record = CALLBACKS[name]
    recipe = replace(
        recipe_of("softsign", optimizer=Optimizer("sgd", 0.6, momentum=0.5)),
        epochs=40,
        batch_size=24,
    )
    layers = tuple(replace(each, kernel_penalty=Penalty(0.0, 1e-3)) for each in recipe.layers)
    recipe = replace(recipe, layers=layers)
    x, y = parity.data(2, 2)
    # Samples of another law than the data's, so that their loss goes its own way.
    held_out = HeldOut(x[:37] + 0.3, y[:37] * 0.5 + 0.1) if "held-out" in name else None
    start = parity.starts_of(recipe)[0]
    model = keras_reference.model_of(recipe)
    keras_reference.set_weights(model, start)
    callback = callback_of(record)
    found, reason = keras_recipe.recipe_of(
        model,
        network_of(model, model.input_shape[-1]),
        batch_size=24,
        epochs=40,
        shuffle=False,
        callbacks=[callback],
        validated=held_out is not None,
    )
    assert reason is None
    history = model.fit(
        x.astype("float32"),
        y.astype("float32"),
        batch_size=24,
        epochs=40,
        shuffle=False,
        verbose=0,
        callbacks=[callback],
        validation_data=(held_out.x, held_out.y) if held_out else None,
    ).history["loss"]
    trained = train(found, x, y, start[None], held_out=held_out, order=Order("given"), history=True)
    done = int(trained.epochs_done[0])
    assert done == len(history)
    assert trained.history[0][:done] == pytest.approx(history, rel=1e-4)
    assert np.isnan(trained.history[0][done:]).all()
    if isinstance(record, EarlyStopping):
        assert done < 40, "nothing was stopped"
    assert parity.difference(recipe, trained.weights[0], keras_reference.row_of(model)) <= 1e-4


@pytest.mark.parametrize(
    ("monitor", "validated", "told"),
    [
        ("val_loss", False, None),  # Keras warns and goes on
        ("val_mae", True, "EarlyStopping on val_mae is not supported, only on loss and val_loss"),
        ("val_mae", False, None),
    ],
)
def test_what_else_is_monitored(monitor: str, validated: bool, told: str | None):
    import keras

    model = keras_reference.model_of(recipe_of("softsign"))
    recipe, reason = keras_recipe.recipe_of(
        model,
        network_of(model, model.input_shape[-1]),
        batch_size=16,
        epochs=1,
        shuffle=True,
        callbacks=[keras.callbacks.EarlyStopping(monitor=monitor)],
        validated=validated,
    )
    assert reason == told
    assert recipe.early_stopping is None


def test_held_out_samples_must_be_given_and_fit():
    recipe = replace(
        recipe_of("tanh"), early_stopping=EarlyStopping(2, monitor="held_out_loss"), epochs=1
    )
    x, y = parity.data(2, 2)
    starts = parity.starts_of(recipe)
    with pytest.raises(UsageError, match="pass them as held_out"):
        train(recipe, x, y, starts)
    with pytest.raises(UsageError, match=r"held_out\.x must have shape \(held_out, 2\)"):
        train(recipe, x, y, starts, held_out=HeldOut(x[:, :1], y))
    summed = replace(recipe, reduction="sum")
    assert why_unsupported(summed) == "a summed loss of held-out samples is not supported"
