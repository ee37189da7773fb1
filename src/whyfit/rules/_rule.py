"""What a rule is: a page about one fault, and a function that suspects it.

A rule module has a docstring with the five headings below, and `check(evidence)`. It looks at
measurements only, never trains, and returns what it found instead of writing it anywhere. Where a
fault is worth a word although the fit is good, the module says `ON_GOOD_FITS = True`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

from whyfit.records.evidence import Evidence
from whyfit.records.finding import Finding

HEADINGS = (
    "What we see:",
    "Why it looks odd:",
    "How we know:",
    "What to try:",
    "When to ignore:",
)


@dataclass(frozen=True)
class Rule:
    """One fault: its slug, its page, and the function that suspects it.

    `on_good_fits`: whether it speaks of fits that meet their tolerance too.
    """

    slug: str
    page: str
    check: Callable[[Evidence], Finding | None]
    on_good_fits: bool = False

    @property
    def title(self) -> str:
        """The page's first line."""
        return self.page.split("\n", 1)[0]

    @property
    def advice(self) -> str:
        """What the page says to try, on one line."""
        rest = self.page.partition("What to try:")[2]
        return " ".join(rest.partition("When to ignore:")[0].split())


def rule_of(module: ModuleType) -> Rule:
    """The rule that a module is; its slug is the module's name."""
    slug = module.__name__.rsplit(".", 1)[-1].replace("_", "-")
    page = (module.__doc__ or "").strip()
    return Rule(slug, page, module.check, getattr(module, "ON_GOOD_FITS", False))
