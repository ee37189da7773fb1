"""A Dask cluster on the loopback: a scheduler and workers, each a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
OLDER = "import whyfit._version\nwhyfit._version.__version__ = '0.0.9'\n"


class Cluster:
    """Starts, adds to, takes from and ends a cluster; `folder` is where its processes run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / "scheduler.json"
        arguments = ["--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(self._file)]
        self.scheduler = self._start("dask_scheduler", *arguments, "--no-dashboard")
        wait_until(self._file.exists)
        self.workers: list[subprocess.Popen] = []
        self._address = ""

    @property
    def address(self) -> str:
        """host:port."""
        if not self._address:
            import json

            wait_until(lambda: self._file.read_text().strip().endswith("}"))
            self._address = json.loads(self._file.read_text())["address"].removeprefix("tcp://")
        return self._address

    def add(self, *arguments: str) -> subprocess.Popen:
        """Start a worker of one thread."""
        alone = ("--nthreads", "1", "--no-nanny", "--no-dashboard", "--memory-limit", "0")
        worker = self._start("dask_worker", f"tcp://{self.address}", *alone, *arguments)
        self.workers.append(worker)
        return worker

    def add_older(self) -> subprocess.Popen:
        """Start a worker with another version of whyfit."""
        preload = self._folder / "older.py"
        preload.write_text(OLDER)
        return self.add("--preload", str(preload))

    def kill(self, process: subprocess.Popen) -> None:
        """As a machine that loses its power."""
        process.send_signal(signal.SIGKILL)
        process.wait()
        if process in self.workers:
            self.workers.remove(process)

    def close(self) -> None:
        for process in (*self.workers, self.scheduler):
            if process.poll() is None:
                self.kill(process)

    def _start(self, program: str, *arguments: str) -> subprocess.Popen:
        log = (self._folder / f"{program}-{time.monotonic_ns()}.log").open("w")
        with log:
            return subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.{program}", *arguments],
                cwd=self._folder,
                stdout=log,
                stderr=log,
                env={**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"},
            )


def wait_until(true: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
