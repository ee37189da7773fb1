"""From the batches of a training loop back to its data set, passes and order.

A loop of the person's own says nowhere how long an epoch is. Here each row is a 64-bit number made
from its bytes, and each batch the sum of its rows' numbers, so that two passes over the same rows have
the same sum, whatever their order: the first number of steps L whose sum comes again in the next
L steps is one pass.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from whyfit.records.network import Array

MOST_NUMBERS = 4_000_000
"""Numbers kept of passes not yet understood; a loop that takes more is recorded in part."""

ROUNDING = 1e-4
"""Share of a column's largest number by which targets may differ that were computed back in float32."""

_MASK = (1 << 64) - 1


@dataclass(frozen=True, eq=False)
class DataSet:
    """What the batches amount to. `reason` says why they cannot be passes over one data set.

    `steps` is the length of a pass in optimizer steps.
    """

    x: Array
    y: Array
    batch_size: int
    steps: int
    shuffle: bool
    drop_last: bool = False
    reason: str | None = None


@dataclass
class Batches:
    """Takes batches one by one until it knows the pass; after that only checks some.

    With `targets_exact` off (targets computed back from differences, with rounding) rows are told apart
    by their inputs alone, and by the last column of the targets where that is `weighted`.
    """

    targets_exact: bool = True
    weighted: bool = False
    pass_length: int | None = None
    reason: str | None = None
    _x: list[Array] = field(default_factory=list)
    _y: list[Array] = field(default_factory=list)
    _rows: list[Array] = field(default_factory=list)
    _sums: list[int] = field(default_factory=lambda: [0])
    _marks: list[int] = field(default_factory=list)
    _numbers: int = 0
    _known: Array | None = None
    _drops: bool = False

    @property
    def begun(self) -> bool:
        """Whether any batch was added."""
        return bool(self._rows)

    @property
    def settled(self) -> bool:
        """Whether nothing more is to be learnt from looking at every batch."""
        return self.pass_length is not None or self.reason is not None

    def add(self, x: Array, y: Array, *, new_pass: bool = False) -> None:
        """Take the next batch. `new_pass` says that a loader was started anew before it."""
        if new_pass:
            self._marks.append(len(self._rows))
        rows = self._hashed(x, y)
        self._x.append(x)
        self._y.append(y)
        self._rows.append(rows)
        self._sums.append((self._sums[-1] + int(rows.sum(dtype=np.uint64))) & _MASK)
        self._numbers += x.size + y.size
        self._look_for_pass()
        if not self.settled and self._numbers > MOST_NUMBERS:
            self.reason = "batches that are not passes over one data set are not supported"

    def check(self, step: int, x: Array, y: Array) -> None:
        """Compare a later batch (`step` from 0) with what the pass lets expect."""
        if self.pass_length is None or self.reason is not None:
            return
        rows = self._hashed(x, y)
        expected = self._rows[step % self.pass_length]
        if self._known is None:
            self._known = np.sort(np.concatenate(self._rows))
        at = np.minimum(np.searchsorted(self._known, rows), len(self._known) - 1)
        same_rows = bool(np.all(self._known[at] == rows)) or self._drops
        if len(rows) != len(expected) or not same_rows:
            self.reason = "batches that change while training goes on are not supported"

    def repeats(self) -> bool:
        """Whether the second pass has the samples of the first, targets too, up to rounding."""
        length = self.pass_length
        if self.reason is not None or length is None or len(self._x) < 2 * length:
            return False
        passes = []
        for at in (0, length):
            parts = [np.concatenate(each[at : at + length]) for each in (self._x, self._y)]
            table = np.concatenate(parts, axis=1)
            passes.append(table[np.lexsort(table.T[::-1])])
        one, two = passes
        if one.shape != two.shape:
            return False
        return bool(np.all(np.abs(one - two) <= ROUNDING * np.abs(one).max(axis=0)))

    def shares(self, length: int) -> list[float]:
        """Each batch's share of the samples of a pass, by which its loss counts in the pass's mean."""
        sizes = np.array([len(rows) for rows in self._rows[:length]], dtype=np.float64)
        return [float(share) for share in sizes / sizes.sum()]

    def among(
        self, arrays: Callable[[Array, Array], list[tuple[Array, Array]]]
    ) -> tuple[Array, Array] | None:
        """The first pair of arrays, made to look like a batch, that holds every row seen, or None."""
        seen = np.concatenate(self._rows)
        for x, y in arrays(self._x[0], self._y[0]):
            if len(x) == len(y) and np.all(np.isin(seen, self._hashed(x, y))):
                return x, y
        return None

    def _hashed(self, x: Array, y: Array) -> Array:
        exact = y if self.targets_exact else y[:, y.shape[1] - self.weighted :]
        return row_numbers(np.concatenate([x, exact], axis=1))

    def _look_for_pass(self) -> None:
        steps = len(self._rows)
        if len(self._marks) > 2 and self._marks[0] == 0:
            first, second = self._marks[1], self._marks[2] - self._marks[1]
            if first == second:
                self.pass_length = first
                seen, rows = (np.concatenate(self._rows[at : at + first]) for at in (0, first))
                new = int(np.sum(~np.isin(rows, seen)))
                # A pass that drops its last batch leaves out fewer rows than a batch has.
                if new >= (len(self._rows[0]) if first > 1 else 1):
                    self.reason = "batches that change while training goes on are not supported"
                self._drops = new > 0
            else:
                self.reason = "passes of different lengths are not supported"
        elif not self._marks and steps % 2 == 0:
            half = self._sums[steps // 2]
            if self._sums[steps] == (2 * half) & _MASK:
                self.pass_length = steps // 2
        if not self.settled and not self._marks:
            self._look_for_short_passes()

    def _look_for_short_passes(self) -> None:
        """Passes that each leave a few rows out: no row comes twice in a pass, all come in the end."""
        steps = len(self._rows)
        if steps < 6 or steps & (steps - 1):  # looked at when the number of steps is a power of 2
            return
        length = self._greedy_length()
        if length is None or 3 * length > steps:
            return
        each = np.concatenate(self._rows[: 3 * length]).reshape(3, -1)
        size = len(self._rows[0])
        distinct = len(np.unique(each))
        whole = all(len(np.unique(one)) == each.shape[1] for one in each)
        if whole and each.shape[1] < distinct < each.shape[1] + size:
            self.pass_length, self._drops = length, True

    def _greedy_length(self) -> int | None:
        if len({len(rows) for rows in self._rows}) != 1:
            return None
        seen: set[int] = set()
        for at, rows in enumerate(self._rows):
            mine = set(rows.tolist())
            if seen & mine:
                return at
            seen |= mine
        return None

    # ---- the result ----

    def result(self, total: int, sources: tuple[tuple[Array, Array], ...] = ()) -> DataSet:
        """The data set, given the number of all steps and arrays that may be it, in the right order."""
        reason = self.reason
        length = self.pass_length or self._single_pass(total)
        if length is None:
            reason = reason or "batches that are not passes over one data set are not supported"
            length = len(self._rows)
            self._drops = True
        x, y = np.concatenate(self._x[:length]), np.concatenate(self._y[:length])
        rows = np.concatenate(self._rows[:length])
        sizes = [len(each) for each in self._rows[:length]]
        if any(size != sizes[0] for size in sizes[:-1]) or sizes[-1] > sizes[0]:
            reason = reason or "batches of different sizes are not supported"
        shuffle = self._shuffles(length)
        drop_last = self._drops
        if drop_last:
            x, y, rows = self._all_rows()
        matched = self._matched(rows, sources, sizes[0], shuffle)
        if matched is not None:
            x, y, left_out = matched
            drop_last = drop_last or left_out
        return DataSet(x, y, sizes[0], length, shuffle, drop_last, reason)

    def _single_pass(self, total: int) -> int | None:
        """All steps as one pass, where no second one came."""
        if self.reason is not None or len(self._rows) < total:
            return None
        if len(self._marks) == 2 and self._marks[0] == 0:
            return self._marks[1]
        if len(self._marks) > 2 or (self._marks and self._marks[0] != 0):
            return None
        rows = np.concatenate(self._rows)
        distinct = len(np.unique(rows)) == len(rows)
        if self._marks or distinct:
            return len(self._rows)
        return self._begun_again()

    def _begun_again(self) -> int | None:
        """A pass whose second one was cut off."""
        seen: set[int] = set()
        for at, rows in enumerate(self._rows):
            if any(row in seen for row in rows.tolist()):
                rest = set(np.concatenate(self._rows[at:]).tolist())
                return at if rest <= seen else None
            seen.update(rows.tolist())
        return None

    def _shuffles(self, length: int) -> bool:
        """Whether the second pass had another order than the first."""
        first, second = self._rows[:length], self._rows[length : 2 * length]
        if length == 1 and len(second) == 1:
            return not np.array_equal(first[0], second[0])
        return any(not np.array_equal(one, two) for one, two in zip(first, second, strict=False))

    def _all_rows(self) -> tuple[Array, Array, Array]:
        rows = np.concatenate(self._rows)
        _values, first = np.unique(rows, return_index=True)
        first = np.sort(first)
        return np.concatenate(self._x)[first], np.concatenate(self._y)[first], rows[first]

    def _matched(
        self, rows: Array, sources: tuple[tuple[Array, Array], ...], size: int, shuffle: bool
    ) -> tuple[Array, Array, bool] | None:
        """The data in the order of a source that holds exactly these rows (a few more if the last
        batch is dropped).
        """
        wanted = np.sort(rows)
        for x, y in sources:
            if len(x) != len(y):
                continue
            have = self._hashed(x, y)
            if len(x) < len(rows):
                continue
            if np.array_equal(np.sort(have), wanted):
                return (x, y, False) if shuffle or np.array_equal(have, rows) else None
            chosen = np.isin(have, wanted)
            if int(chosen.sum()) == len(rows) and len(np.unique(have)) == len(have):
                if self._marks and shuffle and len(x) - len(rows) < size:
                    return x, y, True
                if shuffle or np.array_equal(have[chosen], rows):
                    return x[chosen], y[chosen], False
        return None


def row_numbers(table: Array) -> Array:
    """A 64-bit number for each row, made from its bytes; equal rows get equal numbers."""
    bits = np.ascontiguousarray(table + 0.0, dtype=np.float64).view(np.uint64)
    with np.errstate(over="ignore"):
        total = np.zeros(len(bits), dtype=np.uint64)
        for column in range(bits.shape[1]):
            total = _mixed(total + bits[:, column] + np.uint64(0x9E3779B97F4A7C15))
    return total


def _mixed(value: Array) -> Array:
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))
