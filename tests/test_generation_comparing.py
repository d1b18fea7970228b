from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import PieceEncoder, ScriptedModel, constant_logits, hashed_logits, letters, reciting

from textforge.corpora.base import END_OF_TEXT
from textforge.encoders.base import IncrementalDecoder
from textforge.errors import EncodingError
from textforge.library.comparing import ALTERNATIVES, ComparedText, repetition
from textforge.library.generator import TextGenerator
from textforge.plugins.registry import Plugins
from textforge.samplers.greedy import Greedy
from textforge.samplers.temperature import Temperature
from textforge.samplers.top_k import TopK

WITH_END = PieceEncoder.of("a", "b", "c", "ab", "bca", END_OF_TEXT)


def generator(encoder, logits=None):
    model = ScriptedModel(encoder.vocabulary_size, logits or hashed_logits(encoder.vocabulary_size))
    return TextGenerator(model, encoder, plugins=Plugins(disabled="all"))


def compared(encoder, logits=None, chain=(), **request):
    text = ComparedText(generator(encoder, logits), chain, "a", **({"seed": 1, "max_tokens": 20} | request))
    return text, list(text.run())


class Pairs(PieceEncoder):
    """Two tokens make a character: the first one shows nothing, as half a character in bytes does."""

    name = "pairs"

    def decoder(self):
        return PairDecoder(self)


class PairDecoder(IncrementalDecoder):
    def __init__(self, encoder):
        self._encoder, self._held = encoder, []

    def push(self, ids):
        self._held += ids
        if len(self._held) < 2:
            return ""
        shown, self._held = self._encoder.decode(self._held), []
        return shown

    def finish(self):
        return "?" * len(self._held)


@given(st.lists(st.integers(0, 3), max_size=30), st.integers(1, 5))
def test_repetition_is_the_share_of_n_grams_that_stand_earlier(ids, n):
    seen, repeated, total = set(), 0, 0
    for start in range(len(ids) - n + 1):
        ngram = tuple(ids[start : start + n])
        repeated += ngram in seen
        seen.add(ngram)
        total += 1
    assert repetition(ids, n) == (repeated / total if total else None)


@given(st.integers(0, 1 << 40))
def test_the_pieces_are_the_text_a_run_gives(seed):
    chain = [TopK(5), Temperature(1.3)]
    text, pieces = compared(WITH_END, chain=chain, seed=seed)
    assert text.text == "".join(pieces)
    assert text.text == generator(WITH_END).generate("a", samplers=chain, seed=seed, max_tokens=20)
    assert text.chain == "top-k:5 | temperature:1.3"
    assert [piece.text for piece in text.pieces] == [piece.tokens[0].drawn.text for piece in text.pieces]
    assert len(text.tokens) == len(text.pieces) + text.ended


def test_figures_are_those_of_a_hand_count():
    text, _ = compared(letters(), constant_logits([0.5, 0.25, 0.125, 0.125, 0, 0, 0, 0, 0]), [TopK(2)])
    assert text.model_entropy == pytest.approx(1.75, abs=1e-6)
    third = 1 / 3
    assert text.entropy == pytest.approx(-third * math.log2(third) - 2 * third * math.log2(2 * third), abs=1e-6)
    token = text.tokens[0]
    before = {choice.id: choice.before for choice in token.likeliest}
    after = {choice.id: choice.after for choice in token.likeliest}
    assert before == pytest.approx({0: 0.5, 1: 0.25, 2: 0.125, 3: 0.125})
    assert after == pytest.approx({0: 2 * third, 1: third, 2: 0, 3: 0})
    assert text.pieces[0].before == before[token.drawn.id]
    assert text.pieces[0].after == after[token.drawn.id]


def test_a_greedy_circle_repeats_itself_and_leaves_no_choice():
    text, _ = compared(letters(), reciting([2, 3, 4], 9), [Greedy()], max_tokens=13)
    assert (text.entropy, text.model_entropy, text.repetition) == (0, 0, 0.7)


def test_an_unlikely_token_that_was_drawn_stands_behind_the_likeliest():
    text, _ = compared(letters(), constant_logits([0.01] * 4 + [0.192] * 5), max_tokens=300)
    lengths = {len(token.likeliest) for token in text.tokens}
    assert lengths == {ALTERNATIVES, ALTERNATIVES + 1}
    for token in text.tokens:
        assert token.drawn in token.likeliest
        if len(token.likeliest) > ALTERNATIVES:
            assert token.likeliest[-1] == token.drawn


def test_the_end_of_text_is_drawn_but_shows_nothing():
    text, pieces = compared(WITH_END, reciting([0, 1, 3, 5], 6))
    assert (text.ended, pieces, len(text.tokens)) == (True, ["a", "b", "ab"], 4)
    assert text.repetition is None
    assert not compared(WITH_END, reciting([0, 1, 3, 5], 6), max_tokens=3)[0].ended


def test_tokens_that_show_nothing_go_with_the_one_they_wait_for():
    encoder = Pairs(pieces=("a", "b"))
    text, pieces = compared(encoder, constant_logits([0.75, 0.25]), max_tokens=5)
    assert [len(piece.tokens) for piece in text.pieces] == [2, 2, 1]
    assert pieces[-1] == "?"
    first = text.pieces[0]
    assert first.before == pytest.approx(math.prod(token.drawn.before for token in first.tokens), abs=1e-12)
    assert text.text == "".join(pieces)


def test_nothing_written_has_no_figures():
    text, pieces = compared(letters(), max_tokens=0)
    assert (pieces, text.text, text.entropy, text.model_entropy, text.repetition) == ([], "", None, None, None)
    assert not text.ended


def test_what_can_t_be_done_is_refused_before_anything_is_written():
    with pytest.raises(EncodingError):
        ComparedText(generator(letters()), [], "Z")
