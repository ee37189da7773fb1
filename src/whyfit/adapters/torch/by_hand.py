"""Training without an optimizer: `w -= rate * w.grad`, as tutorials write it.

No function is called that could be watched. But at each `backward` the weights show what has become of
them since the last one: where all have moved by the same number times their gradients, that number is
the learning rate of plain gradient descent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from whyfit.adapters.torch.chain import to_numpy
from whyfit.adapters.torch.graph import LossGraph, Outermost, first_leaf, read_loss
from whyfit.adapters.torch.recorder import StepSeen, TorchRecorder
from whyfit.records.network import Array

ROUNDING = 4.0
"""Units in the last place allowed to an update, which is a rounded product and a rounded difference."""

MOST_UNMOVED = 5
"""Networks whose weights never moved after `backward` before watching for such loops ends."""


class ByHand:
    """Stands for the optimizer that such a loop lacks: plain gradient descent."""

    rule = "SGD"

    def __init__(self, parameters: Sequence[Any]) -> None:
        self.param_groups: list[dict[str, Any]] = [
            {
                "params": list(parameters),
                "lr": 0.0,
                "momentum": 0.0,
                "nesterov": False,
                "dampening": 0.0,
            }
        ]

    @property
    def parameters(self) -> list[Any]:
        """The weights that get gradients."""
        return self.param_groups[0]["params"]


@dataclass(frozen=True)
class Rates:
    """Learning rates that explain what was seen, up to rounding; `low` > `high` if none does."""

    low: float = 0.0
    high: float = float("inf")

    def both(self, other: Rates) -> Rates:
        """Rates that explain two steps."""
        return Rates(max(self.low, other.low), min(self.high, other.high))

    @property
    def possible(self) -> bool:
        """Whether there is any."""
        return self.low <= self.high

    @property
    def shortest(self) -> float:
        """The one with the fewest decimals, since that is what people write."""
        middle = (self.low + self.high) / 2.0
        for digits in range(1, 9):
            rate = float(f"{middle:.{digits}g}")
            if self.low <= rate <= self.high:
                return rate
        return middle


def rates_of(before: Array, after: Array, gradient: Array, precision: float) -> Rates | None:
    """The numbers r with after = before - r gradient, or None where nothing moved.

    `precision` is the relative rounding of the weights. Numbers that are not finite tell nothing.
    """
    known = np.isfinite(after) & np.isfinite(gradient) & np.isfinite(before)
    start, end, slope = before[known], after[known], gradient[known]
    moved = start - end
    if not np.any(moved) and np.any(slope):
        return None
    allowed = ROUNDING * precision * (np.abs(start) + np.abs(end)) + 1e-30
    still = slope == 0.0
    if np.any(np.abs(moved[still]) > allowed[still]):
        return Rates(1.0, 0.0)
    if np.all(still):
        return Rates()
    rate = moved[~still] / slope[~still]
    margin = (allowed / np.where(still, 1.0, np.abs(slope)))[
        ~still
    ] + ROUNDING * precision * np.abs(rate)
    return Rates(float(np.max(rate - margin)), float(np.min(rate + margin)))


class HandWatch:
    """Watches loops without an optimizer, one at a time, from `backward` to `backward`.

    `begin` makes a recorder for a new loop; `keep` takes it once a step was made.
    """

    def __init__(
        self, begin: Callable[[ByHand], TorchRecorder], keep: Callable[[TorchRecorder], None]
    ) -> None:
        self._begin, self._keep = begin, keep
        self._recorder: TorchRecorder | None = None
        self._hand = ByHand([])
        self._waiting = False
        self._graph: LossGraph | None = None
        self._loss, self._cleared, self._backwards = 0.0, True, 0
        self._before: Array = np.zeros(0)
        self._gradient: Array = np.zeros(0)
        self._rates = Rates()
        self._leaves: set[int] = set()
        self._sampled: Any = None
        self._weight = self._slope = 0.0
        self._precision = 0.0
        self._unmoved = 0

    @property
    def knows_modules(self) -> bool:
        """Whether a loop is followed in which modules need not be watched any more."""
        return self._recorder is not None and self._recorder.knows_modules

    def before_backward(
        self,
        loss: Any,
        modules: dict[Any, Any],
        outermost: Outermost | None,
        is_ours: Callable[[], bool],
    ) -> bool:
        """Take the step made since the last loss, and note where this one begins.

        Returns whether it is followed: a loss of another loop is if `is_ours`, which is asked only then.
        """
        recorder = self._recorder
        if recorder is None or id(first_leaf(loss)) not in self._leaves:
            if not is_ours():
                return False
            if recorder is not None:
                self.finish()
                recorder = None
        self._take_step()
        if recorder is not None and not self._backwards:
            recorder.check_kept()
        if self._unmoved >= MOST_UNMOVED:
            return False
        self._loss = float(loss.item())
        self._graph = None
        if recorder is None or recorder.looks or self._backwards:
            self._graph = read_loss(loss, modules, outermost)
        if recorder is None:
            assert self._graph is not None  # just read
            self._hand, self._rates = ByHand(self._graph.leaves), Rates()
            self._leaves = {id(each) for each in self._hand.parameters}  # which are held there
            self._sampled = min(self._hand.parameters, key=lambda each: each.numel())
            single = any(each.element_size() < 8 for each in self._hand.parameters)
            self._precision = float(np.finfo(np.float32 if single else np.float64).eps)
            recorder = self._recorder = self._begin(self._hand)
            recorder.before_first(None)
        self._backwards += 1
        self._waiting = True
        if self._graph is not None:
            gradients = [each.grad for each in self._hand.parameters]
            self._cleared = not any(each is not None and bool(each.any()) for each in gradients)
            self._before = _flat(self._hand.parameters)
        return True

    def after_backward(self) -> None:
        """Note the gradients of a step that is looked at, of another that of one weight alone."""
        if self._recorder is not None and self._recorder.kept is not None:
            self._recorder.kept.note()  # here, since nobody says when the step is made
        if self._graph is None:
            slope = self._sampled.grad
            self._slope = 0.0 if slope is None else _first(slope)
        else:
            self._gradient = np.concatenate(
                [
                    np.zeros(each.numel()) if each.grad is None else to_numpy(each.grad).ravel()
                    for each in self._hand.parameters
                ]
            )

    def finish(self) -> None:
        """The loop has ended."""
        self._take_step()
        if self._recorder is not None:
            if self._recorder.steps == 0:
                self._unmoved += 1
            self._recorder.pause()
        self._recorder, self._backwards = None, 0

    def _take_step(self) -> None:
        recorder = self._recorder
        if recorder is None or not self._waiting:
            return
        self._waiting = False
        if self._graph is None:
            self._backwards = 0
            self._check_one(recorder)
            recorder.after_usual(self._loss)
            return
        self._weight = _first(self._sampled)
        seen = rates_of(self._before, _flat(self._hand.parameters), self._gradient, self._precision)
        if seen is None:
            return  # a loss whose gradients no step has used yet
        self._rates = self._rates.both(seen)
        if not seen.possible:
            recorder.give_up(
                "weights that the script updates by a rule of its own are not supported"
            )
        elif not self._rates.possible:
            recorder.give_up("a learning rate that the script changes by hand is not supported")
        else:
            recorder.set_rate(self._rates.shortest)
        if recorder.steps == 0:
            self._keep(recorder)
        cleared = self._cleared if recorder.steps else None
        recorder.after(
            StepSeen(self._graph, self._loss, self._backwards, cleared, clipped=(), loaders=())
        )
        if recorder.steps == 1:
            recorder.leaf = self._graph.first_leaf
        self._backwards = 0

    def _check_one(self, recorder: TorchRecorder) -> None:
        """Whether a weight has moved by the rate known: cheap enough for every step."""
        before, now, moved = self._weight, _first(self._sampled), recorder.rate * self._slope
        self._weight = now
        off = abs(before - now - moved)
        if off > ROUNDING * self._precision * (abs(before) + abs(now) + abs(moved)) + 1e-30:
            recorder.give_up("a learning rate that the script changes by hand is not supported")


def _first(tensor: Any) -> float:
    return float(tensor.item() if tensor.numel() == 1 else tensor.detach().view(-1)[0].item())


def _flat(tensors: Sequence[Any]) -> Array:
    return np.concatenate([to_numpy(each).ravel() for each in tensors])
