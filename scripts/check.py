"""Run every check that CI runs, in the order in which failures are cheapest."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent

# A file's tests share what they have trained.
SIDE_BY_SIDE = (
    "--numprocesses=auto",
    "--maxprocesses=4",
    "--dist=loadfile",
    "--no-loadscope-reorder",
)

CHECKS = (
    ("format", [BIN / "ruff", "format", "--check"]),
    ("lint", [BIN / "ruff", "check"]),
    ("layers", [BIN / "lint-imports"]),
    ("types", [BIN / "basedpyright"]),
    ("docs", [BIN / "mkdocs", "build", "--strict", "--quiet"]),
    ("tests", [BIN / "python", "-m", "pytest", *SIDE_BY_SIDE, *sys.argv[1:]]),
)


def main() -> int:
    """Run all checks; the number of those that failed."""
    os.environ.setdefault("NO_MKDOCS_2_WARNING", "1")  # an advertisement, not about our pages
    failed = []
    for name, command in CHECKS:
        began = time.monotonic()
        print(f"== {name}", flush=True)
        if subprocess.run([str(part) for part in command], cwd=ROOT, check=False).returncode:
            failed.append(name)
        print(f"   {time.monotonic() - began:.0f} s", flush=True)
    print("failed: " + ", ".join(failed) if failed else "all checks passed")
    return len(failed)


if __name__ == "__main__":
    sys.exit(main())
