"""Keras 3, any backend: watches `Model.fit` and the calls that shaped it."""

from __future__ import annotations

import importlib.util
import inspect
import json
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import wrapt

from whyfit.adapters._adapter import Session
from whyfit.adapters.keras import graph as keras_graph
from whyfit.adapters.keras import recipe as keras_recipe
from whyfit.adapters.keras.batch_loops import BatchLoops
from whyfit.adapters.keras.data import is_array
from whyfit.adapters.keras.fit import hand_over
from whyfit.adapters.keras.put_back import with_weights_put_back
from whyfit.adapters.keras.recorder import KerasRecorder, Seen
from whyfit.adapters.places import calling_place
from whyfit.adapters.watching import Watch, guarded, seed_wrapper
from whyfit.syntax import decays


class KerasAdapter:
    """Watches Keras."""

    name = "keras"

    def __init__(self) -> None:
        self._watch = Watch()
        self._seen = Seen()
        self._inside_fit = 0
        self._fitting: Any = None
        self._active = False
        self._loops: BatchLoops | None = None

    def install(self, session: Session) -> None:
        """Choose a backend if the person has not, and watch from the import of keras on."""
        self._active = True
        chosen = choose_backend()

        def hook(keras: Any) -> None:
            if not self._active:
                return
            if chosen:
                session.say(
                    f"no Keras backend was chosen and TensorFlow is not installed: using {chosen}"
                )
            for kind in ("Dense", *keras_recipe.ACTIVATION_LAYERS):
                self._watch.wrap(getattr(keras.layers, kind), "__init__", self._on_create(session))
            self._watch.wrap(keras.optimizers.Optimizer, "__init__", self._on_create(session))
            self._watch.wrap(
                keras.callbacks.LearningRateScheduler, "__init__", self._on_create(session)
            )
            self._watch.wrap(keras.Model, "compile", self._on_compile(session))
            self._watch.wrap(keras.Model, "fit", self._on_fit(session))
            self._loops = BatchLoops(session, self._seen)
            self._watch.wrap(keras.Model, "train_on_batch", self._on_train_on_batch)
            self._watch.wrap(keras.layers.Layer, "set_weights", self._on_put(session))
            self._watch.wrap(keras.Model, "load_weights", self._on_put(session))
            for name in ("predict", "evaluate"):
                self._watch.wrap(keras.Model, name, self._on_asked(session))
            self._watch.wrap(
                keras.utils, "set_random_seed", seed_wrapper(session, "keras.utils.set_random_seed")
            )

        wrapt.when_imported("keras")(hook)

    def remove(self) -> None:
        """Put Keras back, and hand over what loops have trained."""
        self._active = False
        if self._loops is not None:
            self._loops.end_all()
        self._watch.restore()

    def _on_create(self, session: Session) -> Any:
        def wrapper(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
            def note() -> None:
                if place := calling_place():
                    self._seen.created[id(instance)] = place
                    if kwargs.get("decay"):
                        session.remarks.append(decays.remark(kwargs["decay"], place))
                # An earlier optimizer may have had the same id.
                self._seen.ignored_decays[id(instance)] = decays.number_of(kwargs.get("decay"))

            guarded(session, "watching a layer", note)
            return wrapped(*args, **kwargs)

        return wrapper

    def _on_compile(self, session: Session) -> Any:
        def wrapper(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
            def note() -> None:
                if place := calling_place():
                    self._seen.compiled[id(instance)] = place

            guarded(session, "watching compile", note)
            return wrapped(*args, **kwargs)

        return wrapper

    def _on_fit(self, session: Session) -> Any:
        def wrapper(wrapped: Any, model: Any, args: Any, kwargs: Any) -> Any:
            if self._inside_fit:
                guarded(session, "watching a fit", lambda: self._not_followed(session, model))
                return wrapped(*args, **kwargs)
            self._inside_fit += 1
            self._fitting = model
            try:
                return self._watched_fit(session, wrapped, model, args, kwargs)
            finally:
                self._inside_fit -= 1

        return wrapper

    def _on_train_on_batch(self, wrapped: Any, model: Any, args: Any, kwargs: Any) -> Any:
        if self._inside_fit or self._loops is None:
            return wrapped(*args, **kwargs)
        return self._loops.on_batch(wrapped, model, args, kwargs)

    def _on_put(self, session: Session) -> Any:
        def wrapper(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
            result = wrapped(*args, **kwargs)
            if not self._inside_fit:
                guarded(session, "watching weights put in", lambda: self._put(session, instance))
            return result

        return wrapper

    def _put(self, session: Session, instance: Any) -> None:
        """Weights that the script puts in are the start of a fit to come, or the end of the last one."""
        last = self._seen.last.get(id(instance))
        if last is None or last.model is not instance:
            self._seen.set_by_hand.add(instance)
            return
        last.put_back = True
        at = self._seen.number[id(instance)]
        session.fits[at] = with_weights_put_back(last, session.fits[at])

    def _not_followed(self, session: Session, model: Any) -> None:
        """Another model's fit inside a fit, from a callback, say."""
        place = calling_place()
        if model is not self._fitting and place is not None:
            session.remarks.append(f"Line {place.line}: a fit inside another fit was not followed.")

    def _on_asked(self, session: Session) -> Any:
        def wrapper(wrapped: Any, model: Any, args: Any, kwargs: Any) -> Any:
            def note() -> None:
                number = self._seen.number.get(id(model))
                loop = self._loops.of(model) if self._loops is not None else None
                x = args[0] if args else kwargs.get("x")
                known = number is not None or loop is not None
                if known and not self._inside_fit and is_array(x):
                    values = np.asarray(x)
                    if np.issubdtype(values.dtype, np.number) and len(values):
                        values = np.array(values, dtype=np.float64).reshape(len(values), -1)
                        last = self._seen.last.get(id(model))
                        if loop is not None:
                            loop.asked.append(values)
                        elif number is not None:
                            if last is not None:
                                values = keras_graph.scaled(last.scaler, values)
                            session.asked.append((number, values))

            guarded(session, "watching predict", note)
            return wrapped(*args, **kwargs)

        return wrapper

    def _watched_fit(
        self, session: Session, wrapped: Any, model: Any, args: Any, kwargs: Any
    ) -> Any:
        try:
            arguments = inspect.signature(wrapped).bind(*args, **kwargs)
        except TypeError:  # the script's own mistake: let Keras say so
            return wrapped(*args, **kwargs)
        arguments.apply_defaults()
        given = arguments.arguments
        if self._loops is not None:
            self._loops.end(model)
        recorder = KerasRecorder(session, self._seen, model, given, calling_place())
        guarded(session, "capturing the data", recorder.take_data)
        if session.substitute is not None:
            done = recorder.train_fast(session.substitute)
            if done is not None:
                guarded(session, "recording the fit", lambda: hand_over(recorder))
                return done
        callbacks = given.get("callbacks")
        if recorder.ready and not hasattr(callbacks, "callbacks"):  # a CallbackList is the person's
            listed = [] if callbacks is None else callbacks
            listed = list(listed) if isinstance(listed, (list, tuple)) else [listed]
            given["callbacks"] = [*listed, recorder.callback()]
        seen: list[warnings.WarningMessage] = []
        try:
            with noting_warnings(seen):
                result = wrapped(*arguments.args, **arguments.kwargs)
            recorder.complete = True
            return result
        finally:
            recorder.warnings = tuple(str(each.message) for each in seen)
            guarded(session, "recording the fit", lambda: hand_over(recorder))


def choose_backend() -> str | None:
    """Set KERAS_BACKEND where nobody has and TensorFlow, Keras's default, is missing.

    Returns the backend that was set, or None if there was nothing to choose.
    """
    home = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"))
    if "KERAS_BACKEND" in os.environ or importlib.util.find_spec("tensorflow") is not None:
        return None
    if _configured_backend(home) not in (None, "tensorflow"):
        return None
    for name in ("jax", "torch"):
        if importlib.util.find_spec(name) is not None:
            os.environ["KERAS_BACKEND"] = name
            return name
    return None


def _configured_backend(home: Path) -> str | None:
    """The backend of keras.json, which Keras writes itself with its default, tensorflow, in it."""
    try:
        return json.loads((home / "keras.json").read_text()).get("backend")
    except (OSError, ValueError):
        return None


class noting_warnings:  # noqa: N801  (a context manager, used like a function)
    """Note warnings while they are shown as before."""

    def __init__(self, seen: list[warnings.WarningMessage]) -> None:
        self._seen = seen

    def __enter__(self) -> None:
        self._show = warnings.showwarning
        show, seen = self._show, self._seen

        def note(
            message: Any,
            category: Any,
            filename: Any,
            lineno: Any,
            file: Any = None,
            line: Any = None,
        ) -> None:
            seen.append(warnings.WarningMessage(message, category, filename, lineno, file, line))
            show(message, category, filename, lineno, file, line)

        warnings.showwarning = note

    def __exit__(self, *_exception: object) -> None:
        warnings.showwarning = self._show
