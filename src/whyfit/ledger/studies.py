"""What a ledger holds, for people: its studies, their arms, every replicate; and taking studies out."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from whyfit.errors import LedgerError, UsageError
from whyfit.ledger.connection import connect, connect_to_read, in_words, is_denied
from whyfit.ledger.ledger import unpacked
from whyfit.ledger.schema import checksum

REPLICATED = ("selection", "confirmation")
"""Phases whose results are replicates of arms; replays and sample fits are kept for speed only."""


@dataclass(frozen=True)
class Kept:
    """A study in a ledger. `verdict` is None where its last run did not come to an end."""

    number: int
    script: str
    line: int
    network: str
    seed: int
    budget: float
    tolerance: float
    whyfit: str
    started: str
    ended: str | None
    verdict: str | None
    runs: int
    fits: int


@dataclass(frozen=True)
class Replicate:
    """One training of a study, as it is exported."""

    study: int
    script: str
    line: int
    network: str
    seed: int
    phase: str
    arm: str
    replicate: int
    unexplained_variance: float
    live_units: float


@contextmanager
def opened(path: Path, *, write: bool = False) -> Generator[sqlite3.Connection]:
    """A ledger that must be there. Raises LedgerError with its name in a whole sentence."""
    try:
        try:
            database = connect(path, create=False)
        except LedgerError as trouble:
            if write or not is_denied(trouble.__cause__):
                raise
            database = connect_to_read(path)
        with closing(database):
            yield database
    except (sqlite3.Error, LedgerError) as error:
        raise LedgerError(f"the ledger {path} {in_words(error)}") from error


def studies(database: sqlite3.Connection) -> list[Kept]:
    """All studies, the latest last."""
    rows = database.execute(
        "SELECT id, script, line, network, seed, budget, tolerance, whyfit, started, ended, verdict,"
        " runs, (SELECT count(*) * 16 FROM members WHERE study = id AND phase IN (?, ?))"
        " FROM studies ORDER BY started, id",
        REPLICATED,
    )
    return [Kept(*row) for row in rows]


def chosen(database: sqlite3.Connection, numbers: Sequence[int]) -> list[Kept]:
    """The studies of these numbers. Raises UsageError if one is not there."""
    known = {each.number: each for each in studies(database)}
    missing = [number for number in numbers if number not in known]
    if missing:
        raise UsageError(f"there is no study {missing[0]}: whyfit ledger list shows the numbers")
    return [known[number] for number in numbers]


def replicates(database: sqlite3.Connection, study: Kept) -> Iterator[Replicate]:
    """Every replicate of a study, arm by arm; damaged results are left out."""
    rows = database.execute(
        "SELECT phase, arm, first, blocks.key, result, checksum FROM members JOIN blocks"
        " ON blocks.key = members.key WHERE study = ? AND phase IN (?, ?)"
        " ORDER BY phase DESC, arm, first",
        (study.number, *REPLICATED),
    )
    about = (study.number, study.script, study.line, study.network, study.seed)
    for phase, arm, first, key, result, summed in rows:
        if checksum(key, result) != summed:
            continue
        for at, (unexplained, live) in enumerate(unpacked(result).T):
            yield Replicate(*about, phase, label(arm), first + at, float(unexplained), float(live))


def label(arm: str) -> str:
    """An arm in words.

    >>> label('[["activation", "tanh"], ["units", "16"]]'), label("[]")
    ('activation tanh, units 16', 'as it is')
    """
    return ", ".join(f"{factor} {to}" for factor, to in json.loads(arm)) or "as it is"


def clear(database: sqlite3.Connection, numbers: Sequence[int] | None) -> int:
    """Take studies out, or (None) everything; results that no other study asked for go with them.

    Returns the number of blocks of results that went. The file shrinks too.
    """
    before = _blocks(database)
    database.execute("BEGIN IMMEDIATE")
    if numbers is None:
        for table in ("members", "studies", "blocks"):
            database.execute(f"DELETE FROM {table}")
    else:
        marks = ", ".join("?" * len(numbers))
        keys = f"SELECT key FROM members WHERE study IN ({marks})"
        database.execute("CREATE TEMP TABLE gone AS " + keys, tuple(numbers))
        database.execute(f"DELETE FROM studies WHERE id IN ({marks})", tuple(numbers))
        database.execute(
            "DELETE FROM blocks WHERE key IN (SELECT key FROM gone)"
            " AND key NOT IN (SELECT key FROM members)"
        )
        database.execute("DROP TABLE gone")
    database.execute("COMMIT")
    gone = before - _blocks(database)
    database.execute("VACUUM")
    return gone


def _blocks(database: sqlite3.Connection) -> int:
    return int(database.execute("SELECT count(*) FROM blocks").fetchone()[0])
