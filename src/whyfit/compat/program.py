"""`--compat`: scripts for Keras 1 and 2, run as they were meant, and what is said where one fails."""

from __future__ import annotations

from collections.abc import Sequence

from whyfit.adapters.capture import Captured, Program, with_source
from whyfit.compat.modern import Modern
from whyfit.compat.reading import hint, modernised


def in_modern_spelling(program: Program, *, rewrite: bool) -> tuple[Program, tuple[Modern, ...]]:
    """The program, with `rewrite` in modern spelling, and the old spellings in it."""
    found = modernised(program.source)
    if not found.changes:
        return program, ()
    return with_source(program, found.source) if rewrite else program, found.changes


def old_spellings(
    captured: Captured, changes: Sequence[Modern], *, rewritten: bool
) -> tuple[str | None, tuple[str, ...]]:
    """What follows the script's exception, if an old spelling raised it, and notes for the report.

    The notes list each change that was made.
    """
    if rewritten:
        if not changes:
            return None, ()
        said = "; ".join(_by_clause(changes))
        return None, (f"--compat read the script in the spellings of Keras 3: {said}.",)
    if captured.error is None:
        return None, ()
    found = hint(changes, captured.error_line)
    return (f"{found} (whyfit run --compat reads it so)" if found else None), ()


def _by_clause(changes: Sequence[Modern]) -> list[str]:
    """Each change once, with the lines where it was made."""
    lines: dict[str, list[int]] = {}
    for each in changes:
        lines.setdefault(each.clause, []).append(each.line)
    return [
        f"{clause} (line{'s' * (len(at) > 1)} {', '.join(map(str, at))})"
        for clause, at in lines.items()
    ]
