"""Logit bias: texts made likelier or less likely, by hand.

Source: OpenAI's API reference, `logit_bias`; texts of several tokens as transformers' `SequenceBiasLogitsProcessor`.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from textforge.component import option
from textforge.encoders.base import Encoder
from textforge.errors import EncodingError, GenerationError, OptionError
from textforge.samplers._history import lowered
from textforge.samplers._rows import without_unless_all
from textforge.samplers.base import Context, Logits, Sampler


class LogitBias(Sampler):
    r"""Add to the logits of texts, as in ``logit-bias:{"e": -2, "\n": 1.5}``; -Infinity rules a text out.

    The encoder cuts a text into tokens. One of a single token gets its bias always; one of several when all of it but
    the last token has just been written, as in transformers; biases add up. Where nothing would be left, the row's
    likeliest token is. A text that the vocabulary lacks is refused before the first token, as is having no encoder.

    >>> import textforge
    >>> from textforge.generation.context import RowContext
    >>> from textforge.generation.history import History
    >>> encoder = textforge.Plugins().encoder("char").fit(["abc"])
    >>> context = RowContext(History(np.array([0]), rows=1), seed=1, texts=[0], position=0, encoder=encoder)
    >>> LogitBias({"c": 1.5, "ab": -np.inf, "bb": 9})(np.zeros((1, 3)), context)
    array([[ 0. , -inf,  1.5]])
    """

    name: ClassVar[str] = "logit-bias"

    bias: dict[str, float] = option(default={}, help="What to add, by text, as JSON.")

    def __attrs_post_init__(self) -> None:
        for text, value in self.bias.items():
            if not text or not value < math.inf:
                what = f"the bias of {text!r} must be a number below inf, got {value}" if text else "a text is empty"
                raise OptionError(f"logit-bias: {what}")

    def check(self, encoder: Encoder | None) -> None:
        """Raises `GenerationError` without an encoder, or for a text that the vocabulary lacks."""
        self._sequences(encoder)

    def __call__(self, logits: Logits, context: Context) -> Logits:
        """(B, V) to (B, V)."""
        if not self.bias:
            return logits
        if "sequences" not in context.shared:
            context.shared["sequences"] = self._sequences(context.encoder)
        added = np.zeros(logits.shape)
        tokens = context.tokens
        for ids, value in context.shared["sequences"]:
            before = len(ids) - 1
            if before <= tokens.shape[1]:
                matches = (tokens[:, tokens.shape[1] - before :] == ids[:-1]).all(axis=-1)
                added[matches, ids[-1]] += value
        outside = added == -np.inf
        biased = lowered(logits, np.where(outside, 0.0, -added))
        return without_unless_all(biased, outside) if outside.any() else biased

    def _sequences(self, encoder: Encoder | None) -> list[tuple[Any, float]]:
        """The token ids of each text, and its bias."""
        if not self.bias:
            return []
        if encoder is None:
            raise GenerationError("logit-bias: its texts need an encoder, and there is none; leave it out of the chain")
        try:
            return [(encoder.encode(text), value) for text, value in self.bias.items()]
        except EncodingError as error:
            raise GenerationError(f"logit-bias: {error}") from None
