"""Which scaler of scikit-learn made which array, whatever framework trains on it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from whyfit.adapters._adapter import ScaledArray, Session
from whyfit.records.fit import Apart, Call, Fit, Scaler
from whyfit.records.network import Array
from whyfit.records.recipe import Affine

MOST_KEPT = 1_000_000
"""Numbers of a scaled array that are kept to know it again after a reshuffle."""


def with_scalers(
    session: Session, calls: list[Call], x: Array, y: Array
) -> tuple[list[Call], tuple[Scaler | None, Scaler | None], bool]:
    """The calls with those of the scalers that made x and y, those scalers, and whether one object made
    both (then neither can be changed alone).
    """
    found = [scaler_of(session, x, "input_scaler"), scaler_of(session, y, "target_scaler")]
    shared = same_scaler(session, x, y)
    made = [each[1] for each in found if each is not None and each[1] is not None and not shared]
    scalers = [each[0] if each is not None else None for each in found]
    return [*calls, *made], (scalers[0], scalers[1]), shared


def digests(data: Any) -> tuple[bytes, ...]:
    """Fingerprints of an array's numbers in float64 and float32, whatever its shape."""
    values = np.asarray(data)
    if values.dtype == object or not np.issubdtype(values.dtype, np.number):
        return ()
    found = []
    for dtype in (np.float64, np.float32):
        content = np.ascontiguousarray(values, dtype=dtype).tobytes()
        found.append(hashlib.blake2b(content, digest_size=16).digest())
    return tuple(found)


def sorted_columns(data: Any) -> Array | None:
    """Each column's numbers in ascending order, or None where there are too many or no numbers."""
    values = np.asarray(data)
    if values.dtype == object or not np.issubdtype(values.dtype, np.number):
        return None
    if values.size > MOST_KEPT or values.ndim not in (1, 2) or values.size == 0:
        return None
    return np.sort(np.asarray(values, dtype=np.float64).reshape(len(values), -1), axis=0)


def _made_by(data: Array) -> Callable[[ScaledArray], bool]:
    """Whether a scaler made these data: the same numbers, or the same but for order and rounding, or
    some of its rows, as `train_test_split` takes them.
    """
    wanted, ordered = set(digests(data)), sorted_columns(data)

    def made(scaled: ScaledArray) -> bool:
        if wanted & set(scaled.digests):
            return True
        if ordered is None or scaled.values is None:
            return False
        if scaled.values.size != ordered.size:
            return _some_of(ordered, scaled.values)
        return np.allclose(scaled.values.reshape(ordered.shape), ordered, rtol=1e-5, atol=1e-6)

    return made


LEAST_DISTINCT = 8
"""So many different numbers are not all found among others by chance."""


def _some_of(few: Array, many: Array) -> bool:
    """Whether each number of a table stands in the same column of another with more rows, as float32."""
    if few.shape[1] != many.shape[1] or len(few) >= len(many):
        return False
    few, many = few.astype(np.float32), many.astype(np.float32)
    told_apart = len(np.unique(few[:, 0])) >= LEAST_DISTINCT
    return told_apart and all(map(np.all, map(np.isin, few.T, many.T)))


def scaler_of(session: Session, data: Array, role: str) -> tuple[Scaler, Call | None] | None:
    """The scaler through which an array went before `fit`, newest first, and its creation."""
    made = _made_by(data)
    for scaled in reversed(session.scaled):
        if made(scaled):
            scaler = scaled.then
            call = Call(role, scaled.created) if scaled.created else None
            return (scaler, call) if scaler else None
    return None


def farthest_apart(session: Session, asked: Sequence[Array], fit: Fit) -> Apart | None:
    """Of inputs asked for in several calls those that a scaler has put farthest from where that of the
    training inputs would have; None where no scaler is known of either.
    """
    if fit.input_scaler is None:
        return None
    deviation = np.std(fit.x, axis=0)
    found = []
    for x in asked:
        own = scaler_of(session, x, "input_scaler")
        if own is None or not np.all(deviation > 0.0):
            continue
        there = fit.input_scaler.transform(own[0].transform.invert(x))
        shift = float(np.sqrt(np.mean(((x - there) / deviation) ** 2)))
        found.append(Apart(shift, len(x)))
    return max(found, key=lambda each: each.shift, default=None)


def same_scaler(session: Session, x: Array, y: Array) -> bool:
    """Whether one scaler object made both arrays."""
    made = []
    for data in (x, y):
        by = _made_by(np.asarray(data))
        made.append({id(each.scaler) for each in session.scaled if by(each)})
    return bool(made[0] & made[1])


def after(first: Scaler | None, second: Scaler) -> Scaler:
    """Two scalings as one, known by the second."""
    if first is None:
        return second
    offset = first.transform.invert(np.asarray(second.transform.offset))
    scale = np.asarray(first.transform.scale) * np.asarray(second.transform.scale)
    return Scaler(second.kind, Affine(tuple(map(float, offset)), tuple(map(float, scale))))


def describe(scaler: Any) -> Scaler | None:
    """A fitted scaler as an affine map, or None if it is of no known kind."""
    kind = type(scaler).__name__
    feature_range = None
    if kind == "MinMaxScaler":
        # X * scale_ + min_ (sklearn/preprocessing/_data.py)
        scale, offset = 1.0 / scaler.scale_, -scaler.min_ / scaler.scale_
        low, high = scaler.feature_range
        feature_range = (float(low), float(high))
    elif kind == "StandardScaler":
        scale = scaler.scale_ if scaler.scale_ is not None else np.ones(scaler.n_features_in_)
        offset = scaler.mean_ if scaler.with_mean else np.zeros(scaler.n_features_in_)
    elif kind == "MaxAbsScaler":
        scale, offset = scaler.scale_, np.zeros(scaler.n_features_in_)
    elif kind == "RobustScaler":
        scale = scaler.scale_ if scaler.with_scaling else np.ones(scaler.n_features_in_)
        offset = scaler.center_ if scaler.with_centering else np.zeros(scaler.n_features_in_)
    else:
        return None
    transform = Affine(tuple(map(float, np.ravel(offset))), tuple(map(float, np.ravel(scale))))
    return Scaler(kind, transform, feature_range)
