"""`whyfit.watch()`: whatever is trained inside a block, or in one call of Keras's fit, explained."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack
from functools import cached_property
from types import TracebackType
from typing import Any

from whyfit.adapters import capture
from whyfit.adapters._adapter import Session
from whyfit.adapters.afterwards import with_what_followed
from whyfit.adapters.capture import Captured
from whyfit.adapters.keras.callback import CallbackCapture
from whyfit.diagnosing import Options
from whyfit.diagnosing import diagnose as diagnose_captured
from whyfit.errors import UsageError
from whyfit.library.cells import display
from whyfit.library.options import options_of
from whyfit.library.shown import Diagnosis
from whyfit.records.fit import Fit
from whyfit.study.plan import DEFAULT_BUDGET


def watch(
    *,
    show: bool = False,
    budget: float = DEFAULT_BUDGET,
    tolerance: float | None = None,
    seed: int = 0,
    keep: str | Sequence[str] = (),
    retrain: bool = True,
    executor: Executor | None = None,
) -> Watch:
    """Watch what is trained: as a block, or as a callback of Keras.

        with whyfit.watch() as w:
            model.fit(x, y, epochs=500)
        w.diagnosis

        model.fit(x, y, epochs=500, callbacks=[w := whyfit.watch()])
        w.diagnosis

    A block sees Keras, PyTorch and scikit-learn, and more than a callback: where layers were made, what
    scaled the data, what seeded the weights. Retraining waits until `diagnosis` is asked for; with
    `show` it begins at the end of the block or the fit, and the answer is shown.
    """
    options = options_of(
        budget=budget, tolerance=tolerance, seed=seed, keep=keep, retrain=retrain, executor=executor
    )
    return Watch(options, show=show)


class Watch:
    """What was trained under watch: `fits`, and their `diagnosis`."""

    def __init__(self, options: Options, *, show: bool = False) -> None:
        self._options, self._show = options, show
        self._session = Session(say=_say, midway=True)
        self._running: ExitStack | None = None
        self._callback: CallbackCapture | None = None

    # ---- as a block ----

    def __enter__(self) -> Watch:
        if self._running is not None:
            raise UsageError("this watch is running already: make another with whyfit.watch()")
        self._begin()
        self._running = ExitStack()
        self._running.enter_context(capture.watched(self._session))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._running is not None  # entered
        self._running.close()
        self._running = None
        if self._show and self._session.fits:
            display(self.diagnosis)

    def _begin(self) -> None:
        self._session = Session(say=_say, midway=True)
        self.__dict__.pop("diagnosis", None)

    # ---- as a callback: what keras/src/callbacks/callback_list.py calls ----

    def set_params(self, params: Any) -> None:
        """Keras's own parameters of the fit; the call itself says more."""

    def set_model(self, model: Any) -> None:
        """Keras names the model before training begins."""
        self._model = model

    def on_train_begin(self, logs: Any = None) -> None:
        """Read data, recipe and start weights."""
        self._begin()
        self._callback = CallbackCapture(self._session, self._model)
        self._callback.begin()
        self._callback.event("on_train_begin", logs)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Read the learning rate."""
        if self._callback is not None:
            self._callback.event("on_epoch_begin", epoch, logs)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Read losses and weights."""
        if self._callback is not None:
            self._callback.event("on_epoch_end", epoch, logs)

    def on_train_end(self, logs: Any = None) -> None:
        """Read the end weights."""
        if self._callback is not None:
            self._callback.end()
        if self._show and self._session.fits:
            display(self.diagnosis)

    def __getattr__(self, name: str) -> Callable[..., None]:
        """Every other event of Keras's: nothing is done, and Keras may know so."""
        if not name.startswith("on_"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return _nothing

    # ---- what came of it ----

    @property
    def fits(self) -> tuple[Fit, ...]:
        """The fits captured so far; those of PyTorch come when the block ends."""
        return with_what_followed(self._session)

    @cached_property
    def diagnosis(self) -> Diagnosis:
        """The diagnosis of all fits; the retraining is done when it is first asked for.

        Raises UsageError inside the block, and where no fit was seen.
        """
        if self._running is not None:
            raise UsageError("the watch is still running: ask for its diagnosis after the block")
        if self._callback is not None:
            self._callback.end(complete=False)  # nothing is left to do after an orderly end
        if not self._session.fits:
            problems = self._session.problems
            raise UsageError(problems[-1] if problems else NO_FIT)
        captured = Captured(
            None, self.fits, 0, None, False, (), (*self._session.remarks, *self._session.problems)
        )
        return Diagnosis(diagnose_captured(captured, self._options))


NO_FIT = (
    "no fit was seen: train inside `with whyfit.watch() as w:`, or pass the watch to fit as one of "
    "its callbacks"
)


def _say(message: str) -> None:
    print(f"whyfit: {message}", file=sys.stderr)


def _nothing(*_args: Any, **_kwargs: Any) -> None:
    """What Keras calls where there is nothing to do (`is_default` in keras/src/utils)."""


_nothing._is_default = True  # type: ignore[attr-defined]
