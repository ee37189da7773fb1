"""The plan: criterion, seeds and levels, fixed before the first replicate runs."""

from __future__ import annotations

import hashlib

from whyfit.records.evidence import Evidence
from whyfit.records.finding import Finding
from whyfit.records.recipe import Recipe
from whyfit.records.study import Claim, Criterion, Plan
from whyfit.study import factors
from whyfit.study.alternatives import Alternative

DEFAULT_TOLERANCE = 0.05
"""A curve that explains 95 % of the variance looks right in a plot."""

DEFAULT_TARGET_RATE = 0.7
DEFAULT_BUDGET = 30.0


def criterion(evidence: Evidence, tolerance: float | None) -> Criterion:
    """The tolerance asked for, or the default raised to 1.25 x the noise floor."""
    if tolerance is not None:
        return Criterion(tolerance, "as asked for")
    floor = evidence.data.noise_floor
    if 1.25 * floor > DEFAULT_TOLERANCE:
        return Criterion(1.25 * floor, f"1.25 x the noise floor of {floor:.3g}")
    return Criterion(DEFAULT_TOLERANCE, "the default: 95 % of the variance explained")


def make_plan(
    evidence: Evidence,
    findings: tuple[Finding, ...],
    recipe: Recipe,
    *,
    tolerance: float | None = None,
    budget: float = DEFAULT_BUDGET,
    seed: int = 0,
    kept: tuple[str, ...] = (),
    alternatives: tuple[Alternative, ...] = (),
) -> Plan:
    """Levels of every factor: what findings propose first, then what the author left commented out, then
    what people commonly try.
    """
    fit = evidence.fit
    claims = tuple(
        Claim(finding.rule, change, factors.spared(remedy, change))
        for finding in findings
        for remedy in finding.remedies
        if remedy.factor not in kept
        and (change := factors.resolve(remedy, fit, recipe)) is not None
    )
    proposed = dict.fromkeys(claim.change for claim in claims)
    left = tuple(change for each in alternatives for change in each.changes)
    common = tuple(
        change
        for change in (*left, *factors.common_changes(fit, recipe))
        if change.factor not in kept
    )
    return Plan(
        criterion=criterion(evidence, tolerance),
        target_rate=DEFAULT_TARGET_RATE,
        selection_seed=_seed(seed, "selection"),
        confirmation_seed=_seed(seed, "confirmation"),
        budget=budget,
        levels=tuple(dict.fromkeys((*proposed, *common))),
        claims=claims,
        kept=kept,
    )


def _seed(seed: int, purpose: str) -> int:
    """A 63-bit seed for a purpose; different purposes never share a stream."""
    digest = hashlib.sha256(f"{seed}/{purpose}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
