"""The batches that a PyTorch loop learns from, and the loaders they come from."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from whyfit.adapters.batches import Batches, DataSet
from whyfit.adapters.torch.error import Error
from whyfit.adapters.torch.graph import LossGraph
from whyfit.adapters.torch.loaders import loader_arrays, number_of_batches, same_passes, shaped
from whyfit.adapters.weights import without_weights
from whyfit.records.network import Array


@dataclass
class Feed:
    """Follows batches until it is known what a pass over the data is; after that it checks some.

    `reason` says why the batches cannot be trained on again. The targets of weighted samples have the
    weights as a last column. `sources` may hold the whole data in their order.
    """

    batches: Batches
    loader: Any = None
    sources: list[tuple[Array, Array]] = field(default_factory=list)
    reason: str | None = None
    _unweighted: Batches | None = None

    @classmethod
    def of(cls, error: Error) -> Feed:
        """What follows the batches of a loop whose first loss is this one."""
        exact, weighted = error.target is not None, error.weight is not None
        return cls(Batches(targets_exact=exact, weighted=weighted))

    def take(self, graph: LossGraph, loaders: tuple[Any, ...], step: int) -> None:
        """Take the batch of a loss at a step (from 0), before which these loaders were begun."""
        if graph.batch is None:
            return
        weighted = graph.error is not None and graph.error.weight is not None
        if weighted != self.batches.weighted:
            self._give_up("sample weights at some steps only are not supported")
            return
        if self.batches.settled:
            self.batches.check(step, *graph.batch)
        else:
            new_pass = self._new_pass(loaders, begins=step == 0)
            self.batches.add(*graph.batch, new_pass=new_pass)
            self._compare_weights(*graph.batch, new_pass=new_pass)
            if step == 0:
                self._choose_loader(loaders, len(graph.batch[0]))
                self._note_sources(graph, *graph.batch)
        if self.batches.reason is not None:
            self._give_up(self._left_out() or self.batches.reason)

    def data(self, steps: int) -> DataSet | None:
        """The data set that so many steps went through, or None where no batch could be read."""
        if not self.batches.begun:
            return None
        data = self.batches.result(steps, tuple(self.sources))
        if self.batches.weighted and data.drop_last:
            self._give_up("weighted samples of which each pass leaves some out are not supported")
        left_out, whole = self._left_out(), self._whole(self.loader)
        same_each_time = self.batches.reason is None and self.batches.pass_length != 1
        if left_out is None or whole is None or same_each_time:
            return data
        self._give_up(left_out)
        return replace(data, x=whole[0], y=whole[1])  # all that the fit is looked at on

    def _give_up(self, reason: str) -> None:
        self.reason = self.reason or reason

    def _compare_weights(self, x: Array, y: Array, *, new_pass: bool) -> None:
        """Without their weights the batches become passes no sooner, unless the weights change."""
        if not self.batches.weighted:
            return
        self._unweighted = self._unweighted or Batches(targets_exact=self.batches.targets_exact)
        self._unweighted.add(x, without_weights(y, weighted=True)[0], new_pass=new_pass)
        passes = self._unweighted.settled and self._unweighted.repeats()
        if passes and (not self.batches.settled or self.batches.reason is not None):
            self._give_up("sample weights that change while training goes on are not supported")
            self.batches = self._unweighted

    # ---- loaders ----

    def _new_pass(self, loaders: tuple[Any, ...], *, begins: bool) -> bool:
        if begins:
            return len(loaders) > 0
        return any(same_passes(each, self.loader) for each in loaders)

    def _choose_loader(self, loaders: tuple[Any, ...], size: int) -> None:
        """Of the loaders that were begun before the first step the one that gave its batch."""
        holding = [each for each in loaders if self._whole(each) is not None]
        alike = [each for each in holding if getattr(each, "batch_size", None) == size]
        self.loader = next((group[-1] for group in (alike, holding, loaders) if group), None)

    def _whole(self, loader: Any) -> tuple[Array, Array] | None:
        """All that a loader goes through, if what was learned from is of it."""
        if loader is None or not self.batches.begun:
            return None
        return self.batches.among(lambda x, y: loader_arrays(loader, x, y))

    def _left_out(self) -> str | None:
        """That a pass over the loader has more batches than steps, where that is surely so."""
        steps, batches = self.batches.pass_length, number_of_batches(self.loader)
        if steps is None or batches is None or steps >= batches or self._whole(self.loader) is None:
            return None
        if steps > 1:
            return (
                f"{steps} steps in each pass over a loader of {batches} batches are not supported"
            )
        return (
            "the loader is started anew after every optimizer step, so that only one of its "
            f"{batches} batches is learned from in each pass, as where the step stands outside of "
            "the loop over the batches; that is not supported"
        )

    def _note_sources(self, graph: LossGraph, x: Array, y: Array) -> None:
        """Arrays that may hold the whole data in their order: a loader's, or what batches are cut of."""
        if self.loader is not None:
            self.sources += loader_arrays(self.loader, x, y)
        base_x = getattr(graph.x, "_base", None) if graph.layers else None
        target = graph.error.target if graph.error else None
        base_y = getattr(target, "_base", None)
        if base_x is not None and base_y is not None:
            self.sources += shaped(base_x, base_y, x, y)
