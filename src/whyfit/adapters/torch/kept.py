"""Whether a loop leaves the gradients of one step in for the next: looked at every step.

A loop that clears them once an epoch, or every k steps, accumulates on purpose, and looking at some
steps could miss it. It costs a copy of the gradients a step, in loops that do not clear them and no
others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from whyfit.adapters.torch.chain import to_numpy


class KeptGradients:
    """The gradients as the last step left them."""

    def __init__(self, leaves: Sequence[Any]) -> None:
        self._leaves = tuple(leaves)
        self._left: list[bytes] | None = None

    def note(self) -> None:
        """Copy them after a step."""
        self._left = self._now()

    def untouched(self) -> bool:
        """Whether they are the same still, bit for bit; NaN is the same as NaN."""
        return self._left is None or self._left == self._now()

    def _now(self) -> list[bytes]:
        slopes = [leaf.grad for leaf in self._leaves]
        return [b"" if slope is None else to_numpy(slope).tobytes() for slope in slopes]
