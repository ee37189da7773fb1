"""A trained scikit-learn regressor as a fit, taken out of whatever it stands in.

A Pipeline's earlier steps are applied to x, TransformedTargetRegressor's transformer to y
(sklearn/pipeline.py, sklearn/compose/_target.py), a search gives its best estimator.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from whyfit.adapters.given import Given, Known, TrainedFit, as_table, check_lengths
from whyfit.adapters.places import calling_place
from whyfit.adapters.scalers import describe
from whyfit.adapters.sklearn import recipe as sklearn_recipe
from whyfit.errors import UsageError
from whyfit.records.fit import Fit, Place, Scaler
from whyfit.records.network import Array


class _Unwrapped:
    """The regressor inside, the data as they reached it, and the scalers on the way."""

    def __init__(self, model: Any, x: Array, y: Array) -> None:
        self.model, self.x, self.y = model, x, y
        self.input_scaler: Scaler | None = None
        self.target_scaler: Scaler | None = None
        self._x_steps = self._y_steps = 0
        while self._step():
            pass

    def _step(self) -> bool:
        model = self.model
        if hasattr(model, "best_estimator_"):
            self.model = model.best_estimator_
        elif hasattr(model, "steps"):
            for _name, step in model.steps[:-1]:
                self._transform_x(step)
            self.model = model.steps[-1][1]
        elif hasattr(model, "regressor_") and hasattr(model, "transformer_"):
            self._transform_y(model.transformer_)
            self.model = model.regressor_
        else:
            return False
        return True

    def _transform_x(self, step: Any) -> None:
        if step is None or step == "passthrough":
            return
        values = step.transform(self.x)
        values = values.toarray() if hasattr(values, "toarray") else np.asarray(values)
        self.x = values.astype(np.float64)
        self._x_steps += 1
        # Two steps in a row are no one scaler, in whose units a report could speak.
        self.input_scaler = describe(step) if self._x_steps == 1 else None

    def _transform_y(self, transformer: Any) -> None:
        given = self.y
        values = np.asarray(transformer.transform(given), dtype=np.float64)
        self.y = values.reshape(len(values), -1)
        self._y_steps += 1
        self.target_scaler = describe(transformer) if self._y_steps == 1 else None


def fit_of(model: Any, given: Given) -> TrainedFit:
    """The fit of the MLPRegressor inside; scikit-learn keeps all of its recipe but the start."""
    import sklearn

    x, y = as_table("x", given.x), as_table("y", given.y)
    check_lengths(x, y)
    try:
        inside = _Unwrapped(model, x, y)
    except ValueError as error:
        raise UsageError(f"the model's own steps cannot take x and y: {error}") from None
    regressor = inside.model
    if not hasattr(regressor, "hidden_layer_sizes") or hasattr(regressor, "classes_"):
        raise UsageError(f"model must hold an MLPRegressor: got {type(regressor).__name__}")
    if not hasattr(regressor, "coefs_"):
        raise UsageError("model must be trained: call its fit before whyfit.diagnose")
    if inside.x.shape[1] != regressor.coefs_[0].shape[0]:
        raise UsageError(
            f"x must have {regressor.coefs_[0].shape[0]} columns for this model: got "
            f"{inside.x.shape[1]}"
        )
    known = Known()
    recipe, reason = sklearn_recipe.recipe_of(regressor, len(inside.x))
    if regressor.solver == "sgd" and regressor.learning_rate == "adaptive":
        known.assume("that an adaptive learning rate falls anew")
    end = recipe.network(sklearn_recipe.flat(regressor))
    losses = given.logs or {"loss": tuple(getattr(regressor, "loss_curve_", ()))}
    fit = Fit(
        framework="sklearn",
        place=calling_place() or Place("<unknown>", 0),
        x=inside.x,
        y=inside.y,
        x_shape=np.shape(given.x),
        y_shape=np.shape(given.y),
        recipe=recipe,
        unsupported=reason,
        start=None,
        end=end,
        predictions=end(inside.x),
        weight_history=None,
        history=losses,
        epochs_done=int(regressor.n_iter_),
        input_scaler=inside.input_scaler,
        target_scaler=inside.target_scaler,
        summary=type(regressor).__name__,
        environment={"sklearn": str(sklearn.__version__)},
    )
    return TrainedFit(fit, known.note)
