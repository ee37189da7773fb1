"""PyTorch: watches a training loop of the script's own.

Nothing that trains is replaced. Watched are `backward` (where the loss is taken apart, see
`graph`), the optimizers' own hooks around `step`, what fills start weights (`starts`),
what makes loaders and layers (`made`), and schedulers (`schedulers`). A fit is the steps of
one optimizer. It ends where another optimizer steps, where weights are loaded into a module, or with
the script.
"""

from __future__ import annotations

import functools
import gc
import inspect
import weakref
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import wrapt

from whyfit.adapters._adapter import Session
from whyfit.adapters.places import called_directly, calling_place, calling_places
from whyfit.adapters.torch import fit as torch_fit
from whyfit.adapters.torch.asked import AskedWatch
from whyfit.adapters.torch.by_hand import HandWatch
from whyfit.adapters.torch.graph import LossGraph, Outermost, first_leaf, read_loss
from whyfit.adapters.torch.made import MadeWatch
from whyfit.adapters.torch.models import ModelWatch
from whyfit.adapters.torch.recipe import SET_BY_HAND
from whyfit.adapters.torch.recorder import StepSeen, TorchRecorder
from whyfit.adapters.torch.schedulers import SchedulerWatch
from whyfit.adapters.torch.starts import StartsWatch
from whyfit.adapters.watching import Watch, guarded, seed_wrapper
from whyfit.records.fit import Place

MOST_NODES = 200
"""Autograd nodes whose modules are remembered until a loss is seen; they keep their tensors alive."""
DRAWN_BEFORE = (
    "how start weights from before the watch were drawn is unknown (make the model inside)"
)


TRAINED_BEFORE = "a model that was trained before this fit is not supported"


class TorchAdapter:
    """Watches PyTorch."""

    name = "torch"

    def __init__(self) -> None:
        self._watch = Watch()
        self._active = False
        self._session = Session()
        self._handles: list[Any] = []
        self._before: Any = None
        self._look_before: Callable[[], Any] = lambda: None
        self._module_handle: Any = None
        self._recorders: list[TorchRecorder] = []
        self._by_optimizer: weakref.WeakKeyDictionary[Any, TorchRecorder] = (
            weakref.WeakKeyDictionary()
        )
        self._late: weakref.WeakSet[Any] = weakref.WeakSet()
        self._models = ModelWatch(self._passed)
        self._current: TorchRecorder | None = None
        self._hand = HandWatch(self._recorder, self._recorders.append)
        self._watch_for(self._session)
        self._made = 0
        self._said_fast = False
        # What was seen since the last step.
        self._modules: dict[Any, Any] = {}
        self._outermost: Outermost | None = None
        self._graph: LossGraph | None = None
        self._loss = float("nan")
        self._backwards = 0
        self._left_in: frozenset[int] = frozenset()
        self._cut_off = False
        self._backward_at: Place | None = None
        self._clipped: list[tuple[str, float]] = []
        self._loaders: list[Any] = []

    def install(self, session: Session) -> None:
        """Watch from the import of torch on."""
        self._active, self._session = True, session
        self._watch_for(session)

        def hook(torch: Any) -> None:
            if self._active:
                guarded(session, "watching PyTorch", lambda: self._watch_torch(torch))

        wrapt.when_imported("torch")(hook)

    def _watch_for(self, session: Session) -> None:
        self._made_watch = MadeWatch(session)
        self._starts = StartsWatch(session)
        self._schedulers = SchedulerWatch(session, self._how_far, self._made_watch.places)
        self._asked = AskedWatch(session, self._recorder_of)

    def _how_far(self, optimizer: Any) -> tuple[int, LossGraph | None] | None:
        recorder = self._by_optimizer.get(optimizer)
        return None if recorder is None else (recorder.steps, recorder.first)

    def remove(self) -> None:
        """Hand the fits over and put PyTorch back."""
        self._active = False
        for handle in (*self._handles, self._before, self._module_handle):
            if handle is not None:
                handle.remove()
        self._handles.clear()
        self._asked.remove()
        self._models.remove()
        self._watch.restore()
        guarded(self._session, "recording the fit", self._hand.finish)
        for recorder in self._recorders:
            guarded(self._session, "recording the fit", lambda one=recorder: self._hand_over(one))
        self._recorders.clear()

    def _hand_over(self, recorder: TorchRecorder) -> None:
        recorder.watched = self._schedulers.watched(recorder.scheduler)
        fit, problem = torch_fit.fit_of(self._session, recorder, self._made_watch.places)
        if fit is not None:
            if self._session.midway and fit.unsupported == SET_BY_HAND:
                fit = replace(fit, unsupported=DRAWN_BEFORE)
            self._session.fits.append(fit)
            number = len(self._session.fits) - 1
            self._session.asked += [(number, x) for x in self._asked.of(recorder)]
        elif problem:
            self._session.problems.append(f"a training loop was not captured: {problem}")

    # ---- what is watched ----

    def _watch_torch(self, torch: Any) -> None:
        from torch.optim.optimizer import (
            register_optimizer_step_post_hook,
            register_optimizer_step_pre_hook,
        )
        from torch.utils.data import DataLoader

        session, wrap = self._session, self._watch.wrap
        for owner in (torch, torch.random):
            wrap(owner, "manual_seed", seed_wrapper(session, "torch.manual_seed"))
        if session.unseeded is not None:
            torch.manual_seed(session.unseeded)
        self._watch.replace(
            torch.autograd, "backward", self._watched_backward(torch.autograd.backward)
        )
        wrap(torch.optim.Optimizer, "__init__", self._on_optimizer)
        for each in (self._made_watch, self._starts, self._schedulers, self._asked):
            each.watch(torch, self._watch)
        for module in (torch.nn.utils, torch.nn.utils.clip_grad):
            wrap(module, "clip_grad_norm_", self._on_clip)
            wrap(module, "clip_grad_value_", self._on_clip)
        wrap(torch.nn.Module, "load_state_dict", self._on_load)
        wrap(DataLoader, "__iter__", self._on_iterate)
        self._look_before = lambda: register_optimizer_step_pre_hook(self._before_step)
        self._before = self._look_before()
        self._handles = [register_optimizer_step_post_hook(self._after_step)]
        self._watch_modules()
        if session.midway:  # optimizers may be older than the watch, and no loop by hand
            kinds = (type(each) for each in gc.get_objects())  # isinstance would ask the objects
            self._made += sum(issubclass(kind, torch.optim.Optimizer) for kind in kinds)

    def _recorder_of(self, module: Any) -> TorchRecorder | None:
        """The last training of a model, if it was trained."""
        known = (each for each in reversed(self._recorders) if each.model is module)
        return next(known, None)

    def _note(self, what: str, work: Any) -> None:
        guarded(self._session, what, work)

    def _on_optimizer(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        result = wrapped(*args, **kwargs)

        def note() -> None:
            if not self._made:
                self._hand.finish()
            self._made += 1
            self._made_watch.places.note(instance, calling_place())
            self._watch_modules()
            if self._before is None:
                self._before = self._look_before()

        self._note("watching an optimizer", note)
        return result

    def _on_clip(self, wrapped: Any, _instance: Any, args: Any, kwargs: Any) -> Any:
        def note() -> None:
            given = inspect.signature(wrapped).bind(*args, **kwargs)
            given.apply_defaults()
            if "max_norm" in given.arguments:
                plain = float(given.arguments["norm_type"]) == 2.0
                kind = "norm" if plain else f"norm of type {given.arguments['norm_type']}"
                self._clipped.append((kind, float(given.arguments["max_norm"])))
            else:
                self._clipped.append(("value", float(given.arguments["clip_value"])))

        self._note("watching clipping", note)
        return wrapped(*args, **kwargs)

    def _on_load(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        current = self._current
        if current is None:
            return wrapped(*args, **kwargs)
        self._note("reading the end weights", current.pause)
        result = wrapped(*args, **kwargs)
        self._note("reading the weights put back", lambda: current.loaded(instance))
        return result

    def _on_iterate(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        self._loaders.append(instance)
        del self._loaders[:-8]
        return wrapped(*args, **kwargs)

    def _watch_modules(self) -> None:
        """Note which module makes which autograd node, until no module has to be known any more."""
        if self._module_handle is None:
            from torch.nn.modules.module import register_module_forward_hook

            self._module_handle = register_module_forward_hook(self._on_module)

    def _unwatch_modules(self) -> None:
        if self._module_handle is not None:
            self._module_handle.remove()
            self._module_handle = None
            self._outermost = None  # of this step; later ones are not seen

    def _passed(self, outermost: Outermost) -> None:
        self._outermost = outermost

    def _on_module(self, module: Any, args: Any, output: Any) -> None:
        node = getattr(output, "grad_fn", None)
        if node is None:
            return
        if len(self._modules) > MOST_NODES:
            self._modules.clear()
        self._modules.setdefault(node, module)
        if args and hasattr(args[0], "dim") and not type(module).__module__.endswith(".loss"):
            self._outermost = Outermost(module, args[0], output)

    # ---- one step ----

    def _watched_backward(self, original: Any) -> Any:
        """`torch.autograd.backward`, which every `backward` ends in, as a plain function: it is called
        at every step, and a general wrapper would cost several times as much.
        """

        @functools.wraps(original)
        def backward(*args: Any, **kwargs: Any) -> Any:
            by_hand = False
            try:
                loss = args[0] if args else kwargs.get("tensors")
                if self._made:
                    self._before_backward(loss)
                else:
                    by_hand = self._before_by_hand(loss)
            except Exception as error:
                self._failed("reading a loss", error)
            result = original(*args, **kwargs)
            if by_hand:
                try:  # as `_note` does, without a closure at every step
                    self._hand.after_backward()
                except Exception as error:
                    self._failed("reading gradients", error)
            return result

        return backward

    def _before_by_hand(self, loss: Any) -> bool:
        """No optimizer of PyTorch's yet: a framework on top of it, or a loop that updates by hand."""
        if getattr(loss, "grad_fn", None) is None or loss.numel() != 1:
            return False
        followed = self._hand.before_backward(
            loss,
            self._modules,
            self._outermost,
            lambda: called_directly(through="_tensor.py"),
        )
        if self._module_handle is not None:
            self._modules = {}
            if self._hand.knows_modules:
                self._unwatch_modules()
        return followed

    def _before_backward(self, loss: Any) -> None:
        if getattr(loss, "grad_fn", None) is None or loss.numel() != 1:
            self._cut_off = getattr(loss, "is_leaf", False)
            return
        self._cut_off = False
        current = self._current
        self._backwards += 1
        self._loss = loss.item()
        if current is not None and current.kept is not None and self._backwards == 1:
            current.check_kept()
        if (
            current is not None
            and not current.looks
            and self._module_handle is None
            and (self._made == 1 or first_leaf(loss) is current.leaf)
        ):
            return
        outermost = self._outermost
        self._graph = read_loss(loss, self._modules, outermost)
        self._modules, self._outermost = {}, outermost  # a copy may have been asked (see `frozen`)
        self._backward_at = calling_place()
        if self._backwards == 1:
            self._left_in = frozenset(
                id(leaf)
                for leaf in self._graph.leaves
                if leaf.grad is not None and bool(leaf.grad.any())
            )

    def _before_step(self, optimizer: Any, _args: Any, _kwargs: Any) -> None:
        try:
            recorder = self._current
            if recorder is None or recorder.optimizer is not optimizer:
                recorder = self._by_optimizer.get(optimizer) or self._begin(optimizer)
                self._switch(recorder)
        except Exception as error:
            self._failed("watching a step", error)

    def _recorder(self, optimizer: Any, scheduler: Any = None) -> TorchRecorder:
        within = calling_places()
        return TorchRecorder(
            optimizer,
            within[0] if within else None,
            within,
            self._session.keep_weights,
            self._starts.drawn,
            scheduler,
        )

    def _begin(self, optimizer: Any) -> TorchRecorder:
        recorder = self._recorder(optimizer, self._schedulers.of(optimizer))
        recorder.backward = self._backward_at
        self._by_optimizer[optimizer] = recorder
        self._recorders.append(recorder)
        mine = {id(p) for group in optimizer.param_groups for p in group["params"]}
        before = [each for each in self._recorders[:-1] if not mine.isdisjoint(each.starts)]
        late = (self._session.midway and bool(optimizer.state)) or optimizer in self._late
        trained = self._not_the_end(before, optimizer)
        recorder.before_first(trained or (TRAINED_BEFORE if late else None))
        if self._session.substitute is not None and not self._said_fast:
            self._said_fast = True
            self._session.say("--fast: a PyTorch loop trains itself; the engine cannot replace it")
        return recorder

    def _not_the_end(self, before: list[TorchRecorder], optimizer: Any) -> str | None:
        """Say of trainings that another optimizer goes on with that the network does not end there, and
        return what is to be said of the one that goes on.
        """
        if not before:
            return None
        places = [self._made_watch.places.of(each.optimizer) for each in before]
        place = self._made_watch.places.of(optimizer)
        line = f" (made in line {place.line})" if place is not None else ""
        if place is not None and place == places[-1]:
            anew = (
                f"the optimizer is made anew while the training goes on{line} and forgets its momentum "
                "and means each time, which is not supported: make it once, before the loop"
            )
            before[-1].give_up(anew)
            return anew
        for each in before:
            each.give_up(
                f"the same network is trained on by another optimizer{line}, so that this is not where "
                "it ends; that is not supported"
            )
        return TRAINED_BEFORE

    def _switch(self, recorder: TorchRecorder) -> None:
        if self._current is not None and self._current is not recorder:
            self._current.pause()
        self._current = recorder

    def _after_step(self, optimizer: Any, _args: Any, _kwargs: Any) -> None:
        try:
            recorder = self._current
            if recorder is None or recorder.optimizer is not optimizer:
                if self._before is None:  # a copy, which no constructor made
                    self._before = self._look_before()
                    self._late.add(optimizer)
                return
            graph = self._graph
            rate = optimizer.param_groups[0]["lr"]  # which no step changes
            if rate != recorder.rate:
                recorder.change_rate(float(rate))
            if recorder.steady and graph is None and self._backwards == 1 and not self._clipped:
                recorder.after_usual(self._loss)
                if self._before is not None and self._made == 1 and not self._session.midway:
                    # Nobody else can step, and a hook that has nothing to do costs a hundredth.
                    self._before.remove()
                    self._before = None
                if recorder.kept is not None:
                    recorder.kept.note()
                self._backwards = 0
                if self._loaders:
                    self._loaders.clear()
                return
            seen = StepSeen(
                graph,
                self._loss,
                self._backwards,
                self._left_in.isdisjoint(recorder.given) if graph is not None else None,
                tuple(self._clipped),
                tuple(self._loaders),
            )
            self._graph, self._loss, self._backwards = None, float("nan"), 0
            self._clipped, self._loaders = [], []
            if self._cut_off and not seen.backwards and not recorder.steps:
                recorder.give_up(
                    "the loss that was sent backward depends on no weight, so that no step changes any "
                    "(`.item()`, `.detach()` and `torch.tensor(...)` cut it off from the network)"
                )
            recorder.after(seen)
            if recorder.kept is not None:
                recorder.kept.note()
            if recorder.steps == 1:
                recorder.leaf = None if graph is None else graph.first_leaf
            if recorder.knows_modules:
                self._unwatch_modules()
                self._models.watch(recorder)
        except Exception as error:
            self._failed("watching a step", error)

    def _failed(self, what: str, error: Exception) -> None:
        """Our own failure, told once; watching this loop goes on as far as it can."""
        session = self._session
        if session.strict:
            raise error
        if self._current is not None:
            self._current.give_up(f"what was seen of this training has a gap, since {what} failed")
        message = f"{what}: {type(error).__name__}: {error}"
        if message not in session.problems:
            session.problems.append(message)
            session.say(f"{what} failed ({type(error).__name__}: {error}); the script goes on")
