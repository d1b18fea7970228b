"""The counts of a text's tokens, in bounded memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from textforge.encoders.splitting import RUNS, read_blocks, split_tokens

MOST = 1 << 18
"""The most different words that are kept when there are twice as many, and the most pieces."""
_BLOCKS = 64
"""Blocks whose different pieces are kept at once: 16 million characters, should no piece come twice."""


def count_tokens(chunks: Iterable[str]) -> dict[str, int]:
    """Return the number of times that each word, space and sign comes; where chunks are cut means nothing.

    Where there are twice `MOST` different words, the rarer half is forgotten, its letters counted as signs: its counts
    begin anew. That depends on the text alone.
    """
    counts = TokenCounts()
    for block in read_blocks(chunks):
        counts.add(block)
    return counts.finish()


class TokenCounts:
    """Counts of tokens, which forget the rarest words where there are too many."""

    def __init__(self) -> None:
        self._tokens: dict[str, int] = {}
        # Pieces are counted first, by `Counter`'s own loop in C, and split once for all times that they came.
        self._pieces: Counter[str] = Counter()
        self._blocks = 0

    def add(self, block: str) -> None:
        """Count the tokens of a block of text."""
        parts = RUNS.split(block)
        text, runs = " ".join(parts[::2]), parts[1::2]
        pieces = self._pieces
        pieces[" "] += text.count(" ") - len(runs)
        if "\r" not in text:  # before which a line end is no token by itself
            pieces["\n"] += text.count("\n")
            text = text.replace("\n", " ")
        pieces.update(text.split(" "))
        pieces.update(runs)
        self._blocks += 1
        if len(pieces) > MOST or self._blocks >= _BLOCKS:
            self._split_pieces()

    def finish(self) -> dict[str, int]:
        """Return the counts, by token."""
        self._split_pieces()
        return self._tokens

    def _split_pieces(self) -> None:
        tokens = self._tokens
        for piece, count in self._pieces.items():
            for token in split_tokens(piece) if count else ():
                tokens[token] = tokens.get(token, 0) + count
            if len(tokens) > 2 * MOST:
                tokens = self._tokens = _forget_rare(tokens)
        self._pieces.clear()
        self._blocks = 0


def _forget_rare(tokens: dict[str, int]) -> dict[str, int]:
    """Return the counts of at most `MOST` words, the most frequent; those of equal count stay or go together."""
    counts = sorted((count for token, count in tokens.items() if len(token) > 1), reverse=True)
    least = counts[MOST] + 1 if len(counts) > MOST else 0
    return spell_rare(tokens, [token for token, count in tokens.items() if count >= least or len(token) == 1])


def spell_rare(counts: dict[str, int], kept: Iterable[str]) -> dict[str, int]:
    """Return the counts of tokens where those that aren't kept are spelled, character by character."""
    found = {token: counts.get(token, 0) for token in kept}
    for token, count in counts.items():
        if token not in found:
            for character in token:
                found[character] = found.get(character, 0) + count
    return found
