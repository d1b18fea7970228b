"""Dynamic temperature: bolder where the model is unsure, more careful where it is sure.

Source: kalomaze's entropy-based sampling, 2023, as in llama.cpp (`--dynatemp-range`).
"""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from textforge.components.component import option
from textforge.samplers.base import Context, Logits, Sampler
from textforge.samplers.rows import entropy, find_best, log_softmax


class DynamicTemperature(Sampler):
    """Divide the logits by a temperature between `temperature` - `range` (0 at least) and `temperature` + `range`.

    It is low + (high - low) (entropy / greatest entropy) ** `exponent`, the greatest being that of as many equally
    likely tokens as are not ruled out yet: so it matters what comes before in the chain, as in llama.cpp. At a
    temperature of 0 only the likeliest token is left, among equals the one with the lowest id. A row with one token
    left stays as it is. By default it is 1.0, 0.5 more or less.

    >>> import numpy as np
    >>> DynamicTemperature(1.0, range=0.5)(np.array([[0.0, 0.0], [0.0, -np.inf]]), None)
    array([[  0.,   0.], [  0., -inf]])
    """

    name: ClassVar[str] = "dynamic-temperature"

    temperature: float = option(default=1.0, ge=0, lt=math.inf, help="The middle of the range.")
    range: float = option(default=0.5, ge=0, lt=math.inf, help="How far the temperature may be from the middle.")
    exponent: float = option(default=1.0, ge=0, lt=math.inf, help="Above 1, nearer to the low end.")

    def __call__(self, logits: Logits, context: Context) -> Logits:
        """Return the reshaped logits, (B, V)."""
        count = (logits > -np.inf).sum(axis=-1, keepdims=True)
        greatest = np.log(np.maximum(count, 2))
        share = np.clip(entropy(log_softmax(logits)) / greatest, 0.0, 1.0)
        low, high = max(0.0, self.temperature - self.range), self.temperature + self.range
        temperatures = np.where(count > 1, low + (high - low) * share**self.exponent, 1.0)  # (B, 1)
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            scaled: Logits = (logits - find_best(logits)) / temperatures
        cold = np.flatnonzero(temperatures[:, 0] == 0)
        if len(cold):
            scaled[cold] = -np.inf
            scaled[cold, logits[cold].argmax(axis=-1)] = 0.0
        return scaled
