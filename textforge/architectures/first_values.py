"""First values of weights: functions from a shape and a NumPy generator to an array."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from textforge.model import Array

FirstValues = Callable[[tuple[int, ...], np.random.Generator], Array]
"""A function that returns the first values of an array of that shape, in any floating-point type."""


def normal(deviation: float) -> FirstValues:
    """Return a function that draws from N(0, `deviation`²).

    >>> normal(0.5)((2, 3), np.random.default_rng(1)).shape
    (2, 3)
    """
    return lambda shape, random: random.normal(0.0, deviation, shape)


def glorot() -> FirstValues:
    """Return a function that draws a matrix of uniform values with variance 2 / (rows + columns).

    Source: Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010.
    """

    def draw(shape: tuple[int, ...], random: np.random.Generator) -> Array:
        limit = math.sqrt(6.0 / (shape[0] + shape[1]))
        return random.uniform(-limit, limit, shape)

    return draw


def orthogonal() -> FirstValues:
    """Return a function that draws a matrix with orthonormal columns.

    Source: Saxe, McClelland and Ganguli, "Exact solutions to the nonlinear dynamics of learning in deep linear neural
    networks", 2013.
    """

    def draw(shape: tuple[int, ...], random: np.random.Generator) -> Array:
        orthonormal, upper = np.linalg.qr(random.normal(size=shape))
        return orthonormal * np.sign(np.diag(upper))  # the signs that make the decomposition unique

    return draw


def zeros() -> FirstValues:
    """Return a function that returns zeros."""
    return lambda shape, random: np.zeros(shape)
