"""The catalogue: one file a fault, listed here once."""

from __future__ import annotations

from whyfit.records.evidence import Evidence
from whyfit.records.finding import Finding
from whyfit.rules import (
    hinges_outside_data,
    hinges_share_one_point,
    initial_weights_too_small,
    input_off_centre,
    learning_rate_too_high,
    lucky_start,
    noise_floor_reached,
    output_cannot_reach_target,
    seed_does_not_seed_weights,
    too_few_units,
    training_too_short,
    units_dead_at_start,
    units_died_in_training,
    units_saturated,
    unlucky_start,
)
from whyfit.rules._rule import HEADINGS, Rule, rule_of

__all__ = ["HEADINGS", "RULES", "Rule", "findings", "rule_named"]

RULES: tuple[Rule, ...] = tuple(
    rule_of(module)
    for module in (
        units_dead_at_start,
        units_died_in_training,
        hinges_share_one_point,
        hinges_outside_data,
        units_saturated,
        too_few_units,
        initial_weights_too_small,
        input_off_centre,
        output_cannot_reach_target,
        training_too_short,
        learning_rate_too_high,
        noise_floor_reached,
        seed_does_not_seed_weights,
        unlucky_start,
        lucky_start,
    )
)


def findings(evidence: Evidence) -> tuple[Finding, ...]:
    """What all rules say of the evidence, in the order of the catalogue."""
    return tuple(found for rule in RULES if (found := rule.check(evidence)) is not None)


def rule_named(slug: str) -> Rule | None:
    """The rule with this slug."""
    return next((rule for rule in RULES if rule.slug == slug), None)
