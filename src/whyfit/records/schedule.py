"""How the learning rate changes while a network trains, and when training stops early."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from whyfit.records.network import Array

Framework = Literal["keras", "torch", "sklearn"]

FEEDBACK = ("plateau", "adaptive")
"""Schedules that watch a loss; all others are known before training begins."""

Monitor = Literal["loss", "held_out_loss", "held_out_score"]
"""What is watched after each epoch: the mean loss of its steps, or the loss of samples that are held out
(Keras's `val_loss`), or, the higher the better, the mean R^2 of the outputs there (scikit-learn)."""


@dataclass(frozen=True)
class Schedule:
    """Learning rate as a function of time, or of a loss.

    Let r be the optimizer's `learning_rate` and t the number of steps, epochs or samples seen before
    the present step (`per`). `kind` is one of

    - `exponential`: r factor^(t / interval), the exponent rounded down if `staircase`. Keras's
      ExponentialDecay; torch's ExponentialLR (interval 1) and StepLR (staircase).
    - `inverse_time`: r / (1 + factor t / interval), t / interval rounded down if `staircase`. Keras's
      InverseTimeDecay.
    - `polynomial`: (r - minimum) (1 - t / interval)^power + minimum, t held at `interval`, or with
      `cycle` interval stretched to the next multiple. Keras's PolynomialDecay.
    - `cosine`: minimum + (r - minimum) (1 + cos(pi t / interval)) / 2. With `hold` t stops at
      `interval` (Keras's CosineDecay), otherwise the rate rises again (torch's CosineAnnealingLR).
      With `warmup` the rate first runs straight from r to `warmup_target` in so many t, and
      the cosine starts from there (Keras).
    - `piecewise`: r multiples[k], where k counts the `boundaries` below t. Keras's
      PiecewiseConstantDecay and torch's MultiStepLR (boundaries one less than its milestones).
    - `inverse_scaling`: r / (t + 1)^power. scikit-learn's `invscaling`, which counts samples and
      changes the rate once an epoch.
    - `table`: `multiples[t]` times r, the last for ever; for schedules written by hand.
    - `plateau`: the rate is multiplied by `factor`, down to `minimum`, when the epoch's loss has not
      improved by `threshold` for more than (torch) or as many as (Keras) `patience` epochs; then
      `cooldown` epochs are not counted. `threshold_mode` "abs" or "rel". torch leaves the rate where
      it would change by no more than `smallest_change`.
    - `adaptive`: scikit-learn's: a fifth of the rate when the loss has not improved by `threshold` for
      more than `patience` epochs; training ends where that happens at a rate of 1e-6 or less.

    `plateau` watches the training loss or, by `monitor`, that of held-out samples.

    `change` says when a rate that counts steps or samples is taken up: at every step, or once an epoch.
    """

    kind: str
    per: Literal["step", "epoch", "sample"] = "step"
    change: Literal["step", "epoch"] = "step"
    interval: float = 1.0
    factor: float = 1.0
    power: float = 1.0
    minimum: float = 0.0
    staircase: bool = False
    cycle: bool = False
    hold: bool = True
    warmup: float = 0.0
    warmup_target: float | None = None
    boundaries: tuple[float, ...] = ()
    multiples: tuple[float, ...] = ()
    patience: int = 10
    threshold: float = 1e-4
    threshold_mode: Literal["abs", "rel"] = "abs"
    cooldown: int = 0
    smallest_change: float = 0.0
    monitor: Monitor = "loss"

    @property
    def watches_loss(self) -> bool:
        """Whether the rate depends on the course of training."""
        return self.kind in FEEDBACK

    def rates(self, rate: float, epochs: int, steps: int, samples: int) -> Float[Array, times]:
        """Learning rates of a whole training, one an epoch or one a step.

        `steps` is the number of steps of an epoch. The result has `epochs` entries where the rate
        changes once an epoch, otherwise `epochs * steps`.

        >>> Schedule("exponential", per="epoch", interval=2, factor=0.5).rates(1.0, 3, 10, 320)
        array([1.        , 0.70710678, 0.5       ])
        """
        if self.per == "epoch" or self.change == "epoch":
            each = {"epoch": 1, "step": steps, "sample": samples}[self.per]
            time = np.arange(epochs) * float(each)
        elif self.per == "step":
            time = np.arange(epochs * steps, dtype=np.float64)
        else:
            raise ValueError("a rate that counts samples changes once an epoch")
        return self.at(rate, time)

    def at(self, rate: float, time: Float[Array, times]) -> Float[Array, times]:
        """The learning rate at each time, for the kinds that do not watch the loss."""
        match self.kind:
            case "constant":
                return np.full_like(time, rate)
            case "exponential":
                return rate * self.factor ** self._share(time)
            case "inverse_time":
                return rate / (1.0 + self.factor * self._share(time))
            case "polynomial":
                return self._polynomial(rate, time)
            case "cosine":
                return self._cosine(rate, time)
            case "piecewise":
                passed = np.searchsorted(np.asarray(self.boundaries), time, side="left")
                return rate * np.asarray(self.multiples)[passed]
            case "inverse_scaling":
                return rate / (time + 1.0) ** self.power
            case "table":
                last = len(self.multiples) - 1
                return rate * np.asarray(self.multiples)[np.minimum(time.astype(int), last)]
            case _:
                raise ValueError(f"the rates of a {self.kind} schedule are not known beforehand")

    def _share(self, time: Array) -> Array:
        share = time / self.interval
        return np.floor(share) if self.staircase else share

    def _polynomial(self, rate: float, time: Array) -> Array:
        if self.cycle:
            interval = self.interval * np.maximum(1.0, np.ceil(time / self.interval))
        else:
            interval, time = self.interval, np.minimum(time, self.interval)
        return (rate - self.minimum) * (1.0 - time / interval) ** self.power + self.minimum

    def _cosine(self, rate: float, time: Array) -> Array:
        # keras/src/optimizers/schedules/learning_rate_schedule.py, CosineDecay: warm-up comes first
        # and its time is not part of `interval`.
        top = rate if self.warmup_target is None else self.warmup_target
        late = time - self.warmup
        if self.hold:
            late = np.clip(late, 0.0, self.interval)
        fall = self.minimum + (top - self.minimum) * 0.5 * (
            1.0 + np.cos(np.pi * late / self.interval)
        )
        if self.warmup <= 0:
            return fall
        rise = rate + (top - rate) * time / self.warmup
        return np.where(time < self.warmup, rise, fall)


@dataclass(frozen=True)
class EarlyStopping:
    """Ends training when the loss of an epoch, or another `monitor`, no longer improves.

    An epoch improves where its loss lies below the best so far by more than `min_delta`. In Keras
    training ends when `patience` epochs in a row have not; in scikit-learn (`framework`) when more
    than `patience` have not, and its best loss is the lowest of all, improved or not. `restore_best`
    puts back the weights of the best epoch's end. `baseline` and `start_from_epoch` are Keras's.
    """

    patience: int
    min_delta: float = 0.0
    restore_best: bool = False
    baseline: float | None = None
    start_from_epoch: int = 0
    framework: Framework = "keras"
    monitor: Monitor = "loss"
