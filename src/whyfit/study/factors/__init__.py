"""Factors: what may be changed in a recipe, to which levels, and how."""

from whyfit.study.factors.catalogue import (
    FACTOR_NAMES,
    FACTORS,
    apply,
    common_changes,
    compatible,
    factor_named,
    joined,
    resolve,
    spared,
)
from whyfit.study.factors.factor import Factor
from whyfit.study.factors.scale import scaling
from whyfit.study.factors.shape import BIASED, EVERY_LAYER
from whyfit.study.factors.starts import SPREAD, bias_spread
from whyfit.study.factors.training import ADAM, CLEARED, ONCE_AN_EPOCH, SHUFFLED

__all__ = [
    "ADAM",
    "BIASED",
    "CLEARED",
    "EVERY_LAYER",
    "FACTORS",
    "FACTOR_NAMES",
    "ONCE_AN_EPOCH",
    "SHUFFLED",
    "SPREAD",
    "Factor",
    "apply",
    "bias_spread",
    "common_changes",
    "compatible",
    "factor_named",
    "joined",
    "resolve",
    "scaling",
    "spared",
]
