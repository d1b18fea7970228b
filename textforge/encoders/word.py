"""The encoder ``word``: a token for each word that comes often, and for each space, sign and line end."""

from __future__ import annotations

import codecs
import functools
from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

import numpy as np

from textforge.components.component import learned, option
from textforge.components.values import quote
from textforge.encoders.base import END_OF_TEXT, Encoder, Ids, IncrementalDecoder, Unknown, make_id_error, read_ids
from textforge.encoders.byte import BYTES, make_surrogate_error
from textforge.encoders.counting import count_tokens, spell_rare
from textforge.encoders.splitting import RUNS, cut_tokens, read_blocks, split_tokens
from textforge.errors import EncodingError, OptionError

_MOST_KEPT = 1 << 16
"""Pieces whose ids are kept, some 10 MiB; then it begins anew, as the next text may be of other words."""
_LONGEST_KEPT = 32


class WordEncoder(Encoder):
    """The encoder with a token for each frequent word; what is rarer is spelled, so that no text is unknown.

    Words are runs of letters and digits, with apostrophes inside; between them each sign and line end is a token, and
    each space or run of spaces, so that decoding gives back every text. A word that has no token is spelled in the
    corpus's characters, and a character that the corpus never had in the bytes of UTF-8.

    Ids 0 to 255 are those bytes, which are read but never written. Then come the corpus's characters, in the order of
    code points, and its words, the most frequent first. `grow` adds others behind them.

    >>> encoder = WordEncoder().fit(["to be, or not to be"])
    >>> encoder.vocabulary
    (' ', ',', 'b', 'e', 'n', 'o', 'r', 't', 'be', 'to')
    >>> [encoder.token_text(id) for id in encoder.encode("to no é")]
    ['to', ' ', 'n', 'o', ' ', '<0xC3>', '<0xA9>']
    """

    name = "word"

    max_vocabulary: int = option(
        # Two megabytes of English have 13,000 words that come twice; 3 words in 100 are spelled then. More pay for
        # larger corpora alone: each costs the default network 193 weights and a sum over 128 units at every step.
        default=20_000,
        gt=BYTES,
        help="Largest number of tokens, with 256 bytes and the corpus's characters among them.",
    )
    min_count: int = option(default=2, ge=1, help="Times that a word must come to be a token; rarer ones are spelled.")
    vocabulary: tuple[str, ...] = learned(default=())
    common: str = learned(default="")

    def __attrs_post_init__(self) -> None:
        if not _is_vocabulary(self.vocabulary):
            raise EncodingError(
                f"the encoder word needs its tokens as texts, each once, got {quote(self.vocabulary)}; fit it again"
            )
        if not isinstance(self.common, str) or self.common not in ("", *self.vocabulary):
            raise EncodingError(
                f"the encoder word needs one of its tokens as the commonest, got {quote(self.common)}; fit it again"
            )

    @property
    def vocabulary_size(self) -> int:
        return BYTES + len(self.vocabulary) if self.vocabulary else 0

    @property
    def end_of_text(self) -> int | None:
        return self._places.get(END_OF_TEXT)

    @property
    def most_frequent(self) -> int:
        return self._places.get(self.common, 0)

    @property
    def never_generated(self) -> tuple[int, ...]:
        return tuple(range(BYTES)) if self.vocabulary else ()

    def fit(self, chunks: Iterable[str]) -> Self:
        counts = count_tokens(chunks)
        vocabulary = self._extend((), counts)
        if len(vocabulary) + BYTES > self.max_vocabulary:
            raise self._make_size_error(len(vocabulary))
        spelled = spell_rare(counts, vocabulary)
        common = min(spelled, key=lambda token: (-spelled[token], token), default="")
        return self.replace(vocabulary=vocabulary, common=common)

    def grow(self, chunks: Iterable[str]) -> Self:
        """Return an encoder that knows the words of this text too; the ids there are stay, new ones come behind them.

        Every new character gets a token, beyond `max_vocabulary` if need be, and new words up to that.

        >>> encoder = WordEncoder(min_count=1).fit(["to be"])
        >>> encoder.grow(["to see"]).vocabulary[len(encoder.vocabulary):]
        ('s', 'see')
        """
        if not self.vocabulary:
            return self.fit(chunks)
        return self.replace(vocabulary=self._extend(self.vocabulary, count_tokens(chunks)))

    def _extend(self, vocabulary: tuple[str, ...], counts: Mapping[str, int]) -> tuple[str, ...]:
        """Return the vocabulary with all characters of the tokens behind it, then those that come often enough."""
        known = set(vocabulary)
        characters = sorted(set("".join(counts)) - known)
        surrogates = [character for character in characters if "\ud800" <= character <= "\udfff"]
        if surrogates:
            raise EncodingError(
                f"the corpus has a lone surrogate, U+{ord(surrogates[0]):04X}, which is no text: leave it out"
            )
        often = [token for token, count in counts.items() if count >= self.min_count and len(token) > 1]
        words = sorted((token for token in often if token not in known), key=lambda token: (-counts[token], token))
        room = self.max_vocabulary - BYTES - len(vocabulary) - len(characters)
        return (*vocabulary, *characters, *words[: max(0, room)])

    def encode(self, text: str, *, unknown: Unknown = "error") -> Ids:
        self._check_fitted()
        blocks: list[bytes] = []
        for block in read_blocks([text]):
            try:
                blocks.append(self._pieces.find(block))
            except UnicodeEncodeError:
                if unknown != "skip":
                    raise make_surrogate_error(text) from None
                blocks.append(self._pieces.spell(block, "ignore"))
        return np.frombuffer(b"".join(blocks), dtype=np.intc).astype(np.int64)

    def decode(self, ids: Iterable[int]) -> str:
        self._check_fitted()
        data = map(self._bytes.__getitem__, read_ids(ids, self.vocabulary_size).tolist())
        return b"".join(data).decode("utf-8", "replace")

    def token_text(self, id: int) -> str:
        if not 0 <= id < self.vocabulary_size:
            raise make_id_error(id, self.vocabulary_size)
        return f"<0x{id:02X}>" if id < BYTES else self.vocabulary[id - BYTES]

    def cut(self, text: str) -> int:
        return cut_tokens(text)

    def decoder(self) -> IncrementalDecoder:
        self._check_fitted()
        return WordDecoder(self._bytes, self.vocabulary)

    @functools.cached_property
    def _places(self) -> dict[str, int]:
        """The id of each token that is no byte."""
        return {token: BYTES + place for place, token in enumerate(self.vocabulary)}

    @functools.cached_property
    def _pieces(self) -> PieceIds:
        return PieceIds(self._places)

    @functools.cached_property
    def _bytes(self) -> list[bytes]:
        """The bytes of each id in UTF-8."""
        return [bytes([byte]) for byte in range(BYTES)] + [token.encode() for token in self.vocabulary]

    def _check_fitted(self) -> None:
        if not self.vocabulary:
            raise EncodingError("the encoder word has no vocabulary yet; fit it to a text first: encoder.fit([text])")

    def _make_size_error(self, characters: int) -> OptionError:
        return OptionError(
            f"word: max_vocabulary must be >= {BYTES + characters}, for 256 bytes and the {characters} different "
            f"characters of the corpus, and more for words, got {self.max_vocabulary}"
        )


class PieceIds(dict[str, bytes]):
    """The token ids of what stands between spaces, as C's int, which are kept: most words come again."""

    def __init__(self, places: Mapping[str, int]) -> None:
        self._places = places

    def find(self, text: str) -> bytes:
        """Return the ids of a text."""
        # Text is split at spaces by str.split, which takes a third of the time that a regular expression does.
        find_ids, space = self.__getitem__, self[" "]
        parts = RUNS.split(text)
        found = [space.join(map(find_ids, part.split(" "))) for part in parts[::2]]
        if len(found) == 1:
            return found[0]
        runs = [*map(find_ids, parts[1::2]), b""]
        return b"".join([ids for pair in zip(found, runs, strict=True) for ids in pair])

    def __missing__(self, piece: str) -> bytes:
        if "\n" in piece and piece != "\n" and "\r" not in piece:
            ids = self["\n"].join(map(self.__getitem__, piece.split("\n")))
        else:
            ids = self.spell(piece)
        if len(piece) <= _LONGEST_KEPT:
            if len(self) >= _MOST_KEPT:
                self.clear()
            self[piece] = ids
        return ids

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._places,)  # a copy finds the ids again

    def spell(self, text: str, surrogates: str = "strict") -> bytes:
        """Return the ids of the tokens of a text, or of their characters, or of those characters' bytes.

        Raises `UnicodeEncodeError` for a lone surrogate, which has no bytes, unless they are to be ``ignore``d.
        """
        find, ids = self._places.get, array("i")
        for token in split_tokens(text):
            place = find(token)
            if place is not None:
                ids.append(place)
                continue
            for character in token:
                place = find(character)
                ids.extend(character.encode("utf-8", surrogates) if place is None else (place,))
        return ids.tobytes()


class WordDecoder(IncrementalDecoder):
    """A decoder that holds back the bytes of a character until its last one has come; words stand by themselves."""

    def __init__(self, data: Sequence[bytes], vocabulary: Sequence[str]) -> None:
        self._bytes = data
        self._vocabulary = vocabulary
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._amid_bytes = False

    def push(self, ids: Sequence[int]) -> str:
        if len(ids) == 1 and ids[0] >= BYTES and not self._amid_bytes:
            return self._vocabulary[ids[0] - BYTES]
        if len(ids):
            self._amid_bytes = ids[-1] < BYTES
        return self._decoder.decode(b"".join([self._bytes[id] for id in ids]))

    def finish(self) -> str:
        return self._decoder.decode(b"", True)


def _is_vocabulary(tokens: Any) -> bool:
    """Return whether tokens are different texts that have bytes in UTF-8."""
    if not isinstance(tokens, tuple) or not all(isinstance(token, str) and token for token in tokens):
        return False
    try:
        "".join(tokens).encode()
    except UnicodeEncodeError:
        return False
    return len(set(tokens)) == len(tokens)
