"""Replicates run anywhere with the same result, to the bit, whoever comes, goes or dies meanwhile."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from tests.study.cluster import ROOT, Cluster, wait_until
from tests.study.small import diagnosed, opened, result, small_fit
from whyfit.cli import dispatch
from whyfit.errors import UsageError, WorkerRefused, WorkersLost
from whyfit.records.diagnosis import Diagnosis
from whyfit.records.fit import Fit
from whyfit.report import panels, text
from whyfit.study.run import Progress
from whyfit.study.workers import chunk, version
from whyfit.study.workers.block import Block, Data, train_block
from whyfit.study.workers.chunk import Chunk, Done, cut, train_chunk
from whyfit.study.workers.crew import Hired
from whyfit.study.workers.places import check_name, place_named
from whyfit.study.workers.processes import ProcessCrew, Processes
from whyfit.study.workers.send import train


@pytest.fixture(scope="module")
def fit() -> Fit:
    return small_fit(epochs=60)


@pytest.fixture(scope="module")
def inline(fit: Fit) -> str:
    """The result on this machine's cores."""
    return result(diagnosed(fit))


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    """Chunks as many as in a long study: the small one would be one chunk a round."""
    monkeypatch.setattr(chunk, "LEAST", 1e-6)


class When:
    """Does something once, when so many fits are done."""

    def __init__(self, fits: int, act) -> None:
        self.fits, self.act, self.done = fits, act, False

    def __call__(self, progress: Progress) -> None:
        if progress.fits >= self.fits and not self.done:
            self.done = True
            self.act()


def stopped(diagnosis: Diagnosis) -> str:
    """Why a study did not come to its end."""
    (note,) = diagnosis.fits[0].study.notes
    assert note in result(diagnosis)  # there is a report all the same ...
    assert diagnosis.fits[0].verdict == "undecided"
    shown = StringIO()
    text.render(
        panels.make_report(diagnosis, lambda _file: "script.py"), Console(file=shown, width=80)
    )
    words = "".join(shown.getvalue().split())  # a long path is broken at the line's end
    # ... which says so, and nothing of what was not looked for.
    said = f"nothing was decided: {note.removesuffix('; nothing was decided')}."
    assert "".join(said.split()) in words
    assert "wasfound" not in words
    assert diagnosis.fits[0].study.sets == ()
    return note


# ---- chunks ----


def test_chunks_hold_one_to_ten_seconds_of_work(monkeypatch):
    monkeypatch.undo()
    random = np.random.default_rng(0)
    for workers in (1, 3, 100):
        for scale in (0.001, 0.05, 2.0):
            costs = list(scale * random.uniform(0.5, 2.0, 2000))
            chunks = cut(costs, workers)
            assert sorted(at for each in chunks for at in each) == list(range(2000))
            work = [sum(costs[at] for at in each) for each in chunks]
            assert max(work) <= 10.0 + 1e-9
            assert min(work[:-1]) >= 1.0  # the last holds what is left
            if sum(costs) > 10.0 * workers:
                assert len(chunks) >= workers
    assert cut([25.0, 0.1, 30.0], 3) == [[2], [0], [1]]  # what is longer is a chunk of its own
    assert cut([], 3) == []


def test_a_chunk_carries_no_data(fit: Fit):
    blocks = tuple(Block(fit.recipe, 1, 16 * at) for at in range(100))
    sent = Chunk(blocks, Data.of(np.zeros((100_000, 1)), np.zeros((100_000, 1))).digest, {})
    assert len(pickle.dumps(sent)) < 10_000


# ---- any executor ----


def test_threads_of_somebody_else(fit: Fit, inline: str):
    with ThreadPoolExecutor(3) as executor:
        assert result(diagnosed(fit, executor=executor)) == inline


class FreshProcesses(Executor):
    """As a batch system: each task runs in a process that has seen nothing, and pickles all."""

    def submit(self, fn, /, *args, **kwargs):
        chunk._data.clear()
        fn, args = pickle.loads(pickle.dumps((fn, args)))
        future: Future = Future()
        future.set_result(fn(*args))
        return future


def test_data_go_along_where_nobody_keeps_them(fit: Fit):
    data = Data.of(fit.x, fit.y)
    blocks = [Block(fit.recipe, 1, 16 * at) for at in range(40)]
    crew = Hired(FreshProcesses(), data)
    found = train(crew, blocks, lambda _fresh: None)
    with ThreadPoolExecutor(2) as pool:
        once = Hired(pool, data)
        assert np.array_equal(found, train(once, blocks, lambda _fresh: None))
        assert once.sent <= 2 * once.workers()
    assert crew.sent > 0.5 * len(crew.cut(blocks))


def test_a_worker_of_another_version_is_refused(fit: Fit):
    data = Data.of(fit.x, fit.y)
    for name, other in (("whyfit", "9.9.9"), ("numpy", "0.1")):
        ours = {**version.here(), name: other}
        answer = train_chunk(Chunk((Block(fit.recipe, 1, 0),), data.digest, ours), data)
        assert (
            f"has whyfit {version.here()['whyfit']}, this is whyfit {ours['whyfit']}"
            in answer.reason
        )
        assert name == "whyfit" or "numpy" in answer.reason
    lacking = Block(fit.recipe, 1, 0, target="avx4096")
    answer = train_chunk(Chunk((lacking,), data.digest, version.here()), data)
    assert "has no avx4096" in answer.reason
    right = train_chunk(Chunk((Block(fit.recipe, 1, 0),), data.digest, version.here()), data)
    assert isinstance(right, Done)


class OfAnother(ThreadPoolExecutor):
    """Workers to whom our version is another."""

    def submit(self, fn, /, sent, *args):
        return super().submit(fn, replace(sent, version={"whyfit": "9.9.9"}), *args)


def test_a_refusal_ends_the_study_with_a_sentence(fit: Fit):
    with OfAnother(2) as executor:
        note = stopped(diagnosed(fit, executor=executor))
    assert "has whyfit" in note
    assert "9.9.9" in note
    assert "install the same" in note


class Failing(Executor):
    """Raises what it is told to."""

    def __init__(self, error: BaseException) -> None:
        self._error = error

    def submit(self, fn, /, *args, **kwargs):
        future: Future = Future()
        future.set_exception(self._error)
        return future


@pytest.mark.parametrize(
    "error",
    [
        ModuleNotFoundError("No module named 'whyfit'"),
        AttributeError("Can't get attribute 'train_chunk' on <module 'whyfit.study'>"),
    ],
)
def test_a_worker_without_whyfit(fit: Fit, error: Exception):
    note = stopped(diagnosed(fit, executor=Failing(error)))
    assert f"cannot load the training of whyfit {version.here()['whyfit']}" in note


def test_an_error_of_the_training_itself_is_not_hidden(fit: Fit):
    with pytest.raises(MemoryError):
        diagnosed(fit, executor=Failing(MemoryError("too large")))


# ---- processes ----


def test_processes(fit: Fit, inline: str):
    """Identical, also when one is killed in the middle."""
    killed: list[int] = []

    def kill_one() -> None:
        child = multiprocessing.active_children()[0]
        os.kill(child.pid, signal.SIGKILL)
        killed.append(child.pid)

    assert result(diagnosed(fit, executor=Processes(2), report=When(200, kill_one))) == inline
    assert killed
    assert not multiprocessing.active_children()


def test_ctrl_c_stops_processes_at_once(fit: Fit):
    long = small_fit(epochs=2)
    long = replace(long, recipe=replace(long.recipe, epochs=10**6), epochs_done=0)

    looks = iter(range(100))

    def press(_progress: Progress) -> None:
        if next(looks) > 5:
            raise KeyboardInterrupt

    note = stopped(diagnosed(long, executor=Processes(1), report=press))
    assert note == "the study was interrupted; nothing was decided"
    assert not multiprocessing.active_children()


ORPHANS = """
import os, sys
from tests.study.small import small_fit
from whyfit.study.workers.block import Block, Data
from whyfit.study.workers.chunk import Chunk
from whyfit.study.workers import version
from whyfit.study.workers.processes import ProcessCrew

if __name__ == "__main__":
    fit = small_fit()
    crew = ProcessCrew(Data.of(fit.x, fit.y), 1)
    chunk = Chunk((Block(fit.recipe, 1, 0),), crew.data.digest, version.here())
    crew.submit(chunk).result()
    print(*crew._pool._processes, flush=True)
    sys.stdin.read()
"""


def test_processes_end_with_the_one_that_started_them(tmp_path: Path):
    """Also where it is killed, and can tell them nothing."""
    (tmp_path / "driver.py").write_text(ORPHANS)
    driver = subprocess.Popen(
        [sys.executable, "driver.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with driver:
        child = int(driver.stdout.readline())
        assert alive(child)
        driver.kill()
    wait_until(lambda: not alive(child))


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{process}/stat")  # an orphan that ended may wait to be noticed
    return not status.exists() or status.read_text().rsplit(")", 1)[1].split()[0] != "Z"


def test_processes_that_die_again_and_again(fit: Fit):
    crew = ProcessCrew(Data.of(fit.x, fit.y), 1)
    try:
        for _time in range(3):
            crew._pool._broken = "killed"
            crew.mend(BrokenExecutor())
        crew._pool._broken = "killed"
        with pytest.raises(WorkersLost, match="ended 4 times"):
            crew.mend(BrokenExecutor())
    finally:
        crew.close()


# ---- names of places ----


@pytest.mark.parametrize("name", ["inline", "processes", "processes:3", "dask://host.net:8786"])
def test_places_that_are_known(name: str):
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name", ["", "process", "processes:0", "processes:x", "dask://host", "mpi"]
)
def test_places_that_are_not(name: str, capsys):
    with pytest.raises(UsageError, match="known: inline, processes"):
        check_name(name)
    with pytest.raises(SystemExit):
        dispatch(["run", "--on", name, "script.py"])
    assert "there is no place" in capsys.readouterr().err


# ---- a Dask cluster ----


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    pytest.importorskip("distributed")
    found = Cluster(tmp_path_factory.mktemp("cluster"))
    try:
        for _worker in range(3):
            found.add()
        yield found
    finally:
        found.close()


@pytest.fixture
def dask(cluster: Cluster):
    place = place_named(f"dask://{cluster.address}")
    try:
        wait_until(lambda: len(place.client.nthreads()) == len(cluster.workers))
        yield place
    finally:
        place.close()


def test_a_cluster_gives_the_same(dask, fit: Fit, inline: str):
    seen: set[str] = set()

    def look() -> None:
        seen.update(dask.client.has_what())

    assert result(diagnosed(fit, executor=dask, report=When(1, look))) == inline
    assert len(seen) == 3


def test_a_worker_killed_and_one_added(
    dask, cluster: Cluster, fit: Fit, inline: str, tmp_path: Path
):
    def kill_and_add() -> None:
        cluster.kill(cluster.workers[0])
        cluster.add()

    act = When(100, kill_and_add)
    ledger = opened(tmp_path / "ledger.sqlite")
    found = diagnosed(fit, ledger, executor=dask, report=act)
    assert act.done
    assert result(found) == inline
    again = diagnosed(fit, ledger, executor=dask)
    ledger.close()
    assert again.work == {"trained": 0, "from_ledger": found.work["trained"]}


def test_all_workers_killed_and_others_added(dask, cluster: Cluster, fit: Fit, inline: str):
    """The data are gone with them, and are sent again."""

    def kill_and_add() -> None:
        for worker in list(cluster.workers):
            cluster.kill(worker)
        cluster.add()

    act = When(200, kill_and_add)
    assert result(diagnosed(fit, executor=dask, report=act)) == inline
    assert act.done


def test_tasks_that_the_scheduler_forgot_are_sent_again(dask, fit: Fit):
    """As it may be where all workers die while a result is fetched: the client is told nothing."""

    def forget(client: str, dask_scheduler=None) -> int:
        known = [key for key in dask_scheduler.tasks if str(key).startswith("train_chunk-")]
        dask_scheduler.client_releases_keys(keys=known, client=client)
        return len(known)

    data, client = Data.of_fit(fit), dask.client
    blocks = [Block(replace(fit.recipe, epochs=5000), 1, 16 * at) for at in range(12)]
    forgotten: list[int] = []

    def arrived(_fresh: dict[int, np.ndarray]) -> None:
        if not forgotten:
            forgotten.append(client.run_on_scheduler(forget, client.id))

    crew = dask.crew(data)
    found = train(crew, blocks, arrived)
    crew.close()
    assert forgotten[0] > 0
    here = [train_block(block, data, lambda: False) for block in blocks]
    assert all(map(np.array_equal, found, here))


def test_a_worker_of_another_version_on_a_cluster(dask, cluster: Cluster, fit: Fit):
    other = cluster.add_older()
    try:
        wait_until(lambda: len(dask.client.nthreads()) == len(cluster.workers))
        both = f"has whyfit 0.0.9, this is whyfit {version.here()['whyfit']}"
        with pytest.raises(WorkerRefused, match=both):
            place_named(f"dask://{cluster.address}")
        assert both in stopped(diagnosed(fit, executor=dask))  # it joined after the connection
    finally:
        cluster.kill(other)


def test_no_scheduler(monkeypatch, tmp_path: Path, capsys):
    """Known before the script runs, which may take long."""
    pytest.importorskip("distributed")
    monkeypatch.setattr("whyfit.study.workers.dask.ANSWERS_WITHIN", 0.3)
    monkeypatch.chdir(tmp_path)
    Path("script.py").write_text("open('it-ran', 'w')")
    assert dispatch(["run", "--on", "dask://127.0.0.1:9", "script.py"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("whyfit: no Dask scheduler answers at 127.0.0.1:9 (")
    assert said.count("\n") == 1
    assert not Path("it-ran").exists()


def test_dask_that_is_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UsageError, match=r"pip install 'whyfit\[dask\]'"):
        place_named("dask://127.0.0.1:9")


def test_no_workers_any_more(dask, cluster: Cluster, fit: Fit, monkeypatch):
    monkeypatch.setattr("whyfit.study.workers.dask.WORKERS_WITHIN", 0.5)
    monkeypatch.setattr("whyfit.study.workers.dask.LOOK_EVERY", 0.1)

    def kill_all() -> None:
        for worker in list(cluster.workers):
            cluster.kill(worker)

    note = stopped(diagnosed(fit, executor=dask, report=When(200, kill_all)))
    cluster.add()
    assert f"the Dask scheduler {cluster.address} has no workers" in note
    assert "nothing was kept, since there is no ledger" in note


def test_the_scheduler_gone(cluster: Cluster, fit: Fit, inline: str, tmp_path: Path, monkeypatch):
    """The last of the cluster's tests, since it ends the cluster."""
    monkeypatch.setattr("whyfit.study.workers.dask.ANSWERS_WITHIN", 1.0)
    place = place_named(f"dask://{cluster.address}")
    path = tmp_path / "ledger.sqlite"
    ledger = opened(path)
    try:
        gone = When(200, lambda: cluster.kill(cluster.scheduler))
        found = diagnosed(fit, ledger, executor=place, report=gone)
    finally:
        place.close()
        ledger.close()
    note = stopped(found)
    assert f"the Dask scheduler {cluster.address} no longer answers" in note
    assert f"in the ledger {path}, and the same command goes on from there" in note
    ledger = opened(path)
    rerun = diagnosed(fit, ledger)
    ledger.close()
    assert rerun.work["from_ledger"] >= 200
    assert result(rerun) == inline
