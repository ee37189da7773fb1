"""An already trained model of Keras, PyTorch or scikit-learn as a fit whose start is unknown."""

from __future__ import annotations

import sys
from typing import Any

from whyfit.adapters.given import Given, TrainedFit
from whyfit.errors import UsageError

TAKEN = (
    "a Keras model, a torch.nn.Module, or scikit-learn's MLPRegressor (also in a Pipeline, a "
    "TransformedTargetRegressor or a search)"
)


def fit_of_trained(model: Any, given: Given) -> TrainedFit:
    """The fit of a trained model. Raises UsageError where model and data are no such thing.

    A framework is only looked at where the program has imported it: a model of it cannot exist
    otherwise.
    """
    if _is_a(model, "keras", "Model"):
        from whyfit.adapters.keras.trained import fit_of

        return fit_of(model, given)
    if _is_a(model, "torch.nn", "Module"):
        from whyfit.adapters.torch.trained import fit_of

        return fit_of(model, given)
    if _is_a(model, "sklearn.base", "BaseEstimator"):
        from whyfit.adapters.sklearn.trained import fit_of

        return fit_of(model, given)
    raise UsageError(f"model must be {TAKEN}: got {type(model).__name__}")


def _is_a(model: Any, module: str, name: str) -> bool:
    kind = getattr(sys.modules.get(module), name, None)
    return kind is not None and isinstance(model, kind)
