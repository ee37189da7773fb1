"""Running replicates: a laboratory that trains arms on request and remembers what it has trained.

Work goes out in blocks of 16 replicates to an executor; a block's result depends on its arm, phase
and number alone, so that it does not matter where, when or beside what it ran.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

import numpy as np

from whyfit.engine import cost, lanes
from whyfit.engine.initializers import draw
from whyfit.errors import Interrupted
from whyfit.measure.activity import few_samples, live_units
from whyfit.records.fit import Fit
from whyfit.records.network import Array
from whyfit.records.recipe import Recipe
from whyfit.records.study import Arm, Outcomes, Phase, Plan
from whyfit.study import factors, orders

BLOCK = lanes.GROUP


@dataclass(frozen=True)
class Progress:
    """What is being done, for whoever shows it."""

    doing: str
    fits: int
    seconds: float


Report = Callable[[Progress], None]


@dataclass(frozen=True)
class Block:
    """Sixteen replicates of one recipe: all that a worker needs besides the data."""

    recipe: Recipe
    seed: int
    first: int


def train_block(block: Block, x: Array, y: Array, cancelled: Callable[[], bool]) -> Array:
    """Unexplained variance and live units at the start of each replicate of a block, (2, 16)."""

    def stop_if_cancelled(_steps: int) -> None:
        if cancelled():
            raise Interrupted("cancelled")

    recipe = block.recipe
    starts = draw(recipe, block.seed, block.first, BLOCK)
    trained = lanes.train(
        recipe,
        x,
        y,
        starts,
        order=lanes.Order(orders.kind(recipe, len(x)), seed=block.seed),
        first_replicate=block.first,
        threads=1,
        progress=stop_if_cancelled,
    )
    targets = recipe.target_transform(y) if recipe.target_transform else y
    variance = float(np.mean((targets - targets.mean(axis=0)) ** 2))
    unexplained = trained.mean_squared_error / variance
    unexplained[~np.isfinite(unexplained) | (trained.diverged_at >= 0)] = np.inf
    inputs = recipe.input_transform(x) if recipe.input_transform else x
    return np.stack([unexplained, live_units(starts, recipe, few_samples(inputs, 64))])


@dataclass
class Laboratory:
    """Trains arms of one fit under one plan; every result is kept.

    The only mutable object of a study: it holds what has been measured so far.
    """

    fit: Fit
    recipe: Recipe
    plan: Plan
    executor: Executor | None = None
    report: Report = lambda _progress: None
    started: float = field(default_factory=time.monotonic)
    spent: float = 0.0
    fits: int = 0
    _blocks: dict[tuple[Arm, Phase], list[Array]] = field(default_factory=dict)
    _cancelled: bool = False

    def __post_init__(self) -> None:
        self._x = np.asarray(self.fit.x, dtype=np.float64)
        self._y = np.asarray(self.fit.y, dtype=np.float64)

    def cost(self, arm: Arm, replicates: int) -> float:
        """Modelled seconds of an arm."""
        recipe = factors.apply(arm, self.fit, self.recipe)
        return orders.seconds(recipe, len(self._x), replicates)

    def price(self, arms: Iterable[Arm], replicates: int, phase: Phase) -> float:
        """Modelled seconds of what these arms still lack to have so many replicates."""
        total = 0.0
        for arm in dict.fromkeys(arms):
            have = BLOCK * len(self._blocks.get((arm, phase), []))
            if have < replicates:
                total += self.cost(arm, replicates - have)
        return total

    @property
    def remaining(self) -> float:
        """Modelled seconds left of the budget."""
        return self.plan.budget - self.spent

    @property
    def overdue(self) -> bool:
        """Whether this machine is so much slower than the model that the study must stop."""
        return time.monotonic() - self.started > 4.0 * self.plan.budget + 10.0

    def run(self, wanted: Mapping[Arm, int], phase: Phase, doing: str) -> None:
        """Train what is missing for these arms to have so many replicates (rounded up to 16)."""
        jobs: list[tuple[Arm, int]] = []
        for arm, replicates in wanted.items():
            have = len(self._blocks.setdefault((arm, phase), []))
            need = -(-replicates // BLOCK)
            jobs += [(arm, index) for index in range(have, need)]
            self.spent += self.cost(arm, BLOCK) * max(0, need - have)
        if not jobs:
            return
        seed = self.plan.selection_seed if phase == "selection" else self.plan.confirmation_seed
        results = self._train(
            [
                Block(factors.apply(arm, self.fit, self.recipe), seed, index * BLOCK)
                for arm, index in jobs
            ],
            doing,
        )
        for (arm, _index), result in zip(jobs, results, strict=True):
            self._blocks[arm, phase].append(result)

    def outcomes(self, arm: Arm, phase: Phase) -> Outcomes:
        """What has been trained of an arm so far; run() first."""
        blocks = self._blocks.get((arm, phase), [])
        table = np.concatenate(blocks, axis=1) if blocks else np.zeros((2, 0))
        return Outcomes(arm, phase, table[0], table[1], self.plan.criterion.tolerance)

    def everything(self) -> tuple[Outcomes, ...]:
        """All outcomes of all arms, in the order in which they were first asked for."""
        return tuple(
            self.outcomes(arm, phase) for (arm, phase), blocks in self._blocks.items() if blocks
        )

    def _train(self, blocks: list[Block], doing: str) -> list[Array]:
        if self.executor is not None:
            return self._train_on(self.executor, blocks, doing)
        with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
            return self._train_on(pool, blocks, doing)

    def _train_on(self, executor: Executor, blocks: list[Block], doing: str) -> list[Array]:
        # The longest first, so that no core waits for a long one at the end.
        order = sorted(
            range(len(blocks)),
            key=lambda at: -cost.seconds(blocks[at].recipe, len(self._x), BLOCK),
        )
        futures: dict[int, Future[Array]] = {
            at: executor.submit(train_block, blocks[at], self._x, self._y, self._is_cancelled)
            for at in order
        }
        try:
            waiting = set(futures.values())
            while waiting:
                done, waiting = wait(waiting, timeout=0.1)
                self.fits += BLOCK * len(done)
                self.report(Progress(doing, self.fits, time.monotonic() - self.started))
        except KeyboardInterrupt:
            self._cancelled = True
            for future in futures.values():
                future.cancel()
            raise Interrupted("the study was interrupted") from None
        return [futures[at].result() for at in range(len(blocks))]

    def _is_cancelled(self) -> bool:
        return self._cancelled
