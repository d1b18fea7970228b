"""Quadratic smoothing: logits near the best one nearer to it, those far from it farther.

Source: kalomaze, text-generation-webui, pull requests 5403 and 5551, 2024; its `QuadraticSamplingLogitsWarper`.
"""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from textforge.components.component import option
from textforge.samplers.base import Context, Logits, Sampler
from textforge.samplers.rows import clip_to_finite, find_best

_FAR = 1e100
"""The greatest distance below the best that counts: the cube of a larger one would overflow."""


class Quadratic(Sampler):
    """A curve of logits: the distance d of each below the best becomes `factor` d² (3 - `curve` + (`curve` - 1) d) / 2.

    At a `curve` of 1 that is `factor` d². So tokens less than 1 / `factor` below the best become likelier, the others
    less so: a temperature that is high among good tokens and low beyond. A `curve` up to 3 makes the fall steeper;
    above 3, as the source allows too, tokens just below the best overtake it. The best logit stays as it is. `factor` 0
    changes nothing, as there; it is 0.2 by default, and `curve` 1.0.

    >>> Quadratic(0.5)(np.array([[4.0, 3.0, 0.0, -np.inf]]), None)
    array([[ 4. ,  3.5, -4. , -inf]])
    """

    name: ClassVar[str] = "quadratic"

    factor: float = option(default=0.2, ge=0, lt=math.inf, help="`smoothing_factor`; 0 changes nothing.")
    curve: float = option(default=1.0, ge=1, lt=math.inf, help="`smoothing_curve`; above 1 steeper.")

    def __call__(self, logits: Logits, context: Context) -> Logits:
        """Return the reshaped logits, (B, V)."""
        if self.factor == 0:
            return logits
        best = find_best(logits)  # (B, 1)
        with np.errstate(over="ignore"):
            below = np.minimum(best - logits, _FAR)  # (B, V), 0 for the best; infinite where a token is ruled out
            squared, cubed = (3 - self.curve) / 2, (self.curve - 1) / 2
            changed = best - self.factor * (below * below * (squared + cubed * below))
        return clip_to_finite(np.where(logits > -np.inf, changed, -np.inf), logits)
