"""Terms of a PyTorch loss that hold weights back: multiples of sums of their squares or absolute values.

Node names: torch/csrc/autograd, generated from tools/autograd/derivatives.yaml.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from whyfit.adapters.torch.chain import RESHAPES, children, constant_of, is_norm_of_all, name_of
from whyfit.records.recipe import Penalty

Penalties = Mapping[int, Penalty]
"""What is added to the loss of each weight or bias, by the id of the tensor."""


def penalties_of(node: Any, factor: float = 1.0) -> Penalties | None:
    """The penalties that a term of the loss is, times a factor; None where it is anything else."""
    name = name_of(node)
    if name == "AddBackward0":
        return _of_sum(node, factor)
    if name in ("MulBackward0", "DivBackward0") and (scaled := constant_of(node)) is not None:
        constant, below = scaled
        if constant.numel() != 1:
            return None
        number = float(constant)
        return penalties_of(below, factor / number if name == "DivBackward0" else factor * number)
    if name in RESHAPES:
        return penalties_of(children(node)[0], factor)
    if name in ("SumBackward0", "MeanBackward0"):
        return _of_elements(children(node)[0], factor, mean=name == "MeanBackward0")
    if is_norm_of_all(node, 1.0):
        return _of_leaf(children(node)[0], factor, 0.0)
    if name == "PowBackward0" and float(node._saved_exponent) == 2.0:
        norm = children(node)[0]
        return _of_leaf(children(norm)[0], 0.0, factor) if is_norm_of_all(norm, 2.0) else None
    return None


def together(first: Penalties, other: Penalties) -> Penalties:
    """Both, added up where they are of one tensor."""
    found = dict(first)
    for tensor, penalty in other.items():
        known = found.get(tensor, Penalty())
        found[tensor] = Penalty(known.l1 + penalty.l1, known.l2 + penalty.l2)
    return found


def alike(first: Penalties, other: Penalties) -> bool:
    """Whether they are the same but for rounding."""
    return first.keys() == other.keys() and all(
        math.isclose(getattr(first[each], part), getattr(other[each], part), rel_tol=1e-6)
        for each in first
        for part in ("l1", "l2")
    )


def _of_sum(node: Any, factor: float) -> Penalties | None:
    if float(node._saved_alpha) != 1.0:
        return None
    found: Penalties = {}
    for term in children(node):
        if term is None:
            continue  # a number, such as the 0 that Python's sum begins with
        one = penalties_of(term, factor)
        if one is None:
            return None
        found = together(found, one)
    return found


def _of_elements(node: Any, factor: float, *, mean: bool) -> Penalties | None:
    name = name_of(node)
    if name == "AbsBackward0":
        inner, l1, l2 = children(node)[0], factor, 0.0
    elif (name == "PowBackward0" and float(node._saved_exponent) == 2.0) or (
        name == "MulBackward0" and children(node)[0] is children(node)[1]
    ):
        inner, l1, l2 = children(node)[0], 0.0, factor
    else:
        return None
    if not mean:
        return _of_leaf(inner, l1, l2)
    if name_of(inner) != "AccumulateGrad":
        return None
    count = inner.variable.numel()
    return _of_leaf(inner, l1 / count, l2 / count)


def _of_leaf(node: Any, l1: float, l2: float) -> Penalties | None:
    while name_of(node) in RESHAPES:
        node = children(node)[0]
    if name_of(node) != "AccumulateGrad":
        return None
    return {id(node.variable): Penalty(l1, l2)}
