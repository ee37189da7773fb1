"""Opening a ledger's file, and what SQLite's errors mean in words."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import platformdirs

from whyfit.errors import LedgerError
from whyfit.ledger import schema

PLACE = "WHYFIT_LEDGER"
"""Environment variable that names the file in place of the customary one; empty: no ledger."""

PATIENCE = 2.0
"""Seconds to wait for another program's lock: longer than a run of ours ever holds it."""

_WORDS = {
    sqlite3.SQLITE_FULL: "cannot be written: the disk is full",
    sqlite3.SQLITE_READONLY: "cannot be written: it or its folder is read-only",
    sqlite3.SQLITE_BUSY: "is locked by another program",
    sqlite3.SQLITE_LOCKED: "is locked by another program",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened",
    sqlite3.SQLITE_PERM: "cannot be opened: access is denied",
    sqlite3.SQLITE_AUTH: "cannot be opened: access is denied",
    sqlite3.SQLITE_CORRUPT: "is damaged: move it away, and the next run begins a new one",
    sqlite3.SQLITE_NOTADB: "is no ledger of whyfit, or a damaged one",
    sqlite3.SQLITE_IOERR: "cannot be read or written: the disk is full or failing",
}
"""By primary result code (https://sqlite.org/rescode.html)."""


def customary_place() -> Path | None:
    """Where the ledger is if nobody says otherwise; None if the environment says that there is none."""
    named = os.environ.get(PLACE)
    if named is not None:
        return Path(named) if named else None
    return platformdirs.user_data_path("whyfit", appauthor=False) / "ledger.sqlite"


def in_words(error: Exception) -> str:
    """What follows the ledger's name in a sentence."""
    if isinstance(error, LedgerError):
        return str(error)
    if isinstance(error, OSError):
        return f"cannot be opened: {error.strerror or error}"
    code = getattr(error, "sqlite_errorcode", None)
    known = _WORDS.get(code & 0xFF) if isinstance(code, int) else None
    return known or f"cannot be used: {error}"


def is_busy(error: Exception) -> bool:
    """Whether another program's lock is the reason, which passes."""
    code = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def is_damaged(error: Exception) -> bool:
    """Whether nothing of the file can be trusted any more."""
    code = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def is_denied(error: BaseException | None) -> bool:
    """Whether the reason is that this person may not write there."""
    code = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM)


def connect(path: Path, *, create: bool) -> sqlite3.Connection:
    """Open a ledger for reading and writing, in today's form.

    Raises LedgerError; the file is then as it was.
    """
    try:
        if create:
            path.parent.mkdir(parents=True, exist_ok=True)
        elif not path.exists():
            raise LedgerError("is not there")
        database = _open(path, "rwc" if create else "rw")
    except (sqlite3.Error, OSError) as error:
        raise LedgerError(in_words(error)) from error
    try:
        schema.prepare(database)
        # Readers go on while a run writes, and a run that is killed leaves the file whole.
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute("PRAGMA foreign_keys = ON")
        return database
    except LedgerError:
        database.close()
        raise
    except sqlite3.Error as error:
        database.close()
        raise LedgerError(in_words(error)) from error


def connect_to_read(path: Path) -> sqlite3.Connection:
    """Open a ledger of today's form that nobody may write, such as one in a read-only folder.

    Raises LedgerError.
    """
    try:
        # Without its log SQLite need not make a file beside it, but then it must not miss one either.
        whole = not path.with_name(path.name + "-wal").exists()
        database = _open(path, "ro&immutable=1" if whole else "ro")
    except sqlite3.Error as error:
        raise LedgerError(in_words(error)) from error
    try:
        schema.require(database)
    except (sqlite3.Error, LedgerError) as error:
        database.close()
        raise LedgerError(in_words(error)) from error
    return database


def _open(path: Path, mode: str) -> sqlite3.Connection:
    # Transactions are ours to begin; one thread at a time uses a connection, not always the same one.
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        timeout=PATIENCE,
        isolation_level=None,
        check_same_thread=False,
    )
