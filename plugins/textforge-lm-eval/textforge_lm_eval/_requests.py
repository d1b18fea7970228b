"""The requests of the harness as token ids."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import attrs
import numpy as np

from textforge.encoders.base import Encoder, Ids, Unknown
from textforge.errors import EncodingError
from textforge.evaluation.text import count_among, measure_decoded
from textforge.generation.arguments import begin_with
from textforge.plugins.blame import blame

LOGGER = logging.getLogger("textforge.lm_eval")

PAIRS = 4096
"""Pairs that are judged together, at most: more of them have contexts of one length."""
TOKENS = 1 << 20
"""Tokens after which no more pairs are taken to be judged together."""


class Pair(NamedTuple):
    """A context and its continuation, as ids."""

    context: Ids
    """The ids that are read first, (C,) with C at least 1."""
    continuation: Ids
    """The ids to be judged, (T,)."""
    is_whole: bool = True
    """False where characters of the continuation are left out, for the vocabulary lacks them."""


@attrs.define
class LeftOut:
    """The number of characters that no figure counts, by the reason."""

    skipped: int = 0
    """Characters that the vocabulary lacks."""
    unwritten: int = 0
    """Characters that the vocabulary has only a mark for, which is never generated."""

    def tell(self) -> None:
        """Log a warning of what was left out, if anything was."""
        if self.skipped:
            LOGGER.warning("skipped %s that the vocabulary lacks", _count_characters(self.skipped))
        if self.unwritten:
            LOGGER.warning(
                "left out %s that the vocabulary has only a mark for, never written", _count_characters(self.unwritten)
            )


def _count_characters(number: int) -> str:
    return f"{number:,} character{'' if number == 1 else 's'}"


class PairReader:
    """A reader of contexts and continuations into ids, which counts what is left out of them."""

    def __init__(self, encoder: Encoder, unknown: Unknown) -> None:
        self._encoder = encoder
        self._unknown = unknown
        self._context: tuple[str, Ids] = "", np.zeros(0, dtype=np.int64)
        self.left_out = LeftOut()

    def encode(self, text: str, name: str) -> Ids:
        """Return the ids of a text, (T,); raise `EncodingError`, with its name, for what the vocabulary lacks."""
        try:
            with blame(self._encoder, "to encode a text"):
                ids = self._encoder.encode(text, unknown=self._unknown)
        except EncodingError as error:
            raise EncodingError(f"{name}: ", *error.args) from None
        if self._unknown == "skip":
            self.left_out.skipped += max(0, len(text) - measure_decoded(ids, self._encoder).characters)
        return ids

    def read(self, context: str, continuation: str, name: str) -> Pair:
        """Return the ids of a context and of its continuation.

        White space at the context's end is read with the continuation, as the harness does for every model that cuts
        text into words. Both are encoded as one text; the context is as many ids as it has in common with the context
        by itself, so that a token across the border is a part of the continuation, and nothing is read twice or lost.
        An empty context is what an empty prompt begins with.
        """
        kept = context.rstrip()
        whole = self.encode(context + continuation, name)
        common = _count_common(self._encode_context(kept, name), whole)
        self._count_unwritten(whole[common:])
        is_whole = self._unknown == "error" or self._covers(continuation)
        return Pair(begin_with(self._encoder, whole[:common]), whole[common:], is_whole)

    def _count_unwritten(self, ids: Ids) -> None:
        never = self._encoder.never_generated
        if count_among(ids, never):
            written = measure_decoded(ids, self._encoder, without=never).characters
            self.left_out.unwritten += max(0, measure_decoded(ids, self._encoder).characters - written)

    def _covers(self, text: str) -> bool:
        """Return whether the vocabulary has all of a text."""
        try:
            self._encoder.encode(text)
        except EncodingError:
            return False
        return True

    def _encode_context(self, context: str, name: str) -> Ids:
        """Return a context's ids, kept until another comes: those of several choices stand behind one another."""
        if context != self._context[0]:
            left_out, self.left_out = self.left_out, LeftOut()  # counted where the whole is read
            try:
                self._context = context, self.encode(context, name)
            finally:
                self.left_out = left_out
        return self._context[1]


def _count_common(first: Ids, second: Ids) -> int:
    """Return the number of ids with which both begin.

    >>> _count_common(np.array([1, 2, 3]), np.array([1, 2, 4, 5]))
    2
    """
    length = min(len(first), len(second))
    different = np.flatnonzero(first[:length] != second[:length])
    return int(different[0]) if len(different) else length


def group_pairs(pairs: Iterable[Pair]) -> Iterator[list[Pair]]:
    """Yield lists of consecutive pairs to judge together, so that memory is bounded."""
    group: list[Pair] = []
    tokens = 0
    for pair in pairs:
        group.append(pair)
        tokens += len(pair.context) + len(pair.continuation)
        if len(group) == PAIRS or tokens >= TOKENS:
            yield group
            group, tokens = [], 0
    if group:
        yield group


def name_request(request: Any, number: int) -> str:
    """Return the name of a harness's request in messages: its task and document, or its number."""
    if request.task_name is None or request.doc_id is None:
        return f"requests[{number}]"
    return f"document {request.doc_id} of the task {request.task_name}"
