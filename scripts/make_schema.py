"""Write the JSON schema of reports from the panels, which are its only source."""

from __future__ import annotations

import json
from pathlib import Path

from whyfit.report import panels

TARGET = Path(__file__).resolve().parent.parent / "src" / "whyfit" / "report" / "schema.json"

if __name__ == "__main__":
    TARGET.write_text(json.dumps(panels.schema(), indent=1) + "\n")
    print(f"Wrote {TARGET.name}")
