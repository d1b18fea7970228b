"""The decoding of ids: bytes that are put together, or pieces that the tokenizer itself puts together."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from textforge.encoders.base import END_OF_TEXT, IncrementalDecoder
from textforge_tokenizers._content import BYTE_OF, Content

_NEXT_TO_EACH_OTHER = {"Metaspace", "WordPiece", "BPEDecoder", "ByteFallback", "Fuse", "Replace", "Strip"}
"""The kinds of decoder where a token's text depends on whether another comes before it, or behind, and no more."""
_BYTE = re.compile("<0x[0-9A-F]{2}>")


def spell_tokens(content: Content) -> tuple[bytes, ...]:
    """Return the bytes of each token of a tokenizer of bytes, by id; none for one that there is not."""
    spelt = [b""] * content.size
    for token, id in content.vocabulary.items():
        spelt[id] = _spell(token)
    for text, id in content.added.items():
        spelt[id] = text.encode("utf-8", "replace")
    return tuple(spelt)


def _spell(token: str) -> bytes:
    try:
        return bytes([BYTE_OF[character] for character in token])
    except KeyError:  # written as it is
        return token.encode("utf-8", "replace")


class ByteLevelDecoder(IncrementalDecoder):
    """A decoder that holds back the bytes of a character until its last one has come."""

    def __init__(self, spelt: Sequence[bytes], end: int | None) -> None:
        self._spelt, self._end = spelt, end
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def push(self, ids: Sequence[int]) -> str:
        spelt, decode = self._spelt, self._decoder.decode
        texts, begin = [], 0
        for place in find_all(ids, self._end):
            texts += [decode(b"".join([spelt[id] for id in ids[begin:place]]), True), END_OF_TEXT]
            begin = place + 1
        return "".join([*texts, decode(b"".join([spelt[id] for id in ids[begin:]]))])

    def finish(self) -> str:
        return self._decoder.decode(b"", True)


class NeighbourDecoder(IncrementalDecoder):
    """A decoder that decodes what is new together with a token before it, and leaves out the text of that.

    Bytes in a row are held back, for they are one character or many marks of what is none.
    """

    def __init__(self, decode: Callable[[list[int]], str], content: Content) -> None:
        self._decode, self._end = decode, content.end_of_text
        self._bytes = {id for token, id in content.vocabulary.items() if _BYTE.fullmatch(token)}
        self._start()

    def _start(self) -> None:
        self._ids: list[int] = []
        self._shown = ""

    def push(self, ids: Sequence[int]) -> str:
        texts, begin = [], 0
        for place in find_all(ids, self._end):
            self._ids += ids[begin:place]
            texts += [self._take(), END_OF_TEXT]
            self._start()
            begin = place + 1
        self._ids += ids[begin:]
        if self._ids and self._ids[-1] not in self._bytes:
            texts.append(self._take())
            self._forget()
        return "".join(texts)

    def finish(self) -> str:
        return self._take()

    def _take(self) -> str:
        """Return the text of what is new."""
        before, self._shown = self._shown, self._decode(self._ids)
        return self._shown[len(before) :]

    def _forget(self) -> None:
        """Keep but the last token, where it shows that something comes before the next one."""
        last = self._ids[-1:]
        text = self._decode(last)
        if text.strip():
            self._ids, self._shown = last, text


class WholeDecoder(IncrementalDecoder):
    """A decoder that holds back a document until it has ended, for tokenizers of which nothing is known."""

    def __init__(self, decode: Callable[[list[int]], str], content: Content) -> None:
        self._decode, self._end = decode, content.end_of_text
        self._ids: list[int] = []

    def push(self, ids: Sequence[int]) -> str:
        texts, begin = [], 0
        for place in find_all(ids, self._end):
            texts += [self._decode([*self._ids, *ids[begin:place]]), END_OF_TEXT]
            self._ids, begin = [], place + 1
        self._ids += ids[begin:]
        return "".join(texts)

    def finish(self) -> str:
        return self._decode(self._ids)


def choose_decoder(content: Content) -> type[NeighbourDecoder] | type[WholeDecoder]:
    """Return the decoder for a tokenizer that isn't one of bytes."""
    return NeighbourDecoder if all(map(_looks_beside, content.decoders)) else WholeDecoder


def _looks_beside(step: Any) -> bool:
    by_text = step.get("pattern") is None or "String" in step["pattern"]
    return step["type"] in _NEXT_TO_EACH_OTHER and by_text and not step.get("stop")


def find_all(ids: Iterable[int], wanted: int | None) -> list[int]:
    """Return the places of an id."""
    return [] if wanted is None else [place for place, id in enumerate(ids) if id == wanted]
