"""Runs of a patched script, each a process of its own, in a copy of the person's folder.

The copy keeps whatever the script writes by a relative path away from the person's files. The
parent's half is `run_patched`; the child's is `main`, called as `python -m whyfit.patching.rerun`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from whyfit.adapters.capture import Program

MOST_COPIED_BYTES = 200_000_000
SKIPPED_FOLDERS = (".git", ".venv", "venv", "node_modules", "__pycache__", ".tox", ".mypy_cache")
POLL_SECONDS = 0.1


@dataclass(frozen=True)
class RerunResult:
    """What one run of a patched script gave: `unexplained` of the fit asked for, or why not."""

    unexplained: float | None
    failure: str | None


def run_patched(
    program: Program,
    source: str,
    *,
    fit_index: int,
    seeds: Sequence[int],
    time_limit: float,
    parallel: int,
    tick: Callable[[int], None] = lambda _done: None,
) -> tuple[RerunResult, ...]:
    """Run a patched source once for each seed, a few side by side, each at most `time_limit` seconds.

    Raises KeyboardInterrupt after stopping the children.
    """
    with tempfile.TemporaryDirectory(prefix="whyfit-") as base:
        threads = max(1, (os.cpu_count() or 1) // min(parallel, max(1, len(seeds))))
        runs = [
            _Run(program, source, fit_index, seed, Path(base) / str(at), threads)
            for at, seed in enumerate(seeds)
        ]
        waiting, active = list(runs), []
        try:
            while waiting or active:
                while waiting and len(active) < parallel:
                    run = waiting.pop(0)
                    run.begin()
                    active.append(run)
                time.sleep(POLL_SECONDS)
                active = [run for run in active if not run.ended(time_limit)]
                tick(len(runs) - len(waiting) - len(active))
        finally:
            for run in active:
                run.stop()
        return tuple(run.result() for run in runs)


class _Run:
    """One child process and the folder it runs in."""

    def __init__(
        self, program: Program, source: str, fit_index: int, seed: int, folder: Path, threads: int
    ) -> None:
        self._threads = threads
        self._program, self._source = program, source
        self._fit_index, self._seed, self._folder = fit_index, seed, folder
        self._process: subprocess.Popen[bytes] | None = None
        self._failure: str | None = None
        self._started = 0.0

    def begin(self) -> None:
        self._started = time.monotonic()
        work = self._folder / "work"
        self._folder.mkdir(parents=True)
        problem = copy_folder(Path.cwd(), work)
        if problem:
            self._failure = problem
            return
        order = {
            "path": self._program.path,
            "source": self._source,
            "arguments": list(self._program.arguments),
            "module": self._program.spec.name if self._program.spec else None,
            "fit_index": self._fit_index,
            "seed": self._seed,
            "answer": str(self._folder / "answer.json"),
        }
        (self._folder / "order.json").write_text(json.dumps(order))
        environment = dict(os.environ, MPLBACKEND="Agg")
        # Threads that wait for cores of others spin: two runs of two threads took three times as long.
        environment.setdefault("OMP_NUM_THREADS", str(self._threads))
        with open(self._folder / "output.txt", "wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "whyfit.patching.rerun", str(self._folder / "order.json")],
                cwd=work,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def ended(self, time_limit: float) -> bool:
        if self._failure is not None or self._process is None:
            return True
        if self._process.poll() is not None:
            return True
        if time.monotonic() - self._started > time_limit:
            self.stop()
            self._failure = f"stopped after {time_limit:.0f} s"
            return True
        return False

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def result(self) -> RerunResult:
        answer = self._folder / "answer.json"
        if self._failure is None and not answer.exists():
            self._failure = self._last_line()
        if self._failure is not None:
            return RerunResult(None, self._failure)
        found = json.loads(answer.read_text())
        return RerunResult(found["unexplained"], found["failure"])

    def _last_line(self) -> str:
        try:
            text = (self._folder / "output.txt").read_text(errors="replace").strip()
        except OSError:
            text = ""
        return text.splitlines()[-1][:200] if text else "it ended without a result"


def copy_folder(source: Path, target: Path) -> str | None:
    """Copy a folder for a run; the reason if it is too large to copy."""
    total = 0
    for folder, folders, files in os.walk(source):
        folders[:] = [name for name in folders if name not in SKIPPED_FOLDERS]
        for name in files:
            path = os.path.join(folder, name)
            total += os.path.getsize(path) if os.path.isfile(path) else 0
            if total > MOST_COPIED_BYTES:
                return (
                    "the working folder is too large to copy (over "
                    f"{MOST_COPIED_BYTES // 1_000_000} MB); run it from a folder of its own"
                )
    shutil.copytree(
        source,
        target,
        ignore=shutil.ignore_patterns(*SKIPPED_FOLDERS),
        symlinks=True,
        ignore_dangling_symlinks=True,
    )
    return None


def main(order_file: str) -> None:
    """The child: run the patched script under watch and write down how its fit ended."""
    from dataclasses import replace

    from whyfit.adapters import capture
    from whyfit.adapters._adapter import Session

    order = json.loads(Path(order_file).read_text())
    if order["module"]:
        original = capture.load_module(order["module"], order["arguments"])
    else:
        # The original's path, so that __file__ and imports beside it are what the script expects.
        placeholder = Path(order_file).with_name("script.py")
        placeholder.write_text("")
        original = capture.load_script(str(placeholder), order["arguments"])
        original = replace(original, path=order["path"], folder=os.path.dirname(order["path"]))
    program = capture.with_source(original, order["source"])
    session = Session(reseed=order["seed"], keep_weights=False)
    captured = capture.run(program, session, seed=order["seed"])
    unexplained, failure = None, None
    if captured.status != 0:
        failure = captured.error or f"it ended with exit status {captured.status}"
    elif order["fit_index"] >= len(captured.fits):
        failure = "the patched script did not reach this fit"
    else:
        unexplained = captured.fits[order["fit_index"]].unexplained_variance
        if unexplained != unexplained:
            unexplained, failure = None, "the fit could not be measured"
    Path(order["answer"]).write_text(json.dumps({"unexplained": unexplained, "failure": failure}))


if __name__ == "__main__":
    main(sys.argv[1])
