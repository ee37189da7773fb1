"""Remake `kernels/tables.hpp`'s numbers: tanh on 16 segments, and powers of two by sixteenths.

    python scripts/fit_tables.py

Prints the tables as C++ and, to standard error, the largest relative error of the polynomials
before their coefficients are rounded. The segments are those of the float t = SCALE |x| + FIRST by its
two lowest exponent bits and two highest fraction bits, so that a shift finds them: two are as wide,
the next four twice as wide, and so on.

The polynomials are those of p(x) = 1 - sqrt(1 - tanh x), of which tanh is p (2 - p). For two
operations that saves a degree, which is four; and where x is large, 2 - 2 p, by which errors of p
come into tanh, is small, so that a polynomial in |x| will do and no segment needs a centre. Near 0
p is x / 2, and the error stays relative to tanh.
"""

from __future__ import annotations

import sys

import numpy as np
from numpy.polynomial import polynomial

DEGREE = 4
FIRST, SCALE = 0.54, 0.827
"""Of the pairs with 16 segments, t ending just below 8, the one with the least largest error."""
MOST = 9.02
"""From here on tanh is nearer to 1 than to any other float."""


def fitted(low: float, high: float) -> tuple[np.ndarray, float]:
    """Coefficients of p and the largest relative error of tanh before they were rounded.

    Each is rounded to float32 before those of lower degree are fitted to what it leaves.
    """
    places = np.cos(np.pi * (np.arange(600) + 0.5) / 600)
    x = (low + high) / 2 + (high - low) / 2 * places
    tanh, root = np.tanh(x), np.sqrt(2 / (1 + np.exp(2 * x)))
    of_tanh = 2 * root / tanh  # what a change of p makes of tanh, relative to it
    powers = polynomial.polyvander(x, DEGREE) * of_tanh[:, None]
    rest = tanh / (1 + root) * of_tanh
    rounded, errors = np.zeros(DEGREE + 1), []
    for degree in range(DEGREE, 0 if low == 0.0 else -1, -1):
        found, error = nearest(powers[:, 1 if low == 0.0 else 0 : degree + 1], rest)
        rounded[degree] = np.float32(found[-1])
        rest = rest - powers[:, degree] * rounded[degree]
        errors.append(error)
    return rounded, errors[0]


def nearest(rows: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, float]:
    """Coefficients of least largest error, by Lawson's weighted least squares; error."""
    size = np.abs(rows).max(axis=0)
    weight = np.full(len(wanted), 1 / len(wanted))
    best, least = np.zeros(len(size)), np.inf
    for _round in range(300):
        root = np.sqrt(weight)
        found = np.linalg.lstsq(rows / size * root[:, None], wanted * root, rcond=None)[0]
        error = np.abs(rows / size @ found - wanted)
        if error.max() < least:
            best, least = found / size, error.max()
        weight *= error
        weight /= weight.sum()
    return best, float(least)


def tanh_table() -> tuple[np.ndarray, float]:
    """Coefficients of each segment, in the order of the looked-up bits; error."""
    table, worst, low = np.zeros((16, DEGREE + 1)), 0.0, 0.0
    while low < MOST:
        t = FIRST + SCALE * low
        width = 2.0 ** (np.frexp(t)[1] - 1) / 4
        segment = round(np.floor(t / width + 1e-9))
        high = ((segment + 1) * width - FIRST) / SCALE
        coefficients, error = fitted(low, min(high, MOST))
        table[(int(np.float32(segment * width).view(np.uint32)) >> 21) & 15] = coefficients
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
    print(f"constexpr float kTanhFirst = {FIRST}f, kTanhScale = {SCALE}f, kTanhMost = {MOST}f;")
    print(f"alignas(64) constexpr float kTanh[{DEGREE + 1}][16] = {{")
    print(",\n".join("    " + cpp(row) for row in table.T) + "};")
    print(f"alignas(64) constexpr std::int32_t kPowers[16] = {{{', '.join(map(str, powers()))}}};")
    print(f"largest relative error of tanh: {worst:.1e}", file=sys.stderr)
