"""scikit-learn's MLPRegressor: watches each training, wherever it is called from.

`_fit_stochastic` and `_fit_lbfgs` are watched, since every `fit` and `partial_fit` comes to one of them
with its data checked and its weights drawn, also in pipelines, searches and
TransformedTargetRegressor.
"""

from __future__ import annotations

import inspect
import sys
import time
import warnings
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from scipy.sparse import issparse

from whyfit.adapters._adapter import Session, Substitute
from whyfit.adapters.batches import Batches
from whyfit.adapters.places import calling_place
from whyfit.adapters.scalers import with_scalers
from whyfit.adapters.sklearn import recipe as sklearn_recipe
from whyfit.adapters.watching import Watch, guarded, mixed_seed
from whyfit.adapters.weights import (
    same_weights,
    why_not_weighted,
    with_weights,
    without_weights,
)
from whyfit.records.fit import Call, Fit, HeldOut, Place, WeightHistory
from whyfit.records.network import Array
from whyfit.records.recipe import Recipe

MOST_SNAPSHOT_BYTES = 64e6


class RegressorWatch:
    """Watches the regressors of sklearn.neural_network."""

    def __init__(self, session: Session, watch: Watch, adapter: Any) -> None:
        self._session, self._watch, self._adapter = session, watch, adapter
        self._training: dict[int, Training] = {}
        self._latest: Any = None
        self._running: list[Training] = []
        self._number: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()

    def install(self, module: Any) -> None:
        """Watch from now on; `module` is sklearn.neural_network."""
        regressor = module.MLPRegressor
        wrap = self._watch.wrap
        wrap(regressor, "__init__", self._adapter.on_create(self._session))
        wrap(regressor, "_fit", self._on_fit)
        wrap(regressor, "_fit_stochastic", self._on_training)
        wrap(regressor, "_fit_lbfgs", self._on_training)
        wrap(regressor, "_update_no_improvement_count", self._on_epoch)
        wrap(sys.modules[regressor.__module__], "train_test_split", self._on_split)
        wrap(regressor, "predict", self._on_predict)

    def finish(self) -> None:
        """Hand over what `partial_fit` has trained so far."""
        for training in self._training.values():
            guarded(self._session, "recording the fit", training.hand_over)
        self._training.clear()

    def _on_fit(self, wrapped: Any, model: Any, args: Any, kwargs: Any) -> Any:
        """A fixed random_state is as good as a seed: reruns with other seeds change it."""
        session, given = self._session, getattr(model, "random_state", None)
        if session.reseed is None or not isinstance(given, (int, np.integer)):
            return wrapped(*args, **kwargs)
        model.random_state = mixed_seed(int(given), session.reseed)
        try:
            return wrapped(*args, **kwargs)
        finally:
            model.random_state = given

    def _on_training(self, wrapped: Any, model: Any, args: Any, kwargs: Any) -> Any:
        given = inspect.signature(wrapped).bind(*args, **kwargs).arguments
        training: Training | None = None

        def begin() -> None:
            nonlocal training
            training = self._begin(model, given)

        guarded(self._session, "capturing the data", begin)
        if training is None:
            return wrapped(*args, **kwargs)
        if self._session.substitute is not None and training.fast(self._session.substitute):
            self._end(training)
            return None
        self._running.append(training)
        try:
            return wrapped(*args, **kwargs)
        finally:
            self._running.remove(training)
            self._end(training)

    def _begin(self, model: Any, given: dict[str, Any]) -> Training:
        incremental = bool(given.get("incremental", False))
        known = self._training.get(id(model))
        if known is not None and known.model is model and incremental and known.incremental:
            known.go_on(given)
            return known
        training = Training(self._session, self._adapter, model, calling_place(), incremental)
        training.start_with(given)
        self._training[id(model)] = training
        return training

    def _end(self, training: Training) -> None:
        guarded(self._session, "reading the end weights", training.end)
        if not training.incremental:
            self._training.pop(id(training.model), None)
            fits = len(self._session.fits)
            guarded(self._session, "recording the fit", training.hand_over)
            told = len(self._session.fits) > fits
            if self._latest is training.model and training.model.warm_start:
                guarded(self._session, "recording the fit", self._join_warm_start)
            self._latest = training.model
            if told:
                self._number[training.model] = len(self._session.fits) - 1

    def _join_warm_start(self) -> None:
        """Calls of `fit` that go on with the weights are told as one training, not as many."""
        fits = self._session.fits
        if len(fits) < 2 or not (
            np.array_equal(fits[-2].x, fits[-1].x)
            and np.array_equal(fits[-2].y, fits[-1].y)
            and same_weights(fits[-2].sample_weight, fits[-1].sample_weight)
        ):
            return
        second, first = fits.pop(), fits.pop()
        fits.append(gone_on(first, second))

    def _on_predict(self, wrapped: Any, model: Any, args: Any, kwargs: Any) -> Any:
        """Inputs at which the script asks for predictions, or for a score, after a fit."""

        def note() -> None:
            number = self._number.get(model)
            given = args[0] if args else kwargs["X"]
            if number is None or self._running or issparse(given):
                return
            x = np.asarray(given, dtype=np.float64)
            if x.ndim == 2 and len(x):
                self._session.asked.append((number, x))

        result = wrapped(*args, **kwargs)
        guarded(self._session, "watching predict", note)
        return result

    def _on_split(self, wrapped: Any, _instance: Any, args: Any, kwargs: Any) -> Any:
        """Early stopping holds samples out: `_fit_stochastic` splits x and y, and goes by the score."""
        parts = wrapped(*args, **kwargs)
        if self._running:
            training = self._running[-1]
            guarded(self._session, "reading the held-out samples", lambda: training.split(parts))
        return parts

    def _on_epoch(self, wrapped: Any, model: Any, args: Any, kwargs: Any) -> Any:
        training = self._training.get(id(model))
        if training is not None and training.model is model:
            guarded(self._session, "reading an epoch", training.epoch)
        return wrapped(*args, **kwargs)


@dataclass
class Training:
    """One training of one regressor: a call of `fit`, or all calls of `partial_fit`."""

    session: Session
    adapter: Any
    model: Any
    place: Place | None
    incremental: bool
    reason: str | None = None
    x: Array = field(default_factory=lambda: np.zeros((0, 1)))
    y: Array = field(default_factory=lambda: np.zeros((0, 1)))
    weight: Array | None = None
    order: Array | None = None  # in which every epoch takes the samples, where that is one
    recipe: Recipe | None = None
    start: Array | None = None
    last: Array | None = None
    recorded: list[tuple[int, Array]] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    batches: Batches = field(default_factory=Batches)
    calls: int = 0
    epochs: int = 0
    every: int = 1
    engine_trained: bool = False
    held_out: HeldOut | None = None

    # ---- before training ----

    def start_with(self, given: dict[str, Any]) -> None:
        """Copy data and start weights, which are drawn by now."""
        self._take(given)
        if getattr(self.model, "n_iter_", 0) > 0:
            self.reason = "a model that was trained before this fit is not supported"
        self.recipe, reason = sklearn_recipe.recipe_of(self.model, len(self.x))
        self.reason = self.reason or reason
        if self.weight is not None:
            self.recipe = replace(self.recipe, divide_by_weights=True)
        self.start = self.last = sklearn_recipe.flat(self.model)
        self.recorded = [(0, self.start)]
        size = 8 * len(self.start) * self.recipe.epochs
        self.every = max(1, int(np.ceil(size / MOST_SNAPSHOT_BYTES)))

    def go_on(self, given: dict[str, Any]) -> None:
        """Take the data of the next `partial_fit`."""
        self._take(given)

    def _take(self, given: dict[str, Any]) -> None:
        x = given["X"]
        x = x.toarray() if hasattr(x, "toarray") else np.asarray(x)
        self.x = np.array(x, dtype=np.float64)
        self.y = np.array(given["y"], dtype=np.float64).reshape(len(x), -1)
        self._take_weight(given.get("sample_weight"))
        self.calls += 1
        if self.incremental and not self.batches.settled:
            self.batches.add(self.x, with_weights(self.y, self.weight))
        elif self.incremental:
            self.batches.check(self.calls - 1, self.x, with_weights(self.y, self.weight))

    def _take_weight(self, given: Any) -> None:
        weighted = self.weight is not None
        self.weight = None if given is None else np.array(given, dtype=np.float64)
        if self.calls and weighted != (self.weight is not None):
            self.reason = self.reason or "samples weighted in some calls only are not supported"
        if reason := why_not_weighted(self.weight):
            self.reason, self.weight = self.reason or reason, None

    def split(self, parts: Sequence[Any]) -> None:
        """Take the samples that are learned from and those that are held out, of `train_test_split`."""
        x, held_out_x, y, held_out_y, *weights = (
            np.array(each.toarray() if hasattr(each, "toarray") else each, dtype=np.float64)
            for each in parts
        )
        if weights:
            self.weight = weights[0]
            self.reason = self.reason or (
                "weighted validation data, by which training goes, are not supported"
            )
        self.x, self.y = x, y.reshape(len(y), -1)
        self.held_out = HeldOut(held_out_x, held_out_y.reshape(len(held_out_y), -1))
        if self.recipe is not None:
            size = sklearn_recipe.batch_size(self.model, len(x))
            self.recipe = replace(self.recipe, batch_size=size)

    # ---- during training ----

    def epoch(self) -> None:
        """Note loss and weights after an epoch, called before scikit-learn looks at its loss."""
        self.epochs += 1
        self.losses.append(float(self.model.loss_curve_[-1]))
        if self.session.keep_weights and self.epochs % self.every == 0:
            self.recorded.append((self.epochs, sklearn_recipe.flat(self.model)))

    def end(self) -> None:
        """Copy the end weights."""
        self.last = sklearn_recipe.flat(self.model)
        if self.model.solver == "lbfgs":  # which has no epochs, only iterations over all data
            self.epochs = int(getattr(self.model, "n_iter_", 0))
            self.losses = []  # only the last is known, which would pass for a training of one epoch

    # ---- the engine in place of training ----

    def fast(self, substitute: Substitute) -> bool:
        """Train with the substitute; False where scikit-learn has to."""
        recipe, model = self.recipe, self.model
        reason = self.reason or ("partial_fit goes on" if self.incremental else None)
        if recipe is None or self.start is None:
            return False
        if recipe.watches_held_out:
            reason = reason or "early stopping holds samples out, which scikit-learn draws itself"
        stopping = recipe.early_stopping
        whole = replace(recipe, early_stopping=None)
        reason = reason or substitute.why_not(whole)
        if reason:
            self.session.say(f"--fast: scikit-learn trains this fit itself: {reason}")
            return False
        began = time.monotonic()
        seed = int(np.random.randint(2**31))
        trained = substitute.train(
            whole, self.x, self.y, self.start, seed=seed, every=1, sample_weight=self.weight
        )
        losses = trained.losses
        done = len(losses)
        if stopping is not None:
            done = sklearn_recipe.stopped_after(losses, stopping.patience, stopping.min_delta)
        sklearn_recipe.put(model, trained.snapshots[done - 1])
        self.losses = [float(loss) for loss in losses[:done]]
        self.epochs = done
        self.recorded += [
            (at + 1, row.astype(np.float64)) for at, row in enumerate(trained.snapshots[:done])
        ]
        model.n_iter_, model.loss_, model.loss_curve_ = done, self.losses[-1], list(self.losses)
        model.best_loss_, model.t_ = min(self.losses), done * len(self.x)
        self.engine_trained = True
        self.session.say(
            f"--fast: the engine trained {done} epochs in {time.monotonic() - began:.2f} s in place "
            f"of scikit-learn (line {self.place.line if self.place else '?'})"
        )
        if done == recipe.epochs:
            self._warn_as_sklearn_would(done)
        return True

    def _warn_as_sklearn_would(self, epochs: int) -> None:
        from sklearn.exceptions import ConvergenceWarning

        warnings.warn(
            f"Stochastic Optimizer: Maximum iterations ({epochs}) reached and the optimization "
            "hasn't converged yet.",
            ConvergenceWarning,
            stacklevel=2,
        )

    # ---- after training ----

    def hand_over(self) -> None:
        """Give the session the fit."""
        if self.recipe is None or self.start is None or self.last is None:
            return
        if self.incremental:
            self._join_calls()
        self.session.fits.append(self._fit())

    def _join_calls(self) -> None:
        """All calls of `partial_fit` as the passes they amount to; each is one epoch of its data."""
        assert self.recipe is not None  # hand_over asks
        data = self.batches.result(self.calls)
        size = sklearn_recipe.batch_size(self.model, data.batch_size)
        whole = data.steps == 1
        self.reason = self.reason or data.reason
        if not whole and size < data.batch_size:
            self.reason = self.reason or "parts larger than a batch are not supported"
        self.x = data.x
        self.y, self.weight = without_weights(data.y, weighted=self.weight is not None)
        seed = self.model.random_state
        fixed = isinstance(seed, (int, np.integer)) and not data.shuffle
        repeats = whole and self.model.shuffle and fixed
        if repeats:
            # check_random_state(int) starts anew in every call, and every epoch has this one order;
            # but for the first, whose order is drawn after the weights.
            self.order = np.random.RandomState(seed).permutation(len(self.x))
        self.recipe = replace(
            self.recipe,
            epochs=max(1, self.calls // data.steps),
            batch_size=size,
            shuffle=data.shuffle or (whole and bool(self.model.shuffle) and not repeats),
            early_stopping=None,
        )
        self.recorded = [
            (epoch // data.steps, row) for epoch, row in self.recorded if epoch % data.steps == 0
        ]
        means = [self.losses[at : at + data.steps] for at in range(0, self.epochs, data.steps)]
        self.losses = [float(np.mean(each)) for each in means]
        self.epochs = self.calls // data.steps

    def _fit(self) -> Fit:
        import sklearn

        assert self.recipe is not None  # hand_over asks
        assert self.start is not None
        assert self.last is not None
        end = self.recipe.network(self.last)
        calls, scalers, shared = self._calls()
        x, y, weight = self.x, self.y, self.weight
        if self.order is not None:
            x, y = x[self.order], y[self.order]
            weight = None if weight is None else weight[self.order]
        seeded = self.model.random_state is not None or any(
            call.function == "numpy.random.seed" for call in self.session.seeds
        )
        return Fit(
            framework="sklearn",
            place=self.place or Place("<unknown>", 0),
            x=x,
            y=y,
            x_shape=self.x.shape,
            y_shape=self.y.shape,
            recipe=self.recipe,
            unsupported=self.reason,
            start=self.recipe.network(self.start),
            end=end,
            predictions=end(x),
            weight_history=self._history(),
            history={"loss": tuple(self.losses)},
            epochs_done=self.epochs,
            calls=tuple(calls),
            input_scaler=scalers[0],
            target_scaler=scalers[1],
            scaler_shared=shared,
            seeds=tuple(self.session.seeds),
            seeds_weights=seeded,
            summary=type(self.model).__name__,
            engine_trained=self.engine_trained,
            environment={"sklearn": str(sklearn.__version__)},
            held_out=self.held_out,
            sample_weight=weight,
        )

    def _history(self) -> WeightHistory | None:
        if len(self.recorded) < 2:
            return None
        return WeightHistory(
            np.array([epoch for epoch, _row in self.recorded]),
            np.array([row for _epoch, row in self.recorded]),
        )

    def _calls(self) -> tuple[list[Call], tuple[Any, Any], bool]:
        calls = [Call("fit", self.place)] if self.place else []
        if place := self.adapter.created(self.model):
            calls.append(Call("regressor", place))
        return with_scalers(self.session, calls, self.x, self.y)


def gone_on(first: Fit, second: Fit) -> Fit:
    """Two calls of `fit` with warm_start: evidence of both, but each began with a new optimizer
    (`_fit_stochastic` makes one unless partial_fit goes on).
    """
    assert first.recipe is not None  # hand_over asks
    assert second.recipe is not None
    weights = second.weight_history
    if first.weight_history is not None and weights is not None:
        weights = WeightHistory(
            np.concatenate([first.weight_history.epochs, weights.epochs[1:] + first.epochs_done]),
            np.concatenate([first.weight_history.weights, weights.weights[1:]]),
        )
    loss = (*first.history["loss"], *second.history["loss"][-second.epochs_done :])
    return replace(
        second,
        recipe=replace(second.recipe, epochs=first.epochs_done + second.recipe.epochs),
        start=first.start,
        weight_history=weights,
        history={"loss": loss},
        epochs_done=first.epochs_done + second.epochs_done,
        unsupported="warm_start, which begins each fit with a new optimizer, is not supported",
    )
