"""What a study costs beside its training: the driver, the ledger, and the way to Dask workers.

    python benchmarks/cluster.py        # two minutes; needs whyfit[dask]

The numbers of docs/cluster.md. Core seconds are given because they do not depend on what else the
machine does; Linux only.
"""

from __future__ import annotations

import os
import pickle
import sys
import tempfile
import time
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.fits import HE, fit_of, recipe, sine
from tests.study.cluster import Cluster, wait_until

from whyfit.engine import lanes
from whyfit.ledger.ledger import About, Ledger
from whyfit.measure.evidence import gather
from whyfit.records.finding import Change
from whyfit.records.study import arm
from whyfit.study.plan import make_plan
from whyfit.study.run import Laboratory
from whyfit.study.workers import version
from whyfit.study.workers.block import BLOCK, Block, Data, train_block
from whyfit.study.workers.chunk import Chunk, Done, never, seconds
from whyfit.study.workers.crew import Crew, Place
from whyfit.study.workers.places import place_named
from whyfit.study.workers.send import train

BLOCKS = 62_500  # a million fits
X, Y = sine(10_000)
RECIPES = {
    "4 units": recipe((4,), epochs=500),
    "64 units": recipe((64,), epochs=500),
    "two layers of 64": recipe((64, 64), kernel=HE, epochs=500),
}


class Instant(Place):
    """A place that trains in no time, so that all that is left is the driver's own work."""

    def crew(self, data: Data) -> Crew:
        return InstantCrew(data)


class InstantCrew(Crew):
    chunks = 0

    def submit(self, chunk: Chunk) -> Future:
        future: Future = Future()
        pickle.dumps(chunk)  # as it would be for the way
        InstantCrew.chunks += 1
        future.set_result(Done(tuple(np.zeros((2, BLOCK)) for _block in chunk.blocks)))
        return future

    def workers(self) -> int:
        return 100


def a_fit() -> None:
    """Seconds of one core that a fit takes."""
    data = Data.of(X, Y)
    for name, one in RECIPES.items():
        short = replace(one, epochs=max(2, one.epochs // (10 if "64" in name else 1)))
        began = time.process_time()
        train_block(Block(short, 1, 0), data, never)
        takes = (time.process_time() - began) / BLOCK * one.epochs / short.epochs
        modelled = seconds(Block(one, 1, 0), len(X)) / BLOCK
        print(f"{name}: {1e3 * takes:.2f} ms of a core a fit (modelled {1e3 * modelled:.2f})")


def driver(folder: Path) -> None:
    """A million fits that take no time: keys, chunks, results, ledger; then again, all from there."""
    small = recipe((4,), epochs=1)
    fit = fit_of(small, *sine(100))
    plan = make_plan(gather(fit), (), small)
    arms = [
        arm(Change("units", str(units)), Change("learning_rate", f"{rate:g}"))
        for units in range(5, 15)
        for rate in (1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
    ]
    for _again in range(2):
        ledger = Ledger.open(folder / "ledger.sqlite", print)
        page = ledger.page(About(b"1", "x.py", 1, "", 0, 1.0, 0.05, "0"))
        laboratory = Laboratory(fit, small, plan, Instant(), page=page)
        began = time.process_time()
        laboratory.run(dict.fromkeys(arms, BLOCKS * BLOCK // len(arms)), "selection", "")
        takes = time.process_time() - began
        ledger.close()
        print(
            f"driver, {laboratory.fits} fits, {page.reused} from the ledger: {takes:.1f} s, "
            f"{1e6 * takes / BLOCKS:.0f} us a block"
        )
    print(f"ledger: {(folder / 'ledger.sqlite').stat().st_size / 1e6:.1f} MB")


def dask(folder: Path) -> None:
    """Chunks without work through a scheduler, and a study's work on two workers and inline."""
    cluster = Cluster(folder)
    try:
        for _worker in range(os.cpu_count() or 1):
            cluster.add()
        place = place_named(f"dask://{cluster.address}")
        wait_until(lambda: len(place.client.nthreads()) == len(cluster.workers))
        data = Data.of(X, Y)
        crew = place.crew(data)
        empty = Chunk((), data.digest, version.here())
        crew.submit(empty).result()
        count = 1000
        began, used = time.monotonic(), core_seconds(cluster)
        for each in [crew.submit(empty) for _chunk in range(count)]:
            each.result()
        takes = (time.monotonic() - began) / count
        used = (core_seconds(cluster) - used) / count
        blocks = [Block(RECIPES["4 units"], 1, BLOCK * at) for at in range(120)]
        full = Chunk(tuple(blocks[:100]), data.digest, version.here())
        print(f"dask: {1e3 * takes:.2f} ms a chunk, {1e3 * used:.2f} core ms in all processes")
        print(f"{len(pickle.dumps(full))} bytes for a chunk of 100 blocks")
        here = place_named("inline").crew(data)
        for name, each in (("inline", here), (f"{len(cluster.workers)} dask workers", crew)):
            began, used = time.monotonic(), core_seconds(cluster)
            train(each, blocks, lambda _fresh: None)
            takes, used = time.monotonic() - began, core_seconds(cluster) - used
            chunks = len(each.cut(blocks))
            print(
                f"{name}: {len(blocks) * BLOCK} fits in {chunks} chunks: {used:.2f} core seconds, "
                f"{takes:.2f} s"
            )
        here.close()
        crew.close()
        place.close()
    finally:
        cluster.close()


def core_seconds(cluster: Cluster) -> float:
    """Time on a core of this process and the cluster's: what others do on the machine is not in it."""
    found = time.process_time()
    for process in (cluster.scheduler, *cluster.workers):
        numbers = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        found += sum(map(int, numbers[11:13])) / os.sysconf("SC_CLK_TCK")  # user and system time
    return found


if __name__ == "__main__":
    print(f"{os.cpu_count()} cores, {lanes.TARGETS[0]}")
    with tempfile.TemporaryDirectory() as name:
        a_fit()
        driver(Path(name))
        dask(Path(name))
