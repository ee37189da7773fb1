"""The words of verdicts: changes, counts, comparisons. Every sentence carries its counts."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil

from whyfit.records.finding import Change
from whyfit.records.study import Arm, Comparison, Outcomes, Phase
from whyfit.study import factors
from whyfit.study.judging.rounds import REFUTED_BELOW, does_not_help
from whyfit.study.run import Laboratory


def capital(sentence: str) -> str:
    """The sentence with a capital letter first."""
    return sentence[:1].upper() + sentence[1:]


def phrase(change: Change) -> str:
    """A change in words."""
    factor = factors.factor_named(change.factor)
    match change.factor:
        case "units":
            return f"{change.to} units"
        case "depth":
            return change.to
        case "kernel_initializer" | "activation":
            return change.to
        case "bias_initializer":
            return "spread biases"
        case "output_activation":
            return f"a {change.to} output"
        case "trained":
            return "every layer trained"
        case "epochs":
            return f"{change.to} epochs"
        case "dropout" | "weight_penalty" | "early_stopping":
            return f"no {factor.phrase}"
        case "schedule":
            return (
                "a constant learning rate" if change.to == "none" else f"the schedule {change.to}"
            )
        case _:
            pass
    return f"{factor.phrase} {change.to}"


def without_it(change: Change) -> str:
    """What is left where a change is taken back, in words.

    >>> without_it(Change("dropout", "none")), without_it(Change("units", "8"))
    ('with the dropout', 'without 8 units')
    """
    if change == Change("schedule", "none"):
        return "with the schedule"
    said = phrase(change)
    return f"with the {said.removeprefix('no ')}" if said.startswith("no ") else f"without {said}"


def describe(changes: Arm) -> str:
    """A set of changes in words."""
    return " and ".join(phrase(change) for change in changes) or "the script as it is"


def count_of(outcomes: Outcomes) -> str:
    """Successes of replicates."""
    return f"{outcomes.successes} of {outcomes.replicates}"


def counts_of(laboratory: Laboratory, changes: Arm) -> str:
    """Successes of an arm on the confirmation seeds."""
    return count_of(laboratory.outcomes(changes, "confirmation"))


def given(without: Arm) -> str:
    """Beside what a change was tried, if anything."""
    return f" beside {describe(without)}" if without else ""


def converse_sentence(
    laboratory: Laboratory,
    held: Arm,
    change: Change,
    comparison: Comparison,
    spared: Change | None = None,
) -> str:
    """A set that works, and what is left of it without a change, or without the part that is spared."""
    without = "the script as it is" if len(held) == 1 else without_it(change)
    if spared is not None:
        without = f"the same with the {spared.to.split(', ')[-1]}"
    return (
        f"{describe(held)}: {counts_of(laboratory, held)} starts succeed; "
        f"{without}: {counts_of(laboratory, comparison.without)} "
        f"(difference {comparison.difference:+.2f}, {interval_words(comparison)})."
    )


def interval_words(comparison: Comparison) -> str:
    """The interval of a paired difference."""
    return f"95 % interval {comparison.interval.low:+.2f} to {comparison.interval.high:+.2f}"


def equivalence_sentence(laboratory: Laboratory, tested: tuple[Comparison, ...]) -> str:
    """The first comparison and the one that came nearest to helping."""
    first = tested[0]
    nearest = max(tested, key=lambda each: each.deciding.high)
    said = [moves(laboratory, first)]
    if nearest is not first:
        said.append(moves(laboratory, nearest))
    return ", and ".join(said) + "."


def one_of_many(refutation: str, causes: int) -> str:
    """A refutation that would hold by itself, but not as one of so many."""
    said = refutation.removeprefix("No: ").removesuffix(".")
    return f"Undecided: {said}, which is not enough for one of {causes} causes tested."


def alone_only(equivalence: str, open_question: str) -> str:
    """Where no comparison shows a help, but not all that could were made."""
    return (
        f"Undecided: it does not help where it was tried ({equivalence[:-1]}), but {open_question}."
    )


def moves(laboratory: Laboratory, comparison: Comparison) -> str:
    """What adding a change does to the successes."""
    added = next(change for change in comparison.with_ if change not in comparison.without)
    n = comparison.replicates
    phase: Phase = "confirmation"
    if laboratory.outcomes(comparison.with_, phase).replicates < n:
        phase = "selection"
    before, after = (
        int(laboratory.outcomes(each, phase).succeeded[:n].sum())
        for each in (comparison.without, comparison.with_)
    )
    return (
        f"{phrase(added)} {_takes(added)} {before} to {after} of {n}{given(comparison.without)} "
        f"({interval_words(comparison)})"
    )


def undecided_sentence(
    laboratory: Laboratory, tested: tuple[Comparison, ...], helps: Callable[[Comparison], bool]
) -> str:
    """The comparison that is least decided, and how many replicates would decide it.

    `helps` says whether a change surely helps, all comparisons of the study considered.
    """
    widest = max(tested, key=lambda each: each.deciding.high - each.deciding.low)
    for each in tested:
        if not does_not_help(each):
            widest = each
            break
    return f"Undecided: {moves(laboratory, widest)}{_what_would_decide(widest, helps(widest))}."


def _takes(change: Change) -> str:
    many = change.factor in ("units", "bias_initializer", "use_bias", "epochs")
    return "take" if many else "takes"


def _what_would_decide(comparison: Comparison, helps: bool) -> str:
    """Replicates at which the interval would clear the bound it now holds."""
    interval, difference = comparison.deciding, comparison.difference
    if interval.low > 0.0:
        return f"; it {'helps' if helps else 'seems to help'}, but no set that works needs it"
    half = (interval.high - interval.low) / 2
    gap = max(abs(REFUTED_BELOW - difference), difference)
    if gap < 0.01:
        return "; it lies at the bound, so that no affordable number would decide"
    needed = ceil(comparison.replicates * (half / gap) ** 2 / 16) * 16
    return f"; about {max(needed, 2 * comparison.replicates)} replicates would decide"
