"""Facts of a tokenizer that its JSON tells, for which tokenizers need not be imported."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from textforge.encoders.base import END_OF_TEXT

_KEEPING = {"ByteLevel", "Digits", "Punctuation", "Split"}
"""The kinds of pre-tokenizer that leave out nothing, unless they are told to."""


@attrs.frozen(slots=False)
class Content:
    """A tokenizer.json, read."""

    data: Mapping[str, Any]

    @functools.cached_property
    def vocabulary(self) -> dict[str, int]:
        """The ids of all tokens, by their names in the file."""
        vocabulary = self.data["model"]["vocab"]
        if isinstance(vocabulary, list):  # of Unigram: pairs of a token and its score
            found = {token: id for id, (token, _) in enumerate(vocabulary)}
        else:
            found = dict(vocabulary)
        return found | self.added

    @functools.cached_property
    def added(self) -> dict[str, int]:
        """The ids of the tokens that stand beside the model, as ``[CLS]`` does, by their texts."""
        return {token["content"]: token["id"] for token in self.data["added_tokens"]}

    @functools.cached_property
    def size(self) -> int:
        """One more than the highest id."""
        return max(self.vocabulary.values(), default=-1) + 1

    @property
    def end_of_text(self) -> int | None:
        """The id of `END_OF_TEXT`, where it is a token."""
        return self.vocabulary.get(END_OF_TEXT)

    @functools.cached_property
    def unknown(self) -> int | None:
        """The id that stands for unknown text, where there is one."""
        model = self.data["model"]
        name = model.get("unk_token")
        found: int | None = model.get("unk_id") if name is None else self.vocabulary.get(name)
        return found

    @functools.cached_property
    def unused(self) -> tuple[int, ...]:
        """The ids below the highest that no token has."""
        return tuple(sorted(set(range(self.size)) - set(self.vocabulary.values())))

    @property
    def is_byte_level(self) -> bool:
        """True where tokens are spelt in characters that stand for a byte each."""
        return kind_of(self.data["decoder"]) == "ByteLevel"

    @functools.cached_property
    def missing_bytes(self) -> frozenset[int]:
        """The bytes that no token spells, of a tokenizer of bytes, nor stands for as unknown."""
        if not self.is_byte_level or self.unknown is not None:
            return frozenset()
        return frozenset(byte for character, byte in BYTE_OF.items() if character not in self.vocabulary)

    @functools.cached_property
    def is_exact(self) -> bool:
        """True where every text that can be encoded decodes to itself."""
        model = self.data["model"]
        steps = list(self.pre_tokenizers)
        return (
            self.is_byte_level
            and model["type"] == "BPE"
            and self.unknown is None
            and not model.get("continuing_subword_prefix")
            and not model.get("end_of_word_suffix")
            and self.data["normalizer"] is None
            and any(kind_of(step) == "ByteLevel" for step in steps)
            and all(_keeps_text(step) for step in steps)
            and not any(token["lstrip"] or token["rstrip"] for token in self.data["added_tokens"])
        )

    @property
    def pre_tokenizers(self) -> Iterator[Any]:
        """The pre-tokenizers, in order."""
        return list_steps(self.data["pre_tokenizer"], "pretokenizers")

    @property
    def normalizers(self) -> Iterator[Any]:
        """The normalizers, in order."""
        return list_steps(self.data["normalizer"], "normalizers")

    @property
    def decoders(self) -> Iterator[Any]:
        """The decoders, in order."""
        return list_steps(self.data["decoder"], "decoders")


def kind_of(step: Any) -> str | None:
    """Return the kind of a normalizer, pre-tokenizer or decoder; None for none."""
    return None if step is None else step["type"]


def list_steps(step: Any, name: str) -> Iterator[Any]:
    """Yield the steps of a sequence, through and through, or the one step there is."""
    if kind_of(step) == "Sequence":
        for part in step[name]:
            yield from list_steps(part, name)
    elif step is not None:
        yield step


def _keeps_text(step: Any) -> bool:
    """Return whether a pre-tokenizer neither adds nor leaves out a character."""
    if step.get("add_prefix_space") or step.get("behavior") == "Removed":
        return False
    return step["type"] in _KEEPING


def _list_byte_characters() -> Iterator[tuple[str, int]]:
    """Yield the character that GPT-2 spells each byte with: itself where it is printable, else one from U+0100 on."""
    further = 0x100
    for byte in range(256):
        if 0x21 <= byte <= 0x7E or 0xA1 <= byte <= 0xAC or byte >= 0xAE:
            yield chr(byte), byte
        else:
            yield chr(further), byte
            further += 1


BYTE_OF = dict(_list_byte_characters())
"""The bytes, by the characters that spell them in tokens."""
