"""Whether the network is too small: by proof where there is one, else by what was trained."""

from __future__ import annotations

from dataclasses import replace

from whyfit.records.evidence import Evidence
from whyfit.records.finding import Change
from whyfit.records.study import Cause, Claim, Outcomes
from whyfit.study.judging import Judged
from whyfit.study.rates import by_rates
from whyfit.study.run import Laboratory
from whyfit.study.tested import effects_of
from whyfit.study.words import counts_of, describe


def of(laboratory: Laboratory, judged: Judged, evidence: Evidence) -> Cause | None:
    """Size is decided by proof where there is one."""
    capacity, tolerance = evidence.capacity, laboratory.plan.criterion.tolerance
    wider = tuple(change for change in laboratory.plan.levels if change.factor == "units")
    effect = _best_effect(laboratory, judged, wider)
    if capacity is None or capacity.witness > tolerance >= capacity.lower_bound:
        claims = tuple(Claim("too-few-units", change) for change in wider)
        if not claims:
            return None
        if (trained := trained_witness(laboratory)) is not None:
            sentence = (
                f"No: a network of this size was trained to {trained.unexplained.min():.3g} "
                f"({describe(trained.arm)}); the tolerance is {tolerance:.3g}.{effect}"
            )
            tested = effects_of(judged, wider)
            return Cause("too-few-units", "refuted", sentence, False, tested, proven=True)
        return _by_search(laboratory, judged, claims)
    units = f"{capacity.bends} hidden unit" + ("s" if capacity.bends != 1 else "")
    if capacity.lower_bound > tolerance:
        sentence = (
            f"Proven: no network with {units} leaves less than {capacity.lower_bound:.3g} "
            f"unexplained (tolerance {tolerance:.3g})."
        )
        return Cause("too-few-units", "confirmed", sentence, True, proven=True)
    sentence = (
        f"No: {units} can reach {capacity.witness:.3g} (a network that does was built and run), "
        f"proven least {capacity.lower_bound:.3g}; the tolerance is {tolerance:.3g}.{effect}"
    )
    return Cause(
        "too-few-units", "refuted", sentence, False, effects_of(judged, wider), proven=True
    )


LEAST_SEARCHED = 500
"""Networks of the script's size that must have been trained in vain before it is called too small: of a
size that can do it in one start of a hundred, so many fail less than once in a hundred times."""

LEAST_WAYS = 3
"""Arms these must come from, at least one of which trains for longer: a wider network also learns
faster, and what is only too slow is not too small."""


def _by_search(laboratory: Laboratory, judged: Judged, claims: tuple[Claim, ...]) -> Cause:
    """Size by what was trained: more units mend it, and no network of this size was ever good."""
    same = _of_this_size(laboratory)
    searched = sum(each.replicates for each in same)
    ways = {each.arm for each in same}
    longer = any(change.factor == "epochs" for way in ways for change in way)
    in_vain = searched >= LEAST_SEARCHED and len(ways) >= LEAST_WAYS and longer
    cause = by_rates(laboratory, judged, "too-few-units", claims, observed=in_vain)
    if cause.status != "confirmed":
        return replace(cause, observed=False)
    least = min(float(each.unexplained.min()) for each in same)
    said = (
        f"None of {searched} networks of this size, trained in {len(ways)} ways, came below "
        f"{least:.3g} (tolerance {laboratory.plan.criterion.tolerance:.3g})."
    )
    return replace(cause, sentence=f"{cause.sentence} {said}")


OF_THE_SHAPE = ("units", "depth", "activation", "output_activation", "use_bias")
"""Factors that decide what a network can be. All others decide what training makes of it: a scaling of
inputs or targets is absorbed by the first or the last layer, if these have biases and the last is
linear."""


def _of_this_size(laboratory: Laboratory) -> list[Outcomes]:
    """Outcomes of all arms whose networks could stand in the script's place."""
    first, last = laboratory.recipe.layers[0], laboratory.recipe.layers[-1]
    # Scaling several targets changes how much each of them counts, and so what is measured.
    single = laboratory.recipe.layers[-1].units == 1
    absorbed = first.use_bias and last.use_bias and last.activation.name == "linear" and single
    fixed = OF_THE_SHAPE if absorbed else (*OF_THE_SHAPE, "input_range", "target_range")
    return [
        each
        for each in laboratory.everything()
        if each.replicates and not any(change.factor in fixed for change in each.arm)
    ]


def trained_witness(laboratory: Laboratory) -> Outcomes | None:
    """The arm with the best network of the script's own shape, if one meets the tolerance.

    It proves that the size suffices, where no formula does: for smooth activations and several inputs.
    """
    best = min(_of_this_size(laboratory), key=lambda each: each.unexplained.min(), default=None)
    met = best is not None and best.unexplained.min() <= laboratory.plan.criterion.tolerance
    return best if met else None


def _best_effect(laboratory: Laboratory, judged: Judged, changes: tuple[Change, ...]) -> str:
    """What more units do to the luck of the start, where that is clear."""
    clear = [
        comparison
        for (_held, change), comparison in judged.inside.items()
        if change in changes and judged.helps(comparison)
    ]
    if not clear:
        return ""
    best = max(clear, key=lambda each: each.difference)
    more, less = counts_of(laboratory, best.with_), counts_of(laboratory, best.without)
    (change,) = (each for each in best.with_ if each in changes)
    return (
        f" More units still help the luck of the start: {change.to} units raise {less} to {more}."
    )
