"""`--fast`: the engine in place of the framework's own training."""

from __future__ import annotations

from whyfit.adapters._adapter import FastTraining
from whyfit.engine import lanes
from whyfit.records.fit import HeldOut
from whyfit.records.network import Array
from whyfit.records.recipe import Recipe


class EngineSubstitute:
    """Trains one network with the engine, for adapters that ask."""

    def why_not(self, recipe: Recipe) -> str | None:
        """The reason why the engine cannot train the recipe, or None."""
        return lanes.why_unsupported(recipe)

    def train(
        self,
        recipe: Recipe,
        x: Array,
        y: Array,
        start: Array,
        *,
        seed: int,
        every: int,
        held_out: HeldOut | None = None,
        sample_weight: Array | None = None,
    ) -> FastTraining:
        """One training from given start weights, recorded every `every` epochs."""
        trained = lanes.train(
            recipe,
            x,
            y,
            start[None],
            sample_weight=sample_weight,
            held_out=held_out,
            order=lanes.Order("group", seed=seed),
            history=True,
            snapshot_every=every,
        )
        assert trained.history is not None  # asked for above
        assert trained.snapshots is not None
        done = int(trained.epochs_done[0])
        snapshots = trained.snapshots[0][: done // every]
        return FastTraining(snapshots, trained.weights[0], trained.history[0][:done])
