"""What an adapter is: it watches one library while the script runs, and hands over what it saw.

To add a framework: a module with a class of this shape, one entry in `capture.ADAPTERS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from whyfit.records.fit import DrawnLine, Fit, HeldOut, Place, Scaler, SeedCall
from whyfit.records.network import Array
from whyfit.records.recipe import Recipe


@dataclass(frozen=True, eq=False)
class FastTraining:
    """What training in place of the framework gives: one row of weights after every epoch recorded
    (`every` epochs apart), and the mean loss of each epoch.
    """

    snapshots: Array
    end: Array
    losses: Array


@runtime_checkable
class Substitute(Protocol):
    """Trains in place of the framework; the engine is behind it, which adapters do not know."""

    def why_not(self, recipe: Recipe) -> str | None:
        """The reason why a recipe cannot be trained, or None."""
        ...

    def train(
        self,
        recipe: Recipe,
        x: Array,
        y: Array,
        start: Array,
        *,
        seed: int,
        every: int,
        held_out: HeldOut | None = None,
        sample_weight: Array | None = None,
    ) -> FastTraining:
        """One training from given start weights."""
        ...


@dataclass
class Session:
    """What is known while one script runs. The adapters write to it; nothing else does.

    `substitute`, if set, trains in place of the framework; `strict` makes our own failures
    fatal instead of warnings; `reseed`, if set, is mixed into every seed the script sets; from
    `unseeded`, if set, generators start that the script leaves unseeded; `midway` says that the
    program was under way before: models and optimizers may be older than the watch;
    `keep_weights` is off for reruns that need end results alone. `asked` holds inputs at which a
    fitted model was asked afterwards, with the number of the fit; `drawn` the lines of its plots;
    `problems` are failures of ours, `remarks` what the person should know about the script.
    """

    substitute: Substitute | None = None
    strict: bool = False
    reseed: int | None = None
    unseeded: int | None = None
    keep_weights: bool = True
    midway: bool = False
    fits: list[Fit] = field(default_factory=list)
    seeds: list[SeedCall] = field(default_factory=list)
    scaled: list[ScaledArray] = field(default_factory=list)
    figures: list[bytes] = field(default_factory=list)
    asked: list[tuple[int, Array]] = field(default_factory=list)
    drawn: list[DrawnLine] = field(default_factory=list)
    say: Callable[[str], None] = lambda _message: None
    problems: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class ScaledArray:
    """An array that a scaler made: its digest, the scaler, and where the scaler was created.

    `values` are its numbers if they are few enough to keep, sorted in each column; `then` is the scaler
    with the constants that it had, which a later fit may change.
    """

    digests: tuple[bytes, ...]
    scaler: object
    created: Place | None
    values: Array | None = None
    then: Scaler | None = None


@runtime_checkable
class Adapter(Protocol):
    """Watches one library."""

    name: str

    def install(self, session: Session) -> None:
        """Arrange to watch the library from the moment the script imports it. Must not import it."""
        ...

    def remove(self) -> None:
        """Undo install."""
        ...
