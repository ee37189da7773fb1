"""Sending blocks to a crew and gathering what comes back, whoever fails on the way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait

from whyfit.errors import Interrupted, WorkerRefused
from whyfit.records.network import Array
from whyfit.study.workers import version
from whyfit.study.workers.block import Block
from whyfit.study.workers.chunk import Answer, Chunk, DataMissing, Done, Refused
from whyfit.study.workers.crew import Crew

TICK = 0.1
"""Seconds between looks at what is done: what a kill at the worst moment can cost."""

ADVICE = "install the same on both"
Arrived = Callable[[dict[int, Array]], None]


def train(crew: Crew, blocks: Sequence[Block], arrived: Arrived) -> list[Array]:
    """Results of all blocks in order; `arrived` is told some times a second of those that are new.

    Raises Interrupted on Ctrl-C, WorkersLost where nobody is left to train, WorkerRefused.
    """
    results: dict[int, Array] = {}
    running: dict[Future[Answer], list[int]] = {}

    def send(places: list[int]) -> None:
        chunk = Chunk(tuple(blocks[at] for at in places), crew.data.digest, version.here())
        running[crew.submit(chunk)] = places

    try:
        for places in crew.cut(blocks):
            send(places)
        while running:
            done, _others = wait(running, timeout=TICK)
            fresh: dict[int, Array] = {}
            again: list[list[int]] = []
            failed: list[BaseException] = []
            for future in done:
                places = running.pop(future)
                match _answer(future):
                    case Done(answers):
                        fresh |= zip(places, answers, strict=True)
                    case DataMissing():
                        crew.missed()
                        again.append(places)
                    case Refused(worker, reason):
                        failed.append(WorkerRefused(f"the worker {worker} {reason}; {ADVICE}"))
                    case error:
                        failed.append(error)
                        again.append(places)
            results |= fresh
            arrived(fresh)  # before anything that may raise: what is done is done
            for error in failed:
                crew.mend(error)
            for places in again:
                send(places)
            crew.check()
    except BaseException as error:
        crew.cancel()
        for future in running:
            future.cancel()
        if isinstance(error, KeyboardInterrupt):
            raise Interrupted("the study was interrupted") from None
        raise
    return [results[at] for at in range(len(blocks))]


def _answer(future: Future[Answer]) -> Answer | BaseException:
    try:
        return future.result()
    except BaseException as error:
        return error
