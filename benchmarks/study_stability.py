"""Does the study of the starting case say the same with other seeds?

    python benchmarks/study_stability.py [--seeds N] [--samples N] [--epochs N]

The fit is the engine's own training of the starting case (one sine period in [0, 1], four ReLU units,
`random_uniform` kernels, zero biases, Adam 0.001, batches of 32); only the seed of the study differs.
Prints, for each cause and each question, the statuses and how often each came; the first fix and its
rate; and the seconds. All studies should agree.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.fits import UNIFORM, fit_of, recipe

from whyfit.measure.evidence import gather
from whyfit.rules import findings
from whyfit.study import confirm
from whyfit.study.conduct import StudyOptions, conduct
from whyfit.study.words import describe


def main() -> None:
    """Study again and again, and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--epochs", type=int, default=500)
    parser.add_argument("--first", type=int, default=0)
    options = parser.parse_args()
    phase = np.linspace(0.0, 1.0, options.samples)[:, None]
    one = recipe((4,), kernel=UNIFORM, rate=1e-3, epochs=options.epochs)
    fit = fit_of(one, phase, 0.5 + 0.5 * np.sin(2.0 * np.pi * phase), seed=7)
    evidence = gather(fit)
    suspected = findings(evidence)
    said: dict[str, Counter[str]] = defaultdict(Counter)
    examples: dict[tuple[str, str], str] = {}
    for seed in range(options.first, options.first + options.seeds):
        began = time.monotonic()
        study = conduct(evidence, suspected, one, StudyOptions(seed=seed))
        for cause in study.causes:
            said[cause.slug][cause.status] += 1
            examples.setdefault((cause.slug, cause.status), f"seed {seed}: {cause.sentence}")
        for each in study.blamed:
            said[each.question][each.answer] += 1
            examples.setdefault((each.question, each.answer), f"seed {seed}: {each.sentence}")
        ranked = confirm.rank(study, fit, one)
        for place, changes in enumerate(ranked):
            outcomes = study.of(changes)
            assert outcomes is not None
            said[f"fix {place + 1}"][describe(changes)] += 1
            print(
                f"  seed {seed}: {describe(changes)}: {outcomes.successes} of {outcomes.replicates}"
            )
        seconds = time.monotonic() - began
        print(f"seed {seed}: {study.work}, {seconds:.1f} s, notes {study.notes}", flush=True)
    differing = 0
    for what, counts in said.items():
        print(f"{what}: {', '.join(f'{status} {count}' for status, count in counts.most_common())}")
        if len(counts) > 1 and not what.startswith("fix"):
            differing += 1
            for status in counts:
                print(f"    {status}: {examples[what, status]}")
    print(f"{differing} of {len(said)} answers differ between {options.seeds} studies")


if __name__ == "__main__":
    main()
