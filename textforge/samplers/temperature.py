"""Temperature: bolder or more careful choices."""

from __future__ import annotations

import functools
import math
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from textforge.components.component import option
from textforge.samplers.base import Context, Logits, Sampler
from textforge.samplers.overflow import raise_overflow

_TINY = 1e-3
"""The temperature below which dividing could overflow."""


class Temperature(Sampler):
    """A divisor of the logits: below 1 likely tokens become likelier, above 1 less so.

    The same as raising each probability to the power 1 / temperature. Near 0 it is `greedy`, but for tokens
    that are equally likely, which stay so. It is 1.0 by default, which changes nothing.

    >>> Temperature(0.5)(np.array([[0.0, 1.0, -np.inf]]), None)
    array([[  0.,   2., -inf]])
    """

    name: ClassVar[str] = "temperature"

    temperature: float = option(
        default=1.0,
        gt=0,
        lt=math.inf,
        help="Below 1 more careful, above 1 bolder; 1 changes nothing.",
        remedy="for the likeliest token every time, write greedy in its place",
    )

    def __call__(self, logits: Logits, context: Context) -> Logits:
        """Return the reshaped logits, (B, V)."""
        if self.temperature < _TINY:
            return self._divide_shifted(logits)
        try:
            scaled: Logits = raise_overflow(np.divide, logits, self._divisor)
        except FloatingPointError:
            return self._divide_shifted_where_large(logits)
        return scaled

    def _divide_shifted_where_large(self, logits: Logits) -> Logits:
        """Divide the logits, and shift those of rows in which a quotient would be too large."""
        with np.errstate(over="ignore"):
            scaled: Logits = logits / self._divisor
        large = (np.isinf(scaled) & np.isfinite(logits)).any(axis=-1)
        scaled[large] = self._divide_shifted(logits[large])
        return scaled

    @functools.cached_property
    def _divisor(self) -> npt.NDArray[np.float64]:
        """The temperature as an array of no axes, which NumPy takes fastest."""
        return np.array(self.temperature)

    def _divide_shifted(self, logits: Logits) -> Logits:
        """Divide the logits less each row's best one, so that nothing is too large."""
        with np.errstate(over="ignore", invalid="ignore"):
            scaled: Logits = (logits - logits.max(axis=-1, keepdims=True)) / self.temperature
        return scaled
