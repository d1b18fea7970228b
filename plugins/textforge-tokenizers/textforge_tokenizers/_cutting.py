"""Places where a text may be cut so that its parts encode as the whole does, however it goes on."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import attrs

from textforge.encoders.base import END_OF_TEXT
from textforge.encoders.chunks import recut
from textforge_tokenizers._content import Content, kind_of

if TYPE_CHECKING:
    from tokenizers import Tokenizer

ANY_SPACE = " \n\t\r"
PIECE = 1 << 12
"""Characters encoded together, or a little more: far longer pieces take longer in all."""
READ = 1 << 16
"""Characters of a corpus looked at together, or a little more."""

_SPLITS_SPACES = {"ByteLevel", "Whitespace", "WhitespaceSplit", "BertPreTokenizer", "Metaspace"}
"""The kinds of pre-tokenizer that part a space from what comes before it."""
_SPLITS_MORE = _SPLITS_SPACES | {"Digits", "Punctuation"}
_BY_CHARACTER = {"NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "BertNormalizer"}
"""The kinds of normalizer that change nothing across the place before a space."""
_GPT_4 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}%s| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_PATTERNS = {
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",  # GPT-2
    _GPT_4 % "{1,3}",  # and Llama 3
    _GPT_4 % "",  # Qwen 2
}
"""Patterns known to part a space from what comes before it."""


@attrs.frozen
class Cutter:
    """The knowledge of one tokenizer about places to cut; texts are parts of documents, without `END_OF_TEXT`."""

    spaces: str
    """The spaces before which it always parts a text, unless another white space comes before them."""
    exact: bool
    """True where it parts texts as GPT-2 does, and by nothing else, so that the last part can be found."""

    @classmethod
    def of(cls, content: Content) -> Cutter:
        """Return what is known of a tokenizer."""
        others = [token for token in content.data["added_tokens"] if token["content"] != END_OF_TEXT]
        exact = content.data["normalizer"] is None and _is_gpt_2(content.data["pre_tokenizer"]) and not others
        known = (
            _parts_spaces(list(content.pre_tokenizers))
            and all(kind_of(step) in _BY_CHARACTER for step in content.normalizers)
            and not any(token["rstrip"] or _has_space(token["content"]) for token in others)
        )
        return cls(ANY_SPACE if exact else " " if known else "", exact)

    def cut(self, text: str, tokenizer: Tokenizer) -> int:
        """Return the last place to cut that is known, 0 where there is none."""
        last = self.find_space(text)
        return last + _find_last_part(text[last:], tokenizer) if self.exact else last

    def find_space(self, text: str) -> int:
        """Return the last place before one of `spaces` and behind what is no white space; 0 where there is none."""
        place = max(map(text.rfind, self.spaces), default=-1)
        while place > 0:
            begin = len(text[:place].rstrip())
            if begin and text[begin] in self.spaces:
                return begin
            place = max((text.rfind(space, 0, begin) for space in self.spaces), default=-1)
        return 0

    def split(self, text: str) -> Iterator[str]:
        """Yield a text in pieces that are encoded well at a time; they encode as the whole does."""
        if not self.spaces or len(text) <= PIECE:
            yield text
            return
        pattern, start = _make_pattern(self.spaces), 0
        while start < len(text):
            found = pattern.search(text, start + PIECE)
            end = found.end() if found else len(text)
            yield text[start:end]
            start = end


GPT_2 = Cutter(ANY_SPACE, exact=True)


def read_pieces(chunks: Iterable[str]) -> Iterator[str]:
    """Yield the documents of a text, in pieces that GPT-2's pattern parts as the whole, wherever its chunks are cut."""

    def find_cut(text: str) -> int:
        end = text.rfind(END_OF_TEXT) + 1
        return end + GPT_2.find_space(text[end:])

    for piece in recut(chunks, find_cut, READ):
        yield from _list_documents(piece)


def _list_documents(text: str) -> Iterator[str]:
    for document in text.split(END_OF_TEXT):
        yield from GPT_2.split(document)


@functools.cache
def _make_pattern(spaces: str) -> re.Pattern[str]:
    return re.compile(rf"\S(?=[{spaces}])")


def _is_gpt_2(step: Any) -> bool:
    return kind_of(step) == "ByteLevel" and step.get("use_regex", True) and not step["add_prefix_space"]


def _parts_spaces(steps: list[Any]) -> bool:
    """Return whether the first pre-tokenizer parts every space from what comes before, and the others only go on."""
    return bool(steps) and _parts_space(steps[0]) and all(_only_parts(step) for step in steps[1:])


def _parts_space(step: Any) -> bool:
    kind = step["type"]
    if kind == "ByteLevel":
        return bool(step.get("use_regex", True))
    if kind == "Metaspace":
        return bool(step.get("split", True))
    return kind in _SPLITS_SPACES or _is_known_split(step)


def _only_parts(step: Any) -> bool:
    return step["type"] in _SPLITS_MORE or _is_known_split(step)


def _is_known_split(step: Any) -> bool:
    whole = step.get("behavior") in ("Isolated", "Removed") and step.get("pattern", {}).get("Regex") in _PATTERNS
    return step["type"] == "Split" and whole


def _has_space(text: str) -> bool:
    return any(character.isspace() for character in text)


def _find_last_part(text: str, tokenizer: Tokenizer) -> int:
    """Return where the last part begins that GPT-2's pattern makes of a text, if it can be cut there."""
    parts = tokenizer.pre_tokenizer.pre_tokenize_str(text)
    starts = (start for _, (start, _) in reversed(parts))
    return next((start for start in starts if _is_certain(text, start)), 0)


def _is_certain(text: str, start: int) -> bool:
    """Return whether a part that begins there does so however the text goes on, and when what is before stands alone.

    Of white space, the last character goes by itself, or with the word that follows: alone, it would not.
    And an apostrophe may yet become one of the endings 're, 've and 'll.
    """
    before = text[max(0, start - 2) : start]
    return not (len(before) == 2 and before.isspace()) and (before[-1:] + text[start:]) not in ("'r", "'v", "'l")
