"""Loaders that a PyTorch loop goes through, and the whole data that they cut into batches."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from whyfit.adapters.torch.chain import to_numpy
from whyfit.records.network import Array


def same_passes(first: Any, second: Any) -> bool:
    """Whether two loaders, one perhaps made anew for a pass, give the same data in as many batches."""
    if first is second or second is None:
        return first is second
    if number_of_batches(first) != number_of_batches(second):
        return False  # one by which something is measured
    if first.dataset is second.dataset:
        return True
    one, two = (getattr(each.dataset, "tensors", ()) for each in (first, second))
    return len(one) > 0 and len(one) == len(two) and all(map(operator.is_, one, two))


def number_of_batches(loader: Any) -> int | None:
    """Batches in a pass over a loader, or None if it does not know."""
    try:
        return len(loader)
    except (TypeError, NotImplementedError):
        return None


def loader_arrays(loader: Any, x: Array, y: Array) -> list[tuple[Array, Array]]:
    """The whole data of a loader of tensors, shaped as its batches are."""
    data: Any = getattr(loader, "dataset", None)
    chosen = None
    if type(data).__name__ == "Subset":
        chosen, data = np.asarray(data.indices), data.dataset
    tensors = getattr(data, "tensors", None)
    if tensors is None or len(tensors) < 2:
        return []
    pair = shaped(tensors[0], tensors[1], x, y)
    return [(a[chosen], b[chosen]) for a, b in pair] if chosen is not None else pair


def shaped(first: Any, second: Any, x: Array, y: Array) -> list[tuple[Array, Array]]:
    """Two tensors as tables with as many columns as x and y, rounded as they are; [] if they differ."""
    found = []
    for tensor, like in ((first, x), (second, y)):
        values = to_numpy(tensor)
        if values.size % like.shape[1] or values.ndim not in (1, 2):
            return []
        table = values.reshape(-1, like.shape[1])
        if np.array_equal(like, like.astype(np.float32)):
            table = table.astype(np.float32).astype(np.float64)
        found.append(table)
    return [(found[0], found[1])]
