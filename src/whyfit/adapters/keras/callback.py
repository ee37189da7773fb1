"""One fit of Keras, seen from a callback.

A callback is told neither the data nor the batch size. They stand in the call of `fit`, which is on the
stack while training begins: `error_handler` of keras/src/utils/traceback_utils.py passes on its
arguments as they were given.
"""

from __future__ import annotations

import inspect
import sys
from types import FrameType
from typing import Any

from whyfit.adapters._adapter import Session
from whyfit.adapters.keras.fit import hand_over
from whyfit.adapters.keras.recorder import KerasRecorder, Seen
from whyfit.adapters.places import calling_place
from whyfit.adapters.watching import guarded


class CallbackCapture:
    """Records one call of `fit` on a model, told of its events by a callback."""

    def __init__(self, session: Session, model: Any) -> None:
        self._session, self._model = session, model
        self._recorder: KerasRecorder | None = None
        self._inner: Any = None

    def begin(self) -> None:
        """Find the call of `fit` and copy its data."""
        given = call_of_fit(self._model)
        if given is None:
            self._session.problems.append("the call of fit was not found on the stack")
            return
        self._recorder = recorder = KerasRecorder(
            self._session, Seen(), self._model, given, calling_place()
        )
        guarded(self._session, "capturing the data", recorder.take_data)
        if recorder.ready:
            self._inner = recorder.callback()
            self._inner.set_model(self._model)

    def event(self, name: str, *arguments: Any) -> None:
        """Pass an event of Keras's on to the recorder."""
        if self._inner is not None and self._recorder is not None:
            getattr(self._inner, name)(*arguments)

    def end(self, *, complete: bool = True) -> None:
        """Hand the fit over, once; not `complete` where training was cut off."""
        recorder, self._recorder = self._recorder, None
        if recorder is not None:
            recorder.complete = complete
            guarded(self._session, "recording the fit", lambda: hand_over(recorder))


def call_of_fit(model: Any) -> dict[str, Any] | None:
    """The arguments of the call of `fit` on this model that is under way, defaults filled in."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_name == "error_handler":
            known = frame.f_locals
            args: tuple[Any, ...] = known.get("args") or (None,)
            function: Any = known.get("fn")
            if args[0] is model and getattr(function, "__name__", "") == "fit":
                call = inspect.signature(function).bind(*args, **known.get("kwargs", {}))
                call.apply_defaults()
                return call.arguments
        frame = frame.f_back
    return None
