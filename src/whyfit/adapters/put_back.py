"""Weights that a script puts back after its training: whether they may be of one of its epochs."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from whyfit.records.network import Array


def may_be_among(weights: Array, rows: Sequence[Array]) -> bool:
    """Whether they may be of an epoch between `rows`, which are weights after some epochs, in order: no
    farther from one than these are apart.
    """
    apart = max((float(np.linalg.norm(b - a)) for a, b in itertools.pairwise(rows)), default=0.0)
    return min(float(np.linalg.norm(weights - row)) for row in rows) <= apart
