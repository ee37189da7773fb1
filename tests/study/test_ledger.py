"""The ledger: what was trained is not trained again, changes nothing, and survives what may happen."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import platformdirs
import pytest

from tests.study.small import diagnosed, opened, result, small_fit
from whyfit.ledger import schema
from whyfit.ledger.connection import PLACE, customary_place
from whyfit.ledger.ledger import Ledger, packed, unpacked
from whyfit.records.diagnosis import Diagnosis
from whyfit.records.fit import Fit
from whyfit.study.run import Progress
from whyfit.study.workers import version

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="module")
def fit() -> Fit:
    return small_fit()


@pytest.fixture(scope="module")
def undisturbed(fit: Fit) -> Diagnosis:
    """The study without a ledger."""
    return diagnosed(fit)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


def run(fit: Fit, path: Path, said: list[str] | None = None, **options) -> Diagnosis:
    ledger = opened(path, said)
    try:
        return diagnosed(fit, ledger, **options)
    finally:
        ledger.close()


def rows(path: Path, query: str) -> list[tuple]:
    database = sqlite3.connect(path)
    try:
        return database.execute(query).fetchall()
    finally:
        database.close()


# ---- the same result, trained once ----


def test_a_second_run_trains_nothing(fit: Fit, undisturbed: Diagnosis, path: Path):
    first, second = run(fit, path), run(fit, path)
    assert undisturbed.work["trained"] > 300
    assert first.work == {**undisturbed.work, "from_ledger": 0}
    assert second.work == {"trained": 0, "from_ledger": undisturbed.work["trained"]}
    assert result(first) == result(second) == result(undisturbed)


def test_a_larger_budget_continues(fit: Fit, path: Path):
    small, large = (run(fit, path, budget=budget) for budget in (2e-5, 0.5))
    assert 0 < small.work["trained"] < large.work["trained"] + large.work["from_ledger"]
    assert large.work["from_ledger"] > 0.5 * small.work["trained"]
    assert result(large) == result(diagnosed(fit))


def test_the_file_can_be_moved(fit: Fit, path: Path, tmp_path: Path):
    run(fit, path)
    assert [each.name for each in tmp_path.iterdir()] == ["ledger.sqlite"]
    moved = tmp_path / "elsewhere" / "with a space.sqlite"
    moved.parent.mkdir()
    path.rename(moved)
    assert run(fit, moved).work["trained"] == 0


@pytest.mark.parametrize("other", ["seed", "data", "recipe"])
def test_what_differs_is_trained(fit: Fit, path: Path, other: str):
    first = run(fit, path)
    changed = {"data": small_fit(65), "recipe": small_fit(epochs=7)}.get(other, fit)
    found = run(changed, path, seed=int(other == "seed"))
    # The replay does not depend on what else the study draws.
    assert found.work["from_ledger"] <= 0.2 * first.work["trained"]
    assert result(found) == result(diagnosed(changed, seed=int(other == "seed")))


def test_another_engine_trains_anew(fit: Fit, path: Path, monkeypatch):
    first = run(fit, path)
    monkeypatch.setattr(version, "engine", lambda: "another")
    assert run(fit, path).work == first.work


def test_the_version_covers_all_through_which_a_result_goes():
    code = "import sys, whyfit.study.workers.block; print(*(each for each in sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    files = {
        name.removeprefix("whyfit.").replace(".", "/") + ".py"
        for name in loaded.stdout.split()
        if name.startswith("whyfit.")
    }
    packages = {name for name in files if (ROOT / "src" / "whyfit" / name[:-3]).is_dir()}
    # The compiled module has a hash of its own; the others only hold or raise what is made elsewhere.
    others = {
        "engine/_lanes.py",
        "engine/memory.py",
        "_version.py",
        "errors.py",
        "records/evidence.py",
        "records/fit.py",
    }
    assert files - packages - others == set(version.SOURCES)


def test_packed_results_keep_every_bit():
    values = np.array([[np.inf, -0.0, np.nan, 1e-300], [1.0, 2.0, 3.0, np.pi]])
    assert unpacked(packed(values)).tobytes() == values.tobytes()


# ---- where it is ----


def test_the_customary_place(monkeypatch):
    monkeypatch.delenv(PLACE, raising=False)
    assert customary_place() == Path(platformdirs.user_data_path("whyfit")) / "ledger.sqlite"
    monkeypatch.setenv(PLACE, "/somewhere/else.sqlite")
    assert customary_place() == Path("/somewhere/else.sqlite")
    monkeypatch.setenv(PLACE, "")
    assert customary_place() is None


# ---- older and newer files ----


def test_an_older_file_is_brought_up_to_date_and_used(fit: Fit, path: Path, tmp_path: Path):
    run(fit, tmp_path / "new.sqlite")
    blocks = rows(tmp_path / "new.sqlite", "SELECT key, result FROM blocks")
    database = sqlite3.connect(path)
    database.executescript((Path(__file__).parent / "ledger_version_1.sql").read_text())
    database.executemany("INSERT INTO blocks VALUES (?, ?)", blocks)
    database.commit()
    database.close()

    found = run(fit, path)
    assert found.work == {"trained": 0, "from_ledger": found.work["from_ledger"]}
    assert rows(path, "PRAGMA user_version") == [(schema.VERSION,)]
    # ... and it is no different from one that was made today.
    assert _tables(path) == _tables(tmp_path / "new.sqlite")
    every = "SELECT key, result, checksum FROM blocks ORDER BY key"
    assert rows(path, every) == rows(tmp_path / "new.sqlite", every)


def _tables(path: Path) -> set[tuple]:
    names = rows(path, "SELECT name FROM sqlite_schema WHERE type = 'table'")
    return {(name, *row) for (name,) in names for row in rows(path, f"PRAGMA table_info({name})")}


def test_a_migration_that_fails_changes_nothing(path: Path, monkeypatch):
    database = sqlite3.connect(path)
    database.executescript((Path(__file__).parent / "ledger_version_1.sql").read_text())
    database.close()
    before = rows(path, "SELECT sql FROM sqlite_schema")

    def fails(database: sqlite3.Connection) -> None:
        database.execute("CREATE TABLE half (a)")
        raise sqlite3.OperationalError("in the middle")

    monkeypatch.setattr(schema, "MIGRATIONS", (schema.MIGRATIONS[0], fails))
    said: list[str] = []
    opened(path, said).close()
    assert len(said) == 1
    assert rows(path, "SELECT sql FROM sqlite_schema") == before
    assert rows(path, "PRAGMA user_version") == [(1,)]


# ---- what may happen to the file ----


def newer(path: Path) -> None:
    database = sqlite3.connect(path)
    database.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    database.close()


def corrupt(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(b"\xff" * 200 + content[200:])


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: 3 * 4096])


def of_another_program(path: Path) -> None:
    path.unlink()
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE poems (line TEXT)")
    database.close()


TROUBLES = [
    (newer, f"newer whyfit (form {schema.VERSION + 1}; this one knows {schema.VERSION})"),
    (corrupt, "is no ledger of whyfit, or a damaged one"),
    (cut_short, "is damaged"),
    (of_another_program, "is a database of another program"),
]


@pytest.mark.parametrize(
    ("spoil", "words"), TROUBLES, ids=lambda each: getattr(each, "__name__", "")
)
def test_a_file_that_is_not_right(fit: Fit, undisturbed: Diagnosis, path: Path, spoil, words: str):
    """One sentence, the same result, and the file as it was."""
    run(fit, path)
    spoil(path)
    before, said = path.read_bytes(), []
    found = run(fit, path, said)
    assert len(said) == 1
    assert words in said[0]
    assert str(path) in said[0]
    assert result(found) == result(undisturbed)
    assert path.read_bytes() == before


def test_damaged_results_are_trained_again(fit: Fit, undisturbed: Diagnosis, path: Path):
    """SQLite does not check what it reads; a flipped bit would be a wrong verdict."""
    run(fit, path)
    database = sqlite3.connect(path)
    key, content = database.execute("SELECT key, result FROM blocks LIMIT 1").fetchone()
    flipped = content[:-5] + bytes([content[-5] ^ 1]) + content[-4:]
    database.execute("UPDATE blocks SET result = ? WHERE key = ?", (flipped, key))
    database.commit()
    database.close()
    said: list[str] = []
    found = run(fit, path, said)
    assert 0 < found.work["trained"] <= 64
    assert len(said) == 1
    assert "damaged results" in said[0]
    assert result(found) == result(undisturbed)
    assert run(fit, path).work["trained"] == 0


def test_a_locked_file(fit: Fit, undisturbed: Diagnosis, path: Path, monkeypatch):
    monkeypatch.setattr("whyfit.ledger.connection.PATIENCE", 0.05)
    run(fit, path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    said: list[str] = []
    found = run(fit, path, said)
    other.execute("ROLLBACK")
    other.close()
    assert len(said) == 1
    assert "is locked by another program" in said[0]
    assert result(found) == result(undisturbed)
    assert run(fit, path).work["trained"] == 0


def test_a_file_that_is_locked_for_a_while(fit: Fit, path: Path, monkeypatch):
    """What could not be written at once is written later."""
    monkeypatch.setattr("whyfit.ledger.connection.PATIENCE", 0.05)
    ledger = opened(path)
    other = sqlite3.connect(path, isolation_level=None)

    def lock_for_a_while(progress: Progress) -> None:
        if 0 < progress.fits < 200 and not other.in_transaction:
            other.execute("BEGIN IMMEDIATE")
        if progress.fits > 400 and other.in_transaction:
            other.execute("COMMIT")

    found = diagnosed(fit, ledger, report=lock_for_a_while)
    assert not other.in_transaction
    ledger.close()
    other.close()
    assert found.work["trained"] > 400
    assert run(fit, path).work["trained"] == 0


@contextmanager
def nobody() -> Generator[None]:
    """Not root, whom nothing is denied."""
    was = os.geteuid()
    if was == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(was)


def test_a_read_only_folder(fit: Fit, undisturbed: Diagnosis):
    """A ledger in it is read; where there is none, one sentence says so."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run(fit, folder / "ledger.sqlite")
        before = (folder / "ledger.sqlite").read_bytes()
        (folder / "ledger.sqlite").chmod(0o444)
        folder.chmod(0o555)
        said: list[str] = []
        with nobody():
            known = run(fit, folder / "ledger.sqlite", said)
            other = run(fit, folder / "another.sqlite", said)
        assert len(said) == 2
        assert "read-only" in said[0]
        assert said[0].endswith("the study only reads it")
        assert said[1].endswith("the study goes on without it")
        assert known.work["trained"] == 0
        assert result(known) == result(other) == result(undisturbed)
        assert (folder / "ledger.sqlite").read_bytes() == before
        assert [each.name for each in folder.iterdir()] == ["ledger.sqlite"]
        folder.chmod(0o755)


@pytest.mark.skipif(sys.platform != "linux", reason="a small disk is made with Linux's means")
def test_a_full_disk(fit: Fit, undisturbed: Diagnosis, tmp_path: Path):
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=800k", "none", str(disk)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("only root may make a small disk")
    try:
        run(fit, disk / "ledger.sqlite", budget=1e-5)
        had = rows(disk / "ledger.sqlite", "SELECT count(*) FROM blocks")
        (disk / "full").write_bytes(b"." * (os.statvfs(disk).f_bavail * os.statvfs(disk).f_bsize))
        said: list[str] = []
        found = run(fit, disk / "ledger.sqlite", said)
        assert len(said) == 1
        assert "the disk is full" in said[0]
        assert result(found) == result(undisturbed)
        (disk / "full").unlink()
        assert rows(disk / "ledger.sqlite", "PRAGMA integrity_check") == [("ok",)]
        assert rows(disk / "ledger.sqlite", "SELECT count(*) FROM blocks")[0][0] >= had[0][0]
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_killed_at_fifty_moments(tmp_path: Path):
    """The rerun ends as an undisturbed run does and trains what is missing, nothing else."""
    command = [sys.executable, "-m", "tests.study.killed", str(tmp_path), "50", "20260101"]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    answer = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert answer.returncode == 0, answer.stderr
    whole, *killed = [json.loads(line) for line in answer.stdout.splitlines()]
    assert len(killed) == 50
    assert whole["reused"] == 0
    for each in killed:
        assert each["result"] == whole["result"]
        assert each["trained"] + each["reused"] == whole["trained"]
        assert each["reused"] == 16 * each["had"]
    assert len({each["had"] for each in killed}) > 5  # they were killed at different moments


def test_two_runs_at_once_share_a_file(fit: Fit, path: Path):
    one, other = opened(path), opened(path)
    assert result(diagnosed(fit, one)) == result(diagnosed(fit, other))
    one.close()
    other.close()
    assert rows(path, "SELECT runs FROM studies") == [(2,)]


def test_nothing_is_kept_without_a_ledger():
    ledger = Ledger.nowhere()
    assert not ledger.keeps
    assert ledger.fetch([b"key"]) == {}
