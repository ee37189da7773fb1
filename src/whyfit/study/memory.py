"""What is trained once: the keys under which the ledger keeps results."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from whyfit._version import __version__
from whyfit.engine import lanes
from whyfit.ledger.ledger import About, Page, Wanted
from whyfit.records.fit import Fit
from whyfit.records.network import Array
from whyfit.records.recipe import Recipe
from whyfit.study.workers import version
from whyfit.study.workers.block import BLOCK, PRECISION, Block, Data, digest


def keys(blocks: Sequence[Block], data: Data) -> list[bytes]:
    """The key of each block: a hash of all that its result depends on."""
    recipes = {block.recipe: digest(block.recipe) for block in blocks}
    return [
        digest(
            version.engine(),
            PRECISION,
            block.target,
            data.digest,
            recipes[block.recipe],
            block.seed,
            block.first,
            block.order,
            BLOCK,
        )
        for block in blocks
    ]


def remembered(
    page: Page,
    what: str,
    arm: str,
    replicates: int,
    parts: Sequence[object],
    train: Callable[[], Array],
) -> Array:
    """What training gives, from the ledger if it is there; `parts` are all that it depends on."""
    key = digest(what, version.engine(), PRECISION, lanes.TARGETS[0], replicates, *parts)
    wanted = Wanted(key, what, arm, 0, replicates)
    known = page.fetch((wanted,))
    if key in known:
        return known[key]
    result = train()
    page.keep(((wanted, result),))
    return result


def about(fit: Fit, recipe: Recipe, seed: int, budget: float, tolerance: float) -> About:
    """What the ledger notes of a study."""
    data = Data.of_fit(fit)
    place = fit.place
    identity = digest(
        version.engine(), lanes.TARGETS[0], place.file, place.line, recipe, data.digest, seed
    )
    sizes = "-".join(str(size) for size in (recipe.inputs, *(each.units for each in recipe.layers)))
    names = dict.fromkeys(layer.activation.name for layer in recipe.hidden)
    return About(
        identity,
        place.file,
        place.line,
        f"{sizes} {', '.join(names)}".strip(),
        seed,
        budget,
        tolerance,
        __version__,
    )
