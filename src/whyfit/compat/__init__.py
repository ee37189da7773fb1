"""Scripts for Keras 1 and 2, read as they were meant."""

from whyfit.compat.program import in_modern_spelling, old_spellings

__all__ = ["in_modern_spelling", "old_spellings"]
