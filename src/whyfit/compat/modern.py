"""An old spelling of Keras and its modern one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Modern:
    """One old spelling between two lines (from 1, inclusive), and what is written today.

    `ignored`: Keras 3 takes it and does nothing. `late`: what it breaks, breaks elsewhere.
    """

    line: int
    end_line: int
    old: str
    new: str
    ignored: bool = False
    late: bool = False

    @property
    def clause(self) -> str:
        """What to write instead."""
        if not self.new:
            return f"`{self.old}` is gone from Keras 3: leave it out"
        if self.ignored:
            return f"Keras 3 ignores `{self.old}`: write `{self.new}`"
        return f"`{self.old}` is today `{self.new}`"
