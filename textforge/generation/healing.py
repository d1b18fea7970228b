"""Prompts that end inside a token: the end is taken back, and each text begins with tokens that spell it.

So the prompt ``Zarat`` goes on as one would expect where ``Zarathustra`` is a token: read as ``Z a r a t``, it is a
text that the model has hardly seen.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from textforge.encoders.base import Encoder, Ids, Unknown
from textforge.errors import GenerationError, TextforgeError
from textforge.generation.arguments import begin_with, check_prompt, encode_prompt
from textforge.plugins.blame import blame


class Prompt(NamedTuple):
    """A prompt as it is read."""

    ids: Ids
    """The ids to be read, (T,) with T at least 1."""
    end: str = ""
    """The end of the prompt, taken back, that the text has to begin with; none unless a token goes on from it."""


def split_prompt(encoder: Encoder, prompt: str, unknown: Unknown) -> Prompt:
    """Return the ids of a prompt and the end that is taken back.

    Raises `EncodingError` for text that the vocabulary lacks, unless it is to be skipped.
    """
    with blame(encoder, "to encode the prompt"):
        cut = encoder.cut(prompt)
        end = encoder.encode(prompt[cut:], unknown=unknown) if cut < len(prompt) else ()
        text = "".join(map(encoder.token_text, end))
        if text and _is_continued(encoder, text) and encoder.decode(end) == text:
            head = encoder.encode(prompt[:cut], unknown=unknown)
            whole = encoder.decode(encoder.encode(prompt, unknown=unknown))
            if encoder.decode(head) + text == whole:  # else a space, say, stands between the two
                return Prompt(begin_with(encoder, head), text)
    return Prompt(encode_prompt(encoder, prompt, unknown))


def _is_continued(encoder: Encoder, text: str) -> bool:
    texts = encoder.written_texts
    place = bisect_right(texts, text)  # what begins with a text stands behind it
    return place < len(texts) and texts[place].startswith(text)


def split_prompts(
    encoder: Encoder, prompts: Sequence[str], unknown: Unknown, name: Callable[[int], str] = "prompts[{}]".format
) -> list[Prompt]:
    """Return each prompt as `split_prompt` does; in errors, `name` makes its name from its place."""
    if isinstance(prompts, str):
        raise GenerationError(
            f"prompts must be a list of texts, got the text {prompts!r}; for a single one use complete"
        )
    found = []
    for place, prompt in enumerate(prompts):
        try:
            found.append(split_prompt(encoder, check_prompt(prompt), unknown))
        except TextforgeError as error:
            raise type(error)(f"{name(place)}: ", *error.args) from None
    return found


class PromptEnds:
    """The ends of prompts as rows write them: what is left in each, and the tokens that may come next."""

    def __init__(self, texts: Sequence[str], encoder: Encoder) -> None:
        self._left = list(texts)
        self._encoder = encoder
        self._allowed: dict[str, npt.NDArray[np.bool_]] = {}

    def rule_out(self, logits: npt.NDArray[np.float64]) -> None:
        """Set the logits, (B, V), of tokens that don't go on as the prompt ends to minus infinity, in place."""
        for row, left in enumerate(self._left):
            if left:
                logits[row, ~self._allow(left)] = -np.inf

    def restrict(self, logits: npt.NDArray[np.float64], before: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return the logits after the chain, (B, V), without tokens that don't go on as the prompt ends.

        Where the chain has left no other, as one against repetition may, those `before` it are taken.
        """
        if not any(self._left):
            return logits
        restricted = logits.copy()
        self.rule_out(restricted)
        for row, left in enumerate(self._left):
            if left and not np.isfinite(restricted[row]).any():
                restricted[row] = before[row]
        return restricted

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
