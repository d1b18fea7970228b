"""No repeated n-grams: no sequence of n tokens comes twice.

Source: Paulus, Xiong and Socher, "A deep reinforced model for abstractive summarization", 2017; as in transformers.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from textforge.components.component import option
from textforge.samplers.base import Context, Logits, Sampler
from textforge.samplers.rows import rule_out_unless_all


class NoRepeatNGram(Sampler):
    """Rule out each token that would end a sequence of `n` tokens that came already, in the prompt or after it.

    `n` 1 lets no token come twice. Where nothing would be left, the row's likeliest token is, and may repeat;
    transformers would leave nothing to draw from. `n` is 4 by default.

    >>> from textforge.generation.context import RowContext
    >>> from textforge.generation.history import History
    >>> context = RowContext(History(np.array([0, 1, 2, 0, 1]), rows=1), seed=1, texts=[0], position=0)
    >>> NoRepeatNGram(3)(np.zeros((1, 4)), context)
    array([[  0.,   0., -inf,   0.]])
    """

    name: ClassVar[str] = "no-repeat-ngram"

    n: int = option(
        default=4,
        ge=1,
        help="The length of what may not repeat, in tokens.",
        remedy="to let all repeat, leave no-repeat-ngram out",
    )

    def __call__(self, logits: Logits, context: Context) -> Logits:
        """Return the reshaped logits, (B, V)."""
        tokens = context.tokens
        length = tokens.shape[1]
        if length < self.n:
            return logits
        windows = length - self.n + 1
        repeats = np.ones((len(tokens), windows), dtype=np.bool_)
        for place in range(self.n - 1):  # of the n-gram: the text's end is its beginning
            end = tokens[:, length - self.n + 1 + place]
            repeats &= tokens[:, place : place + windows] == end[:, np.newaxis]
        rows, starts = np.nonzero(repeats)
        if not len(rows):
            return logits
        outside = np.zeros(logits.shape, dtype=np.bool_)
        outside[rows, tokens[rows, starts + self.n - 1]] = True
        return rule_out_unless_all(logits, outside)
