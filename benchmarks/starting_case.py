"""What the whole answer costs, as ratios to one training of the same script in Keras on JAX.

    python benchmarks/starting_case.py [--repeat N] [--full]

Runs, in turn on this machine: the plain script; `whyfit run --fast`; and with --full `whyfit run`
with its confirmations. Prints seconds and ratios, medians over the repeats.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SCRIPT = Path(__file__).resolve().parent.parent / "examples" / "sine_relu.py"


def seconds(folder: Path, *command: str) -> float:
    """Wall time of a whole process, cold, with an empty ledger: nothing is known from before."""
    ledger = Path(tempfile.mkdtemp(dir=folder)) / "ledger.sqlite"
    environment = {
        **os.environ,
        "KERAS_BACKEND": "jax",
        "MPLBACKEND": "Agg",
        "WHYFIT_LEDGER": str(ledger),
    }
    began = time.monotonic()
    subprocess.run(
        command,
        cwd=folder,
        env=environment,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return time.monotonic() - began


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--full", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as base:
        folder = Path(base)
        (folder / SCRIPT.name).write_text(SCRIPT.read_text())
        plain, fast, full, decided, beyond = [], [], [], [], []
        for _repeat in range(options.repeat):
            plain.append(seconds(folder, sys.executable, SCRIPT.name))
            fast.append(
                seconds(folder, sys.executable, "-m", "whyfit", "run", "--fast", SCRIPT.name)
            )
            if options.full:
                full.append(seconds(folder, sys.executable, "-m", "whyfit", "run", SCRIPT.name))
                times = json.loads((folder / f"{SCRIPT.stem}.whyfit.json").read_text())["seconds"]
                decided.append(times["study"])
                beyond.append(times["whole"] - times["script"] - times["confirmation"])
        one = statistics.median(plain)
        print(f"python {SCRIPT.name}: {one:.1f} s")
        print(
            f"whyfit run --fast: {statistics.median(fast):.1f} s, "
            f"{statistics.median(a / b for a, b in zip(fast, plain, strict=True)):.2f} x"
        )
        if options.full:
            whole, study, rest = (statistics.median(each) for each in (full, decided, beyond))
            print(
                f"whyfit run: {whole:.1f} s; all causes decided in {study:.1f} s, {study / one:.2f} x; "
                f"all that is no training in Keras {rest:.1f} s, {rest / one:.2f} x"
            )


if __name__ == "__main__":
    main()
