"""A Dask cluster: `--on dask://host:port`.

Dask sends the tasks of a worker that dies to others and lets workers join at any time; what is left to
do here is to find that the scheduler itself is gone, or has forgotten a task that is waited for.
"""

from __future__ import annotations

import time
import uuid
from concurrent.futures import CancelledError, Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from whyfit.engine import lanes
from whyfit.errors import UsageError, WorkerRefused, WorkersLost
from whyfit.study.workers import version
from whyfit.study.workers.block import Data
from whyfit.study.workers.chunk import Answer, Chunk, train_chunk
from whyfit.study.workers.crew import Crew, Place, explain

ANSWERS_WITHIN = 10.0
"""Seconds for a scheduler to answer, at the start and after its connection broke."""

WORKERS_WITHIN = 300.0
"""Seconds to wait while a scheduler has no workers: a batch system may need minutes to start one."""

LOOK_EVERY, LOOK_AGAIN = 2.0, 0.05
MOST_LOSSES = 3
"""Times that the workers of a chunk may die: Dask itself allows three deaths each time
(distributed.scheduler.allowed-failures)."""

KNOWN_WITHIN = 5.0
"""Seconds after which a scheduler that is busy, but well, knows of a task that was sent to it."""


class Dask(Place):
    """A connection to a scheduler, which lasts for the whole run."""

    def __init__(self, address: str) -> None:
        try:
            from distributed import Client
        except ImportError:
            raise UsageError(
                "--on dask://... needs the package distributed: pip install 'whyfit[dask]'"
            ) from None
        self.address = address
        try:
            self.client: Any = Client(
                f"tcp://{address}", timeout=ANSWERS_WITHIN, set_as_default=False
            )
        except (OSError, ValueError) as error:
            raise WorkersLost(
                f"no Dask scheduler answers at {address} ({_first_line(error)})"
            ) from None
        try:
            self._check_versions()
        except BaseException:
            self.close()
            raise

    def crew(self, data: Data) -> Crew:
        return DaskCrew(self, data)

    def close(self) -> None:
        self.client.close(timeout=2)

    def _check_versions(self) -> None:
        """Refuse workers of another version; those that join later are asked with each chunk."""
        for worker, theirs in self.client.run(version.here, on_error="return").items():
            if isinstance(theirs, BaseException):
                explain(theirs)
                raise theirs
            if reason := version.difference(theirs):
                raise WorkerRefused(f"the worker {worker} {reason}: install the same on both")
        for worker, theirs in self.client.run(_targets, on_error="return").items():
            if lanes.TARGETS[0] not in theirs:
                raise WorkerRefused(
                    f"the worker {worker} has no {lanes.TARGETS[0]}, as this machine has"
                )


@dataclass(frozen=True)
class Sent:
    """A chunk that is waited for, and since when."""

    future: Future[Answer]
    at: float


def _hand_on(theirs: Future[Answer], ours: Future[Answer]) -> None:
    with suppress(InvalidStateError):  # given up, or cancelled
        if theirs.cancelled():
            ours.set_exception(CancelledError())
        elif error := theirs.exception():
            ours.set_exception(error)
        else:
            ours.set_result(theirs.result())


class DaskCrew(Crew):
    """The workers of a cluster, with the data of one study on all of them."""

    def __init__(self, place: Dask, data: Data) -> None:
        super().__init__(data)
        self._place, self._client = place, place.client
        self._losses = 0
        self._sent: dict[str, Sent] = {}
        self._missing: set[str] = set()
        self._looked = self._had_workers = time.monotonic()
        # Each chunk is a task of its own, even if another has the same content.
        self._executor = self._client.get_executor(pure=False)
        self._scattered = self._scatter()

    def submit(self, chunk: Chunk) -> Future[Answer]:
        key = f"train_chunk-{uuid.uuid4()}"
        theirs = self._executor.submit(train_chunk, chunk, self._scattered, key=key)
        ours: Future[Answer] = Future()  # Dask's own may not be given up
        theirs.add_done_callback(lambda _done: _hand_on(theirs, ours))
        ours.add_done_callback(lambda _done: ours.cancelled() and theirs.cancel())
        self._sent[key] = Sent(ours, time.monotonic())
        return ours

    def workers(self) -> int:
        return max(1, self._threads())

    def check(self) -> None:
        now = time.monotonic()
        if now - self._looked < LOOK_EVERY:
            return
        self._looked = now
        if self._threads():
            self._had_workers = now
            self._give_up_forgotten()
        elif now - self._had_workers > WORKERS_WITHIN:
            raise WorkersLost(f"the Dask scheduler {self._place.address} has no workers any more")

    def mend(self, error: BaseException) -> None:
        explain(error)
        if isinstance(error, CancelledError):
            self._reconnected()
            if self._scattered.status != "finished":
                self._scattered = self._scatter()
        elif type(error).__name__ == "KilledWorker":
            self._losses += 1
            if self._losses > MOST_LOSSES:
                raise WorkersLost(f"workers die again and again ({_first_line(error)})") from error
        else:
            raise error

    def close(self) -> None:
        self._scattered.release()

    def _give_up_forgotten(self) -> None:
        """Give up what the scheduler did not know at two looks in a row, so that it is sent again.

        Where all workers die while a result is fetched, the scheduler forgets its task, and the client
        goes on waiting for it (distributed.client.Client._gather).
        """
        self._sent = {key: sent for key, sent in self._sent.items() if not sent.future.done()}
        known_by = time.monotonic() - KNOWN_WITHIN
        keys = [key for key, sent in self._sent.items() if sent.at < known_by]
        if not keys:
            return
        try:
            states = self._client.sync(self._client.scheduler.get_task_status, keys=keys)
        except (OSError, ValueError, AttributeError):
            return  # the connection broke since the workers were counted; the next look finds that
        missing = {key for key, state in states.items() if state in (None, "forgotten")}
        for key in missing & self._missing:
            with suppress(InvalidStateError):  # the answer came after all
                self._sent.pop(key).future.set_exception(CancelledError(key))
        self._missing = missing

    def _scatter(self) -> Any:
        self._wait_for_workers()
        return self._client.scatter(self.data, broadcast=True, hash=False)

    def _wait_for_workers(self) -> None:
        try:
            self._client.wait_for_workers(1, timeout=WORKERS_WITHIN)
        except TimeoutError:
            raise WorkersLost(f"the Dask scheduler {self._place.address} has no workers") from None

    def _threads(self) -> int:
        try:
            return sum(self._client.nthreads().values())
        except (
            OSError,
            ValueError,
        ):  # what a client says of a connection that broke, or of its end
            time.sleep(LOOK_AGAIN)  # it notices by itself, not at once
            self._reconnected()
            return 0

    def _reconnected(self) -> None:
        """Wait as long as the client tries to reach the scheduler again."""
        end = time.monotonic() + 2.0 * ANSWERS_WITHIN
        while self._client.status != "running":
            if self._client.status == "closed" or time.monotonic() > end:
                raise WorkersLost(
                    f"the Dask scheduler {self._place.address} no longer answers"
                ) from None
            time.sleep(LOOK_AGAIN)


def _targets() -> tuple[str, ...]:
    return lanes.TARGETS


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
