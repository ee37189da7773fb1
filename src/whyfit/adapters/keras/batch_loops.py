"""Trainings of Keras models by `train_on_batch`, in a loop of the person's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from whyfit.adapters._adapter import Session
from whyfit.adapters.keras import graph as keras_graph
from whyfit.adapters.keras import rates as keras_rates
from whyfit.adapters.keras import recipe as keras_recipe
from whyfit.adapters.keras.data import Taken, weights_of_classes
from whyfit.adapters.keras.feed import Feed
from whyfit.adapters.keras.fit import hand_over
from whyfit.adapters.keras.recorder import KerasRecorder, Recorded, Seen
from whyfit.adapters.places import calling_place
from whyfit.adapters.watching import guarded
from whyfit.records.fit import Place
from whyfit.records.network import Array

MOST_SNAPSHOTS = 512
"""Where more weights than this are kept, every second one is given up, and so on."""

STEP = "step"
"""The role of a call of `train_on_batch`; it takes no epochs, batch size or callbacks."""


class BatchLoops:
    """All trainings by `train_on_batch`, one a model."""

    def __init__(self, session: Session, seen: Seen) -> None:
        self._session, self._seen = session, seen
        self._loops: dict[int, BatchLoop] = {}
        self._latest: BatchLoop | None = None

    def of(self, model: Any) -> BatchLoop | None:
        """The training of a model that is under way."""
        loop = self._loops.get(id(model))
        return loop if loop is not None and loop.model is model else None

    def on_batch(self, wrapped: Callable[..., Any], model: Any, args: Any, kwargs: Any) -> Any:
        """Watch one call of `train_on_batch`."""
        loop = self.of(model)
        if loop is None:
            loop = BatchLoop(self._session, self._seen, model, calling_place())
            self._loops[id(model)] = loop
        guarded(self._session, "reading a batch", lambda: loop.before(_named(args, kwargs)))
        result = wrapped(*args, **kwargs)
        guarded(self._session, "reading a step", lambda: loop.after(result))
        self._note_turns(loop)
        return result

    def _note_turns(self, loop: BatchLoop) -> None:
        """Models that are trained in turns may share layers, as the two halves of a GAN do."""
        if self._latest is not None and self._latest is not loop and loop.feed.steps > 1:
            for each in (self._latest, loop):
                each.give_up("networks that are trained in turns are not supported")
        self._latest = loop

    def end(self, model: Any) -> None:
        """Hand over what was trained of a model, before something else trains it."""
        loop = self.of(model)
        if loop is not None:
            del self._loops[id(model)]
            guarded(self._session, "recording the fit", loop.finish)

    def end_all(self) -> None:
        """Hand over all that was trained."""
        for loop in list(self._loops.values()):
            self.end(loop.model)


def _named(args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    names = ("x", "y", "sample_weight", "class_weight")
    return {**dict.fromkeys(names), **dict(zip(names, args, strict=False)), **kwargs}


@dataclass
class BatchLoop:
    """One training by `train_on_batch`, from its first call to the last."""

    session: Session
    seen: Seen
    model: Any
    place: Place | None
    feed: Feed = field(default_factory=Feed)
    asked: list[Array] = field(default_factory=list)
    _losses: list[float] = field(default_factory=list)
    _rates: list[float] = field(default_factory=list)
    _every: int = 1

    def __post_init__(self) -> None:
        given = {"epochs": 1, "shuffle": True, "x": None, "y": None}
        self.recorder = KerasRecorder(self.session, self.seen, self.model, given, self.place)
        self.recorder.feed, self.recorder.role = self.feed, STEP

    def give_up(self, reason: str) -> None:
        """Note why this training cannot be made again; the first reason counts."""
        self.recorder.reason = self.recorder.reason or reason

    def before(self, given: dict[str, Any]) -> None:
        """Take the batch of a step, and before the first the start weights."""
        self.asked.clear()
        weight = given["sample_weight"]
        if given["class_weight"] is not None:
            weight, reason = weights_of_classes(np.asarray(given["y"]), given["class_weight"])
            if reason:
                self.give_up(reason)
        self.feed.take(given["x"], given["y"], weight)
        if self.feed.steps == 1 and self.feed.known:
            self._expect()
        elif self.recorder.recipe is not None and self.recorder.recipe.schedule is None:
            self._rates.append(keras_rates.rate_now(self.model.optimizer))

    def _expect(self) -> None:
        """Read recipe and start weights as soon as the model has any, which may be within the call."""
        _found, data = self.feed.result()
        self.recorder.data = Taken(data.x[:0], data.y[:0], ready=True)
        if self.model.built and self.model.optimizer.built:
            self._begin()
            return
        make = self.model.make_train_function  # called when model and optimizer are built

        def made(*args: Any, **kwargs: Any) -> Any:
            del self.model.make_train_function
            guarded(self.session, "reading the start weights", self._begin)
            return make(*args, **kwargs)

        self.model.make_train_function = made

    def _begin(self) -> None:
        self.recorder.begin()
        if self.recorder.recipe is not None and self.recorder.recipe.schedule is None:
            self._rates = [keras_rates.rate_now(self.model.optimizer)]

    def after(self, result: Any) -> None:
        """Take the loss of a step, and at the end of a pass the weights."""
        first = next(iter(result.values())) if isinstance(result, dict) else result
        self._losses.append(float(np.ravel(np.asarray(first))[0]))
        if self.recorder.recipe is None or not self.feed.ends_pass():
            return
        epoch = self.feed.steps // (self.feed.batches.pass_length or 1)
        weights = keras_recipe.flat(self.recorder.network.get_weights())
        latest = self.recorder.latest = Recorded(epoch, weights)
        if epoch % self._every == 0 and self.session.keep_weights:
            kept = self.recorder.recorded
            kept.append(latest)
            if len(kept) > MOST_SNAPSHOTS:
                self.recorder.recorded = kept[:1] + kept[2::2]
                self._every *= 2

    def finish(self) -> None:
        """Hand the training over as whole passes over the data that the batches amount to."""
        recorder = self.recorder
        if self.feed.known:
            self._count_passes()
        hand_over(recorder)
        number = self.seen.number.get(id(self.model))
        if number is not None:
            asked = [keras_graph.scaled(recorder.scaler, values) for values in self.asked]
            self.session.asked += [(number, values) for values in asked]

    def _count_passes(self) -> None:
        found, _data = self.feed.result()
        recorder = self.recorder
        recorder.epochs_done = passes = self.feed.steps // found.steps
        shares = self.feed.batches.shares(found.steps)
        recorder.history = {
            "loss": [
                float(np.dot(self._losses[at : at + found.steps], shares))
                for at in range(0, passes * found.steps, found.steps)
            ]
        }
        latest = recorder.latest
        recorder.complete = self.feed.steps == passes * found.steps
        if not recorder.complete and (latest is None or latest.epoch != passes):
            self.give_up("a training that ends within a pass over the data is not supported")
            recorder.complete = True
        if recorder.recipe is None:
            return
        recorder.recipe = replace(recorder.recipe, epochs=max(1, passes))
        if len(set(self._rates)) > 1:
            recorder.recipe, reason = keras_rates.of_loop(recorder.recipe, self._rates, found.steps)
            if reason:
                self.give_up(reason)
        if recorder.complete and recorder.recorded[-1].epoch != passes:
            weights = keras_recipe.flat(recorder.network.get_weights())
            recorder.recorded.append(Recorded(passes, weights))
