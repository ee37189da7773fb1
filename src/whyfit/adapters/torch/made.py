"""Where the script made what a PyTorch fit consists of: layers, activations, dropout, losses, loaders,
optimizers and their schedulers.
"""

from __future__ import annotations

import weakref
from typing import Any

from whyfit.adapters._adapter import Session
from whyfit.adapters.places import calling_place
from whyfit.adapters.watching import Watch, guarded
from whyfit.records.fit import Place

ACTIVATIONS = (
    "ReLU",
    "LeakyReLU",
    "ELU",
    "SELU",
    "GELU",
    "SiLU",
    "Mish",
    "Tanh",
    "Sigmoid",
    "Softplus",
    "Hardtanh",
    "Hardsigmoid",
    "ReLU6",
    "Identity",
)
LOSSES = (
    "L1Loss",
    "SmoothL1Loss",
    "HuberLoss",
    "BCELoss",
    "BCEWithLogitsLoss",
    "CrossEntropyLoss",
    "MSELoss",
)


class Places:
    """Where objects were created, as long as they live."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[weakref.ref[Any], Place]] = {}

    def note(self, thing: Any, place: Place | None) -> None:
        """Remember where a thing was made; the first time counts."""
        if place is not None and self.of(thing) is None:
            self._known[id(thing)] = (weakref.ref(thing), place)

    def of(self, thing: Any) -> Place | None:
        """Where the thing was made, or None if that was not seen."""
        known = self._known.get(id(thing))
        return known[1] if known is not None and known[0]() is thing else None


class MadeWatch:
    """Notes the places of modules and loaders; a layer is known by its weight."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.places = Places()

    def watch(self, torch: Any, watch: Watch) -> None:
        """Watch the constructors."""
        watch.wrap(torch.nn.Linear, "__init__", self._on_linear)
        for name in (*ACTIVATIONS, *LOSSES, "Dropout"):
            watch.wrap(getattr(torch.nn, name), "__init__", self._on_create)
        watch.wrap(torch.utils.data.DataLoader, "__init__", self._on_create)

    def _on_create(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        result = wrapped(*args, **kwargs)
        guarded(
            self._session,
            "watching a module",
            lambda: self.places.note(instance, calling_place()),
        )
        return result

    def _on_linear(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        result = wrapped(*args, **kwargs)
        guarded(
            self._session,
            "watching a layer",
            lambda: self.places.note(instance.weight, calling_place()),
        )
        return result
