"""The ledger as a study uses it: look up, keep, and never stand in the way.

The run that plans is the only writer; workers know nothing of it. Whatever happens to the file, the
study goes on: the trouble is said in one sentence, and results are then simply not kept.
"""

from __future__ import annotations

import io
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from whyfit.errors import LedgerError
from whyfit.ledger.connection import (
    connect,
    connect_to_read,
    in_words,
    is_busy,
    is_damaged,
    is_denied,
)
from whyfit.ledger.schema import checksum

Array = np.ndarray
Say = Callable[[str], None]
AT_ONCE = 500
"""Keys of one query; SQLite allows at least 999 (https://sqlite.org/limits.html)."""


@dataclass(frozen=True)
class About:
    """What a study is about. `identity` tells it from all others: script, recipe, data, seed, engine."""

    identity: bytes
    script: str
    line: int
    network: str
    seed: int
    budget: float
    tolerance: float
    whyfit: str


@dataclass(frozen=True)
class Wanted:
    """A training that a study asks for.

    `key` is a hash of all that its result depends on; `first` the number of its first replicate, and
    `replicates` how many there are; `arm` and `phase` say what it is to the study.
    """

    key: bytes
    phase: str
    arm: str
    first: int
    replicates: int


class Ledger:
    """Results of trainings in one file. Methods never raise for what is wrong with the file."""

    def __init__(self, database: sqlite3.Connection | None, path: Path | None, say: Say) -> None:
        self.path = path
        self._database = database
        self._say = say
        self._writes = database is not None
        self._waiting: list[tuple[tuple[int, Wanted], bytes | None]] = []
        self._damaged = 0

    @classmethod
    def nowhere(cls) -> Ledger:
        """A ledger that keeps nothing."""
        return cls(None, None, lambda _sentence: None)

    @classmethod
    def open(cls, path: Path, say: Say) -> Ledger:
        """The ledger in this file, which is made if need be; `say` is told of troubles."""
        try:
            return cls(connect(path, create=True), path, say)
        except LedgerError as trouble:
            found = cls(_to_read(path, trouble), path, say)
            found._writes = False
            does = "only reads it" if found._database else "goes on without it"
            say(f"the ledger {path} {trouble}; the study {does}")
            return found

    @property
    def keeps(self) -> bool:
        """Whether what is trained now will be found by the next run."""
        return self._writes

    def page(self, about: About) -> Page:
        """The page of a study, a new one or the one it has."""
        if not self._writes or self._database is None:
            return Page(self, 0)
        try:
            row = self._database.execute(
                "INSERT INTO studies (identity, script, line, network, seed, budget, tolerance,"
                " whyfit, started) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (identity) DO UPDATE"
                " SET budget = excluded.budget, tolerance = excluded.tolerance,"
                " whyfit = excluded.whyfit, started = excluded.started, ended = NULL,"
                " verdict = NULL, runs = runs + 1 RETURNING id",
                (
                    about.identity,
                    about.script,
                    about.line,
                    about.network,
                    about.seed,
                    about.budget,
                    about.tolerance,
                    about.whyfit,
                    _now(),
                ),
            ).fetchone()
            return Page(self, int(row[0]))
        except sqlite3.Error as error:
            self._stop_writing(error)
            return Page(self, 0)

    def fetch(self, keys: Sequence[bytes]) -> dict[bytes, Array]:
        """What is known of these trainings; a damaged result is as good as none."""
        found: dict[bytes, Array] = {}
        if self._database is None:
            return found
        try:
            for at in range(0, len(keys), AT_ONCE):
                part = keys[at : at + AT_ONCE]
                marks = ", ".join("?" * len(part))
                rows = self._database.execute(
                    f"SELECT key, result, checksum FROM blocks WHERE key IN ({marks})", part
                )
                for key, result, summed in rows:
                    if checksum(key, result) == summed:
                        found[key] = unpacked(result)
                    else:
                        self._say_damaged()
        except (sqlite3.Error, ValueError) as error:
            self._leave(error)
        return found

    def keep(self, study: int, results: Iterable[tuple[Wanted, Array | None]]) -> None:
        """Write results in one transaction; with None, only that a known one was asked for."""
        if not self._writes:
            return
        self._waiting += [
            ((study, wanted), None if result is None else packed(result))
            for wanted, result in results
        ]
        self._write()

    def end(self, study: int, verdict: str) -> None:
        """Note how a study ended, and make sure that all of it is on disk."""
        self._write()
        if self._writes and self._database is not None and study:
            try:
                self._database.execute(
                    "UPDATE studies SET ended = ?, verdict = ? WHERE id = ?",
                    (_now(), verdict, study),
                )
            except sqlite3.Error as error:
                self._stop_writing(error)

    def close(self) -> None:
        """Write what still waits, and close the file."""
        self._write()
        if self._waiting and self._writes:
            self._say(
                f"the ledger {self.path} stayed locked: {len(self._waiting)} results are not kept"
            )
        self._waiting, self._writes = [], False
        if self._database is not None:
            self._database.close()
            self._database = None

    def _write(self) -> None:
        if not self._waiting or self._database is None or not self._writes:
            return
        try:
            self._database.execute("BEGIN IMMEDIATE")
            self._database.executemany(
                "INSERT OR REPLACE INTO blocks (key, result, checksum) VALUES (?, ?, ?)",
                (
                    (wanted.key, result, checksum(wanted.key, result))
                    for (_study, wanted), result in self._waiting
                    if result is not None
                ),
            )
            self._database.executemany(
                "INSERT OR REPLACE INTO members (study, phase, arm, first, key)"
                " VALUES (?, ?, ?, ?, ?)",
                (
                    (study, wanted.phase, wanted.arm, wanted.first, wanted.key)
                    for (study, wanted), _result in self._waiting
                    if study
                ),
            )
            self._database.execute("COMMIT")
            self._waiting = []
        except sqlite3.Error as error:
            self._roll_back()
            if is_busy(error):
                # It may be free the next time; waiting again each time would stop the study.
                self._database.execute("PRAGMA busy_timeout = 0")
            else:
                self._stop_writing(error)
        except BaseException:  # Ctrl-C: what waits is written by the next call
            self._roll_back()
            raise

    def _roll_back(self) -> None:
        try:
            if self._database is not None and self._database.in_transaction:
                self._database.execute("ROLLBACK")
        except sqlite3.Error:
            pass  # the file rolls back by itself when it is opened again

    def _stop_writing(self, error: Exception) -> None:
        if is_damaged(error):
            self._leave(error)
        elif self._writes:
            self._writes, self._waiting = False, []
            self._say(
                f"the ledger {self.path} {in_words(error)}; what it held is unharmed, and the study "
                "goes on without keeping more"
            )

    def _leave(self, error: Exception) -> None:
        self._say(f"the ledger {self.path} {in_words(error)}; the study goes on without it")
        self._writes, self._waiting = False, []
        if self._database is not None:
            self._database.close()
            self._database = None

    def _say_damaged(self) -> None:
        self._damaged += 1
        if self._damaged == 1:
            self._say(f"the ledger {self.path} holds damaged results; they are trained again")


@dataclass
class Page:
    """One study's part of a ledger, and how many fits it took from there."""

    ledger: Ledger
    study: int
    reused: int = 0
    trained: int = 0

    @classmethod
    def blank(cls) -> Page:
        """A page of no ledger."""
        return cls(Ledger.nowhere(), 0)

    def fetch(self, wanted: Sequence[Wanted]) -> dict[bytes, Array]:
        """What the ledger knows of these trainings."""
        found = self.ledger.fetch([each.key for each in wanted])
        taken = [each for each in wanted if each.key in found]
        self.reused += sum(each.replicates for each in taken)
        self.ledger.keep(self.study, [(each, None) for each in taken])
        return found

    def keep(self, results: Sequence[tuple[Wanted, Array]]) -> None:
        """Keep what was trained."""
        self.trained += sum(wanted.replicates for wanted, _result in results)
        self.ledger.keep(self.study, results)

    def end(self, verdict: str) -> None:
        """Note how the study ended."""
        self.ledger.end(self.study, verdict)


def _to_read(path: Path, trouble: LedgerError) -> sqlite3.Connection | None:
    try:
        return connect_to_read(path) if is_denied(trouble.__cause__) else None
    except LedgerError:
        return None


def packed(result: Array) -> bytes:
    """An array with its type and shape, in numpy's own format.

    >>> unpacked(packed(np.arange(3.0)))
    array([0., 1., 2.])
    """
    out = io.BytesIO()
    np.save(out, result, allow_pickle=False)
    return out.getvalue()


def unpacked(content: bytes) -> Array:
    """The array of `packed`; ValueError if it is none."""
    return np.load(io.BytesIO(content), allow_pickle=False)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
