"""What a rule is: a page about one fault, and a function that suspects it.

A rule module has a docstring with the five headings below, and `check(evidence)`. It looks at
measurements only, never trains, and returns what it found instead of writing it anywhere.
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
    """One fault: its slug, its page, and the function that suspects it."""

    slug: str
    page: str
    check: Callable[[Evidence], Finding | None]

    @property
    def title(self) -> str:
        """The page's first line."""
        return self.page.split("\n", 1)[0]


def rule_of(module: ModuleType) -> Rule:
    """The rule that a module is; its slug is the module's name."""
    slug = module.__name__.rsplit(".", 1)[-1].replace("_", "-")
    return Rule(slug, (module.__doc__ or "").strip(), module.check)
