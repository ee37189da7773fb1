"""What a rule says of a fit: a suspicion, with its numbers and what would remove it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Change:
    """One factor set to another level, both by name: `Change("activation", "tanh")`.

    The names are those of `study.factors`, which knows how to apply them to a recipe.
    """

    factor: str
    to: str

    def __str__(self) -> str:
        return f"{self.factor} {self.to}"


@dataclass(frozen=True)
class Measure:
    """A number that a rule looked at, and the limit it was held against."""

    name: str
    value: float
    limit: float | None = None
    unit: str = ""


@dataclass(frozen=True)
class Finding:
    """A fault observed in one fit.

    `units` names hidden units as (layer, unit), both from 1. `remedies` are changes each of which
    would remove the fault by itself. `proof` is set where the fault is proven or disproven by
    computation alone, so that no retraining can add to it.
    """

    rule: str
    message: str
    measures: tuple[Measure, ...] = ()
    units: tuple[tuple[int, int], ...] = ()
    remedies: tuple[Change, ...] = ()
    proof: str | None = None
