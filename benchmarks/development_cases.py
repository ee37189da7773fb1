"""The ten development cases, each from its script to its verdict: docs/development-cases.md, and the
reports of the gallery.

    python benchmarks/development_cases.py [--budget SECONDS] [--only d3,d4] [--seeds N]

Each script runs by itself under `whyfit run --fast`. The causes listed are those the report gives; the
success of the first fix is counted on the study's fresh seeds, and again on N seeds (default 20)
that no study has seen. What was expected of each case stands beside it, written down before.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "cases" / "development"
PAGE = ROOT / "docs" / "development-cases.md"
GALLERY = ROOT / "docs" / "gallery"


COMMAND = (sys.executable, "-m", "whyfit", "run", "--fast", "-q")


@dataclass(frozen=True)
class Case:
    """A script, the causes it was collected for, and what people blamed that should not hold."""

    name: str
    script: Path
    expected: tuple[str, ...]
    decoys: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


CASES = (
    Case(
        "D1 sine with 4 ReLU units",
        ROOT / "examples" / "sine_relu.py",
        ("units-dead-at-start", "input-off-centre", "initial-weights-too-small"),
        ("target-not-scaled", "too-few-units"),
        ("--seed", "1"),  # it seeds nothing from which Keras draws weights
    ),
    Case(
        "D2 saturated tanh",
        FOLDER / "d2_tanh_saturated.py",
        ("input-not-scaled", "units-saturated"),
        ("too-few-units",),
    ),
    Case(
        "D3 fourth power", FOLDER / "d3_fourth_power.py", ("target-not-scaled", "input-not-scaled")
    ),
    Case("D4 ReLU output", FOLDER / "d4_relu_output.py", ("output-cannot-reach-target",)),
    Case(
        "D4 after its first fix",
        FOLDER / "d4b_linear_output.py",
        ("too-many-oscillations", "input-off-centre", "outside-training-range"),
    ),
    Case("D5 no activation", FOLDER / "d5_no_activation.py", ("no-nonlinearity",)),
    Case("D6 broadcast", FOLDER / "d6_broadcast.py", ("target-broadcast",)),
    Case("D7 gradients kept", FOLDER / "d7_gradients_kept.py", ("gradients-accumulate",)),
    Case(
        "D8 flat line",
        FOLDER / "d8_flat_line.py",
        ("learning-rate-too-low",),
        ("no-nonlinearity",),
    ),
    Case("D9 line outside the data", FOLDER / "d9_line_outside.py", ("outside-training-range",)),
    Case("D10 NaN", FOLDER / "d10_nan.py", ("input-not-scaled", "learning-rate-too-high")),
)


def run(case: Case, budget: float) -> tuple[dict[str, Any] | None, float, str]:
    """The JSON of one case, the seconds of the whole run, and what went wrong, if anything."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / case.script.name
        script.write_text(case.script.read_text())
        environment = {**os.environ, "KERAS_BACKEND": "jax", "MPLBACKEND": "Agg"}
        began = time.monotonic()
        done = subprocess.run(
            [*COMMAND, "--budget", str(budget), *case.options, script.name],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        seconds = time.monotonic() - began
        file = script.with_suffix(".whyfit.json")
        if not file.exists():
            return None, seconds, (done.stderr.strip().splitlines() or ["nothing was captured"])[-1]
        return json.loads(file.read_text()), seconds, ""


def stored(case: Case) -> Path:
    """Where the report of a case is kept for the gallery (scripts/gallery.py)."""
    return GALLERY / f"{case.script.stem}.json"


def keep(case: Case, report: dict[str, Any]) -> None:
    """Keep a report without what differs each time: how long it took, and what was trained anew."""
    content = json.dumps({**report, "seconds": {}, "work": {}}, separators=(",", ":"))
    GALLERY.mkdir(exist_ok=True)
    stored(case).write_text(content + "\n")


def fresh_success(case: Case, changes: list[dict[str, str]], seeds: int) -> str:
    """Successes of the changed recipe on seeds that no study has seen."""
    sys.path.insert(0, str(ROOT))
    import io
    from contextlib import redirect_stderr, redirect_stdout

    from whyfit.adapters import capture
    from whyfit.adapters._adapter import Session
    from whyfit.engine.initializers import draw
    from whyfit.engine.lanes import Order, train
    from whyfit.fast import EngineSubstitute
    from whyfit.records.finding import Change
    from whyfit.records.study import arm
    from whyfit.study import factors

    with redirect_stderr(io.StringIO()), redirect_stdout(io.StringIO()):
        captured = capture.run(
            capture.load_script(str(case.script), []), Session(substitute=EngineSubstitute())
        )
    fit = captured.fits[0]
    assert fit.recipe is not None
    wanted = arm(*(Change(each["factor"], each["to"]) for each in changes))
    recipe = factors.apply(wanted, fit, fit.recipe)
    starts = draw(recipe, 123456789, 0, -(-seeds // 16) * 16)
    trained = train(recipe, fit.x, fit.y, starts, order=Order("group", seed=987654321))
    y = recipe.target_transform(fit.y) if recipe.target_transform else fit.y
    left = trained.mean_squared_error[:seeds] / ((y - y.mean(axis=0)) ** 2).mean()
    from whyfit.measure.evidence import gather

    return f"{int((left <= gather(fit).tolerance).sum())} of {seeds}"


def row(case: Case, budget: float, seeds: int) -> list[str]:
    """One line of the table."""
    report, seconds, problem = run(case, budget)
    if report is None or not report["fits"]:
        return [
            case.name,
            "-",
            "-",
            "-",
            f"not run: {problem or 'no fit'}",
            "-",
            "-",
            f"{seconds:.0f}",
        ]
    keep(case, report)
    fit = report["fits"][0]
    causes = fit["causes"]
    status = {each["cause"]: each["status"] for each in causes}
    found = [each["rule"] for each in fit["findings"]]
    confirmed = [slug for slug, said in status.items() if said == "confirmed"]
    expected = ", ".join(
        f"{slug} ({status.get(slug, 'observed' if slug in found else 'not seen')})"
        for slug in case.expected
    )
    decoys = ", ".join(f"{slug} ({status.get(slug, 'not seen')})" for slug in case.decoys) or "-"
    fixes = [each for each in fit["fixes"] if each["changes"]]
    fix, success, fresh = "none", "-", "-"
    if fixes:
        first = fixes[0]
        fix = " and ".join(f"{each['factor']} {each['to']}" for each in first["changes"])
        arms = [each for each in fit["arms"] if same(each["changes"], first["changes"])]
        if arms:
            best = max(arms, key=lambda each: each["replicates"])
            success = f"{best['successes']} of {best['replicates']}"
        fresh = fresh_success(case, first["changes"], seeds)
    return [
        case.name,
        f"{fit['unexplained_variance']:.3g}" if fit["unexplained_variance"] is not None else "none",
        expected,
        decoys,
        ", ".join(confirmed) or f"none; seen: {', '.join(found) or 'nothing'}",
        f"{fix} ({success})",
        fresh,
        f"{seconds:.0f}",
    ]


def same(one: list[dict[str, str]], other: list[dict[str, str]]) -> bool:
    """Whether two lists of changes are equal, whatever their order and current levels."""
    pairs = [sorted((each["factor"], each["to"]) for each in changes) for changes in (one, other)]
    return pairs[0] == pairs[1]


HEADER = """# The ten development cases

Written by `python benchmarks/development_cases.py`; do not edit. Ten questions that people asked in
public, as scripts (`cases/development/`), each run by `whyfit run --fast`. "Expected" is what was
written down for the case before any of it was run, with what the report says of it; "decoys" are what
was blamed and should not hold. "Fresh" counts the first fix on seeds that no study has seen. The
studies had {budget:g} modelled seconds each; the last column is the time of the whole run on a machine
that did other work too.

| case | unexplained | expected | decoys | confirmed | first fix | fresh | seconds |
|---|---|---|---|---|---|---|---|
"""


def written() -> dict[str, list[str]]:
    """The rows of the page as it is, by the name of the case."""
    if not PAGE.exists():
        return {}
    rows = [
        line.strip("| ").split(" | ") for line in PAGE.read_text().splitlines() if line[:1] == "|"
    ]
    return {cells[0]: cells for cells in rows[2:]}


def main() -> None:
    """Run the cases and write the page; rows of cases that were not run stay as they are."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--budget", type=float, default=30.0)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--only", default="", help="names such as d3,d4b; all if left out")
    options = parser.parse_args()
    wanted = [each for each in options.only.split(",") if each]
    rows = written()
    for case in CASES:
        if wanted and not any(case.script.stem.startswith(each + "_") for each in wanted):
            continue
        rows[case.name] = row(case, options.budget, options.seeds)
        print(" | ".join(rows[case.name]), flush=True)
    lines = ["| " + " | ".join(rows[case.name]) + " |" for case in CASES if case.name in rows]
    header = HEADER.format(budget=options.budget)
    PAGE.write_text(header + "\n".join(lines) + "\n\n" + NOTES.read_text())


NOTES = FOLDER / "notes.md"


if __name__ == "__main__":
    main()
