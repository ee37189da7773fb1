"""The tables of a ledger, and how an older file becomes one of today.

The version stands in `PRAGMA user_version`. A migration is never changed once released: what has to
change becomes the next one.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Callable

from whyfit.errors import LedgerError

APPLICATION = 0x77666974
"""`PRAGMA application_id` of our files: "wfit"."""


def checksum(key: bytes, result: bytes) -> int:
    """What tells a damaged result: SQLite itself does not check what it reads."""
    return zlib.crc32(result, zlib.crc32(key))


def _blocks(database: sqlite3.Connection) -> None:
    """Version 1: results by key."""
    database.execute(
        "CREATE TABLE blocks (key BLOB PRIMARY KEY, result BLOB NOT NULL) WITHOUT ROWID"
    )


def _studies(database: sqlite3.Connection) -> None:
    """Version 2: checksums, and which study asked for which result."""
    database.execute("ALTER TABLE blocks ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0")
    database.create_function("checksum", 2, checksum, deterministic=True)
    database.execute("UPDATE blocks SET checksum = checksum(key, result)")
    database.execute(
        "CREATE TABLE studies (id INTEGER PRIMARY KEY, identity BLOB NOT NULL UNIQUE,"
        " script TEXT NOT NULL, line INTEGER NOT NULL, network TEXT NOT NULL, seed INTEGER NOT NULL,"
        " budget REAL NOT NULL, tolerance REAL NOT NULL, whyfit TEXT NOT NULL,"
        " started TEXT NOT NULL, ended TEXT, verdict TEXT, runs INTEGER NOT NULL DEFAULT 1)"
    )
    database.execute(
        "CREATE TABLE members (study INTEGER NOT NULL REFERENCES studies (id) ON DELETE CASCADE,"
        " phase TEXT NOT NULL, arm TEXT NOT NULL, first INTEGER NOT NULL, key BLOB NOT NULL,"
        " PRIMARY KEY (study, phase, arm, first)) WITHOUT ROWID"
    )
    database.execute("CREATE INDEX members_of_key ON members (key)")


MIGRATIONS: tuple[Callable[[sqlite3.Connection], None], ...] = (_blocks, _studies)
VERSION = len(MIGRATIONS)


def prepare(database: sqlite3.Connection) -> None:
    """Make the tables of a new file, or bring an older one up to date, whole or not at all.

    Raises LedgerError where the file is another program's or a newer whyfit's.
    """
    if _version(database) == VERSION and _application(database) == APPLICATION:
        return
    _refuse_strangers(database)
    database.execute("BEGIN IMMEDIATE")
    try:
        _refuse_strangers(database)  # again: another run may have been faster
        for migrate in MIGRATIONS[_version(database) :]:
            migrate(database)
        database.execute(f"PRAGMA user_version = {VERSION}")
        database.execute(f"PRAGMA application_id = {APPLICATION}")
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise


def require(database: sqlite3.Connection) -> None:
    """Raises LedgerError where the file is not of today's form and cannot be brought up to date."""
    _refuse_strangers(database)
    if _version(database) < VERSION:
        raise LedgerError("is of an older form and read-only")


def _refuse_strangers(database: sqlite3.Connection) -> None:
    version, application = _version(database), _application(database)
    if application == APPLICATION and version > VERSION:
        raise LedgerError(
            f"was written by a newer whyfit (form {version}; this one knows {VERSION})"
        )
    tables = database.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if application != APPLICATION and (tables or version or application):
        raise LedgerError("is a database of another program")


def _version(database: sqlite3.Connection) -> int:
    return int(database.execute("PRAGMA user_version").fetchone()[0])


def _application(database: sqlite3.Connection) -> int:
    return int(database.execute("PRAGMA application_id").fetchone()[0])
