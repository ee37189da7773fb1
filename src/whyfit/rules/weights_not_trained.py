"""Layers that are never trained.

What we see:     some layers end with the weights that they began with.
Why it looks odd: random features that nobody fits, and what comes after them can only weigh them: the
                 curve bends where chance put the bends.
How we know:     which weights the training may change: `trainable` in Keras; in PyTorch those that
                 were given to the optimizer and ask for gradients. Then it is trained again with all.
What to try:     train every layer: `trainable = True` before compile; `nn.ModuleList` in place of a list
                 of layers, which `parameters()` does not see; `model.parameters()` for the optimizer.
When to ignore:  the layers were trained before and are kept on purpose, as in transfer learning.
"""

from __future__ import annotations

from whyfit.records.evidence import Evidence
from whyfit.records.finding import Change, Finding, Measure

# For one layer, and for several.
WHY = {
    "keras": ("its `trainable` is False", "their `trainable` is False"),
    "torch": (
        "it was not given to the optimizer, or asks for no gradient",
        "they were not given to the optimizer, or ask for no gradient",
    ),
}


def check(evidence: Evidence) -> Finding | None:
    """Report which layers the training leaves as they began."""
    recipe = evidence.fit.recipe
    if recipe is None:
        return None
    kept = [at for at, layer in enumerate(recipe.layers, 1) if not layer.trainable]
    if not kept:
        return None
    named = " and ".join(filter(None, [", ".join(map(str, kept[:-1])), str(kept[-1])]))
    one = len(kept) == 1
    why = WHY.get(evidence.fit.framework, ("it is frozen", "they are frozen"))[0 if one else 1]
    return Finding(
        "weights-not-trained",
        f"layer{'' if one else 's'} {named} of {len(recipe.layers)} "
        f"end{'s' if one else ''} with the weights of the start: {why}",
        (Measure("layers that are not trained", len(kept), 0, "layers"),),
        remedies=(Change("trained", "all"),),
    )
