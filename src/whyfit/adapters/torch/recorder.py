"""One training by one PyTorch optimizer, from its first step to its end.

The first passes are looked at batch by batch, until it is known what a pass is; after that only the
number of steps, the learning rate and the loss are noted, and now and then a batch is compared with
what is expected. That is what keeps watching cheap.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from whyfit.adapters.batches import DataSet
from whyfit.adapters.torch import recipe as torch_recipe
from whyfit.adapters.torch.draws import Draws, short
from whyfit.adapters.torch.error import Error, common
from whyfit.adapters.torch.feed import Feed
from whyfit.adapters.torch.graph import LossGraph
from whyfit.adapters.torch.kept import KeptGradients
from whyfit.adapters.torch.put_back import PutBack, put_back_now
from whyfit.adapters.torch.recipe import RateChange
from whyfit.adapters.torch.schedulers import Watched
from whyfit.adapters.torch.stops import stopped_by_itself
from whyfit.records.fit import HeldOut, Place
from whyfit.records.network import Array
from whyfit.records.recipe import Optimizer, Recipe
from whyfit.records.schedule import Schedule

MOST_SNAPSHOTS = 512
"""Where more weights than this are kept, every second one is given up, and so on."""

CHECK_SHARE, CHECK_LEAST = 16, 101
"""After step s the next batch that is compared with expectations is s / 16 steps later, but at least
101, which is prime so that no period of the loop hides a difference."""


@dataclass(frozen=True, eq=False)
class StepSeen:
    """What was seen between two optimizer steps."""

    graph: LossGraph | None
    loss: float
    backwards: int
    cleared: bool | None
    clipped: tuple[tuple[str, float], ...]
    loaders: tuple[Any, ...]


MOST_ANSWERS, MOST_ASKED = 20, 100_000
"""Calls after the last step whose answers are kept, and numbers in each."""


@dataclass
class TorchRecorder:
    """Takes the steps of one optimizer and keeps what a fit needs."""

    optimizer: Any
    place: Place | None
    within: tuple[Place, ...] = ()
    keep_weights: bool = True
    drawn: Draws = field(default_factory=Draws)
    scheduler: Any = None
    steps: int = 0
    reason: str | None = None
    problem: str | None = None
    first: LossGraph | None = None
    error: Error | None = None
    leaf: Any = None
    model: Any = None
    feed: Feed | None = None
    given: frozenset[int] = frozenset()  # ids of the optimizer's parameters
    starts: dict[int, Any] = field(default_factory=dict)
    kept_layers: frozenset[int] = frozenset()  # numbers of layers that no step changes
    start: Array | None = None
    losses: list[float] = field(default_factory=list)
    snapshots: list[tuple[int, Array]] = field(default_factory=list)
    latest: tuple[int, Array] | None = None
    ended: Array | None = None
    put_back: PutBack | None = None
    rates: list[RateChange] = field(default_factory=list)
    rule: tuple[Optimizer, str | None] | None = None
    cleared: bool | None = None
    kept: KeptGradients | None = None
    answers: list[tuple[Any, Any, int]] = field(default_factory=list)
    watched: Watched | None = None
    held_out: HeldOut | None = None
    backward: Place | None = None
    clipping: tuple[tuple[str, float], ...] = ()
    rate: float = 0.0
    steady: bool = False
    _length: int = 1
    _shares: list[float] = field(default_factory=lambda: [1.0])
    _every: int = 1
    _next_check: int = 0
    _sum: float = 0.0
    _count: int = 0
    _began_cleared: bool | None = None
    _misses_all: bool = False
    _answered: int = -1

    # ---- before and after a step ----

    @property
    def looks(self) -> bool:
        """Whether the next loss has to be taken apart."""
        return not self.steady or self.steps >= self._next_check

    @property
    def knows_modules(self) -> bool:
        """Whether modules need not be watched any more: a chain of layers is read without them."""
        return self.steps > 0 and (self.steady or self.first is None or len(self.first.layers) > 0)

    @property
    def weighted(self) -> bool:
        """Whether samples are weighted; the targets of `data` then have the weights as a last column."""
        return self.feed is not None and self.feed.batches.weighted

    def before_first(self, trained: str | None) -> None:
        """Copy the start weights, before the first step changes them.

        `trained` says, where another optimizer has changed them already, that this is not supported.
        """
        if trained:
            self.give_up(trained)
        for group in self.optimizer.param_groups:
            for parameter in group["params"]:
                self.starts[id(parameter)] = parameter.detach().clone()
        self.given = frozenset(self.starts)
        rate = self.rate = float(self.optimizer.param_groups[0]["lr"])
        self.rates = [RateChange(0, rate)]
        self.rule = torch_recipe.optimizer_of(self.optimizer, short(rate))
        if self.rule[1] is not None:
            self.give_up(self.rule[1])

    def change_rate(self, rate: float) -> None:
        """Note that the step about to be made has another learning rate than the one before."""
        self.rate = rate
        self.rates.append(RateChange(self.steps, rate))

    def set_rate(self, rate: float) -> None:
        """Set the one learning rate of the whole loop, where it is found out only step by step."""
        if rate != self.rate:
            self.rate, self.rates = rate, [RateChange(0, rate)]
            self.rule = torch_recipe.optimizer_of(self.optimizer, rate)

    def after_usual(self, loss: float) -> None:
        """Take a step at which nothing was looked at: the rule, so it must cost next to nothing."""
        if self.ended is not None:
            self._resume()
        self._sum += loss * self._shares[self._count]
        self._count += 1
        self.steps += 1
        if self._count >= self._length:
            self.losses.append(self._sum)
            self._sum, self._count = 0.0, 0
            self._keep_weights()

    def after(self, seen: StepSeen) -> None:
        """Take a step that has just been made."""
        if self.ended is not None:
            self._resume()
        if seen.backwards != 1:
            what = "several losses" if seen.backwards else "no loss"
            self.give_up(f"optimizer steps after {what} are not supported")
        if seen.clipped != self.clipping:
            if self.steps:
                self.give_up("clipping of some steps only is not supported")
            self.clipping = seen.clipped
        if seen.graph is not None:
            self._look(seen.graph, seen)
        elif self.steps == 0:
            self.give_up("a loss without gradients of its own is not supported")
        if self.steady:
            self.after_usual(seen.loss)
            return
        self.losses.append(seen.loss)
        self.steps += 1
        if self.feed.batches.settled if self.feed is not None else self.reason is not None:
            self._settle()

    def _settle(self) -> None:
        """From now on only some batches are looked at; losses of steps become means of passes."""
        self.steady = True
        if self.feed is None or self.feed.batches.pass_length is None:
            return
        self._length = self.feed.batches.pass_length
        self._shares = self.feed.batches.shares(self._length)
        whole = len(self.losses) // self._length
        rest = self.losses[whole * self._length :]
        means = np.array(self.losses[: whole * self._length]).reshape(whole, -1) @ self._shares
        self.losses = [float(mean) for mean in means]
        self._sum = float(np.dot(rest, self._shares[: len(rest)]))
        self._count = len(rest)
        if not rest:
            self._keep_weights()

    def _resume(self) -> None:
        self.ended = self.put_back = None
        self.give_up("networks that are trained in turns are not supported")

    def give_up(self, reason: str) -> None:
        """Note why this training cannot be made again; the first reason counts."""
        self.reason = self.reason or reason

    # ---- whether gradients are cleared ----

    def check_kept(self) -> None:
        """Before `backward`, in a loop that has never cleared its gradients: whether it did now."""
        if self.kept is not None and not self.kept.untouched():
            self._clearing_varies()

    def _note_clearing(self, cleared: bool, graph: LossGraph) -> None:
        if self._misses_all:
            return  # `zero_grad` cleared what it was given; these gradients are nobody's
        if self.steps == 1:
            self.cleared = cleared
            if not cleared:
                self.kept = KeptGradients([each for each in graph.leaves if id(each) in self.given])
                if self._began_cleared is False:
                    self.give_up("gradients left from before the training are not supported")
        elif cleared != self.cleared:
            self._clearing_varies()

    def _clearing_varies(self) -> None:
        self.cleared = self.kept = None
        self.give_up("gradients that are cleared before some steps only are not supported")

    # ---- looking at a batch ----

    def _look(self, graph: LossGraph, seen: StepSeen) -> None:
        if graph.reason is not None:
            self.give_up(graph.reason)
        if self.first is None:
            self._began_cleared = seen.cleared
            self._begin(graph)
        elif seen.cleared is not None:
            self._note_clearing(seen.cleared, graph)
        self._note_error(graph.error)
        self._compare_constants()
        self._next_check = self.steps + max(CHECK_LEAST, self.steps // CHECK_SHARE)
        if self.feed is not None:
            self.feed.take(graph, seen.loaders, self.steps)
            if self.feed.reason is not None:
                self.give_up(self.feed.reason)

    def _compare_constants(self) -> None:
        """Whether the optimizer still has the constants it began with, its learning rate aside."""
        if self.rule is None or self.steps == 0:
            return
        began = self.rule[0]
        if torch_recipe.optimizer_of(self.optimizer, began.learning_rate)[0] != began:
            self.give_up(
                "constants of the optimizer that change while training goes on, other than its "
                "learning rate, are not supported (OneCycleLR and CyclicLR move the momentum too, "
                "unless cycle_momentum=False)"
            )

    def _is_trained(self, parameter: Any) -> bool:
        return id(parameter) in self.given and bool(parameter.requires_grad)

    def _note_error(self, error: Error | None) -> None:
        if self.error is not None and error is not None:
            known = common(self.error, error)
            if known is None:
                self.give_up("a loss that changes while training goes on is not supported")
            else:
                self.error = known

    def _begin(self, graph: LossGraph) -> None:
        self.first, self.error = graph, graph.error
        self.model = graph.outermost.module if graph.outermost else None
        if graph.error is None:
            self.problem = graph.reason
            return
        self.feed = Feed.of(graph.error)
        if graph.layers:
            parameters = [p for each in graph.layers for p in each.parameters]
            trained = [[self._is_trained(p) for p in each.parameters] for each in graph.layers]
            left_out = sum(not each for layer in trained for each in layer)
            self._misses_all = left_out == len(parameters)
            if self._misses_all:
                self.give_up(
                    f"the optimizer was given none of the {left_out} weights and biases of this "
                    "network, so that its steps change nothing here (was it made for another one?)"
                )
            elif any(len(set(layer)) > 1 for layer in trained):
                self.give_up(
                    f"the optimizer trains {len(parameters) - left_out} of the {len(parameters)} "
                    "weights and biases of the layers, and of some layer only one of the two, which "
                    "is not supported"
                )
            else:
                self.kept_layers = frozenset(at for at, each in enumerate(trained) if not each[0])
                for each in parameters:
                    self.starts.setdefault(id(each), each.detach().clone())
                self.start = torch_recipe.flat(graph.layers, self.starts)
                self.latest = (0, self.start)
                self.snapshots = [self.latest]
            if len(graph.leaves) > len(parameters):
                self.give_up("weights outside the chain of layers are not supported")

    # ---- weights ----

    def _keep_weights(self) -> None:
        """Copy the weights at the end of a pass, all of them in short trainings, some in long ones."""
        if self.start is None or self.first is None:
            return
        epoch = self.steps // self._length
        due = epoch % self._every == 0
        if not due and self._length == 1:
            return  # every step is a whole epoch: nothing can be cut off in the middle of one
        self.latest = (epoch, torch_recipe.flat(self.first.layers))
        if due and self.keep_weights:
            self.snapshots.append(self.latest)
            if len(self.snapshots) > MOST_SNAPSHOTS:
                self.snapshots = self.snapshots[:1] + self.snapshots[2::2]
                self._every *= 2

    def pause(self) -> None:
        """Training seems over: keep the weights before something else changes them."""
        if self.ended is None and self.start is not None and self.first is not None:
            self.ended = torch_recipe.flat(self.first.layers)

    def loaded(self, module: Any) -> None:
        """Weights have been put into a module: after the training, maybe those of its best epoch."""
        self.answers.clear()
        mine = any(id(each) in self.starts for each in module.parameters())
        if mine and self.ended is not None and self.first is not None:
            weights = torch_recipe.flat(self.first.layers)
            known = [each for each in (self.start, self.ended) if each is not None]
            others = not any(np.array_equal(weights, each) for each in known)
            self.put_back = put_back_now(weights) if others else None

    def answered(self, x: Any, outputs: Any, line: int) -> None:
        """The network was asked, in a step or, if none follows, by the script for itself."""
        if self._answered != self.steps:
            self._answered = self.steps
            self.answers.clear()
        if len(self.answers) < MOST_ANSWERS and x.numel() <= MOST_ASKED:
            self.answers.append((x.detach(), outputs.detach(), line))

    @property
    def answers_after_all(self) -> list[tuple[Any, Any, int]]:
        """Inputs, outputs and lines of the calls after the last step."""
        return self.answers if self._answered == self.steps else []

    # ---- the end ----

    def data(self) -> DataSet | None:
        """The data set, or None where no batch could be read."""
        if self.feed is None:
            return None
        data = self.feed.data(self.steps)
        if self.feed.reason is not None:
            self.give_up(self.feed.reason)
        return data

    def recipe(self, data: DataSet) -> Recipe | None:
        """Everything needed to train again; `reason` says what is missing."""
        if self.first is None or not self.first.layers or self.start is None:
            return None
        if self.rule is None or self.error is None:
            return None
        error = self.error
        if error.output_shape != error.target_shape:
            self.give_up(
                f"a loss between outputs of shape {error.output_shape} and targets of shape "
                f"{error.target_shape}, which are spread against each other, is not supported"
            )
        layers, reason = torch_recipe.dense_layers(
            self.first, self.starts, self.drawn, self.kept_layers
        )
        rule, rule_reason = self.rule
        schedule, schedule_reason = torch_recipe.schedule_of(
            self.rates, self.steps, data.steps, self.scheduler
        )
        if schedule is not None and schedule.kind == "plateau" and schedule_reason is None:
            schedule, schedule_reason = self._plateau(schedule, data.steps)
        stopped = stopped_by_itself(self.within, self.steps // data.steps, self.steps)
        for each in (data.reason, rule_reason, reason, schedule_reason, stopped):
            if each:
                self.give_up(each)
        clipping = dict(self.clipping)
        if clipping and self.kept_layers:
            self.give_up("clipping beside layers that are not trained is not supported")
        optimizer = replace(
            rule, global_clipnorm=clipping.get("norm"), clipvalue=clipping.get("value")
        )
        return Recipe(
            inputs=data.x.shape[1],
            layers=layers,
            loss=error.loss,
            optimizer=optimizer,
            batch_size=data.batch_size,
            epochs=max(1, self.steps // data.steps),
            shuffle=data.shuffle,
            loss_constant=error.constant,
            loss_factor=error.factor,
            reduction="sum" if error.reduction == "sum" else "mean",
            divide_by_weights=error.by_weights,
            drop_last=data.drop_last,
            schedule=schedule,
            clears_gradients=self.cleared is not False,
        )

    def _plateau(self, schedule: Schedule, length: int) -> tuple[Schedule | None, str | None]:
        """The schedule with what it goes by, and the reason why that is not supported, if so."""
        asked = len(self.watched.steps) if self.watched is not None else 0
        if self.scheduler.last_epoch != asked:
            return schedule, "a plateau scheduler that was asked before the watch"
        if self.watched is None:
            return None, None
        if not self.watched.after_each_pass(length):
            return schedule, "a plateau scheduler that is not asked once after each pass"
        if np.allclose(self.watched.values, self.losses[: len(self.watched.values)], rtol=0.01):
            return schedule, None
        self.held_out = self.watched.held_out
        if self.held_out is None:
            return schedule, "a plateau scheduler that goes by samples or a measure not known"
        if self.error is not None and self.error.reduction == "sum":
            return schedule, "a plateau scheduler that goes by a sum over held-out samples"
        if self.weighted:
            return (
                schedule,
                "a plateau scheduler that goes by held-out samples beside sample weights",
            )
        return replace(schedule, monitor="held_out_loss"), None

    def end(self, data: DataSet) -> tuple[Array | None, int]:
        """The end weights and the number of whole passes they were trained for."""
        epochs = self.steps // data.steps
        if self.start is None or self.first is None:
            return None, epochs
        last = self.ended if self.ended is not None else torch_recipe.flat(self.first.layers)
        if self.put_back is not None:
            last = self.put_back.weights
        if self.steps % data.steps == 0:
            return last, epochs
        if self.latest is not None and self.latest[0] == epochs:
            return self.latest[1], epochs
        self.give_up("a training that ends within a pass over the data is not supported")
        return last, max(epochs, 1)
