"""Crews: what takes chunks and trains them; this process itself, or any executor."""

from __future__ import annotations

import os
import pickle
from abc import ABC, abstractmethod
from collections.abc import Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, ThreadPoolExecutor

from whyfit.errors import WorkerRefused, WorkersLost
from whyfit.study.workers import version
from whyfit.study.workers.block import Block, Data
from whyfit.study.workers.chunk import Answer, Chunk, cut, seconds, train_chunk


class Crew(ABC):
    """Those who train the blocks of one study, on its data."""

    def __init__(self, data: Data) -> None:
        self.data = data

    @abstractmethod
    def submit(self, chunk: Chunk) -> Future[Answer]:
        """Have a chunk trained."""

    def cut(self, blocks: Sequence[Block]) -> list[list[int]]:
        """Places of the blocks that travel together, in the order in which to send them."""
        samples = len(self.data.x)
        return cut([seconds(block, samples) for block in blocks], self.workers())

    @abstractmethod
    def workers(self) -> int:
        """How many chunks are trained at a time, as far as is known."""

    def check(self) -> None:
        """Raise WorkersLost where nobody is left; called some times a second."""

    def missed(self) -> None:
        """A worker had no data: send them along, sooner or later."""

    def mend(self, error: BaseException) -> None:
        """Return if a chunk that ended in this error may be sent again, or raise.

        Raises WorkersLost where nobody is left, and the error itself where it is the training's own.
        """
        raise error

    def cancel(self) -> None:
        """Tell those who train to stop soon."""

    def close(self) -> None:
        """Let go of what this crew alone holds."""


class Inline(Crew):
    """Threads of this process, one a core, a block at a time."""

    def __init__(self, data: Data) -> None:
        super().__init__(data)
        self._pool = ThreadPoolExecutor(max_workers=self.workers())
        self._cancelled = False

    def submit(self, chunk: Chunk) -> Future[Answer]:
        return self._pool.submit(train_chunk, chunk, self.data, lambda: self._cancelled)

    def cut(self, blocks: Sequence[Block]) -> list[list[int]]:
        # Nothing travels; the longest first, so that no core waits for a long one at the end.
        samples = len(self.data.x)
        return [
            [at] for at in sorted(range(len(blocks)), key=lambda at: -seconds(blocks[at], samples))
        ]

    def workers(self) -> int:
        return os.cpu_count() or 1

    def cancel(self) -> None:
        self._cancelled = True

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)


ENOUGH = 4
"""Chunks without data from which on the share of those that missed them is looked at."""


class Hired(Crew):
    """Any executor, of which nothing else is known: MPI, a batch system, a pool of one's own.

    Data go along with the first chunks, one for each worker that is known of, and afterwards only where
    a worker says that it has none. Where most say so, as where each chunk gets a process of its own,
    they always go along.
    """

    def __init__(self, executor: Executor, data: Data) -> None:
        super().__init__(data)
        self.sent = 0
        self._executor = executor
        self._without = self._misses = 0
        self._due = self.workers()

    def submit(self, chunk: Chunk) -> Future[Answer]:
        often = self._without >= ENOUGH and 2 * self._misses > self._without
        along = self._due > 0 or often
        self._due -= self._due > 0
        self._without += not along
        self.sent += along
        return self._executor.submit(train_chunk, chunk, self.data if along else None)

    def workers(self) -> int:
        # What the pools of the standard library and most others call it.
        return int(getattr(self._executor, "_max_workers", None) or os.cpu_count() or 1)

    def missed(self) -> None:
        self._misses += 1
        self._due += 1

    def mend(self, error: BaseException) -> None:
        explain(error)
        if isinstance(error, BrokenExecutor | CancelledError):
            raise WorkersLost(f"the executor gave up ({error or type(error).__name__})") from error
        raise error


def explain(error: BaseException) -> None:
    """Raise what an error says of a worker on which whyfit is missing or another."""
    loading = isinstance(error, ImportError | AttributeError) and "whyfit" in str(error)
    if loading or isinstance(error, pickle.UnpicklingError):
        ours = version.here()["whyfit"]
        raise WorkerRefused(
            f"a worker cannot load the training of whyfit {ours} ({error}): "
            "install the same version there"
        ) from error


class Place(ABC):
    """Where crews are found."""

    @abstractmethod
    def crew(self, data: Data) -> Crew:
        """A crew for a study of these data."""

    def close(self) -> None:
        """Let go of what all its crews shared."""


class Here(Place):
    """The process that plans."""

    def crew(self, data: Data) -> Crew:
        return Inline(data)


class Anywhere(Place):
    """An executor that somebody else made, and will end."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    def crew(self, data: Data) -> Crew:
        return Hired(self._executor, data)
