"""Prompts that end inside a token: the end is taken back, and each text begins with tokens that spell it.

So the prompt ``Zarat`` goes on as one would expect where ``Zarathustra`` is a token: read as ``Z a r a t``, it is a
text that the model has hardly seen.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from textforge.encoders.base import Encoder, Ids, Unknown
from textforge.generation.arguments import encode_prompt
from textforge.plugins.blame import blame


def split_prompt(encoder: Encoder, prompt: str, unknown: Unknown) -> tuple[Ids, str]:
    """Return the ids to be read, (T,) with T at least 1, and the end of the prompt that the text has to begin with.

    The end is empty unless a token goes on from it.
    """
    with blame(encoder, "to encode the prompt"):
        cut = encoder.cut(prompt)
        end = encoder.encode(prompt[cut:], unknown=unknown) if cut < len(prompt) else ()
        text = "".join(map(encoder.token_text, end))
        if text and _is_continued(encoder, text) and encoder.decode(end) == text:
            return encode_prompt(encoder, prompt[:cut], unknown), text
    return encode_prompt(encoder, prompt, unknown), ""


def _is_continued(encoder: Encoder, text: str) -> bool:
    return any(len(token) > len(text) and token.startswith(text) for token in encoder.token_texts)


class PromptEnd:
    """The end of a prompt as rows write it: what is left of it in each, and the tokens that may come next."""

    def __init__(self, text: str, rows: int, encoder: Encoder) -> None:
        self._left = [text] * rows
        self._encoder = encoder
        self._allowed: dict[str, npt.NDArray[np.bool_]] = {}

    def rule_out(self, logits: npt.NDArray[np.float64]) -> None:
        """Set the logits, (B, V), of tokens that don't go on as the prompt ends to minus infinity, in place."""
        for row, left in enumerate(self._left):
            if left:
                logits[row, ~self._allow(left)] = -np.inf

    def advance(self, ids: Ids) -> None:
        """Take the next token of each row, (B,)."""
        texts = self._encoder.token_texts
        self._left = [left[len(texts[id]) :] for left, id in zip(self._left, ids.tolist(), strict=True)]

    def keep(self, rows: Sequence[int]) -> None:
        """Drop all rows but these."""
        self._left = [self._left[row] for row in rows]

    def _allow(self, left: str) -> npt.NDArray[np.bool_]:
        """Return which tokens may come, (V,): those that begin with what is left, or with which it begins."""
        if left not in self._allowed:
            texts = self._encoder.token_texts
            allowed = np.array([bool(text) and (left.startswith(text) or text.startswith(left)) for text in texts])
            allowed[list(self._encoder.never_generated)] = False
            self._allowed[left] = allowed
        return self._allowed[left]
