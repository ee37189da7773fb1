"""Running replicates: a laboratory that trains arms on request and remembers what it has trained.

Work goes out in blocks of 16 replicates to a crew (`workers`); a block's result depends on its recipe,
seed and number alone, so that it does not matter where, when or beside what it ran. What the ledger
knows already is not trained again, but counts towards the budget all the same: plan, decisions and
results are those of a study without it.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field

import numpy as np

from whyfit.errors import WorkersLost
from whyfit.ledger.ledger import Page, Wanted
from whyfit.records.fit import Fit
from whyfit.records.network import Array
from whyfit.records.recipe import Recipe
from whyfit.records.study import Arm, Outcomes, Phase, Plan
from whyfit.study import factors, memory, orders
from whyfit.study.workers.block import BLOCK, Block, Data
from whyfit.study.workers.crew import Crew, Here, Place
from whyfit.study.workers.places import place_of
from whyfit.study.workers.send import train


@dataclass(frozen=True)
class Progress:
    """What is being done, for whoever shows it; what `stays` is to be read once, and stay readable."""

    doing: str
    fits: int
    seconds: float
    stays: bool = False


Report = Callable[[Progress], None]


def nobody(_progress: Progress) -> None:
    """The report to which nobody listens."""


@dataclass
class Laboratory:
    """Trains arms of one fit under one plan; every result is kept.

    The only mutable object of a study: it holds what has been measured so far. `fits` counts all
    replicates, `page` those that the ledger gave. Close it at the end.
    """

    fit: Fit
    recipe: Recipe
    plan: Plan
    executor: Executor | Place | None = None
    report: Report = nobody
    page: Page = field(default_factory=Page.blank)
    started: float = field(default_factory=time.monotonic)
    started_work: float = field(default_factory=time.process_time)
    spent: float = 0.0
    reserved: float = 0.0
    fits: int = 0
    _blocks: dict[tuple[Arm, Phase], list[Array]] = field(default_factory=dict)
    _crew: Crew | None = None

    def __post_init__(self) -> None:
        self._data = Data.of_fit(self.fit)
        self._place = place_of(self.executor)

    def cost(self, arm: Arm, replicates: int) -> float:
        """Modelled seconds of an arm."""
        recipe = factors.apply(arm, self.fit, self.recipe)
        return orders.seconds(recipe, len(self._data.x), replicates)

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
        """Modelled seconds left of the budget, without what is kept for later."""
        return self.plan.budget - self.spent - self.reserved

    @property
    def trains_here(self) -> bool:
        """Whether this process itself trains."""
        return isinstance(self._place, Here)

    def lacking(self, wanted: Mapping[Arm, int], phase: Phase) -> float:
        """Modelled seconds of what neither this study nor the ledger has of these arms."""
        jobs = self._jobs(wanted, phase)
        entries = self._entries(jobs, phase)[1]
        known = self.page.ledger.fetch([entry.key for entry in entries])
        return sum(
            self.cost(changes, BLOCK)
            for (changes, _index), entry in zip(jobs, entries, strict=True)
            if entry.key not in known
        )

    @property
    def overdue(self) -> bool:
        """Whether this machine is so much slower than the model that the study must stop.

        Time that other programs take does not count: a study on a busy machine ends as it would on a
        quiet one, later. Never where others train, in processes or elsewhere: what they spend is not
        known here.
        """
        if not self.trains_here:
            return False
        most = 4.0 * self.plan.budget + 10.0
        waited = time.monotonic() - self.started
        worked = time.process_time() - self.started_work
        return min(waited, worked) > most

    def run(self, wanted: Mapping[Arm, int], phase: Phase, doing: str) -> None:
        """Train what is missing for these arms to have so many replicates (rounded up to 16).

        Raises Interrupted on Ctrl-C and WorkersLost where nobody is left to train.
        """
        jobs = self._jobs(wanted, phase)
        for changes, blocks_missing in Counter(changes for changes, _index in jobs).items():
            self.spent += self.cost(changes, BLOCK) * blocks_missing
        if not jobs:
            return
        blocks, entries = self._entries(jobs, phase)
        for (arm, _index), result in zip(jobs, self._results(blocks, entries, doing), strict=True):
            self._blocks[arm, phase].append(result)

    def _jobs(self, wanted: Mapping[Arm, int], phase: Phase) -> list[tuple[Arm, int]]:
        """Arms and numbers of the blocks that are missing."""
        return [
            (changes, index)
            for changes, replicates in wanted.items()
            for index in range(
                len(self._blocks.setdefault((changes, phase), [])), -(-replicates // BLOCK)
            )
        ]

    def _entries(
        self, jobs: list[tuple[Arm, int]], phase: Phase
    ) -> tuple[list[Block], list[Wanted]]:
        seed = self.plan.selection_seed if phase == "selection" else self.plan.confirmation_seed
        recipes = {
            changes: factors.apply(changes, self.fit, self.recipe)
            for changes in dict.fromkeys(changes for changes, _index in jobs)
        }
        samples = len(self._data.x)
        blocks = [
            Block(recipes[arm], seed, index * BLOCK, orders.kind(recipes[arm], samples))
            for arm, index in jobs
        ]
        entries = [
            Wanted(key, phase, named(arm), block.first, BLOCK)
            for key, (arm, _index), block in zip(
                memory.keys(blocks, self._data), jobs, blocks, strict=True
            )
        ]
        return blocks, entries

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

    def close(self) -> None:
        """Let the crew go."""
        if self._crew is not None:
            self._crew.close()
            self._crew = None

    def _results(self, blocks: list[Block], entries: list[Wanted], doing: str) -> list[Array]:
        """From the ledger or else trained, in order."""
        known = self.page.fetch(entries)
        missing = [at for at, entry in enumerate(entries) if entry.key not in known]
        self.fits += BLOCK * (len(entries) - len(missing))
        self._say(doing)

        def arrived(fresh: dict[int, Array]) -> None:
            self.fits += BLOCK * len(fresh)
            self.page.keep([(entries[missing[at]], result) for at, result in fresh.items()])
            self._say(doing)

        if missing:
            try:
                trained = train(self._hired(), [blocks[at] for at in missing], arrived)
            except WorkersLost as lost:
                raise type(lost)(f"{lost}; {self._how_to_go_on()}") from lost
            known |= zip((entries[at].key for at in missing), trained, strict=True)
        return [known[entry.key] for entry in entries]

    def _hired(self) -> Crew:
        # Not before there is something to train: a study that the ledger knows starts no process.
        if self._crew is None:
            self._crew = self._place.crew(self._data)
        return self._crew

    def _how_to_go_on(self) -> str:
        ledger = self.page.ledger
        if ledger.keeps:
            return (
                f"{self.fits} fits of this study are in the ledger {ledger.path}, and the same "
                "command goes on from there"
            )
        return "nothing was kept, since there is no ledger"

    def _say(self, doing: str) -> None:
        self.report(Progress(doing, self.fits, time.monotonic() - self.started))


def named(arm: Arm) -> str:
    """An arm as the ledger writes it.

    >>> named(())
    '[]'
    """
    return json.dumps([[change.factor, change.to] for change in arm], ensure_ascii=False)
