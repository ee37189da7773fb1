"""What a person hands over with an already trained model, and what follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from whyfit.errors import UsageError
from whyfit.records.fit import Fit
from whyfit.records.network import Array


@dataclass(frozen=True)
class Given:
    """A trained model's data and what is known of its training; None means unknown.

    `history` is a Keras History, a dict of lists, or the losses of the epochs in order.
    """

    x: Any
    y: Any
    history: Any = None
    loss: Any = None
    optimizer: Any = None
    batch_size: int | None = None
    epochs: int | None = None

    @property
    def logs(self) -> dict[str, tuple[float, ...]]:
        """The history as numbers by name; a bare list of losses is named `loss`."""
        history = getattr(self.history, "history", self.history)
        if history is None:
            return {}
        if not isinstance(history, Mapping):
            history = {"loss": history}
        found = {}
        for name, values in history.items():
            try:
                found[str(name)] = tuple(float(value) for value in values)
            except (TypeError, ValueError):
                raise UsageError(
                    f"history[{name!r}] must hold a number for each epoch: got "
                    f"{type(values).__name__}"
                ) from None
        return found


@dataclass
class Known:
    """What is made of it: what was assumed or inferred, what is missing, what could not be checked."""

    assumed: list[str] = field(default_factory=list)
    inferred: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)

    def assume(self, what: str) -> None:
        """Note an assumption, which the report repeats."""
        self.assumed.append(what)

    def infer(self, what: str) -> None:
        """Note what follows from what the model still holds."""
        self.inferred.append(what)

    def miss(self, what: str, remedy: str) -> None:
        """Note that something is unknown without which nothing can be retrained."""
        self.unknown.append(f"{what} (pass {remedy})")

    @property
    def reason(self) -> str | None:
        """Why nothing can be retrained, or None."""
        return f"unknown: {'; '.join(self.unknown)}" if self.unknown else None

    @property
    def note(self) -> str:
        """All of it as the report says it."""
        said = ["The start weights are unknown, so retraining draws them anew"]
        for word, parts in (
            ("Assumed", self.assumed),
            ("Inferred", self.inferred),
            ("Not checked", self.unchecked),
        ):
            if parts:
                said.append(f"{word}: {'; '.join(parts)}")
        return ". ".join(said) + "."


@dataclass(frozen=True)
class TrainedFit:
    """An already trained model as a fit, and what was assumed of it."""

    fit: Fit
    note: str


def as_table(name: str, data: Any) -> Array:
    """Data as float64 with one row a sample. Raises UsageError, naming what is wrong with it."""
    try:
        values = np.asarray(data.detach().cpu() if hasattr(data, "detach") else data)
        if values.dtype == object:
            raise ValueError
        values = values.astype(np.float64)
    except (TypeError, ValueError):
        raise UsageError(f"{name} must be an array of numbers: got {type(data).__name__}") from None
    if values.ndim == 0 or len(values) == 0:
        raise UsageError(f"{name} must have at least one sample: got shape {values.shape}")
    table = values.reshape(len(values), -1)
    if not np.any(np.isfinite(table)):
        raise UsageError(f"{name} must hold finite numbers: got none")
    return table


def check_lengths(x: Array, y: Array) -> None:
    """Raise UsageError where x and y do not belong together."""
    if len(x) != len(y):
        raise UsageError(
            f"x and y must have as many samples: got {len(x)} and {len(y)}; pass the data that "
            "the model was trained on"
        )
