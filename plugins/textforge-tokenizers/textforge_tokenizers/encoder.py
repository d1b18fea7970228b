"""The encoder ``bpe``: byte-pair encoding."""

from __future__ import annotations

import functools
import itertools
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Self

import numpy as np

import textforge
from textforge.encoders.base import END_OF_TEXT, Ids, Unknown, make_id_error, read_ids
from textforge.errors import EncodingError, OptionError, advise
from textforge_tokenizers._content import Content
from textforge_tokenizers._cutting import Cutter
from textforge_tokenizers._decoding import ByteLevelDecoder, choose_decoder, find_all, spell_tokens
from textforge_tokenizers._learning import (
    Reading,
    add_end,
    encode_pieces,
    learn_tokenizer,
    read_tokenizer,
    refuse_surrogates,
)
from textforge_tokenizers._library import open_tokenizer

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_SIZE = 8000


class BPEEncoder(textforge.Encoder):
    """The encoder whose tokens are bytes, and what comes of merging the pairs that are most frequent in the corpus.

    Its tokens spell every text, in whatever script. `END_OF_TEXT`, where the corpus has it, is the last one. With
    `file` it learns nothing, but takes the tokenizer in a tokenizer.json as it is, of whatever kind.

    The method is Sennrich, Haddow and Birch, "Neural machine translation of rare words with subword units" (2016), on
    bytes as in GPT-2 (Radford et al., 2019); the implementation is Hugging Face's tokenizers.

    >>> encoder = BPEEncoder(size=259).fit(["to be or not to be"])
    >>> [encoder.token_text(id) for id in encoder.encode("not to be")]
    ['n', 'o', 't', ' ', 'to', ' be']
    >>> encoder.decode(encoder.encode("être"))
    'être'
    """

    name = "bpe"
    size: int = textforge.option(
        default=_SIZE, ge=257, help="Number of tokens, at most: 256 bytes, merged pairs, and the end of a document."
    )
    file: str | None = textforge.option(
        default=None, help="A tokenizer.json to take as it is, instead of learning one; the model keeps a copy."
    )
    tokenizer: str = textforge.learned(default="")
    common: int = textforge.learned(default=0)

    def __attrs_post_init__(self) -> None:
        if self.file is not None and self.size != _SIZE:
            raise OptionError(
                f"{self.title()}size is for learning, and {self.file!r} has a size of its own; leave out one of the two"
            )
        if not isinstance(self.tokenizer, str) or not isinstance(self.common, int):
            raise EncodingError(
                f"the encoder bpe needs its tokenizer as text, got {self.tokenizer!r:.60}; fit it again"
            )

    @property
    def vocabulary_size(self) -> int:
        return self._content.size if self.tokenizer else 0

    @property
    def end_of_text(self) -> int | None:
        return self._content.end_of_text if self.tokenizer else None

    @property
    def most_frequent(self) -> int:
        """The commonest token of the corpus's first quarter of a million characters."""
        return self.common

    @property
    def never_generated(self) -> tuple[int, ...]:
        content = self._content
        return tuple(sorted({*content.unused, *(() if content.unknown is None else (content.unknown,))}))

    @property
    def lossy(self) -> bool:
        return bool(self.tokenizer) and not self._content.is_exact

    def fit(self, chunks: Iterable[str]) -> Self:
        reading = Reading(chunks)
        if self.file is None:
            tokenizer = learn_tokenizer(reading, self.size)
        else:
            tokenizer = read_tokenizer(self.file)
            for _ in reading:
                pass
            tokenizer = add_end(tokenizer) if reading.documents else tokenizer
        fitted = self.replace(tokenizer=tokenizer, common=0)
        counts = np.bincount(fitted.encode(reading.sample.replace(END_OF_TEXT, ""), unknown="skip"))
        return fitted.replace(common=int(counts.argmax()) if len(counts) else 0)

    def grow(self, chunks: Iterable[str]) -> Self:
        """Return an encoder with a token for the end of a document, where this text is the first to have one."""
        if not self._content.is_exact or self._content.missing_bytes:
            return super().grow(chunks)
        documents = any(END_OF_TEXT in chunk for chunk in chunks)
        return self.replace(tokenizer=add_end(self.tokenizer)) if documents else self

    def encode(self, text: str, *, unknown: Unknown = "error") -> Ids:
        end, cutter = self.end_of_text, self._cutter
        if unknown == "skip":
            text = text.encode("utf-8", "ignore").decode("utf-8")
        documents = [text] if end is None else text.split(END_OF_TEXT)
        if self._content.missing_bytes:
            documents = [self._without_missing(document, unknown) for document in documents]
        pieces = [list(cutter.split(document)) for document in documents]
        found = iter(encode_pieces(self._tokenizer, [piece for document in pieces for piece in document]))
        parts = [part for document in pieces for part in (*itertools.islice(found, len(document)), (end,))][:-1]
        ids = np.fromiter(itertools.chain.from_iterable(parts), dtype=np.int64)
        return ids[ids != self._content.unknown] if unknown == "skip" and self._content.unknown is not None else ids

    def decode(self, ids: Iterable[int]) -> str:
        known: list[int] = read_ids(ids, self.vocabulary_size).tolist()
        if self._content.is_byte_level:
            decoder = self.decoder()
            return decoder.push(known) + decoder.finish()
        ends = find_all(known, self.end_of_text)
        begins = [0, *(place + 1 for place in ends)]
        documents = [known[begin:end] for begin, end in zip(begins, [*ends, len(known)], strict=True)]
        return END_OF_TEXT.join(map(self._decode_document, documents))

    def token_text(self, id: int) -> str:
        if not 0 <= id < self.vocabulary_size:
            raise make_id_error(id, self.vocabulary_size)
        return self.decode([id])

    def cut(self, text: str) -> int:
        begin = 0 if self.end_of_text is None else text.rfind(END_OF_TEXT) + 1
        if self._find_strangers(text[begin:]):  # where they are left out, spaces on both sides of one come together
            return begin
        return begin + self._cutter.cut(text[begin:], self._tokenizer)

    def decoder(self) -> textforge.IncrementalDecoder:
        if self._content.is_byte_level:
            return ByteLevelDecoder(self._spelt, self.end_of_text)
        return choose_decoder(self._content)(self._decode_document, self._content)

    @functools.cached_property
    def _content(self) -> Content:
        if not self.tokenizer:
            raise EncodingError("the encoder bpe has no vocabulary yet; fit it to a text first: encoder.fit([text])")
        return Content(json.loads(self.tokenizer))

    @functools.cached_property
    def _tokenizer(self) -> Tokenizer:
        return open_tokenizer(self.tokenizer, "what was learnt")

    @functools.cached_property
    def _cutter(self) -> Cutter:
        return Cutter.of(self._content)

    @functools.cached_property
    def _spelt(self) -> tuple[bytes, ...]:
        return spell_tokens(self._content)

    def _decode_document(self, ids: list[int]) -> str:
        return self._tokenizer.decode(ids, skip_special_tokens=False)

    def _find_strangers(self, text: str) -> set[str]:
        """Return the characters that no tokens spell: lone surrogates, and those with bytes that none has."""
        missing = self._content.missing_bytes
        if not missing and (text.isascii() or _is_encodable(text)):
            return set()
        return {each for each in set(text) if not _is_encodable(each) or missing & set(each.encode("utf-8"))}

    def _without_missing(self, text: str, unknown: Unknown) -> str:
        """Return a text without the characters that have bytes which no token spells."""
        refuse_surrogates(text)
        strangers = self._find_strangers(text)
        if strangers and unknown != "skip":
            first = next(character for character in text if character in strangers)
            raise EncodingError(
                f"the tokenizer lacks bytes of {first!r} (U+{ord(first):04X}); write the text without, or leave out "
                "what is unknown (",
                advise("unknown", "skip"),
                ")",
            )
        return text.translate(dict.fromkeys(map(ord, strangers)))


def _is_encodable(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
