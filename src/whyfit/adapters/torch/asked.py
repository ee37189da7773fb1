"""Inputs at which a PyTorch network is asked after its training: all calls without gradients."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from whyfit.adapters._adapter import Session
from whyfit.adapters.torch.recorder import TorchRecorder
from whyfit.adapters.watching import Watch, guarded
from whyfit.records.network import Array

MOST_BLANK = 50
"""Visits of one block of code without gradients that asked no model anything; after these it is taken
for one that updates weights, and is not looked at."""

MOST_CALLS, MOST_VALUES = 20, 1_000_000
"""Calls since the last step that are kept, and numbers in each: a script that asks sample by sample, or
for a large test set, shall not pay for being watched."""


class AskedWatch:
    """Notes what goes into a trained model inside `no_grad` and `inference_mode`.

    Modules are looked at only while gradients are off, so that training costs nothing more. What is
    asked between two steps is validation, as during Keras's `fit`, and is dropped at the next.
    """

    def __init__(self, session: Session, trained: Callable[[Any], TorchRecorder | None]) -> None:
        self._session, self._trained = session, trained
        self._depth = 0
        self._hook: Any = None
        self._asks = False  # whether a module was called in the block entered last
        self._block: Any = None
        self._blank: dict[Any, int] = {}  # visits of blocks, by their place
        self._seen: dict[int, tuple[int, list[Array]]] = {}  # by the recorder's id

    def watch(self, torch: Any, watch: Watch) -> None:
        """Watch the two contexts; as decorators they are entered and left in the same way.

        By plain functions: loops that update weights by hand enter one at every step.
        """
        for context in (torch.no_grad, torch.inference_mode):
            watch.replace(context, "__enter__", self._entering(context.__enter__))
            watch.replace(context, "__exit__", self._leaving(context.__exit__))

    def remove(self) -> None:
        """No longer look at modules."""
        if self._hook is not None:
            self._hook.remove()
            self._hook = None

    def of(self, recorder: TorchRecorder) -> list[Array]:
        """What the recorder's model was asked after its last step."""
        steps, asked = self._seen.get(id(recorder), (0, []))
        return asked if steps == recorder.steps else []

    def _entering(self, original: Any) -> Any:
        from torch.utils import _contextlib

        # There all decorated functions enter; elsewhere a place in the code is one block.
        decorators = _contextlib.__file__
        blank, frame_of = self._blank, sys._getframe

        @functools.wraps(original)
        def enter(context: Any) -> Any:
            self._depth += 1
            if self._depth == 1:
                frame = frame_of(1)
                block = (frame.f_code, frame.f_lasti)
                if blank.get(block, 0) < MOST_BLANK or frame.f_code.co_filename == decorators:
                    self._look(block)
            return original(context)

        return enter

    def _leaving(self, original: Any) -> Any:
        @functools.wraps(original)
        def leave(context: Any, *details: Any) -> Any:
            self._depth -= 1
            if self._depth <= 0:
                self._depth = 0
                if self._hook is not None:
                    self.remove()
                    if self._asks:
                        self._blank[self._block] = -MOST_BLANK  # it asks now and then
                    else:
                        self._blank[self._block] = self._blank.get(self._block, 0) + 1
            return original(context, *details)

        return leave

    def _look(self, block: Any) -> None:
        from torch.nn.modules.module import register_module_forward_hook

        self._asks, self._block = False, block
        self._hook = register_module_forward_hook(self._on_module)

    def _on_module(self, module: Any, args: Any, _output: Any) -> None:
        self._asks = True
        if args and (recorder := self._trained(module)) is not None:
            guarded(self._session, "watching predictions", lambda: self._note(recorder, args[0]))

    def _note(self, recorder: TorchRecorder, x: Any) -> None:
        steps, asked = self._seen.get(id(recorder), (-1, []))
        if steps != recorder.steps:
            asked = []
            self._seen[id(recorder)] = (recorder.steps, asked)
        small = len(asked) < MOST_CALLS and 0 < x.numel() <= MOST_VALUES
        if small and x.dim() and x.dtype.is_floating_point:
            values = np.array(x.detach().cpu().numpy(), dtype=np.float64)
            asked.append(values.reshape(len(values), -1))
