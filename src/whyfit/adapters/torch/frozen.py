"""Layers that ask for no gradient: autograd leaves them out of the graph that the others are read from.

A copy of the model, all of whose weights ask for gradients, is asked once more for the same batch, and
its graph read in their place.
"""

from __future__ import annotations

import contextlib
import copy
import io
from dataclasses import replace
from typing import Any

import numpy as np

from whyfit.adapters.torch.chain import ChainLayer, peeled, read_chain, to_numpy
from whyfit.errors import Unsupported

SAME = 1e-5
"""Relative difference that two runs of one forward leave in float32."""


def same_numbers(one: Any, other: Any) -> bool:
    """Whether two tensors hold the same numbers, in whatever shape."""
    return one is other or (
        one.numel() == other.numel() and bool((one.ravel() == other.ravel()).all())
    )


def chain_with_frozen(
    module: Any, given: Any, output: Any
) -> tuple[tuple[ChainLayer, ...], Any] | None:
    """The layers of a module some of whose weights are frozen, and its inputs; None if it has none, or
    where a copy of it does not show them.

    `given` and `output` are what went in and came out. The layers hold the module's own weights.
    """
    import torch

    if all(each.requires_grad for each in module.parameters()):
        return None
    try:
        thawed = copy.deepcopy(module)
        for each in thawed.parameters():
            each.requires_grad_(requires_grad=True)
        said = contextlib.redirect_stdout(io.StringIO())
        with said, torch.enable_grad(), torch.random.fork_rng(devices=[]):
            again = thawed(given.detach())
        layers, x = read_chain(peeled(again.grad_fn))
    except Unsupported:
        return None
    except Exception:  # the person's own forward, which may not stand being asked again
        return None
    if not same_numbers(x, given):
        return None
    drops = any(each.dropout for each in layers)
    if not drops and not np.allclose(to_numpy(again), to_numpy(output), rtol=SAME, atol=SAME):
        return None
    own = dict(zip(map(id, thawed.parameters()), module.parameters(), strict=True))
    if not all(id(part) in own for each in layers for part in each.parameters):
        return None
    found = (
        replace(
            each,
            weight=own[id(each.weight)],
            bias=None if each.bias is None else own[id(each.bias)],
            nodes=(),
            dropout_node=None,
        )
        for each in layers
    )
    return tuple(found), x
