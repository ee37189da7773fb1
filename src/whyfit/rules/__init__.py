"""The catalogue: one file a fault, listed here once."""

from __future__ import annotations

from whyfit.records.evidence import Evidence
from whyfit.records.finding import Finding
from whyfit.rules import (
    data_not_shuffled,
    decay_ignored,
    dropout_left_on,
    gradients_accumulate,
    hinges_outside_data,
    hinges_share_one_point,
    initial_weights_too_large,
    initial_weights_too_small,
    input_not_scaled,
    input_off_centre,
    learning_rate_too_high,
    learning_rate_too_low,
    loss_diverged,
    loss_does_not_fit_task,
    lucky_start,
    metric_misleads,
    new_inputs_scaled_apart,
    no_bias,
    no_nonlinearity,
    noise_floor_reached,
    output_cannot_reach_target,
    outside_training_range,
    plot_order,
    regularised_too_hard,
    scaler_misused,
    seed_does_not_seed_weights,
    target_broadcast,
    target_jumps,
    target_not_scaled,
    too_few_samples,
    too_few_units,
    too_many_oscillations,
    training_too_short,
    units_dead_at_start,
    units_died_in_training,
    units_saturated,
    units_start_identical,
    unlucky_start,
    vanishing_gradient,
    weights_not_trained,
)
from whyfit.rules._rule import HEADINGS, Rule, rule_of

__all__ = ["HEADINGS", "RULES", "Rule", "findings", "rule_named"]

RULES: tuple[Rule, ...] = tuple(
    rule_of(module)
    for module in (
        units_dead_at_start,
        units_died_in_training,
        units_saturated,
        units_start_identical,
        hinges_share_one_point,
        hinges_outside_data,
        too_few_units,
        initial_weights_too_small,
        initial_weights_too_large,
        vanishing_gradient,
        input_not_scaled,
        input_off_centre,
        target_not_scaled,
        output_cannot_reach_target,
        no_nonlinearity,
        no_bias,
        weights_not_trained,
        training_too_short,
        learning_rate_too_low,
        learning_rate_too_high,
        decay_ignored,
        loss_diverged,
        data_not_shuffled,
        regularised_too_hard,
        loss_does_not_fit_task,
        target_broadcast,
        gradients_accumulate,
        too_many_oscillations,
        target_jumps,
        too_few_samples,
        outside_training_range,
        dropout_left_on,
        noise_floor_reached,
        scaler_misused,
        new_inputs_scaled_apart,
        metric_misleads,
        plot_order,
        seed_does_not_seed_weights,
        unlucky_start,
        lucky_start,
    )
)


def findings(evidence: Evidence, tolerance: float | None = None) -> tuple[Finding, ...]:
    """What all rules say of the evidence, in the order of the catalogue.

    Of a fit that meets the tolerance (by default `evidence.tolerance`) only those rules speak whose
    fault is none of the fit's own, such as a plot out of order: nothing else went wrong.
    """
    good = evidence.fit.unexplained_variance <= (tolerance or evidence.tolerance)
    return tuple(
        found
        for rule in RULES
        if (rule.on_good_fits or not good) and (found := rule.check(evidence)) is not None
    )


def rule_named(slug: str) -> Rule | None:
    """The rule with this slug."""
    return next((rule for rule in RULES if rule.slug == slug), None)
