"""Run a study, kill it at a random moment, run it again: so many times, each with a ledger of its own.

    python -m tests.study.killed FOLDER TIMES SEED

Prints one JSON line of the undisturbed run and one for each kill. Children are forked, so that
each is a process of its own that costs little to start.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import sys
import time
from pathlib import Path

import msgspec
import numpy as np

from tests.study.small import KEPT, small_fit
from whyfit.ledger.ledger import Ledger
from whyfit.measure.evidence import gather
from whyfit.rules import findings
from whyfit.study import memory
from whyfit.study.conduct import StudyOptions, conduct

EVIDENCE = gather(small_fit(epochs=100))
FINDINGS = findings(EVIDENCE)
OPTIONS = StudyOptions(budget=0.5, kept=KEPT)


def study(path: Path, out: Path) -> None:
    """A whole study with this ledger; its result and its work as JSON."""
    fit, recipe = EVIDENCE.fit, EVIDENCE.fit.recipe
    assert recipe is not None
    ledger = Ledger.open(path, lambda sentence: sys.exit(sentence))
    page = ledger.page(memory.about(fit, recipe, 0, OPTIONS.budget, 0.05))
    found = conduct(EVIDENCE, FINDINGS, recipe, OPTIONS, page=page)
    page.end("done")
    ledger.close()
    plain = msgspec.json.encode(found, enc_hook=np.ndarray.tolist).decode()
    out.write_text(json.dumps({"result": plain, "trained": page.trained, "reused": page.reused}))


def started(path: Path, out: Path) -> int:
    """The process of a study."""
    process = os.fork()
    if process == 0:
        try:
            study(path, out)
        except BaseException as error:
            print(repr(error), file=sys.stderr)
            os._exit(1)
        os._exit(0)
    return process


def finished(path: Path, out: Path) -> dict:
    """What an undisturbed run gives."""
    _process, status = os.waitpid(started(path, out), 0)
    assert status == 0
    return json.loads(out.read_text())


def stored(path: Path) -> int:
    """Blocks in a ledger that was left behind, which must be whole."""
    if not path.exists():
        return 0
    database = sqlite3.connect(path)
    try:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        tables = database.execute("SELECT name FROM sqlite_schema WHERE name = 'blocks'").fetchall()
        return database.execute("SELECT count(*) FROM blocks").fetchone()[0] if tables else 0
    finally:
        database.close()


def main() -> None:
    folder, times, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    moments = random.Random(seed)
    began = time.monotonic()
    print(json.dumps(finished(folder / "whole.sqlite", folder / "whole.json")))
    takes = time.monotonic() - began
    for number in range(times):
        path, out = folder / f"{number}.sqlite", folder / f"{number}.json"
        process = started(path, out)
        time.sleep(moments.random() * takes)
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        had = stored(path)
        print(json.dumps({**finished(path, out), "had": had}))


if __name__ == "__main__":
    main()
