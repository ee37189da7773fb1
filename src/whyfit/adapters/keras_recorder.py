"""One call of Keras's `fit`, recorded: the data, the recipe, the weights on the way, and the end."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from whyfit.adapters import keras_graph, keras_rates, keras_recipe
from whyfit.adapters._adapter import Session, Substitute
from whyfit.adapters.sklearn import same_scaler, scaler_of
from whyfit.adapters.watching import guarded
from whyfit.errors import Unsupported
from whyfit.records.fit import Call, Fit, HeldOut, Place, WeightHistory
from whyfit.records.network import Array
from whyfit.records.recipe import Recipe

if TYPE_CHECKING:
    from whyfit.adapters.keras import KerasAdapter

MOST_SNAPSHOT_BYTES = 64e6
"""Memory for weights per epoch; a larger network is recorded at fewer epochs."""

SEEDING_WEIGHTS = ("random.seed", "keras.utils.set_random_seed")
"""Calls that reach unseeded initializers (keras/src/random/seed_generator.py, make_default_seed)."""


@dataclass(frozen=True, eq=False)
class _Recorded:
    """All weights after so many epochs."""

    epoch: int
    weights: Array


@dataclass
class KerasRecorder:
    """Records one call of `fit`, from the arguments to the end weights."""

    session: Session
    adapter: KerasAdapter
    model: Any
    given: dict[str, Any]
    place: Place | None
    ready: bool = False
    reason: str | None = None
    x: Array = field(default_factory=lambda: np.zeros((0, 1)))
    y: Array = field(default_factory=lambda: np.zeros((0, 1)))
    x_shape: tuple[int, ...] = ()
    y_shape: tuple[int, ...] = ()
    network: Any = None
    recipe: Recipe | None = None
    start: Array | None = None
    recorded: list[_Recorded] = field(default_factory=list)
    latest: _Recorded | None = None
    history: dict[str, list[float]] = field(default_factory=dict)
    rates: list[float] = field(default_factory=list)
    epochs_done: int = 0
    output_shape: tuple[int, ...] = ()
    every: int = 1
    complete: bool = False
    warnings: tuple[str, ...] = ()
    engine_trained: bool = False
    validation: Any = None
    held_out: HeldOut | None = None

    # ---- before training ----

    def take_data(self) -> None:
        """Copy x and y as Keras will train on them; say why not where that is impossible."""
        x, y = self.given.get("x"), self.given.get("y")
        if x is None or y is None or not is_array(x) or not is_array(y):
            self.reason = (
                f"data of type {type(x).__name__} is not supported; pass x and y to fit as arrays"
            )
            return
        x, y = np.asarray(x), np.asarray(y)
        for name, data in (("x", x), ("y", y)):
            if not (np.issubdtype(data.dtype, np.number) or data.dtype == bool):
                self.reason = f"{name} of type {data.dtype} is not supported"
                return
        self.x_shape, self.y_shape = x.shape, y.shape
        if len(x) == 0 or len(x) != len(y):
            self.reason = f"x has {len(x)} samples and y has {len(y)}"
            return
        share = float(self.given.get("validation_split") or 0.0)
        if share and self.given.get("validation_data") is None:
            kept = int(np.floor(len(x) * (1.0 - share)))
            self.validation = (x[kept:], y[kept:])
            x, y = x[:kept], y[:kept]
        self.x = np.array(x, dtype=np.float64).reshape(len(x), -1)
        self.y = np.array(y, dtype=np.float64).reshape(len(y), -1)
        self.ready = True
        for name in ("sample_weight", "class_weight", "steps_per_epoch"):
            if self.given.get(name) is not None:
                self.reason = self.reason or f"{name} is not supported"
        if len(x.shape) > 2:
            self.reason = self.reason or f"x of shape {self.x_shape} is not supported"
        for name, data in (("x", self.x), ("y", self.y)):
            bad = int(np.sum(~np.isfinite(data)))
            if bad:
                what = (
                    "value that is not a finite number"
                    if bad == 1
                    else ("values that are not finite numbers")
                )
                self.reason = f"{name} holds {bad} {what}; remove or fill them before fit"
            if bad == data.size:
                self.ready = False

    def begin(self) -> None:
        """Read recipe and start weights, before the first step."""
        try:
            self.network = self._known_network()
            self.recipe = self._recipe()
        except Unsupported as unsupported:
            self.reason = self.reason or str(unsupported)
        if self.recipe is not None:
            self.start = keras_recipe.flat(self.network.get_weights())
            bytes_each = 8 * len(self.start)
            self.every = max(1, int(np.ceil(bytes_each * self.recipe.epochs / MOST_SNAPSHOT_BYTES)))
            self.latest = _Recorded(0, self.start)
            self.recorded = [self.latest]

    def _known_network(self) -> Any:
        """The model as a graph, made once for all its fits."""
        last = self.adapter.last.get(id(self.model))
        if last is not None and last.model is self.model and last.network is not None:
            return last.network
        return keras_graph.network_of(self.model, self.x.shape[1])

    def _recipe(self) -> Recipe:
        if int(np.asarray(self.model.optimizer.iterations)) > 0 and self._continued() is None:
            self.reason = "a model that was trained before this fit is not supported"
        if self.given.get("shuffle") not in (True, False):
            self.reason = f"shuffle={self.given.get('shuffle')!r} is not supported"
        callbacks = self.given.get("callbacks")
        validation = self.given.get("validation_data")
        if validation is not None:
            self.validation = validation
        recipe, reason = keras_recipe.recipe_of(
            self.model,
            self.network,
            batch_size=int(self.given.get("batch_size") or 32),
            epochs=int(self.given["epochs"]) - int(self.given.get("initial_epoch") or 0),
            shuffle=bool(self.given["shuffle"]),
            callbacks=callbacks if isinstance(callbacks, (list, tuple)) else [],
            validated=self.validation is not None,
        )
        if recipe.layers[-1].units != self.y.shape[1]:
            self.output_shape = (len(self.x), recipe.layers[-1].units)
            raise Unsupported(
                f"{recipe.layers[-1].units} outputs for targets of width {self.y.shape[1]} "
                "is not supported"
            )
        if recipe.inputs != self.x.shape[1]:
            raise Unsupported(f"x of shape {self.x_shape} is not supported")
        self.reason = self.reason or reason
        if recipe.watches_held_out:
            try:
                self.held_out = self._held_out()
            except Unsupported as unsupported:
                self.reason = self.reason or str(unsupported)
        return recipe

    def _held_out(self) -> HeldOut:
        """The validation data as arrays. Raises Unsupported where the engine could not go by them."""
        parts = self.validation
        if not isinstance(parts, (list, tuple)) or not all(is_array(each) for each in parts[:2]):
            kind = type(parts).__name__
            raise Unsupported(
                f"validation_data of type {kind}, by which training goes, is not supported"
            )
        if len(parts) > 2 and parts[2] is not None:
            raise Unsupported("weighted validation data, by which training goes, are not supported")
        for name, usual in (("validation_freq", 1), ("validation_steps", None)):
            if self.given.get(name, usual) != usual:
                raise Unsupported(f"{name} beside callbacks that watch val_loss is not supported")
        x, y = (np.array(each, dtype=np.float64).reshape(len(each), -1) for each in parts[:2])
        widths = (x.shape[1], y.shape[1])
        if widths != (self.x.shape[1], self.y.shape[1]) or len(x) != len(y) or not len(x):
            raise Unsupported(
                f"validation data of shapes {x.shape} and {y.shape} are not supported"
            )
        return HeldOut(x, y)

    def _continued(self) -> KerasRecorder | None:
        """The recorder of an earlier fit that this one simply goes on with."""
        last = self.adapter.last.get(id(self.model))
        if last is None or last.recipe is None or last.model is not self.model:
            return None
        same = (
            np.array_equal(last.x, self.x)
            and np.array_equal(last.y, self.y)
            and last.given.get("batch_size") == self.given.get("batch_size")
            and len(self.session.fits) > 0
        )
        return last if same else None

    # ---- during training ----

    def callback(self) -> Any:
        """A Keras callback that reports to this recorder."""
        import keras

        recorder = self

        class WhyfitRecorder(keras.callbacks.Callback):
            def on_train_begin(self, logs: Any = None) -> None:
                guarded(recorder.session, "reading the start weights", recorder.begin)

            def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
                guarded(recorder.session, "reading the learning rate", recorder.note_rate)

            def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
                guarded(recorder.session, "reading an epoch", lambda: recorder.epoch(logs or {}))

        return WhyfitRecorder()

    def steering(self) -> Any:
        """The LearningRateScheduler among the callbacks, or None."""
        callbacks = self.given.get("callbacks")
        listed = callbacks if isinstance(callbacks, (list, tuple)) else [callbacks]
        return next((each for each in listed if keras_rates.is_scheduler(each)), None)

    def note_rate(self) -> None:
        """Note the learning rate of the epoch that begins."""
        if self.recipe is not None and self.recipe.schedule is None:
            self.rates.append(keras_rates.rate_now(self.model.optimizer))

    def _with_rates(self) -> None:
        """Put a learning rate that callbacks changed into the recipe."""
        if self.recipe is None or set(self.rates) <= {self.recipe.optimizer.learning_rate}:
            return
        self.recipe, reason = keras_rates.with_rates(self.recipe, self.rates, self.steering())
        self.reason = self.reason or reason

    def epoch(self, logs: dict[str, Any]) -> None:
        """Note the logs and, at times, the weights after an epoch."""
        for name, value in logs.items():
            if np.ndim(value) == 0:
                self.history.setdefault(name, []).append(float(value))
        if self.recipe is not None:
            weights = keras_recipe.flat(self.network.get_weights())
            self.latest = _Recorded(self.epochs_done + 1, weights)
            if self.session.keep_weights and self.latest.epoch % self.every == 0:
                self.recorded.append(self.latest)
        self.epochs_done += 1

    # ---- the engine in place of training ----

    def train_fast(self, substitute: Substitute) -> Any | None:
        """Train with the substitute, give the model the weights and return a History; None if it
        cannot, so that Keras must train after all.
        """
        if self.ready and not self.reason:
            if not self.model.built:
                self.model.build((None, self.x.shape[1]))
            self.begin()
        recipe = self.recipe
        reason = self.reason or (substitute.why_not(recipe) if recipe else "it was not captured")
        if self.steering() is not None:
            reason = reason or "callback LearningRateScheduler sets its learning rate"
        if recipe is None or self.start is None or reason:
            self.session.say(f"--fast: Keras trains this fit itself: {reason}")
            return None
        began = time.monotonic()
        seed = int(np.random.randint(2**31))
        trained = substitute.train(
            recipe,
            self.x,
            self.y,
            self.start,
            seed=seed,
            every=self.every,
            held_out=self.held_out,
        )
        self.network.set_weights(_unflat(trained.end, self.network.get_weights()))
        self.epochs_done = len(trained.losses)
        self.recorded += [
            _Recorded((at + 1) * self.every, row.astype(np.float64))
            for at, row in enumerate(trained.snapshots)
        ]
        self.complete = True
        self.history = {"loss": [float(value) for value in trained.losses]}
        self._add_metrics(recipe, trained.snapshots)
        self.engine_trained = True
        line = self.place.line if self.place else "?"
        self.session.say(
            f"--fast: the engine trained {self.epochs_done} epochs in "
            f"{time.monotonic() - began:.2f} s in place of Keras (line {line})"
        )
        self.finish()
        return self._keras_history(recipe)

    def _keras_history(self, recipe: Recipe) -> Any:
        import keras

        history = keras.callbacks.History()
        history.set_model(self.model)
        history.set_params({"epochs": recipe.epochs, "verbose": 0})
        history.epoch = list(range(self.epochs_done))
        history.history = {name: list(values) for name, values in self.history.items()}
        self.model.history = history
        return history

    def _add_metrics(self, recipe: Recipe, snapshots: Array) -> None:
        """Fill the metrics the script compiled where they are plain errors, at each epoch's end.

        Keras averages a metric over the batches of the epoch while the weights move; here it is
        taken at the epoch's end, over all data.
        """
        formulas = {
            "mae": lambda error: np.mean(np.abs(error)),
            "mean_absolute_error": lambda error: np.mean(np.abs(error)),
            "mse": lambda error: np.mean(error**2),
            "mean_squared_error": lambda error: np.mean(error**2),
        }
        sets = [("", self.x, self.y, [name for name in self._metric_names() if name in formulas])]
        validation = self.validation
        if validation is not None and len(validation) >= 2 and recipe.loss in formulas:
            x, y = (
                np.asarray(each, dtype=np.float64).reshape(len(each), -1) for each in validation[:2]
            )
            sets.append(("val_", x, y, [recipe.loss, *sets[0][3]]))
        if len(snapshots) != self.epochs_done:
            return
        networks = [recipe.network(row.astype(np.float64)) for row in snapshots]
        for prefix, x, y, names in sets:
            errors = [network(x) - y for network in networks] if names else []
            for at, name in enumerate(names):
                label = "val_loss" if prefix and at == 0 else prefix + name
                self.history[label] = [float(formulas[name](error)) for error in errors]

    def _metric_names(self) -> list[str]:
        compiled = self.model._compile_metrics
        metrics = getattr(compiled, "_user_metrics", None) or []
        return [metric for metric in metrics if isinstance(metric, str)]

    # ---- after training ----

    def finish(self) -> None:
        """Hand the fit over, complete or as far as it came."""
        if not self.ready:
            if self.reason:
                self.session.problems.append(f"a call of fit was not captured: {self.reason}")
            return
        if self.start is None and self.reason is None:
            self.reason = "training ended before its first step"
        self._cut_to_last_epoch()
        self._with_rates()
        continued = self._continued()
        if continued is not None and not _one_training(continued.recipe, self.recipe):
            continued = None
            self.reason = self.reason or "a model that was trained before this fit is not supported"
        fit = self._fit()
        if continued is not None:
            fit = _joined(self.session.fits.pop(), fit)
        self.session.fits.append(fit)
        self.adapter.last[id(self.model)] = self
        self.adapter.number[id(self.model)] = len(self.session.fits) - 1

    def _cut_to_last_epoch(self) -> None:
        """Where training was cut off, the last whole epoch is the end: in the middle of one the
        backend may have taken the model's weights apart (JAX gives their memory to the next step).
        """
        if self.latest is not None and not self.complete:
            self.epochs_done = self.latest.epoch
            self.history = {
                name: values[: self.epochs_done] for name, values in self.history.items()
            }

    def _fit(self) -> Fit:
        import keras

        recipe = self.recipe
        end = start = None
        predictions = None
        if recipe is not None and self.start is not None:
            start = recipe.network(self.start)
            end = recipe.network(self._end_weights())
            predictions = end(self.x)
        elif self.epochs_done:
            predictions = self._model_predictions()
        scaled_x = scaler_of(self.session, np.asarray(self.given["x"]), "input_scaler")
        scaled_y = scaler_of(self.session, np.asarray(self.given["y"]), "target_scaler")
        calls = list(self._calls())
        shared = same_scaler(self.session, self.given["x"], self.given["y"])
        for scaled in (scaled_x, scaled_y):
            if scaled is not None and scaled[1] is not None and not shared:
                calls.append(scaled[1])
        return Fit(
            framework="keras",
            place=self.place or Place("<unknown>", 0),
            x=self.x,
            y=self.y,
            x_shape=self.x_shape,
            y_shape=self.y_shape,
            recipe=recipe,
            unsupported=self.reason,
            start=start,
            end=end,
            predictions=predictions,
            weight_history=(
                WeightHistory(
                    np.array([each.epoch for each in self.recorded]),
                    np.array([each.weights for each in self.recorded]),
                )
                if recipe is not None and len(self.recorded) > 1
                else None
            ),
            history={name: tuple(values) for name, values in self.history.items()},
            epochs_done=self.epochs_done,
            calls=tuple(calls),
            input_scaler=scaled_x[0] if scaled_x else None,
            target_scaler=scaled_y[0] if scaled_y else None,
            seeds=tuple(self.session.seeds),
            seeds_weights=self._seeds_weights(),
            warnings=self.warnings,
            summary=_summary(self.model),
            output_shape=self.output_shape,
            engine_trained=self.engine_trained,
            environment={
                "keras": str(keras.__version__),
                "backend": str(keras.backend.backend()),
            },
            metrics=tuple(self._metric_names()),
            scaler_shared=shared,
            held_out=self.held_out,
        )

    def _end_weights(self) -> Array:
        if self.latest is not None and not self.complete:
            return self.latest.weights
        return keras_recipe.flat(self.network.get_weights())

    def _model_predictions(self) -> Array | None:
        try:
            given = np.asarray(self.given["x"])[: len(self.x)]
            output = np.asarray(self.model.predict(given, verbose=0), dtype=np.float64)
        except Exception:  # a network of the person's own making may not predict what it trained on
            return None
        output = output.reshape(len(output), -1)
        return output if output.shape == self.y.shape else None

    def _seeds_weights(self) -> bool:
        if any(call.function in SEEDING_WEIGHTS for call in self.session.seeds):
            return True
        try:
            return self.network is not None and keras_recipe.seeds_own_weights(self.network)
        except Unsupported:
            return False

    def _calls(self) -> list[Call]:
        created, compiled = self.adapter.created, self.adapter.compiled
        calls = [Call("fit", self.place)] if self.place else []
        if place := compiled.get(id(self.model)):
            calls.append(Call("compile", place))
        if place := created.get(id(getattr(self.model, "optimizer", None))):
            calls.append(Call("optimizer", place))
        if place := created.get(id(self.steering())):
            calls.append(Call("scheduler", place))
        if self.network is None:
            return calls
        try:
            chain = keras_recipe.dense_chain(self.network)
        except Unsupported:
            return calls
        for index, (dense, following) in enumerate(chain):
            if place := created.get(id(dense)):
                calls.append(Call("layer", place, index))
            for layer in following:
                if place := created.get(id(layer)):
                    calls.append(Call("activation", place, index))
        return calls


def _one_training(first: Recipe | None, second: Recipe | None) -> bool:
    """Whether two calls of fit amount to one longer one: callbacks begin anew in each call."""
    if first is None or second is None:
        return False
    steered = second.early_stopping or (second.schedule and second.schedule.per == "epoch")
    return not steered and replace(first, epochs=1) == replace(second, epochs=1)


def _joined(first: Fit, second: Fit) -> Fit:
    """Two calls of fit on one model and the same data, as the one training they amount to."""
    if first.recipe is None or second.recipe is None:
        return second
    history = {
        name: (*first.history.get(name, ()), *values) for name, values in second.history.items()
    }
    weights = second.weight_history
    if first.weight_history is not None and weights is not None:
        weights = WeightHistory(
            np.concatenate([first.weight_history.epochs, weights.epochs[1:] + first.epochs_done]),
            np.concatenate([first.weight_history.weights, weights.weights[1:]]),
        )
    return replace(
        second,
        recipe=replace(second.recipe, epochs=first.recipe.epochs + second.recipe.epochs),
        start=first.start,
        weight_history=weights,
        history=history,
        epochs_done=first.epochs_done + second.epochs_done,
    )


def _unflat(row: Array, like: list[Array]) -> list[Array]:
    weights, at = [], 0
    for each in like:
        weights.append(row[at : at + each.size].reshape(each.shape))
        at += each.size
    return weights


def is_array(data: Any) -> bool:
    """Numpy arrays, lists of numbers, and tensors that turn into arrays; not data sets or dicts."""
    if isinstance(data, np.ndarray):
        return True
    if isinstance(data, (list, tuple)):
        return not data or not hasattr(data[0], "shape") or np.ndim(data[0]) == 0
    return hasattr(data, "__array__") and hasattr(data, "shape")


def _summary(model: Any) -> str:
    """The model in one line, such as 1-4-1 relu, or the kinds of its layers."""
    return ", ".join(type(layer).__name__ for layer in model.layers)
