"""Trained models of which the losses do not show all that is to be known: a hook on each of them.

Later losses of a model with frozen layers are read only together with what went into it. One with
dropout may have it on where the script asks for itself.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from whyfit.adapters.places import calling_line
from whyfit.adapters.torch.graph import Outermost
from whyfit.adapters.torch.recorder import TorchRecorder


class ModelWatch:
    """Notes what goes through such models; `passed` is told of each call of one with frozen layers."""

    def __init__(self, passed: Callable[[Outermost], None]) -> None:
        self._passed = passed
        self._models: weakref.WeakSet[Any] = weakref.WeakSet()
        self._handles: list[Any] = []

    def watch(self, recorder: TorchRecorder) -> None:
        """Watch the model of a training from now on, if it is such a one."""
        first, model, passed = recorder.first, recorder.model, self._passed
        if first is None or model is None or model in self._models:
            return
        drops = any(each.dropout for each in first.layers) and first.is_whole_model
        if not drops and not first.frozen:
            return

        def note(module: Any, args: Any, output: Any) -> None:
            if not args or not hasattr(args[0], "dim"):
                return
            if first.frozen:
                passed(Outermost(module, args[0], output))
            if drops:
                recorder.answered(args[0], output, calling_line())

        self._models.add(model)
        self._handles.append(model.register_forward_hook(note))

    def remove(self) -> None:
        """Take the hooks off."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
