"""Processes of this machine: `--on processes`, `--on processes:8`."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from multiprocessing.synchronize import Event

from whyfit.errors import WorkersLost
from whyfit.study.workers.block import Data
from whyfit.study.workers.chunk import Answer, Chunk, keep_data, train_chunk
from whyfit.study.workers.crew import Crew, Place, explain

MOST_BREAKS = 3
"""Times that processes may die in one study: more often is no accident."""

_stop: Event | None = None


class Processes(Place):
    """So many fresh processes for each study; by default one a core."""

    def __init__(self, count: int | None = None) -> None:
        self._count = count or os.cpu_count() or 1

    def crew(self, data: Data) -> Crew:
        return ProcessCrew(data, self._count)


class ProcessCrew(Crew):
    """A pool that is made again when one of its processes dies."""

    def __init__(self, data: Data, count: int) -> None:
        super().__init__(data)
        self._count = count
        self._breaks = 0
        # Fresh interpreters: what the script has loaded does not survive a fork.
        self._context = multiprocessing.get_context("spawn")
        self._stop = self._context.Event()
        self._pool = self._new_pool()

    def _new_pool(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            self._count, self._context, initializer=_begin, initargs=(self.data, self._stop)
        )

    def submit(self, chunk: Chunk) -> Future[Answer]:
        try:
            return self._pool.submit(_train, chunk)
        except BrokenExecutor as error:
            failed: Future[Answer] = Future()
            failed.set_exception(error)
            return failed

    def workers(self) -> int:
        return self._count

    def mend(self, error: BaseException) -> None:
        explain(error)
        if not isinstance(error, BrokenExecutor):
            raise error
        if getattr(self._pool, "_broken", True):  # only the first of many failed chunks
            self._breaks += 1
            if self._breaks > MOST_BREAKS:
                raise WorkersLost(
                    f"the processes that train ended {self._breaks} times "
                    "(perhaps they were killed for want of memory)"
                ) from error
            self._pool.shutdown(wait=False)
            self._pool = self._new_pool()

    def cancel(self) -> None:
        self._stop.set()

    def close(self) -> None:
        self._stop.set()
        self._pool.shutdown(wait=True, cancel_futures=True)


def _begin(data: Data, stop: Event) -> None:
    """What each process does first: take the data, and end when the one that started it does."""
    global _stop
    _stop = stop
    keep_data(data)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears Ctrl-C and says when to stop
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _train(chunk: Chunk) -> Answer:
    assert _stop is not None  # set by _begin
    return train_chunk(chunk, cancelled=_stop.is_set)
