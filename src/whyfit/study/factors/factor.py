"""One factor of a recipe: what it is called, which level it has, and which others there are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from whyfit.records.fit import Fit
from whyfit.records.recipe import Recipe


@dataclass(frozen=True)
class Factor:
    """One thing that may be changed.

    `current` names the level the fit has; `common` the levels people try, whether or not any rule
    fired; `apply` sets a level; `question` is what people ask when they blame it.
    """

    name: str
    phrase: str
    question: str
    current: Callable[[Fit, Recipe], str]
    common: Callable[[Fit, Recipe], tuple[str, ...]]
    apply: Callable[[Fit, Recipe, str], Recipe]
