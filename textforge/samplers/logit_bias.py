"""Logit bias: texts made likelier or less likely, by hand.

Source: OpenAI's API reference, `logit_bias`; texts of several tokens as transformers' `SequenceBiasLogitsProcessor`.
"""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from textforge.components.component import option
from textforge.encoders.base import Encoder, Ids
from textforge.errors import EncodingError, GenerationError, OptionError
from textforge.samplers.base import Context, Logits, Sampler
from textforge.samplers.rows import lower_logits, rule_out_unless_all

_LARGEST = 1e300
"""The largest bias: any number of such can be added up."""


class LogitBias(Sampler):
    r"""Numbers added to the logits of texts, as in ``logit-bias:{"e": -2, "\n": 1.5}``; -Infinity rules a text out.

    The encoder cuts a text into tokens. One of a single token gets its bias always; one of several when all of it but
    the last token has just been written, as in transformers; biases add up. Where nothing would be left, the row's
    likeliest token is. A text that the vocabulary lacks is refused before the first token, as is having no encoder.
    There is none by default.

    >>> import textforge
    >>> from textforge.generation.context import RowContext
    >>> from textforge.generation.history import History
    >>> encoder = textforge.Plugins().encoder("char").fit(["abc"])
    >>> context = RowContext(History(np.array([0]), rows=1), seed=1, texts=[0], position=0, encoder=encoder)
    >>> LogitBias({"c": 1.5, "ab": -np.inf, "bb": 9})(np.zeros((1, 3)), context)
    array([[ 0. , -inf,  1.5]])
    """

    name: ClassVar[str] = "logit-bias"

    bias: dict[str, float] = option(default={}, help="Numbers to add to the logits, by text, as JSON.")

    def __attrs_post_init__(self) -> None:
        if "" in self.bias:
            raise OptionError("logit-bias: one of its texts is empty; each needs a character at least")
        for text, value in self.bias.items():
            if value != -math.inf and not abs(value) <= _LARGEST:
                raise OptionError(
                    f"logit-bias: the bias of {text!r} must be from -1e300 to 1e300, or -Infinity, got {value}"
                )

    def check(self, encoder: Encoder | None) -> None:
        """Raise `GenerationError` without an encoder, or for a text that the vocabulary lacks."""
        self._spell_texts(encoder)

    def __call__(self, logits: Logits, context: Context) -> Logits:
        """Return the reshaped logits, (B, V)."""
        if not self.bias:
            return logits
        if "biases" not in context.shared:
            context.shared["biases"] = self._collect_biases(context.encoder, logits.shape[1])
        alone, later = context.shared["biases"]
        added = np.repeat(alone, len(logits), axis=0)  # (B, V)
        tokens = context.tokens
        for ids, value in later:
            before = len(ids) - 1
            if before <= tokens.shape[1]:
                matches = (tokens[:, tokens.shape[1] - before :] == ids[:-1]).all(axis=-1)
                added[matches, ids[-1]] += value
        outside = added == -np.inf
        biased = lower_logits(logits, np.where(outside, 0.0, -added))
        return rule_out_unless_all(biased, outside) if outside.any() else biased

    def _collect_biases(self, encoder: Encoder | None, size: int) -> tuple[Logits, list[tuple[Ids, float]]]:
        """Return the biases of texts of a single token, (1, V), and the token ids of each other text, with its bias."""
        sequences = self._spell_texts(encoder)
        alone = np.zeros((1, size))
        for ids, value in sequences:
            if len(ids) == 1:
                alone[0, ids[0]] += value
        return alone, [(ids, value) for ids, value in sequences if len(ids) > 1]

    def _spell_texts(self, encoder: Encoder | None) -> list[tuple[Ids, float]]:
        """Return the token ids of each text, and its bias."""
        if not self.bias:
            return []
        if encoder is None:
            raise GenerationError("logit-bias: its texts need an encoder, and there is none; leave it out of the chain")
        return [(_spell(text, encoder), value) for text, value in self.bias.items()]


def _spell(text: str, encoder: Encoder) -> Ids:
    """Return the token ids of a text, (n,) with n at least 1; raise `GenerationError` where it has none."""
    try:
        ids, why = encoder.encode(text), "it has no tokens"
    except EncodingError as error:
        ids, why = np.zeros(0, dtype=np.int64), str(error).partition(";")[0]  # what follows is advice for a prompt
    if not set(encoder.never_generated).isdisjoint(ids.tolist()):
        ids, why = ids[:0], "its tokens are never generated"
    if not len(ids):
        raise GenerationError(f"logit-bias: {text!r} can never come: {why}; leave it out")
    return ids
