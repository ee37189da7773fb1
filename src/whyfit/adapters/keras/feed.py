"""Batches that Keras is fed one by one: by `train_on_batch`, or by a data set given to `fit`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from whyfit.adapters._adapter import Session
from whyfit.adapters.batches import Batches, DataSet
from whyfit.adapters.keras.data import Taken, is_array
from whyfit.adapters.watching import guarded
from whyfit.adapters.weights import why_not_weighted, with_weights, without_weights
from whyfit.errors import Unsupported
from whyfit.records.network import Array

CHECK_SHARE, CHECK_LEAST = 16, 101
"""After step s the next batch that is compared with expectations is s / 16 steps later, but at least
101, which is prime so that no period of the loop hides a difference."""


@dataclass
class Feed:
    """Follows batches until it knows what a pass over the data is; after that it checks some.

    `reason` says why the batches cannot be trained on again.
    """

    batches: Batches = field(default_factory=Batches)
    steps: int = 0
    reason: str | None = None
    _weighted: bool = False
    _shapes: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())
    _next_check: int = 0

    def take(self, x: Any, y: Any, weight: Any, *, new_pass: bool = False) -> None:
        """Take the batch of the step that is about to be made."""
        self.steps += 1
        if self.reason is not None or (self.batches.settled and self.steps < self._next_check):
            return
        parts = [_numbers(each) for each in (x, y)]
        if parts[0] is None or parts[1] is None:
            self.reason = "batches that are no pairs of arrays are not supported"
            return
        weights = None if weight is None else _numbers(weight)
        if weight is not None and (weights is None or weights.size != len(parts[0])):
            self.reason = "sample weights that are not one number a sample are not supported"
            return
        self._look(parts[0], parts[1], weights, new_pass=new_pass)

    def _look(self, x: Array, y: Array, weight: Array | None, *, new_pass: bool) -> None:
        tails = x.shape[1:], y.shape[1:]
        if self.known and (tails != self._shapes or self._weighted != (weight is not None)):
            self.reason = "batches of different kinds are not supported"
            return
        self._shapes, self._weighted = tails, weight is not None
        columns, targets = (each.reshape(len(each), -1) for each in (x, y))
        weights = None if weight is None else weight.ravel()
        if self.batches.settled:
            self.batches.check(self.steps - 1, columns, with_weights(targets, weights))
        else:
            self.batches.add(columns, with_weights(targets, weights), new_pass=new_pass)
        self._next_check = self.steps + max(CHECK_LEAST, self.steps // CHECK_SHARE)
        self.reason = self.reason or self.batches.reason

    @property
    def known(self) -> bool:
        """Whether there is any batch to tell of."""
        return self.batches.begun

    def ends_pass(self) -> bool:
        """Whether the step just taken was the last of a pass, as far as passes are known."""
        length = self.batches.pass_length
        return length is not None and self.steps % length == 0

    def result(self) -> tuple[DataSet, Taken]:
        """The data set that the batches amount to, and its arrays as a fit's."""
        found = self.batches.result(self.steps)
        y, weight = without_weights(found.y, weighted=self._weighted)
        reason = self.reason or found.reason or why_not_weighted(weight)
        shapes = ((len(found.x), *tail) for tail in self._shapes)
        if len(self._shapes[0]) > 1:
            reason = reason or f"x of shape {(len(found.x), *self._shapes[0])} is not supported"
        for name, data in (("x", found.x), ("y", y)):
            if not np.all(np.isfinite(data)):
                reason = f"{name} holds values that are not finite numbers; remove or fill them"
        weight = None if why_not_weighted(weight) else weight
        return found, Taken(found.x, y, *shapes, reason=reason, ready=True, weight=weight)


def _numbers(data: Any) -> Array | None:
    """An array of the person's or of a backend as float64, or None if it holds no numbers."""
    import keras

    if not is_array(data) and not keras.ops.is_tensor(data):
        return None
    values = np.asarray(data if is_array(data) else keras.ops.convert_to_numpy(data))
    if values.ndim == 0 or not (np.issubdtype(values.dtype, np.number) or values.dtype == bool):
        return None
    return np.array(values, dtype=np.float64)


@dataclass
class Tap:
    """Shows a feed each batch that a data set given to `fit` gives the model.

    `new_pass` says that the next batch is the first of an epoch.
    """

    session: Session
    model: Any
    feed: Feed
    new_pass: bool = False
    _train: Callable[..., Any] | None = None

    def widths(self) -> tuple[int, int]:
        """Numbers in a sample's inputs and outputs, from the model: there are no samples yet.

        Raises Unsupported where the model does not say.
        """
        try:
            return int(self.model.input_shape[-1]), int(self.model.output_shape[-1])
        except (AttributeError, TypeError, ValueError):
            kind = type(self.model).__name__
            raise Unsupported(f"a data set for a model of class {kind} is not supported") from None

    def open(self) -> None:
        """Look at what goes through the train function.

        Its last argument is a list with the batch (the PyTorch backend) or what gives it (JAX): see
        `make_train_function` of keras/src/backend/*/trainer.py.
        """
        train = self._train = self.model.train_function

        def train_function(*args: Any) -> Any:
            *state, source = args
            if isinstance(source, (list, tuple)):
                for batch in source:
                    self._take(batch)
                return train(*state, source)
            return train(*state, _Seen(source, self._take))

        self.model.train_function = train_function

    def close(self) -> None:
        """Give the model its own train function back."""
        if self._train is not None:
            self.model.train_function, self._train = self._train, None

    def _take(self, batch: Any) -> None:
        import keras

        def take() -> None:
            parts = keras.utils.unpack_x_y_sample_weight(batch)
            self.feed.take(*parts, new_pass=self.new_pass)
            self.new_pass = False

        guarded(self.session, "reading a batch", take)


class _Seen(Iterator[Any]):
    """An iterator that shows each batch on its way."""

    def __init__(self, source: Iterator[Any], take: Callable[[Any], None]) -> None:
        self._source, self._take = source, take

    def __next__(self) -> Any:
        batch = next(self._source)
        self._take(batch)
        return batch
