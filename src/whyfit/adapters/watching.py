"""Watching functions of other libraries without changing what they do."""

from __future__ import annotations

import random
import sys
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np
import wrapt

from whyfit.adapters._adapter import Session
from whyfit.adapters.places import called_directly, calling_place
from whyfit.records.fit import SeedCall

Wrapper = Callable[[Any, Any, tuple[Any, ...], dict[str, Any]], Any]


class Watch:
    """A set of wrapped functions that can all be put back."""

    def __init__(self) -> None:
        self._originals: list[tuple[Any, str, Any, bool]] = []

    def wrap(self, owner: Any, name: str, wrapper: Wrapper) -> None:
        """Put a wrapper around an attribute of a module or class, inherited ones included."""
        self.replace(owner, name, wrapt.FunctionWrapper(getattr(owner, name), wrapper))

    def replace(self, owner: Any, name: str, replacement: Any) -> None:
        """Put something else in the place of an attribute of a module or class."""
        own = name in vars(owner)
        original = vars(owner)[name] if own else None
        self._originals.append((owner, name, original, own))
        setattr(owner, name, replacement)

    def restore(self) -> None:
        """Put everything back, last first."""
        for owner, name, original, own in reversed(self._originals):
            if own:
                setattr(owner, name, original)
            else:
                delattr(owner, name)
        self._originals.clear()


def guarded(session: Session, what: str, work: Callable[[], None]) -> None:
    """Do our own work; its failure must not become the script's."""
    try:
        work()
    except Exception as error:
        if session.strict:
            raise
        session.problems.append(f"{what}: {type(error).__name__}: {error}")
        session.say(f"{what} failed ({type(error).__name__}: {error}); the script goes on")
        if "WHYFIT_DEBUG" in __import__("os").environ:
            traceback.print_exc(file=sys.stderr)


def watch_seeds(session: Session, watch: Watch) -> None:
    """Note the script's own calls of random.seed and numpy.random.seed, and mix in a reseed."""
    for owner, name, label in (
        (random, "seed", "random.seed"),
        (np.random, "seed", "numpy.random.seed"),
    ):
        watch.wrap(owner, name, seed_wrapper(session, label))


def seed_wrapper(session: Session, label: str) -> Wrapper:
    """A wrapper for a seeding function whose first argument is the seed."""

    def wrapper(wrapped: Any, _instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        direct = called_directly()
        if direct:
            place = calling_place()
            seed = args[0] if args else next(iter(kwargs.values()), None)
            session.seeds.append(SeedCall(label, repr(seed), place.line if place else 0))
        if session.reseed is not None and direct and args and isinstance(args[0], int):
            args = (mixed_seed(args[0], session.reseed), *args[1:])
        return wrapped(*args, **kwargs)

    return wrapper


def mixed_seed(seed: int, reseed: int) -> int:
    """Another seed for each reseed, in the 32 bits that all generators take."""
    return int(np.random.SeedSequence([seed & 0xFFFFFFFF, reseed]).generate_state(1)[0])
