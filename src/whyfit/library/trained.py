"""`whyfit.diagnose`: an already trained model, explained."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from typing import Any

from whyfit.adapters.capture import Captured
from whyfit.adapters.given import Given
from whyfit.adapters.trained import fit_of_trained
from whyfit.diagnosing import diagnose as diagnose_captured
from whyfit.errors import UsageError
from whyfit.library.options import options_of
from whyfit.library.shown import Diagnosis
from whyfit.study.plan import DEFAULT_BUDGET


def diagnose(
    model: Any,
    x: Any,
    y: Any,
    history: Any = None,
    *,
    loss: Any = None,
    optimizer: Any = None,
    batch_size: int | None = None,
    epochs: int | None = None,
    budget: float = DEFAULT_BUDGET,
    tolerance: float | None = None,
    seed: int = 0,
    keep: str | Sequence[str] = (),
    retrain: bool = True,
    executor: Executor | None = None,
) -> Diagnosis:
    """Why a trained model fits like that, and what would mend it.

    `model` is a Keras model, a chain of layers as a torch.nn.Module, or scikit-learn's MLPRegressor,
    also in a Pipeline, a TransformedTargetRegressor or a search. `x` and `y` are the data it was
    trained on. `history` is what `fit` returned, or the losses of the epochs.

    Keras and scikit-learn keep how a model was trained. PyTorch does not: pass `optimizer`, `epochs`
    and, unless each step saw all samples, `batch_size`; without them the model is measured but not
    retrained. What is inferred or assumed is said in the report, and the start weights, which nobody
    can know afterwards, are drawn anew.

    `budget` is for the study (seconds), `tolerance` the unexplained variance that counts as a success,
    `keep` names factors that a fix may not touch, `executor` runs the retraining elsewhere.

    Raises UsageError where model and data do not belong together.
    """
    for name, value in (("batch_size", batch_size), ("epochs", epochs)):
        if value is not None and value < 1:
            raise UsageError(f"{name} must be a whole number from 1: got {value}")
    options = options_of(
        budget=budget, tolerance=tolerance, seed=seed, keep=keep, retrain=retrain, executor=executor
    )
    given = Given(x, y, history, loss, optimizer, batch_size, epochs)
    trained = fit_of_trained(model, given)
    captured = Captured(None, (trained.fit,), 0, None, False, (), (trained.note,))
    return Diagnosis(diagnose_captured(captured, options))
