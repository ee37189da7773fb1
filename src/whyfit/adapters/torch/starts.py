"""How the start weights of a PyTorch network were drawn: what fills tensors, with which constants."""

from __future__ import annotations

import inspect
from typing import Any

from whyfit.adapters._adapter import Session
from whyfit.adapters.places import called_directly
from whyfit.adapters.torch.draws import LARGEST_PLAIN, Drawn, Draws
from whyfit.adapters.watching import Watch, guarded

FILLING = (
    "uniform_",
    "normal_",
    "trunc_normal_",
    "xavier_uniform_",
    "xavier_normal_",
    "kaiming_uniform_",
    "kaiming_normal_",
    "orthogonal_",
    "eye_",
    "sparse_",
    "dirac_",
)
MOST_DIGESTED = 1_000_000
"""Numbers of a tensor whose start is recognised."""

DRAWING = {"randn": "normal_", "rand": "uniform_"}
"""Functions whose numbers a script may take as weights, and what fills a tensor in the same way."""

MOST_DRAWS = 1000
"""Calls of these that are looked at; a script that draws its data at every step makes more."""


class StartsWatch:
    """Notes in `drawn` what every filled tensor was filled with."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.drawn = Draws()
        self._filling = 0
        self._draws_seen = 0

    def watch(self, torch: Any, watch: Watch) -> None:
        """Watch torch.nn.init, the filling methods of tensors, and torch.randn and rand."""
        for name in FILLING:
            watch.wrap(torch.nn.init, name, self._on_fill)
        for name in ("uniform_", "normal_"):
            watch.wrap(torch.Tensor, name, self._on_fill_method)
        for name in DRAWING:
            watch.wrap(torch, name, self._on_draw)

    def _note(self, work: Any) -> None:
        guarded(self._session, "watching start weights", work)

    def _on_fill(self, wrapped: Any, _instance: Any, args: Any, kwargs: Any) -> Any:
        self._filling += 1
        try:
            result = wrapped(*args, **kwargs)
        finally:
            self._filling -= 1
        if not self._filling:
            self._note(lambda: self._filled(wrapped, args, kwargs))
        return result

    def _filled(self, wrapped: Any, args: Any, kwargs: Any) -> None:
        given = inspect.signature(wrapped).bind(*args, **kwargs)
        given.apply_defaults()
        constants = dict(given.arguments)
        tensor = constants.pop("tensor")
        if tensor.numel() <= MOST_DIGESTED:
            constants.pop("generator", None)
            self.drawn.note(tensor, Drawn(wrapped.__name__, constants))

    def _on_fill_method(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        result = wrapped(*args, **kwargs)
        if not self._filling:
            self._note(lambda: self._filled_by_method(wrapped.__name__, instance, args, kwargs))
        return result

    def _filled_by_method(self, name: str, tensor: Any, args: Any, kwargs: Any) -> None:
        if tensor.numel() > MOST_DIGESTED or tensor.dim() not in (1, 2):
            return
        names = ("a", "b") if name == "uniform_" else ("mean", "std")
        aliases = {"from": "a", "to": "b"}
        constants: dict[str, Any] = dict(zip(names, args, strict=False))
        for key, value in kwargs.items():
            if key != "generator":
                constants[aliases.get(str(key), str(key))] = value
        self.drawn.note(tensor, Drawn(name, constants))

    def _on_draw(self, wrapped: Any, _instance: Any, args: Any, kwargs: Any) -> Any:
        result = wrapped(*args, **kwargs)
        self._draws_seen += 1
        if self._draws_seen <= MOST_DRAWS and called_directly():
            self._note(lambda: self._drew(wrapped.__name__, result))
        return result

    def _drew(self, name: str, tensor: Any) -> None:
        if tensor.numel() <= LARGEST_PLAIN and tensor.dim() in (1, 2):
            self.drawn.note_plain(tensor, Drawn(DRAWING[name], {}))
