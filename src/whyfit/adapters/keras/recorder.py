"""One call of Keras's `fit`, recorded: the data, the recipe, the weights on the way."""

from __future__ import annotations

import time
import weakref
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from whyfit.adapters._adapter import Session, Substitute
from whyfit.adapters.keras import graph as keras_graph
from whyfit.adapters.keras import rates as keras_rates
from whyfit.adapters.keras import recipe as keras_recipe
from whyfit.adapters.keras.data import Taken, held_out_of, is_data_set, taken
from whyfit.adapters.keras.fast import history_of, metrics_of, unflat
from whyfit.adapters.keras.feed import Feed, Tap
from whyfit.adapters.keras.training import Targets, is_emulated
from whyfit.adapters.watching import guarded
from whyfit.adapters.weights import same_weights
from whyfit.errors import Unsupported
from whyfit.records.fit import HeldOut, Place, Scaler
from whyfit.records.network import Array
from whyfit.records.recipe import Recipe

MOST_SNAPSHOT_BYTES = 64e6
"""Memory for weights per epoch; a larger network is recorded at fewer epochs."""


@dataclass(frozen=True, eq=False)
class Recorded:
    """All weights after so many epochs."""

    epoch: int
    weights: Array


@dataclass(frozen=True)
class Seen:
    """What is known of a script's objects, by their `id`.

    `created`: where a layer, an optimizer or a callback was made; `compiled`: where a model was;
    `ignored_decays`: the `decay` an optimizer was made with; `last`: the last training of a model, and
    `number` that of its fit. `set_by_hand` are layers and models whose weights the script has set.
    """

    created: dict[int, Place] = field(default_factory=dict)
    compiled: dict[int, Place] = field(default_factory=dict)
    ignored_decays: dict[int, float | None] = field(default_factory=dict)
    last: dict[int, KerasRecorder] = field(default_factory=dict)
    number: dict[int, int] = field(default_factory=dict)
    set_by_hand: weakref.WeakSet[Any] = field(default_factory=weakref.WeakSet)


@dataclass
class KerasRecorder:
    """Records one call of `fit`, from its arguments to the last epoch."""

    session: Session
    seen: Seen
    model: Any
    given: dict[str, Any]
    place: Place | None
    reason: str | None = None
    data: Taken = field(default_factory=Taken)
    network: Any = None
    scaler: Scaler | None = None  # a layer that scales the inputs before the network
    recipe: Recipe | None = None
    start: Array | None = None
    recorded: list[Recorded] = field(default_factory=list)
    latest: Recorded | None = None
    history: dict[str, list[float]] = field(default_factory=dict)
    rates: list[float] = field(default_factory=list)
    epochs_done: int = 0
    output_shape: tuple[int, ...] = ()
    every: int = 1
    complete: bool = False
    warnings: tuple[str, ...] = ()
    engine_trained: bool = False
    held_out: HeldOut | None = None
    feed: Feed | None = None
    tap: Tap | None = None
    role: str = "fit"
    end: Array | None = None
    put_back: bool = False  # whether the script has put weights into the model since

    # ---- before training ----

    @property
    def ready(self) -> bool:
        """Whether there are data to tell of."""
        return self.data.ready

    def take_data(self) -> None:
        """Copy x and y as Keras will train on them; say why not where that is impossible."""
        if is_data_set(self.given):
            # What it gives is seen batch by batch: until then there are no samples.
            self.feed = Feed()
            self.tap = Tap(self.session, self.model, self.feed)
            self.data = Taken(validation=self.given.get("validation_data"), ready=True)
            return
        self.data = taken(self.given)
        self.reason = self.data.reason

    def begin(self) -> None:
        """Read recipe and start weights, before the first step."""
        try:
            if self.tap is not None:
                inputs, outputs = self.tap.widths()
                self.data = replace(self.data, x=np.zeros((0, inputs)), y=np.zeros((0, outputs)))
                self.tap.open()
            self.network, scaler = self._known_network()
            if scaler is not None and self.scaler is None:  # --fast may have begun before
                self.data = replace(self.data, x=keras_graph.scaled(scaler, self.data.x))
            self.scaler = scaler
            self.recipe = self._recipe()
        except Unsupported as unsupported:
            self.reason = self.reason or str(unsupported)
        if self.recipe is not None:
            self.start = keras_recipe.flat(self.network.get_weights())
            bytes_each = 8 * len(self.start)
            self.every = max(1, int(np.ceil(bytes_each * self.recipe.epochs / MOST_SNAPSHOT_BYTES)))
            self.latest = Recorded(0, self.start)
            self.recorded = [self.latest]

    def _take_feed(self) -> None:
        """Put what the batches amounted to in the place of data and passes that were not known."""
        feed = self.feed
        if feed is None:
            return
        if not feed.known:
            self.reason = self.reason or feed.reason or "no batch of its data was seen"
            self.data = Taken(reason=self.reason)
            return
        found, data = feed.result()
        self.given |= {"x": data.x, "y": data.y}
        x = keras_graph.scaled(self.scaler, data.x)
        self.data = replace(data, x=x, validation=self.data.validation)
        self.reason = self.reason or data.reason
        passes = feed.steps // found.steps
        if self.tap is not None and self.complete and passes != self.epochs_done:
            self.reason = self.reason or (
                f"epochs of {feed.steps / max(1, self.epochs_done):.3g} batches over a data set of "
                f"{found.steps} are not supported"
            )
        if self.recipe is None:
            return
        self.recipe = replace(
            self.recipe,
            batch_size=found.batch_size,
            shuffle=found.shuffle,
            drop_last=found.drop_last,
        )
        if (self.recipe.inputs, self.recipe.layers[-1].units) != (data.x.shape[1], data.y.shape[1]):
            self.reason = self.reason or (
                f"x of shape {data.x_shape} and y of shape {data.y_shape} are not supported"
            )

    def _known_network(self) -> tuple[Any, Scaler | None]:
        """The model as a graph, and what scales its inputs; made once for all fits, unless that may
        have changed.
        """
        last = self.seen.last.get(id(self.model))
        known = last is not None and last.model is self.model and last.scaler is None
        network = last.network if last is not None and known else None
        if network is not None:
            return network, None
        inputs = self.data.x.shape[1]
        return keras_graph.behind_scaling(self.model, inputs, keras_recipe.CHAINED)

    def _targets(self) -> Targets:
        """The targets, as far as they are known before the training."""
        data = self.data
        known = self.feed is None and data.weight is None and len(data.y) > 1
        return Targets(data.y, len(data.y_shape) == 1, known)

    def _recipe(self) -> Recipe:
        if int(np.asarray(self.model.optimizer.iterations)) > 0 and self.continued() is None:
            self.reason = "a model that was trained before this fit is not supported"
        if not self.seen.set_by_hand.isdisjoint(
            {self.model, *keras_graph.operations(self.network)}
        ):
            self.reason = (
                self.reason or "start weights that the script sets by hand are not supported"
            )
        if self.given.get("shuffle") not in (True, False):
            self.reason = f"shuffle={self.given.get('shuffle')!r} is not supported"
        recipe, reason = keras_recipe.recipe_of(
            self.model,
            self.network,
            batch_size=int(self.given.get("batch_size") or 32),
            epochs=int(self.given["epochs"]) - int(self.given.get("initial_epoch") or 0),
            shuffle=bool(self.given["shuffle"]),
            callbacks=self.callbacks(),
            validated=self.data.validation is not None,
            targets=self._targets(),
        )
        if recipe.layers[-1].units != self.data.y.shape[1]:
            self.output_shape = (len(self.data.x), recipe.layers[-1].units)
            raise Unsupported(
                f"{recipe.layers[-1].units} outputs for targets of width {self.data.y.shape[1]} "
                "is not supported"
            )
        if recipe.inputs != self.data.x.shape[1]:
            raise Unsupported(f"x of shape {self.data.x_shape} is not supported")
        self.reason = self.reason or reason
        if recipe.watches_held_out:
            try:
                self.held_out = held_out_of(self.given, self.data)
                x = keras_graph.scaled(self.scaler, self.held_out.x)
                self.held_out = replace(self.held_out, x=x)
            except Unsupported as unsupported:
                self.reason = self.reason or str(unsupported)
        return recipe

    def continued(self) -> KerasRecorder | None:
        """The recorder of an earlier fit that this one simply goes on with."""
        if self.feed is not None:
            return None
        last = self.seen.last.get(id(self.model))
        if last is None or last.recipe is None or last.model is not self.model or last.put_back:
            return None
        same = (
            np.array_equal(last.data.x, self.data.x)
            and np.array_equal(last.data.y, self.data.y)
            and same_weights(last.data.weight, self.data.weight)
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
                recorder.begin_pass()
                guarded(recorder.session, "reading the learning rate", recorder.note_rate)

            def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
                guarded(recorder.session, "reading an epoch", lambda: recorder.epoch(logs or {}))

        return WhyfitRecorder()

    def steering(self) -> Any:
        """The LearningRateScheduler among the callbacks, or None."""
        return next((each for each in self.callbacks() if keras_rates.is_scheduler(each)), None)

    def callbacks(self) -> list[Any]:
        """The callbacks of the call; one alone, a tuple or a CallbackList will do for Keras."""
        import keras

        given = self.given.get("callbacks")
        return keras.tree.flatten(getattr(given, "callbacks", given) if given is not None else [])

    def _not_emulated(self) -> list[str]:
        """Kinds of the callbacks that the engine does not do the work of."""
        kinds = (type(each).__name__ for each in self.callbacks() if not is_emulated(each))
        return list(dict.fromkeys(kinds))

    def begin_pass(self) -> None:
        """Note that a data set is gone through anew, unless it goes on from epoch to epoch."""
        if self.tap is not None and self.given.get("steps_per_epoch") is None:
            self.tap.new_pass = True

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
            self.latest = Recorded(self.epochs_done + 1, weights)
            if self.session.keep_weights and self.latest.epoch % self.every == 0:
                self.recorded.append(self.latest)
        self.epochs_done += 1

    # ---- the engine in place of training ----

    def train_fast(self, substitute: Substitute) -> Any | None:
        """Train with the substitute, give the model the weights and return a History; None if it
        cannot, so that Keras must train after all.
        """
        if self.feed is not None:
            self.session.say("--fast: Keras trains this fit itself: its data come from a data set")
            return None
        if self.ready and not self.reason:
            if not self.model.built:
                try:
                    self.model(np.asarray(self.given["x"])[:1])  # as the first batch would build it
                except Exception:  # the script's own mistake, which Keras will say where it trains
                    self.session.say("--fast: Keras trains this fit itself: it could not be built")
                    return None
            self.begin()
        recipe = self.recipe
        reason = self.reason or (substitute.why_not(recipe) if recipe else "it was not captured")
        if self.steering() is not None:
            reason = reason or "callback LearningRateScheduler sets its learning rate"
        if self._not_emulated():
            reason = reason or f"the engine would not call {', '.join(self._not_emulated())}"
        if recipe is None or self.start is None or reason:
            self.session.say(f"--fast: Keras trains this fit itself: {reason}")
            return None
        began = time.monotonic()
        seed = int(np.random.randint(2**31))
        trained = substitute.train(
            recipe,
            self.data.x,
            self.data.y,
            self.start,
            seed=seed,
            every=self.every,
            held_out=self.held_out,
            sample_weight=self.data.weight,
        )
        self.network.set_weights(unflat(trained.end, self.network.get_weights()))
        self.epochs_done = len(trained.losses)
        self.recorded += [
            Recorded((at + 1) * self.every, row.astype(np.float64))
            for at, row in enumerate(trained.snapshots)
        ]
        self.complete = True
        self.history = {"loss": [float(value) for value in trained.losses]}
        if len(trained.snapshots) == self.epochs_done:
            names = self.metric_names()
            self.history |= metrics_of(recipe, self.data, trained.snapshots, names)
        self.engine_trained = True
        line = self.place.line if self.place else "?"
        self.session.say(
            f"--fast: the engine trained {self.epochs_done} epochs in "
            f"{time.monotonic() - began:.2f} s in place of Keras (line {line})"
        )
        return history_of(self.model, recipe, self.history)

    def metric_names(self) -> list[str]:
        """Names of the metrics that the model was compiled with."""
        compiled = self.model._compile_metrics
        metrics = getattr(compiled, "_user_metrics", None) or []
        return [metric for metric in metrics if isinstance(metric, str)]

    # ---- after training ----

    def finish(self) -> bool:
        """Bring what was recorded to an end; whether there is a fit to hand over."""
        if self.tap is not None:
            self.tap.close()
        self._take_feed()
        if not self.ready:
            if self.reason:
                self.session.problems.append(f"a call of fit was not captured: {self.reason}")
            return False
        if self.start is None and self.reason is None:
            self.reason = "training ended before its first step"
        self._cut_to_last_epoch()
        self._with_rates()
        self._note_stop()
        return True

    def _note_stop(self) -> None:
        """Give up where something else than Keras's own callbacks ended the training early."""
        recipe, losses = self.recipe, self.history.get("loss", [])
        if recipe is None or not self.complete or self.engine_trained or not losses:
            return
        # keras/src/callbacks/early_stopping.py: the epoch of its stop, 0 without one
        stopped = any(getattr(each, "stopped_epoch", 0) > 0 for each in self.callbacks())
        if stopped or self.epochs_done >= recipe.epochs or not np.isfinite(losses[-1]):
            return
        others = self._not_emulated()
        by = f" (by {', '.join(others)}?)" if others else ""
        self.reason = self.reason or (
            f"a training that was stopped after {self.epochs_done} of its {recipe.epochs} epochs{by} is "
            "not supported: the engine cannot tell when another start would stop"
        )

    def _cut_to_last_epoch(self) -> None:
        """Where training was cut off, the last whole epoch is the end: in the middle of one the
        backend may have taken the model's weights apart (JAX gives their memory to the next step).
        """
        if self.latest is not None and not self.complete:
            self.epochs_done = self.latest.epoch
            self.history = {
                name: values[: self.epochs_done] for name, values in self.history.items()
            }
