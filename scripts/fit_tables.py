"""Remake `kernels/tables.hpp`'s numbers: tanh on 15 segments, and powers of two by sixteenths.

    python scripts/fit_tables.py

Prints the tables as C++ and, to standard error, the largest relative error of the polynomials
before their coefficients are rounded. The segments are those of the float t = FIRST + |x| by its
two lowest exponent bits and two highest fraction bits, so that a shift finds them: two are as wide,
the next four twice as wide, and so on.
"""

from __future__ import annotations

import sys

import numpy as np
from numpy.polynomial import polynomial

DEGREE = 5
FIRST = 0.75
"""Begins a segment, so that 0 does; of such numbers the one whose narrow segments help most."""
MOST = 9.2
"""Inside the last segment that counts; from 9.02 on tanh is nearer to 1 than to any other float."""


def fitted(low: float, high: float, centre: float) -> tuple[np.ndarray, float]:
    """Coefficients in x - centre of least largest relative error, by Lawson's weighted least squares."""
    places = np.cos(np.pi * (np.arange(600) + 0.5) / 600)
    x = (low + high) / 2 + (high - low) / 2 * places
    through_zero = int(centre == 0.0)
    rows = polynomial.polyvander(x - centre, DEGREE)[:, through_zero:] / np.tanh(x)[:, None]
    size = np.abs(rows).max(axis=0)
    rows, weight = rows / size, np.full(len(x), 1 / len(x))
    best, least = np.zeros(len(size)), np.inf
    for _round in range(300):
        root = np.sqrt(weight)
        found = np.linalg.lstsq(rows * root[:, None], root, rcond=None)[0]
        error = np.abs(rows @ found - 1)
        if error.max() < least:
            best, least = found / size, error.max()
        weight *= error
        weight /= weight.sum()
    return np.concatenate([np.zeros(through_zero), best]), float(least)


def tanh_table() -> tuple[np.ndarray, float]:
    """Centre and coefficients of each segment, in the order of the looked-up bits; error."""
    table, worst, low = np.zeros((16, DEGREE + 2)), 0.0, 0.0
    while low < MOST:
        t = np.float32(FIRST + low)
        high = low + 2.0 ** (np.frexp(t)[1] - 1) / 4
        centre = (low + high) / 2 if low else 0.0
        coefficients, error = fitted(low, min(high, MOST), centre)
        table[(int(t.view(np.uint32)) >> 21) & 15] = [centre, *coefficients]
        worst, low = max(worst, error), high
    return table, worst


def powers() -> np.ndarray:
    """Bits of 2^(k/16) less k at bit 19: with n added there those of 2^(n/16), where k is n mod 16."""
    steps = np.arange(16)
    return np.exp2(steps / 16).astype(np.float32).view(np.int32) - (steps << 19)


def cpp(values: np.ndarray) -> str:
    """As an initializer of floats."""
    return "{" + ", ".join(f"{np.float32(each):.9e}f" for each in values) + "}"


if __name__ == "__main__":
    table, worst = tanh_table()
    print(f"constexpr float kTanhFirst = {FIRST}f, kTanhMost = {MOST}f;")
    print(f"alignas(64) constexpr float kTanh[{DEGREE + 2}][16] = {{")
    print(",\n".join("    " + cpp(row) for row in table.T) + "};")
    print(f"alignas(64) constexpr std::int32_t kPowers[16] = {{{', '.join(map(str, powers()))}}};")
    print(f"largest relative error of tanh: {worst:.1e}", file=sys.stderr)
