"""scikit-learn: watches its scalers, and has its regressors watched by `fit`."""

from __future__ import annotations

import weakref
from typing import Any

import wrapt

from whyfit.adapters._adapter import ScaledArray, Session
from whyfit.adapters.places import called_directly, calling_place
from whyfit.adapters.scalers import describe, digests, sorted_columns
from whyfit.adapters.sklearn.fit import RegressorWatch
from whyfit.adapters.watching import Watch, Wrapper, guarded
from whyfit.records.fit import Place

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

    def _on_transform(self, session: Session) -> Any:
        def wrapper(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
            result = wrapped(*args, **kwargs)

            def note() -> None:
                created = self.created(instance)
                made = ScaledArray(
                    digests(result), instance, created, sorted_columns(result), describe(instance)
                )
                session.scaled.append(made)

            guarded(session, "watching a scaler", note)
            return result

        return wrapper
