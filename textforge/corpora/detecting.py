"""Decoding of a file whose encoding was not given: UTF-8 first, else what the file itself shows."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

from textforge.corpora.binary import describe_binary, find_wide_encoding, has_many_controls, is_utf_8
from textforge.corpora.western import ENCODING as WESTERN
from textforge.corpora.western import cut_to_words, is_western

BLOCK_BYTES = 1 << 18
"""The bytes that are looked at together; their number, not how the file is read, decides what is found."""
_HINT_BYTES = 1 << 16
_HINTS = 3
_NO_HINTS = ["utf_7", "utf_8", *(f"utf_{bits}{order}" for bits in (16, 32) for order in ("", "_le", "_be"))]
"""The encodings that a file was found not to be in before others are guessed."""
_NOT_ASCII = bytes(range(0x80, 0x100))
_CUT = "unexpected end of data"


class UndecidedError(UnicodeError):
    """The bytes of a file are in no encoding that can be told for certain.

    `reason` says why; `encodings` are those it may be in, the likeliest first; `damaged`: it is UTF-8, but for some
    bytes; `binary`: it is no text.
    """

    def __init__(
        self, reason: str, encodings: tuple[str, ...] = (), *, damaged: bool = False, binary: bool = False
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.encodings = encodings
        self.damaged = damaged
        self.binary = binary


class DetectingDecoder(codecs.IncrementalDecoder):
    """A decoder that finds the encoding by itself, and raises `UndecidedError` where it can't be certain.

    A file is UTF-16 or UTF-32 where its beginning speaks for it (`find_wide_encoding`), and UTF-8 where its first 256
    KiB with other than ASCII are. Otherwise it is Windows-1252 where each of its blocks of 256 KiB is a Western text
    (`textforge.corpora.western`). The same bytes are always decoded alike, however they are cut.

    >>> decoder = DetectingDecoder()
    >>> decoder.decode("déjà".encode("cp1252"), final=True), decoder.encoding
    ('déjà', 'cp1252')
    """

    def __init__(self, errors: str = "strict") -> None:
        super().__init__(errors)
        self.encoding: str | None = None
        """The encoding that was found; None as long as everything is ASCII."""
        self._decoder: codecs.IncrementalDecoder | None = None
        self._held = b""
        self._offset = 0  # of what is decoded next

    def decode(self, data: bytes, final: bool = False) -> str:  # type: ignore[override]
        """Return the text of all whole blocks so far, and at the end of the rest."""
        return "".join(self._decode_block(block, last) for block, last in self._blocks(bytes(data), final))

    def _blocks(self, data: bytes, final: bool) -> Iterator[tuple[bytes, bool]]:
        """Yield the whole blocks, each with whether it is the file's last; a block's bytes are copied only if need be.

        A last block is known as such at the end alone, so a whole one is held until more bytes come.
        """
        while len(self._held) + len(data) > BLOCK_BYTES:
            missing = BLOCK_BYTES - len(self._held)
            block, data = self._held + data[:missing], data[missing:]
            self._held = b""  # until `_put_back_cut` puts back some bytes of this block
            yield block, False
        self._held += data
        if final:
            block, self._held = self._held, b""
            yield block, True

    def _decode_block(self, block: bytes, final: bool) -> str:
        block = block if final else self._put_back_cut(block)
        encoding = self.encoding or self._detect(block, final)
        if encoding in (None, "utf-8", WESTERN):
            self._refuse_nulls(block)
        if encoding == WESTERN:
            self._check_western(block, final)
        if encoding != self.encoding and encoding:
            self.encoding, self._decoder = encoding, codecs.getincrementaldecoder(encoding)()
        text = self._convert(block, final)
        self._offset += len(block)
        return text

    def _put_back_cut(self, block: bytes) -> bytes:
        """Return a block of ASCII without the one other character at its end, which the block may cut."""
        ascii_part = block.rstrip(_NOT_ASCII)
        if self._decoder or not 1 <= len(block) - len(ascii_part) <= 3 or not ascii_part.isascii():
            return block
        self._held = block[len(ascii_part) :] + self._held
        return ascii_part

    def _convert(self, block: bytes, final: bool) -> str:
        if self._decoder is None:
            return block.decode("ascii")
        try:
            return self._decoder.decode(block, final)
        except UnicodeDecodeError as error:
            at = self._offset + len(block) - len(error.object) + error.start
            raise _describe_damage(error, at, f"is in {self.encoding}") from None

    def _detect(self, block: bytes, final: bool) -> str | None:
        """Return the encoding that a block shows; None where it is ASCII."""
        wide = find_wide_encoding(block) if self._offset == 0 else None
        if wide or block.isascii():
            return wide
        self._refuse_nulls(block)
        if is_utf_8(block, final):
            return "utf-8"
        self._refuse_damaged(block, final)
        if has_many_controls(block):
            raise UndecidedError(describe_binary(block) or "a binary file with control characters", binary=True)
        return WESTERN

    def _refuse_damaged(self, block: bytes, final: bool) -> None:
        """Refuse what is UTF-8 for the most part, and what may be UTF-8 whose last character was cut."""
        try:
            codecs.utf_8_decode(block, "strict", final)
        except UnicodeDecodeError as error:
            text = block.decode("utf-8", "replace")
            good, bad = len(re.findall("[^\0-\x7f\ufffd]", text)), text.count("\ufffd")
            at = self._offset + error.start
            if good >= bad:  # by chance, a tenth of the characters in other encodings are good
                raise _describe_damage(error, at, "is in utf-8") from None
            if error.reason == _CUT:
                encodings = (WESTERN,) if is_western(block) else ()
                raise _describe_damage(error, at, "may be in utf-8", encodings) from None

    def _check_western(self, block: bytes, final: bool) -> None:
        if not is_western(cut_to_words(block, first=self._offset == 0, final=final)):
            where = (
                "" if self._decoder is None else f", though up to byte {self._offset} it seems to be {self.encoding}"
            )
            raise UndecidedError(f"is not in utf-8, nor in another encoding for certain{where}", guess_encodings(block))

    def _refuse_nulls(self, block: bytes) -> None:
        at = block.find(b"\0")
        if at >= 0:
            kind = describe_binary(block) if self._offset == 0 else None
            raise UndecidedError(kind or f"a binary file (byte {self._offset + at} is null)", binary=True)


def _describe_damage(error: UnicodeDecodeError, at: int, what: str, encodings: tuple[str, ...] = ()) -> UndecidedError:
    if error.reason in (_CUT, "truncated data"):
        return UndecidedError(f"{what}, and ends in the middle of a character, at byte {at}", encodings, damaged=True)
    byte = f"byte {at} is 0x{error.object[error.start]:02x}, {error.reason}"
    return UndecidedError(f"{what}, but {byte}", encodings, damaged=True)


def guess_encodings(data: bytes) -> tuple[str, ...]:
    """Return up to three encodings that bytes may be in, by charset-normalizer; good enough for advice only."""
    from charset_normalizer import from_bytes

    matches = list(from_bytes(data[:_HINT_BYTES], cp_exclusion=_NO_HINTS))
    best = [(match.chaos, -match.coherence) for match in matches[:1]]
    return tuple(match.encoding for match in matches if (match.chaos, -match.coherence) in best)[:_HINTS]
