"""scikit-learn: which scaler made which array; its regressors are watched in `sklearn_fit`."""

from __future__ import annotations

import hashlib
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import wrapt

from whyfit.adapters._adapter import ScaledArray, Session
from whyfit.adapters.places import called_directly, calling_place
from whyfit.adapters.sklearn_fit import RegressorWatch
from whyfit.adapters.watching import Watch, Wrapper, guarded
from whyfit.records.fit import Call, Place, Scaler
from whyfit.records.network import Array
from whyfit.records.recipe import Affine

MOST_KEPT = 1_000_000
"""Numbers of a scaled array that are kept to know it again after a reshuffle."""

SCALERS = ("MinMaxScaler", "StandardScaler", "MaxAbsScaler", "RobustScaler")


class SklearnAdapter:
    """Watches the scalers of sklearn.preprocessing and the regressors of sklearn.neural_network."""

    name = "sklearn"

    def __init__(self) -> None:
        self._watch = Watch()
        self._created: dict[int, tuple[weakref.ref[Any], Place]] = {}
        self._clones_watched = False
        self._active = False
        self._regressors: RegressorWatch | None = None

    def install(self, session: Session) -> None:
        """Watch from the import of each part of scikit-learn on."""
        self._active = True

        def scalers(module: Any) -> None:
            if not self._active:
                return
            self._watch_clones(session)
            for name in SCALERS:
                scaler = getattr(module, name)
                self._watch.wrap(scaler, "__init__", self.on_create(session))
                for method in ("transform", "fit_transform"):
                    self._watch.wrap(scaler, method, self._on_transform(session))

        def regressors(module: Any) -> None:
            if self._active:
                self._watch_clones(session)
                self._regressors = RegressorWatch(session, self._watch, self)
                self._regressors.install(module)

        wrapt.when_imported("sklearn.preprocessing")(scalers)
        wrapt.when_imported("sklearn.neural_network")(regressors)

    def remove(self) -> None:
        """Hand over what is not yet, and put scikit-learn back."""
        self._active = False
        if self._regressors is not None:
            self._regressors.finish()
        self._watch.restore()

    def on_create(self, session: Session) -> Wrapper:
        """A wrapper for `__init__` that notes where the script made an estimator."""

        def wrapper(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
            def note() -> None:
                if called_directly() and (place := calling_place()):
                    self._created[id(instance)] = (weakref.ref(instance), place)

            guarded(session, "watching an estimator", note)
            return wrapped(*args, **kwargs)

        return wrapper

    def _watch_clones(self, session: Session) -> None:
        """Clones, as searches and TransformedTargetRegressor make them, get the original's place."""
        if self._clones_watched:
            return
        self._clones_watched = True
        from sklearn import base

        def wrapper(wrapped: Any, _instance: Any, args: Any, kwargs: Any) -> Any:
            clone = wrapped(*args, **kwargs)

            def note() -> None:
                if args and (place := self.created(args[0])):
                    self._created[id(clone)] = (weakref.ref(clone), place)

            guarded(session, "watching a clone", note)
            return clone

        if hasattr(base, "_clone_parametrized"):
            self._watch.wrap(base, "_clone_parametrized", wrapper)

    def created(self, estimator: Any) -> Place | None:
        """Where an estimator was made, or None if that was not seen."""
        known = self._created.get(id(estimator))
        return known[1] if known is not None and known[0]() is estimator else None

    def with_scalers(
        self, session: Session, calls: list[Call], x: Array, y: Array
    ) -> tuple[list[Call], tuple[Scaler | None, Scaler | None], bool]:
        """The calls with those of the scalers that made x and y, those scalers, and whether one object
        made both.
        """
        return with_scalers(session, calls, x, y)

    def _on_transform(self, session: Session) -> Any:
        def wrapper(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
            result = wrapped(*args, **kwargs)

            def note() -> None:
                created = self.created(instance)
                made = ScaledArray(digests(result), instance, created, sorted_columns(result))
                session.scaled.append(made)

            guarded(session, "watching a scaler", note)
            return result

        return wrapper


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
    """Whether a scaler made these data: the same numbers, or the same but for order and rounding."""
    wanted, ordered = set(digests(data)), sorted_columns(data)

    def made(scaled: ScaledArray) -> bool:
        if wanted & set(scaled.digests):
            return True
        if ordered is None or scaled.values is None or scaled.values.size != ordered.size:
            return False
        return np.allclose(scaled.values.reshape(ordered.shape), ordered, rtol=1e-5, atol=1e-6)

    return made


def scaler_of(session: Session, data: Array, role: str) -> tuple[Scaler, Call | None] | None:
    """The scaler through which an array went before `fit`, newest first, and its creation."""
    made = _made_by(data)
    for scaled in reversed(session.scaled):
        if made(scaled):
            scaler = describe(scaled.scaler)
            call = Call(role, scaled.created) if scaled.created else None
            return (scaler, call) if scaler else None
    return None


def same_scaler(session: Session, x: Array, y: Array) -> bool:
    """Whether one scaler object made both arrays."""
    made = []
    for data in (x, y):
        by = _made_by(np.asarray(data))
        made.append({id(each.scaler) for each in session.scaled if by(each)})
    return bool(made[0] & made[1])


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
