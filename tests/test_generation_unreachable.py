"""Stop texts that can never come."""

from __future__ import annotations

import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import PieceEncoder, ScriptedModel, hashed_logits, letters

from textforge.encoders.char import CharEncoder
from textforge.encoders.word import WordEncoder
from textforge.errors import TextforgeWarning
from textforge.generation.unreachable import find_missing_characters
from textforge.library.generator import TextGenerator
from textforge.plugins.registry import Plugins


def writer(encoder):
    model = ScriptedModel(encoder.vocabulary_size, hashed_logits(encoder.vocabulary_size))
    return TextGenerator(model, encoder, plugins=Plugins(disabled="all"))


class Spoken(PieceEncoder):
    """Words with a space between each two: no token has one."""

    name = "spoken"

    def encode(self, text, *, unknown="error"):
        return super().encode(text.lower().replace(" ", ""), unknown=unknown)

    def decode(self, ids):
        return " ".join(self.pieces[id] for id in ids)

    @property
    def lossy(self):
        return True


@pytest.mark.parametrize(
    ("encoder", "stop", "missing"),
    [
        (letters(), "abc", ""),
        (letters(), "\n", ""),
        (letters(), "aXbYX", "XY"),
        (letters(), r"\n", "\\n"),
        (CharEncoder().fit(["It is."]), "It?", "?"),
        (PieceEncoder.of("ab", "bc"), "ba", ""),  # no tokens spell it, but it comes of two: ab, ab
        (Spoken.of("so", "it"), "it so", ""),
        (Spoken.of("so", "it"), "t s", ""),
        (Spoken.of("so", "it"), "It", "I"),
        (WordEncoder().fit(["so it is"]), "it so", ""),
        (WordEncoder().fit(["so it is"]), "it é?", "é?"),  # spelled in bytes, which are never generated
    ],
)
def test_what_can_never_come_is_found(encoder, stop, missing):
    assert find_missing_characters(stop, encoder) == missing


@given(st.text("abX\\n", min_size=1, max_size=4), st.integers(0, 1 << 30))
def test_a_text_that_came_is_never_said_to_be_unable_to(stop, seed):
    encoder = PieceEncoder.of("a", "ab", "bab")
    text = writer(encoder).generate("a", max_tokens=40, seed=seed)
    if stop in text:
        assert find_missing_characters(stop, encoder) == ""
    if find_missing_characters(stop, encoder):
        assert stop not in text


def test_the_caller_is_warned_with_the_remedy():
    generator = writer(letters())
    for call in (generator.generate, lambda *a, **k: list(generator.stream(*a, **k)), generator.complete):
        with pytest.warns(TextforgeWarning) as caught:
            call("a", stop=["a", "END"], max_tokens=1)
        (warning,) = caught
        assert str(warning.message) == (
            "the stop text 'END' can never come, for the vocabulary lacks 'E', 'N', 'D': leave it out"
        )
        assert warning.filename == __file__


def test_an_escape_that_was_not_read_is_told_how_to_be():
    with pytest.warns(TextforgeWarning, match=r"write the character itself where an escape was meant") as caught:
        writer(letters()).generate("a", stop=r"\n", max_tokens=1)
    warning = caught[0].message
    assert isinstance(warning, TextforgeWarning)
    assert "give --escapes where \\n is to be a newline" in warning.command_line
    assert [advice.code for advice in warning.advice] == ["escapes"]


def test_what_may_come_is_not_warned_of():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        writer(letters()).generate("a", stop=["ab", "\n", "gfedcba"], max_tokens=3)
