"""Which scheduler steers which PyTorch optimizer, and what a plateau scheduler goes by.

`ReduceLROnPlateau.step(value)` is given a number that the script has computed somehow. If it is the
loss of held-out samples, it must come out again when the network, as it is at the call, meets samples
that the script holds at hand: that is tried with the arrays of the functions that led to the call, and
what gives the number at the first calls and at later ones is what the scheduler goes by.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from whyfit.adapters._adapter import Session
from whyfit.adapters.places import calling_place
from whyfit.adapters.torch.at_hand import AGREEMENT, arrays_at_hand, pairs
from whyfit.adapters.torch.error import Error, loss_between
from whyfit.adapters.torch.graph import LossGraph, network_of
from whyfit.adapters.torch.made import Places
from whyfit.adapters.watching import Watch, guarded
from whyfit.records.fit import HeldOut
from whyfit.records.network import Array

FIRST_CALLS = 4
"""Calls at which the samples are looked for, or compared each time; afterwards when the number of calls
is a power of two."""


@dataclass
class Watched:
    """What one plateau scheduler was given, and after how many steps of the optimizer."""

    steps: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    candidates: list[HeldOut] = field(default_factory=list)

    def note(self, steps: int, value: float, graph: LossGraph | None) -> None:
        """Take a call of `step`."""
        self.steps.append(steps)
        self.values.append(value)
        calls = len(self.values)
        if graph is None or graph.error is None or not graph.layers or not math.isfinite(value):
            return
        if calls > FIRST_CALLS and calls & (calls - 1):
            return
        error, network = graph.error, network_of(graph.layers)
        if calls == 1:
            shape = (network.layers[0].weight.shape[0], network.layers[-1].weight.shape[1])
            self.candidates = list(pairs(arrays_at_hand(), shape))
        self.candidates = [
            each
            for each in self.candidates
            if math.isclose(_loss(error, network, each), value, rel_tol=AGREEMENT)
        ]

    def after_each_pass(self, length: int) -> bool:
        """Whether it was asked once after each pass of so many steps."""
        return self.steps == [length * at for at in range(1, len(self.steps) + 1)]

    @property
    def held_out(self) -> HeldOut | None:
        """The samples whose loss it was given at every call that was looked at."""
        several = len(set(self.values)) > 1  # one number alone may be chance
        return self.candidates[0] if self.candidates and several else None


def _loss(error: Error, network: Callable[[Array], Array], samples: HeldOut) -> float:
    return loss_between(error, network(samples.x), samples.y)


class Several:
    """Stands for more than one scheduler on one optimizer."""


class SchedulerWatch:
    """Knows each optimizer's scheduler, and notes what plateau schedulers are given.

    `look` says how many steps an optimizer has made and how its loss is computed; `places` takes where
    each scheduler was made.
    """

    def __init__(
        self,
        session: Session,
        look: Callable[[Any], tuple[int, LossGraph | None] | None],
        places: Places,
    ) -> None:
        self._session, self._look, self._places = session, look, places
        self._known: weakref.WeakKeyDictionary[Any, Any] = weakref.WeakKeyDictionary()
        self._watched: weakref.WeakKeyDictionary[Any, Watched] = weakref.WeakKeyDictionary()

    def watch(self, torch: Any, watch: Watch) -> None:
        """Watch the constructors, and the step of plateau schedulers."""
        schedulers = torch.optim.lr_scheduler
        watch.wrap(schedulers.LRScheduler, "__init__", self._on_scheduler)
        watch.wrap(schedulers.ReduceLROnPlateau, "__init__", self._on_scheduler)
        watch.wrap(schedulers.ReduceLROnPlateau, "step", self._on_plateau)

    def of(self, optimizer: Any) -> Any:
        """The scheduler of an optimizer, None, or `Several`."""
        return self._known.get(optimizer)

    def watched(self, scheduler: Any) -> Watched | None:
        """What a plateau scheduler was given, or None for another one."""
        return self._watched.get(scheduler) if scheduler is not None else None

    def _on_scheduler(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        result = wrapped(*args, **kwargs)

        def note() -> None:
            # Not one of the script's own, whose call no patch could write.
            if type(instance).__module__ == "torch.optim.lr_scheduler":
                self._places.note(instance, calling_place())
            known = self._known.get(instance.optimizer)
            self._known[instance.optimizer] = (
                instance if known is None or known is instance else Several()
            )

        guarded(self._session, "watching a scheduler", note)
        return result

    def _on_plateau(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        def note() -> None:
            given = args[0] if args else kwargs.get("metrics")
            seen = self._look(instance.optimizer)
            if given is not None and seen is not None:
                steps, graph = seen
                watched = self._watched.setdefault(instance, Watched())
                watched.note(steps, float(getattr(given, "detach", lambda: given)()), graph)

        guarded(self._session, "watching a plateau scheduler", note)
        return wrapped(*args, **kwargs)
