"""The encoder ``char``: one token for each character."""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from textforge.components.component import learned, option
from textforge.encoders.base import (
    END_OF_TEXT,
    Encoder,
    Ids,
    IncrementalDecoder,
    TokenDecoder,
    Unknown,
    make_id_error,
    read_ids,
)
from textforge.encoders.characters import RARE, choose_tokens, count_characters, read_pieces, to_codes, to_text
from textforge.encoders.graphemes import (
    count_clusters,
    cut_clusters,
    find_knots,
    read_stretches,
    replace_stretches,
    split_clusters,
    split_knot,
)
from textforge.errors import EncodingError, advise

UNITS = ("codepoint", "grapheme")


class CharEncoder(Encoder):
    """The encoder with a token for each character of the corpus; ids follow the order of code points.

    The characters that it learns later, by `grow`, come behind those, in the same order. A character is a Unicode code
    point or, with ``unit="grapheme"``, an extended grapheme cluster (UAX 29): an emoji family, a letter with its
    accents. A cluster that is no token is spelled in code points. `END_OF_TEXT`, where the corpus has it, is a token as
    well, and decodes to itself.

    With `max_vocabulary` or `min_count` there is one token more, a mark for all characters that are none: those that
    are too rare, those the corpus lacked, and U+FFFD, to which it decodes. It is read but never generated.

    >>> encoder = CharEncoder().fit(["to be ", "or not to be"])
    >>> encoder.vocabulary
    ' benort'
    >>> encoder.encode("not")
    array([3, 4, 6])
    >>> encoder.decode([1, 2])
    'be'
    >>> rare = CharEncoder(min_count=2).fit(["to be or not to be"])
    >>> rare.decode(rare.encode("not to be!"))
    '\ufffdot to be\ufffd'
    """

    name = "char"
    max_vocabulary: int | None = option(
        default=None, ge=3, help="Most tokens to have, the mark for all rarer characters among them."
    )
    min_count: int = option(
        default=1, ge=1, help="Times that a character has to come to be a token; rarer ones get a mark."
    )
    unit: str = option(
        default="codepoint", choices=UNITS, help="Kind of a character: a code point, or a letter with all its accents."
    )
    vocabulary: str | tuple[str, ...] = learned(default="")
    common: str = learned(default="")

    def __attrs_post_init__(self) -> None:
        tokens = (self.vocabulary, self.common)
        valid = isinstance(self.common, str) and (
            isinstance(self.vocabulary, str) or (self.unit == "grapheme" and _is_text(self.vocabulary))
        )
        if not valid or len(set(self.vocabulary)) < len(self.vocabulary):
            raise EncodingError(
                f"the encoder char needs its characters as text, each once, got {_shorten(tokens)}; fit it again"
            )

    @property
    def vocabulary_size(self) -> int:
        return len(self.vocabulary)

    @property
    def end_of_text(self) -> int | None:
        return self._ids.get(END_OF_TEXT)

    @property
    def most_frequent(self) -> int:
        return self._ids.get(self.common, 0)

    @property
    def never_generated(self) -> tuple[int, ...]:
        return () if self._mark is None else (self._mark,)

    @property
    def lossy(self) -> bool:
        return self._mark is not None

    @property
    def token_name(self) -> str:
        return "characters"

    def fit(self, chunks: Iterable[str]) -> Self:
        counts = self._count(chunks)
        tokens = self._choose(counts, known=())
        written = [token for token in tokens if not self._is_mark(token)]
        if len(written) < len(tokens) and not set(written) - {END_OF_TEXT}:
            raise EncodingError(f"no character comes {self.min_count} times in the corpus; give a smaller min_count")
        # of equal counts the first; a code point may have come in clusters alone
        return self._learn(tokens, max(written, key=lambda token: counts.get(token, 0), default=""))

    def grow(self, chunks: Iterable[str]) -> Self:
        """Return an encoder that knows this text's characters too, as far as its options let it.

        A new character has to come `min_count` times in this text. A vocabulary of `max_vocabulary` tokens is full: the
        end of a document alone is still learnt, where this text is the first to have one.
        """
        return self._learn([*self.vocabulary, *self._choose(self._count(chunks), known=self.vocabulary)], self.common)

    def encode(self, text: str, *, unknown: Unknown = "error") -> Ids:
        ids = np.empty(len(text), dtype=np.int64)
        known = 0
        for found in self._find(text):
            if found.min() < 0:
                if unknown != "skip":
                    raise self._unknown_error(text)
                found = found[found >= 0]
            ids[known : known + len(found)] = found
            known += len(found)
        return ids[:known]

    def decode(self, ids: Iterable[int]) -> str:
        codes = self._codes  # which says where there is no vocabulary yet
        array = read_ids(ids, self.vocabulary_size)
        if codes is None:
            return "".join([self.vocabulary[id] for id in array.tolist()])
        return to_text(codes[array])

    def token_text(self, id: int) -> str:
        if not 0 <= id < self.vocabulary_size:
            raise make_id_error(id, self.vocabulary_size)
        return self.vocabulary[id]

    def cut(self, text: str) -> int:
        return cut_clusters(text) if self._has_clusters else len(text)

    def decoder(self) -> IncrementalDecoder:
        return CharDecoder(self.vocabulary)

    @property
    def _has_clusters(self) -> bool:
        return self.unit == "grapheme"

    def _is_mark(self, token: str) -> bool:
        """Return whether a token stands for all characters that are none, as it does in a vocabulary with bounds."""
        return token == RARE and (self.max_vocabulary is not None or self.min_count > 1)

    def _count(self, chunks: Iterable[str]) -> dict[str, int]:
        return count_clusters(chunks) if self._has_clusters else count_characters(chunks)

    def _choose(self, counts: dict[str, int], known: Sequence[str]) -> list[str]:
        return choose_tokens(counts, known=known, max_vocabulary=self.max_vocabulary, min_count=self.min_count)

    def _learn(self, tokens: list[str], common: str) -> Self:
        return self.replace(vocabulary=tuple(tokens) if self._has_clusters else "".join(tokens), common=common)

    @functools.cached_property
    def _ids(self) -> dict[str, int]:
        """The id of each token."""
        return {token: id for id, token in enumerate(self.vocabulary)}

    @functools.cached_property
    def _mark(self) -> int | None:
        """The id of the mark for characters that are no tokens, or None."""
        return self._ids.get(RARE) if self._is_mark(RARE) else None

    @functools.cached_property
    def _codes(self) -> npt.NDArray[np.uint32] | None:
        """The code point of each id, (V,); None where a token has several."""
        if not self.vocabulary:
            raise EncodingError("the encoder char has no vocabulary yet; fit it to a text first: encoder.fit([text])")
        if any(len(token) > 1 for token in self.vocabulary):
            return None
        return to_codes("".join(self.vocabulary)).astype("<u4")

    @functools.cached_property
    def _table(self) -> npt.NDArray[np.int32]:
        """The id of each code point up to the highest of the vocabulary and one more, which it lacks.

        Those that it lacks have the mark's, or -1 where there is none.
        """
        ids = {ord(token): id for token, id in self._ids.items() if len(token) == 1}
        table = np.full(max(ids, default=0) + 2, -1 if self._mark is None else self._mark, dtype=np.int32)
        table[list(ids)] = list(ids.values())
        return table

    def _find(self, text: str) -> Iterator[npt.NDArray[np.int32]]:
        """Yield the ids of a text in pieces, none of them empty, with -1 for what is unknown."""
        _ = self._codes  # which says where there is no vocabulary yet
        for piece in read_stretches([text]) if self._has_clusters else read_pieces([text]):
            codes = to_codes(piece)
            found = self._table.take(codes, mode="clip")  # the last place stands for all code points behind it
            if self._has_clusters:
                starts, ends = find_knots(codes)
                if len(starts):
                    places = zip(starts.tolist(), ends.tolist(), strict=True)
                    found = replace_stretches(found, starts, ends, self._spell(piece[at:to] for at, to in places))
            yield found

    def _spell(self, knots: Iterable[str]) -> list[tuple[int, ...]]:
        """Return the ids of stretches of clusters: of tokens, of code points, or the mark where one is unknown."""
        spelled: dict[str, tuple[int, ...]] = {}
        found = []
        for knot in knots:
            if knot not in spelled:
                spelled[knot] = tuple(id for cluster in split_knot(knot) for id in self._spell_cluster(cluster))
            found.append(spelled[knot])
        return found

    def _spell_cluster(self, cluster: str) -> list[int]:
        ids = self._ids
        if cluster in ids:
            return [ids[cluster]]
        found = [ids.get(character, -1) for character in cluster]
        return found if self._mark is None or -1 not in found else [self._mark]

    def _unknown_error(self, text: str) -> EncodingError:
        tokens = split_clusters(text) if self._has_clusters else set(text)
        strangers = {character for token in tokens if token not in self._ids for character in token} - set(self._ids)
        first = _describe(next(character for character in text if character in strangers))
        others = f" and {len(strangers) - 1} more" if len(strangers) > 1 else ""
        lacks = f"the vocabulary of {self.vocabulary_size} characters lacks {first}{others}"
        skip = advise("unknown", "skip")
        return EncodingError(f"{lacks}; write the text without, or leave out what is unknown (", skip, ")")


class CharDecoder(TokenDecoder):
    """A decoder that looks each id up, as no character waits for another."""

    def __init__(self, vocabulary: Sequence[str]) -> None:
        self._characters = list(vocabulary)

    def push(self, ids: Sequence[int]) -> str:
        if len(ids) == 1:
            return self._characters[ids[0]]
        characters = self._characters
        return "".join([characters[id] for id in ids])


def _is_text(tokens: Any) -> bool:
    return isinstance(tokens, tuple) and all(isinstance(token, str) and token for token in tokens)


def _describe(character: str) -> str:
    """Return a character with its code point and name, all of it printable."""
    name = unicodedata.name(character, "")
    return f"{character!r} (U+{ord(character):04X}{' ' + name if name else ''})"


def _shorten(value: Any) -> str:
    shown = ascii(value)
    return shown if len(shown) <= 60 else shown[:57] + "..."
