"""Chunks: how blocks travel, and what a worker does with one."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from whyfit.engine import lanes
from whyfit.records.network import Array
from whyfit.study import orders
from whyfit.study.workers import version
from whyfit.study.workers.block import BLOCK, Block, Data, train_block

LEAST, MOST = 1.0, 10.0
"""Modelled seconds of one core that a chunk takes: long beside the way to a worker, some milliseconds,
and short beside the wait for the last one."""

SHARE = 4
"""Chunks a worker should get of one round, so that a slow one delays it by a quarter."""


@dataclass(frozen=True)
class Chunk:
    """Blocks that one worker trains in turn; `data` is the digest of what they are trained on."""

    blocks: tuple[Block, ...]
    data: bytes
    version: dict[str, str]


@dataclass(frozen=True)
class Done:
    """Results of a chunk's blocks, in order."""

    results: tuple[Array, ...]


@dataclass(frozen=True)
class DataMissing:
    """The worker has not seen the data yet."""


@dataclass(frozen=True)
class Refused:
    """The worker's results would not be those of this machine."""

    worker: str
    reason: str


Answer = Done | DataMissing | Refused

MOST_KEPT = 4
_data: dict[bytes, Data] = {}
"""What this worker has been sent, the newest last."""


def keep_data(data: Data) -> None:
    """Remember data for the chunks to come."""
    _data[data.digest] = data
    while len(_data) > MOST_KEPT:
        del _data[next(iter(_data))]


def never() -> bool:
    """For those who cannot be told to stop in the middle of a chunk."""
    return False


def train_chunk(
    chunk: Chunk, data: Data | None = None, cancelled: Callable[[], bool] = never
) -> Answer:
    """Train the blocks of a chunk on data sent along, or else sent before."""
    if reason := why_refused(chunk):
        return Refused(f"{socket.gethostname()} (process {os.getpid()})", reason)
    if data is not None:
        keep_data(data)
    known = data or _data.get(chunk.data)
    if known is None:
        return DataMissing()
    return Done(tuple(train_block(block, known, cancelled) for block in chunk.blocks))


def why_refused(chunk: Chunk) -> str:
    """Why this process would not give the results of the one that sent the chunk; empty if it would."""
    if chunk.version != version.here():
        return _turned(chunk.version)
    missing = {block.target for block in chunk.blocks} - set(lanes.TARGETS)
    if missing:
        return f"has no {', '.join(sorted(missing))}, which the machine that planned the study has"
    return ""


def _turned(asked: dict[str, str]) -> str:
    """The difference as the one who asked will read it."""
    return version.difference(version.here(), ours=asked)


def seconds(block: Block, samples: int) -> float:
    """Modelled seconds of one core."""
    return orders.seconds(block.recipe, samples, BLOCK, cores=1)


def cut(costs: Sequence[float], workers: int) -> list[list[int]]:
    """Places of blocks, given what each costs, cut into chunks: the longest blocks first.

    >>> cut([0.4, 0.4, 0.4, 3.0], workers=2)
    [[3], [0, 1, 2]]
    """
    wanted = min(MOST, max(LEAST, sum(costs) / (SHARE * max(1, workers))))
    chunks: list[list[int]] = []
    filled = MOST
    for at in sorted(range(len(costs)), key=lambda at: -costs[at]):
        if not chunks or filled >= wanted or filled + costs[at] > MOST:
            chunks.append([])
            filled = 0.0
        chunks[-1].append(at)
        filled += costs[at]
    return chunks
