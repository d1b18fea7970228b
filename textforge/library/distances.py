"""Distances between logits, and how far they may be apart where both are the same model's.

Shapes: B rows, T tokens, V the vocabulary's size.
"""

from __future__ import annotations

import attrs
import numpy as np

from textforge.model import Array

ABSOLUTE, RELATIVE = 1e-5, 5e-6
"""Distance allowed at least, the second in proportion to the largest of the logits.

Float32 rounds fresh weights' logits, about 1, to 1e-7; those of trained ones, about 20, to 4e-5.
"""
ROUNDING = 20
"""Multiple of float32's own distance from float64 that is allowed besides: another order of sums may round worse."""
FRACTION = 0.01
"""Distance allowed at most, in proportion to the logits' spread: a hundredth changes no probability by much."""
RESOLUTION = 1e-5
"""Distance that float32 may need for logits that are large and hardly spread, in proportion to the largest of them."""


@attrs.frozen(eq=False)
class Allowed:
    """Distances that logits may have after each token."""

    most: Array
    """(B, T)"""
    comparable: Array
    """(B, T): False where float32 itself may be further off, so that a distance says nothing."""


def distances(one: Array, other: Array) -> Array:
    """Return the largest difference after each token, (B, T, V) -> (B, T); equal infinities are no distance apart."""
    with np.errstate(invalid="ignore"):
        apart = np.where(one == other, 0.0, np.abs(one.astype(np.float64) - other))
    largest: Array = apart.max(axis=2)
    return largest


def allow(exact: Array, rounded: Array | None, spread: float, grown: bool = False) -> Allowed:
    """Return how far others may be from numbers in float64, (B, T, ·), given those in float32 and their spread.

    Without those in float32, `grown` says whether rounding may have grown over many tokens; then the most is allowed.

    >>> exact = np.array([[[0.0, 1.0]]])
    >>> allow(exact, exact, measure_spread(exact)).most
    array([[1.e-05]])
    """
    finite = np.where(np.isfinite(exact), exact, np.nan)
    largest = float(np.nanmax(np.abs(finite), initial=0.0))
    at_most = max(FRACTION * spread, RESOLUTION * largest, float(np.finfo(np.float32).tiny))
    least = min(max(ABSOLUTE, RELATIVE * largest), at_most)
    if rounded is None:
        rounding = np.full(exact.shape[:2], at_most if grown else 0.0)
    else:
        rounding = np.maximum.accumulate(ROUNDING * distances(rounded, exact), axis=1)
    return Allowed(np.minimum(least + rounding, at_most), rounding <= at_most)


def measure_spread(logits: Array) -> float:
    """Return the standard deviation of logits over the vocabulary, (B, T, V), on average over tokens.

    >>> measure_spread(np.array([[[1.0, 3.0], [2.0, 2.0]]]))
    0.5
    """
    finite = np.ma.masked_invalid(logits)
    return float(finite.std(axis=2).mean())
