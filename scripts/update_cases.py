"""Write what each case's two scripts give into its expected.json. Read the diff before you keep it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.cases import CASES, diagnosed, needs, outcome


def main() -> None:
    """Run every case, or those named on the command line."""
    wanted = sys.argv[1:]
    for folder in CASES:
        if wanted and folder.name not in wanted:
            continue
        if reason := needs(folder / "bad.py"):
            print(f"{folder.name}: left as it is, {reason}")
            continue
        expected = {name: outcome(diagnosed(folder / f"{name}.py")) for name in ("bad", "good")}
        (folder / "expected.json").write_text(json.dumps(expected, indent=2) + "\n")
        print(folder.name, expected)


if __name__ == "__main__":
    main()
