"""Changes placed in the person's own script, keeping its format and comments.

Each framework has its own module that turns a change into edits; what cannot be placed is told in
words.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import libcst as cst

from whyfit.patching import keras as patch_keras
from whyfit.patching import sklearn as patch_sklearn
from whyfit.patching import torch as patch_torch
from whyfit.patching.placing import Placing, Request
from whyfit.records.finding import Change
from whyfit.records.fit import Fit
from whyfit.records.study import Arm
from whyfit.syntax.edits import CannotPlace, edited

PLACES: Mapping[str, Mapping[str, Placing]] = {
    "keras": patch_keras.PLACES,
    "torch": patch_torch.PLACES,
    "sklearn": patch_sklearn.PLACES,
}


@dataclass(frozen=True)
class Patch:
    """A patched script: its text, and what could not be placed.

    `source` is None if anything could not be placed.
    """

    source: str | None
    words: tuple[str, ...]


def patch(
    source: str, path: str, fit: Fit, changes: Arm, bias_bounds: Sequence[float] = ()
) -> Patch:
    """The script with the changes made, or words for what cannot be placed.

    `bias_bounds` has one entry for each hidden layer: the bound of its spread biases.
    """
    request, words = Request(fit, source, path, changes, bias_bounds), []
    places = PLACES.get(fit.framework, {})
    for change in _with_one_rate(changes):
        try:
            if change.factor not in places:
                raise CannotPlace(
                    f"{change.factor.replace('_', ' ')} {change.to} has no place in a script of "
                    f"{fit.framework}"
                )
            places[change.factor](request, change)
        except CannotPlace as cannot:
            words.append(str(cannot))
    if words:
        return Patch(None, tuple(words))
    try:
        return Patch(edited(source, request.edits), ())
    except (CannotPlace, cst.ParserSyntaxError) as cannot:
        return Patch(None, (str(cannot),))


def exists(framework: str, changes: Arm) -> bool:
    """Whether a framework can do what the changes ask for at all, by patch or by hand."""
    return framework != "sklearn" or all(patch_sklearn.exists(change) for change in changes)


def _with_one_rate(changes: Arm) -> Arm:
    """A new optimizer and a new learning rate as one change: they stand in one call."""
    levels = {change.factor: change.to for change in changes}
    if "optimizer" not in levels or "learning_rate" not in levels:
        return changes
    both = Change("optimizer", f"{levels['optimizer'].split('(')[0]}({levels['learning_rate']})")
    kept = [each for each in changes if each.factor not in ("optimizer", "learning_rate")]
    return (*kept, both)


def unified_diff(before: str, after: str, path: str) -> str:
    """A unified diff that `patch -p1` applies in the folder the path is relative to."""
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    lines = []
    for line in difflib.unified_diff(old, new, f"a/{path}", f"b/{path}"):
        lines.append(line if line.endswith("\n") else line + "\n\\ No newline at end of file\n")
    return "".join(lines)


def shown_path(path: str) -> str:
    """The script's path from the working folder, or its name if it lies elsewhere."""
    relative = os.path.relpath(path)
    return os.path.basename(path) if relative.startswith("..") else relative.replace(os.sep, "/")
