"""Min-p: the tokens not too much less likely than the likeliest one.

Source: Nguyen and others, "Turning up the heat: min-p sampling for creative and coherent LLM outputs", 2024.
"""

from __future__ import annotations

import functools
import math
from typing import ClassVar

from textforge.components.component import option
from textforge.samplers.base import Context, Logits, Sampler
from textforge.samplers.rows import find_best, rule_out
from textforge.samplers.thresholds import loosen_logit


class MinP(Sampler):
    """Keep the tokens at least `p` times as likely as the likeliest one.

    A token exactly at the floor is kept, as in transformers and llama.cpp, whatever float32 did to it (see
    `textforge.samplers.thresholds`); equals are kept or dropped together. `p` 0 changes nothing, `p` 1 keeps the
    likeliest token and its equals. The floor is taken on logits, as in llama.cpp, so it is exact where probabilities
    would round to 0. The default, 0.05, is llama.cpp's.

    >>> import numpy as np
    >>> MinP(0.5)(np.log([[0.1, 0.2, 0.3, 0.4]]), None).round(3)
    array([[  -inf, -1.609, -1.204, -0.916]])
    """

    name: ClassVar[str] = "min-p"

    p: float = option(default=0.05, ge=0, le=1, help="The floor, relative to the likeliest token; 0 keeps all.")

    def __call__(self, logits: Logits, context: Context) -> Logits:
        """Return the reshaped logits, (B, V)."""
        if self.p == 0:
            return logits
        return rule_out(logits, logits < find_best(logits) + self._floor)

    @functools.cached_property
    def _floor(self) -> float:
        return loosen_logit(math.log(self.p))
