"""`whyfit fix`: a stored diff is applied to the letter, with a backup, or not at all."""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import subprocess
from pathlib import Path

import pytest

from whyfit import cli
from whyfit.report.applying import DoesNotApply, applied
from whyfit.report.panels.plain_text import visible

STORED = Path(__file__).with_name("starting_case.json")

OLD = (
    "import numpy as np\n\nx = 1  # größe\ny = 2\nz = 3\nw = 4\nu = 5\nv = 6\nt = 7\ns = 8\nr = 9\n"
)
NEW = OLD.replace("x = 1", "x = 10").replace("r = 9", "r = 90\nq = 1")


def diff_of(old: str, new: str) -> str:
    lines = difflib.unified_diff(old.splitlines(True), new.splitlines(True), "a/s.py", "b/s.py")
    joined = [
        line if line.endswith("\n") else line + "\n\\ No newline at end of file\n" for line in lines
    ]
    return visible("".join(joined))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (OLD, NEW),
        (OLD.replace("\n", "\r\n"), NEW.replace("\n", "\r\n")),
        (OLD.rstrip("\n"), NEW.rstrip("\n")),
        (OLD, "import keras\n" + OLD),
        (OLD, OLD + "last = 1\n"),
        (OLD, OLD.replace("y = 2\n", "")),
        (OLD.replace("y = 2", "y = '\u00a0\u202e'"), NEW.replace("y = 2", "y = '\u00a0\u202e'")),
        ("a = 1\n", "b = 2\n"),
    ],
)
def test_a_diff_is_applied_to_the_letter(old: str, new: str):
    assert applied(old, diff_of(old, new)) == new


@pytest.mark.parametrize(
    "other",
    [
        OLD.replace("y = 2", "y = 3"),
        "\n" + OLD,
        OLD.split("s = 8")[0],
        "",
    ],
)
def test_another_text_is_refused(other: str):
    with pytest.raises(DoesNotApply):
        applied(other, diff_of(OLD, NEW))


def test_an_added_line_that_a_report_cannot_hold_is_refused():
    with pytest.raises(DoesNotApply):
        applied(OLD, diff_of(OLD, OLD.replace("y = 2", "y = '\x1b'")))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch) -> Path:
    """A script and a report on it with three fixes: a diff, another, and words."""
    monkeypatch.chdir(tmp_path)
    Path("s.py").write_text(OLD)
    report = json.loads(STORED.read_text())
    report["script"] = "s.py"
    report["script_sha256"] = hashlib.sha256(OLD.encode()).hexdigest()
    # What draws the report is not needed, and takes long to read.
    report["fits"][0].update(arms=[], samples=None, curve=None, contributions=None)
    report["figures"] = []
    first = report["fits"][0]["fixes"][0]
    words = {**first, "diff": None, "words": ["set the units to 16"]}
    other = {**first, "diff": diff_of(OLD, OLD.replace("y = 2", "y = 20")), "status": "promising"}
    report["fits"][0]["fixes"] = [{**first, "diff": diff_of(OLD, NEW)}, other, words]
    Path("s.json").write_text(json.dumps(report))
    return tmp_path


def test_without_apply_the_diff_is_printed_as_patch_takes_it(folder: Path, capsys):
    assert cli.dispatch(["fix", "s.json"]) == 0
    printed = capsys.readouterr()
    assert "starts" in printed.err
    assert Path("s.py").read_text() == OLD
    subprocess.run(["patch", "-p1"], input=printed.out, text=True, check=True, capture_output=True)
    assert Path("s.py").read_text() == NEW


def test_apply_keeps_a_backup_and_never_writes_over_one(folder: Path, capsys):
    os.chmod("s.py", 0o755)
    Path("s.py.orig").write_text("mine")
    assert cli.dispatch(["fix", "s.json", "--apply"]) == 0
    assert Path("s.py").read_text() == NEW
    assert Path("s.py").stat().st_mode & 0o777 == 0o755
    assert Path("s.py.orig").read_text() == "mine"
    assert Path("s.py.orig.1").read_text() == OLD
    assert "s.py.orig.1" in capsys.readouterr().out


def test_another_fix_by_its_number_and_from_elsewhere(folder: Path, capsys, monkeypatch):
    (folder / "sub").mkdir()
    monkeypatch.chdir(folder / "sub")
    assert cli.dispatch(["fix", "../s.json", "2", "--apply"]) == 0
    assert "promising, not verified" in capsys.readouterr().err
    assert (folder / "s.py").read_text() == OLD.replace("y = 2", "y = 20")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda: Path("s.py").write_text(OLD + "\n"), "has changed since"),
        (lambda: Path("s.py").unlink(), "there is no script s.py here"),
        (lambda: Path("s.py").write_bytes(b"\xff\xfe\x00"), "has changed since"),
    ],
)
def test_a_script_that_changed_is_not_written(folder: Path, capsys, change, words: str):
    change()
    before = sorted((path.name, path.read_bytes()) for path in folder.iterdir())
    assert cli.dispatch(["fix", "s.json", "--apply"]) == 2
    assert words in capsys.readouterr().err
    assert sorted((path.name, path.read_bytes()) for path in folder.iterdir()) == before


def test_a_report_without_a_hash_is_held_to_the_lines_of_the_diff(folder: Path):
    report = json.loads(Path("s.json").read_text())
    del report["script_sha256"]
    Path("s.json").write_text(json.dumps(report))
    Path("s.py").write_text(OLD.replace("x = 1", "x = 3"))
    assert cli.dispatch(["fix", "s.json", "--apply"]) == 2
    Path("s.py").write_text(OLD + "# more\n")
    # The line after the last is not in the diff, so the diff still holds to the letter.
    assert cli.dispatch(["fix", "s.json", "--apply"]) == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["3"], "has no diff; by hand: set the units to 16"),
        (["9"], "there is no fix 9: the fit has 3"),
        (["--fit", "2"], "there is no fit 2"),
    ],
)
def test_what_is_not_there(folder: Path, capsys, arguments, words: str):
    assert cli.dispatch(["fix", "s.json", *arguments]) == 2
    assert words in capsys.readouterr().err


def test_a_symbolic_link_stays_one(folder: Path):
    Path("real.py").write_text(OLD)
    Path("s.py").unlink()
    Path("s.py").symlink_to("real.py")
    assert cli.dispatch(["fix", "s.json", "--apply"]) == 0
    assert Path("s.py").is_symlink()
    assert Path("real.py").read_text() == NEW
    assert Path("real.py.orig").read_text() == OLD
