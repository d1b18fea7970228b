"""Thresholds that a token exactly at them meets, whatever rounding did to its logit.

Models compute in float32, which holds a logit of up to 16 within 2 ** -21, and the difference of two of them, so the
logarithm of a probability, within 2 ** -20. Compared to the last bit, log(0.1) in float32 is less than 0.25 times
log(0.4), and a cut at 0.25 would drop what it promises to keep. So each threshold is moved by that much, towards the
side on which the token at it is: what is within a millionth of the threshold counts as being there.

transformers and llama.cpp compare in float32, where the same rounding decides case by case: on probabilities that are
exactly at the threshold, the first drops about every third, the second one of thirty. They are never more than rounding
apart from these thresholds.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt

TOLERANCE = 2.0**-20
"""In nats, or of a probability relative to itself."""

Number = TypeVar("Number", float, npt.NDArray[np.float64])


def loosen_probability(floor: Number) -> Number:
    """Return the probability below which a token is below `floor` by more than rounding.

    >>> bool(0.3 - 1e-8 < 0.3), bool(0.3 - 1e-8 < loosen_probability(0.3))
    (True, False)
    """
    return floor * (1 - TOLERANCE)


def loosen_logit(floor: Number) -> Number:
    """Return the logit, or log-probability, below which a token is below `floor` by more than rounding.

    >>> loosen_logit(-1.0) < -1.0
    True
    """
    return floor - TOLERANCE


def loosen_share(floor: float) -> float:
    """Return the sum of probabilities from which tokens have a share of `floor`, but for rounding.

    Rounding moves a share less, the nearer it is to 0 or 1: its odds are what it moves by a millionth.

    >>> loosen_share(0.5) < 0.5, loosen_share(1.0)
    (True, 1.0)
    """
    return floor - TOLERANCE * floor * (1 - floor)


def loosen_share_limit(limit: float) -> float:
    """Return the sum of probabilities above which tokens have more than a share of `limit` by more than rounding.

    >>> loosen_share_limit(0.5) > 0.5, loosen_share_limit(1.0)
    (True, 1.0)
    """
    return limit + TOLERANCE * limit * (1 - limit)
