"""Prompts that end inside a token."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import PieceEncoder, ScriptedModel, hashed_logits

import textforge
from textforge.generation.healing import split_prompt
from textforge.generation.loop import write, write_one
from textforge.generation.request import Request
from textforge.generation.task import make_task

LETTERS = (" ", "a", "b", "c")


class Words(PieceEncoder):
    """Words, and letters for others; a text may be cut behind its last space, for a word may go on."""

    name = "words-and-letters"

    def cut(self, text: str) -> int:
        return text.rfind(" ") + 1


ENCODER = Words.of(*LETTERS, "ab", "abc", "abba", "bcb", "cab")


def make(encoder: PieceEncoder = ENCODER) -> ScriptedModel:
    return ScriptedModel(encoder.vocabulary_size, hashed_logits(encoder.vocabulary_size))


def ids(*pieces: str) -> list[int]:
    return [ENCODER.pieces.index(piece) for piece in pieces]


@pytest.mark.parametrize(
    ("prompt", "read", "end"),
    [
        ("c ab", ids("c", " "), "ab"),  # abc, abba
        ("c abb", ids("c", " "), "abb"),  # abba, spelt until now as ab, b
        ("c abba", ids("c", " ", "abba"), ""),  # no token goes on from it
        ("c ", ids("c", " "), ""),
        ("a cc", ids("a", " ", "c", "c"), ""),
    ],
)
def test_the_end_of_a_prompt_is_taken_back_where_a_token_goes_on_from_it(
    prompt: str, read: list[int], end: str
) -> None:
    found, text = split_prompt(ENCODER, prompt, "error")
    assert (found.tolist(), text) == (read, end)


def test_a_prompt_that_is_all_taken_back_begins_as_an_empty_one() -> None:
    encoder = Words.of(*LETTERS, "abc", most_frequent=2)
    found, text = split_prompt(encoder, "ab", "error")
    assert (found.tolist(), text) == ([2], "ab")


def test_what_is_unknown_is_left_out_before() -> None:
    assert split_prompt(ENCODER, "c a?b", "skip")[1] == "ab"
    with pytest.raises(textforge.errors.EncodingError):
        split_prompt(ENCODER, "c a?b", "error")


def test_an_encoder_whose_tokens_do_not_stand_by_themselves_is_left_alone() -> None:
    class Capital(Words):
        name = "capital"

        def decode(self, ids: Any) -> str:
            return super().decode(ids).capitalize()

    assert split_prompt(Capital.of(*LETTERS, "abc"), "c ab", "error")[1] == ""


def test_a_space_that_decoding_loses_is_not_lost_between_the_two() -> None:
    class Stripped(Words):
        name = "stripped"

        def cut(self, text: str) -> int:
            return max(0, text.rfind(" "))

        def decode(self, ids: Any) -> str:
            return super().decode(ids).lstrip(" ")

    encoder = Stripped.of(*LETTERS, " ab", " abc")
    found, end = split_prompt(encoder, "c ab", "error")
    assert (encoder.decode(found), end) == ("c ab", "")


def test_a_chain_can_not_write_another_end() -> None:
    def force_space(logits: Any, context: Any) -> Any:
        forced = np.full_like(logits, -np.inf)
        forced[:, ENCODER.pieces.index(" ")] = 0.0
        return forced

    generator = textforge.TextGenerator(make(), ENCODER)
    drawn: list[int] = []
    (text,) = generator.complete(
        "c ab", samplers=[force_space], max_tokens=3, seed=1, watch=lambda token: drawn.append(token.id)
    )
    assert ENCODER.decode(drawn).startswith("ab")
    assert text.text.endswith("  ")


@given(
    prompt=st.text("abc ", max_size=6),
    max_tokens=st.integers(0, 9),
    count=st.integers(1, 5),
    seed=st.integers(0, 50),
    stop=st.sampled_from([(), ("a",), ("b c",)]),
)
def test_texts_go_on_from_the_prompt_by_the_tokens_that_the_model_would_draw(
    prompt: str, max_tokens: int, count: int, seed: int, stop: tuple[str, ...]
) -> None:
    task = make_task(make(), ENCODER, Request(prompt, max_tokens=max_tokens, seed=seed, stop=stop))
    drawn: dict[int, list[int]] = {}
    texts = list(write(task, count, lambda token: drawn.setdefault(token.number, []).append(token.id)))
    for text in texts:
        tokens = drawn.get(text.number, [])
        whole = ENCODER.decode(tokens)
        assert whole.startswith(task.prompt_end) or not max_tokens
        shown = whole[len(task.prompt_end) :]
        if text.finish_reason == "length":
            assert text.text == shown
            assert text.tokens == max_tokens == len(tokens) - text.hidden_tokens
        else:
            assert shown.startswith(text.text)
            assert shown[len(text.text) :].startswith(stop)
        assert len(ENCODER.decode(tokens[: text.hidden_tokens])) <= len(task.prompt_end)
    assert "".join(write_one(task)) == texts[0].text
    more = list(write(task, count + 2))
    assert [text.text for text in more[:count]] == [text.text for text in texts]


def test_log_probabilities_are_those_of_what_shows() -> None:
    generator = textforge.TextGenerator(make(), ENCODER)
    for text in generator.complete("c ab", count=8, max_tokens=3, seed=1, logprobs=True):
        assert text.logprobs is not None
        assert len(text.logprobs) == text.tokens == 3
        assert "".join(token.text for token in text.logprobs).endswith(text.text)


def test_only_what_goes_on_is_drawn_whatever_is_likelier() -> None:
    encoder = Words.of(*LETTERS, "abc", "abcabc")
    logits = {" ": 9.0, "a": 1.0, "b": 0.0, "c": 8.0, "abc": 3.0, "abcabc": 2.0}
    model = ScriptedModel(6, lambda tokens: [logits[piece] for piece in encoder.pieces])
    generator = textforge.TextGenerator(model, encoder)
    assert generator.generate("ab", samplers="greedy", max_tokens=2) == "c "
    counts = generator.generate("ab", count=400, max_tokens=1, seed=2, samplers="temperature:1")
    begun = sum(text == "cabc" for text in counts) / sum(text.startswith("c") for text in counts)
    # abcabc or abc first, by their logits; or letters, of which the c that shows is followed by nothing
    assert begun == pytest.approx(np.exp(2) / (np.exp(1) + np.exp(2) + np.exp(3)), abs=0.06)


@given(st.lists(st.text("abc ", max_size=6), max_size=12), st.integers(0, 5), st.integers(1, 3), st.integers(0, 20))
def test_many_prompts_at_once_are_as_each_alone(prompts: list[str], max_tokens: int, count: int, seed: int) -> None:
    generator = textforge.TextGenerator(make(), ENCODER)
    options: dict[str, Any] = {"max_tokens": max_tokens, "count": count, "seed": seed}
    found = list(generator.complete_each(prompts, **options))
    assert found == [text for prompt in prompts for text in generator.complete(prompt, **options)]
