"""Does every diff that a case's report offers apply, and does the patched script run to its end?

    python benchmarks/patched_cases.py [--only name,name] [--budget SECONDS]

Each script in `cases/` is studied (the engine trains in place of the framework), each diff of its fixes
is applied by `patch -p1` in a folder of its own, and what comes out is run by plain Python.
"""

from __future__ import annotations

import argparse
import io
import os
import subprocess
import sys
import tempfile
import warnings
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from whyfit.adapters import capture
from whyfit.adapters._adapter import Session
from whyfit.diagnosing import Options, diagnose
from whyfit.fast import EngineSubstitute
from whyfit.study.conduct import StudyOptions
from whyfit.study.confirm import ConfirmOptions

CASES = Path(__file__).resolve().parent.parent / "cases"


@dataclass(frozen=True)
class Patched:
    """One fix of one script: what it changes, and what went wrong with its diff, if anything."""

    script: str
    changes: str
    problem: str | None


def scripts() -> list[Path]:
    """The scripts with a fault."""
    kinds = (CASES / name for name in ("development", "kinds"))
    return sorted(
        (*CASES.glob("*/bad.py"), *(path for kind in kinds for path in kind.glob("*.py")))
    )


def patched(script: Path, budget: float) -> list[Patched]:
    """All diffs of a script's first fit, applied and run."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / script.name
        copy.write_text(script.read_text())
        diffs = offered(copy, budget)
        name = f"{script.parent.name}/{script.name}"
        return [
            Patched(name, changes, problem_with(copy, diff, Path(folder) / str(at)))
            for at, (changes, diff) in enumerate(diffs)
        ]


def offered(script: Path, budget: float) -> list[tuple[str, str]]:
    """Changes and diffs of the fixes of a script's first fit."""
    with warnings.catch_warnings(), redirect_stderr(io.StringIO()), redirect_stdout(io.StringIO()):
        warnings.simplefilter("default")
        captured = capture.run(
            capture.load_script(str(script), []), Session(substitute=EngineSubstitute())
        )
    if not captured.fits:  # a script of 2017 ends with its own exception
        return []
    options = Options(study=StudyOptions(budget=budget), confirm=ConfirmOptions(runs=0))
    fixes = diagnose(captured, options).fits[0].fixes
    return [
        (" and ".join(f"{each.factor} {each.to}" for each in fix.changes), fix.diff)
        for fix in fixes
        if fix.diff is not None
    ]


def problem_with(script: Path, diff: str, folder: Path) -> str | None:
    """What goes wrong when a diff is applied to a copy of a script and the copy is run."""
    folder.mkdir()
    (folder / script.name).write_text(script.read_text())
    (folder / "fix.diff").write_text(diff)
    environment = {**os.environ, "MPLBACKEND": "Agg"}
    for command in (
        ["patch", "-p1", "--quiet", "--input", "fix.diff"],
        [sys.executable, script.name],
    ):
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            said = (done.stderr or done.stdout).strip().splitlines()
            return f"{command[0]} ended with {done.returncode}: {said[-1] if said else ''}"
    return None


def main() -> None:
    """Try all and print what failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="parts of names, with commas; all if left out")
    parser.add_argument("--budget", type=float, default=2.0)
    options = parser.parse_args()
    os.environ.setdefault("KERAS_BACKEND", "jax")
    found: list[Patched] = []
    for script in scripts():
        if any(each in str(script) for each in options.only.split(",")):
            these = patched(script, options.budget)
            found += these
            for one in these:
                print(f"{one.script}: {one.changes}: {one.problem or 'runs'}", flush=True)
    bad = sum(one.problem is not None for one in found)
    print(f"{len(found)} diffs of {len({one.script for one in found})} scripts; {bad} fail")


if __name__ == "__main__":
    main()
