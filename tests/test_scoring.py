"""Scores of texts, against the model's own steps, one by one, and against an evaluation."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import ModelMaker, PieceEncoder, ScriptedModel, constant_logits, hashed_logits, letters

import textforge
from textforge.corpora.base import END_OF_TEXT
from textforge.encoders.byte import ByteEncoder
from textforge.encoders.char import CharEncoder
from textforge.errors import EncodingError, GenerationError, PluginError
from textforge.evaluation import likelihood, scoring
from textforge.evaluation.evaluation import evaluate_tokens
from textforge.evaluation.likelihood import compute_log_probabilities
from textforge.evaluation.loss import token_loss
from textforge.evaluation.score import Score, TokenScore
from textforge.evaluation.scoring import score_texts
from textforge.evaluation.text import TextSize
from textforge.library.generator import TextGenerator

SIZE = 5
ABC = PieceEncoder.of(*"abcde")


def log_softmax(logits: Sequence[float]) -> list[float]:
    values = [float(np.float32(value)) for value in logits]
    total = math.log(math.fsum(map(math.exp, values)))
    return [value - total for value in values]


def expect(ids: Sequence[int], window: int | None = None) -> list[float]:
    """The log-probability of each token but the first, from those before it alone."""
    logits = hashed_logits(SIZE)
    contexts = [list(ids[:place]) for place in range(1, len(ids))]
    seen = contexts if window is None else [context[-window:] for context in contexts]
    return [log_softmax(logits(context))[id] for context, id in zip(seen, ids[1:], strict=True)]


sequences = st.lists(st.lists(st.integers(0, SIZE - 1), min_size=1, max_size=40), max_size=12)


@settings(max_examples=150, deadline=None)
@given(
    sequences=sequences,
    window=st.none() | st.integers(1, 9),
    rows=st.integers(1, 5),
    piece=st.integers(1, 9),
    shortest=st.integers(1, 9),
    most=st.sampled_from([SIZE, 7 * SIZE, 40 * SIZE, 10_000]),
)
def test_each_token_is_predicted_from_those_before_it_whatever_it_is_read_with(
    sequences: list[list[int]], window: int | None, rows: int, piece: int, shortest: int, most: int
) -> None:
    model = ScriptedModel(SIZE, hashed_logits(SIZE), window=window)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"ROWS": rows, "PIECE": piece, "SHORTEST_PIECE": shortest, "LOGITS": most}.items():
            patch.setattr(likelihood, name, value)
        found = compute_log_probabilities(model, [np.array(ids, dtype=np.int64) for ids in sequences])
    for ids, numbers in zip(sequences, found, strict=True):
        assert numbers.tolist() == pytest.approx(expect(ids, window), abs=1e-12)
    for kind, read, tokens in model.calls:
        assert kind == "forward"
        assert read <= rows
        assert tokens <= max(piece, window or 0)
        assert read == 1 or window or read * tokens * SIZE <= most


def test_texts_of_one_length_are_read_together_and_a_long_one_in_pieces() -> None:
    model = ScriptedModel(SIZE, hashed_logits(SIZE))
    texts = [[id % SIZE] * length for id, length in enumerate([4] * 100 + [8] * 100)]
    compute_log_probabilities(model, [np.array(ids) for ids in texts])
    assert model.calls == [("forward", 128, 7), ("forward", 72, 3)]
    model.calls.clear()
    compute_log_probabilities(model, [np.zeros(2000, dtype=np.int64)])
    assert model.calls == [("forward", 1, 512)] * 3 + [("forward", 1, 463)]


MAKERS = [
    ModelMaker("numpy", "lstm", hidden_size=12, num_layers=2, precision="float64"),
    ModelMaker("numpy", "lstm", hidden_size=12),
    ModelMaker("numpy", "conv", channels=6, precision="float64"),
    ModelMaker("numpy", "gpt", hidden_size=8, num_heads=2, num_layers=2, window=12, precision="float64"),
    ModelMaker("numpy", "ngram", order=4),
]


def make_model(maker: ModelMaker) -> Any:
    model = maker.create(SIZE)
    tokens = np.random.default_rng(1).integers(0, SIZE, 500).astype(np.uint8)
    return model.count(tokens) if isinstance(model, textforge.CountingModel) else model


RUNS = [(maker, None) for maker in MAKERS] + [(maker, 6) for maker in MAKERS[:4]]
"""Models with a window too, but for n-grams, which carry their state on."""


@pytest.mark.parametrize(("maker", "window"), RUNS, ids=lambda value: getattr(value, "architecture", value))
def test_a_text_has_the_score_that_it_has_alone_and_by_the_models_own_steps(
    maker: ModelMaker, window: int | None
) -> None:
    model = make_model(maker)
    model.window = window
    lengths = np.random.default_rng(2).integers(0, 60, 50).tolist()
    texts = ["".join(np.random.default_rng(length).choice(list("abcde"), length)) for length in lengths]
    writer = TextGenerator(model, ABC)
    scores = writer.score(texts)
    close = 1e-12 if maker.backend.precision == "float64" else 1e-5
    for text, score in zip(texts, scores, strict=True):
        assert score.text == text
        assert score.log_likelihood == pytest.approx(writer.score(text).log_likelihood, abs=close)
        found = [token.log_probability for token in score.tokens]
        assert found == pytest.approx(step_through(model, [0, *(token.token for token in score.tokens)]), abs=close)
        assert score.log_likelihood == pytest.approx(sum(number or 0 for number in found), abs=1e-9)


def step_through(model: Any, ids: list[int]) -> list[float]:
    found = []
    state = model.start(1)
    for place in range(1, len(ids)):
        if model.window is not None:
            state = model.start(1)
            for id in ids[max(0, place - model.window) : place - 1]:
                model.step(np.array([id]), state)
        logits = model.step(np.array([ids[place - 1]]), state)[0].astype(np.float64)
        found.append(float(logits[ids[place]] - np.log(np.exp(logits).sum())))
    return found


# --- the figures ---


def make_writer(encoder: Any = ABC, logits: Any = None) -> TextGenerator:
    size = encoder.vocabulary_size
    return TextGenerator(ScriptedModel(size, logits or hashed_logits(size)), encoder)


@given(st.text("abcde", min_size=1, max_size=80))
def test_the_figures_are_an_evaluations(text: str) -> None:
    writer = make_writer()
    score = writer.score(text)
    tokens = np.array([0, *ABC.encode(text)], dtype=np.uint8)
    loss = token_loss(writer.model, tokens)
    assert score.log_likelihood == pytest.approx(-loss.total, rel=1e-9)
    assert score.perplexity == pytest.approx(math.exp(loss.mean), rel=1e-9)
    assert score.bits_per_character == pytest.approx(loss.mean / math.log(2), rel=1e-9)
    assert score.scored == score.characters == len(text)
    assert "".join(token.text for token in score.tokens) == text


def test_the_probabilities_of_all_texts_of_a_length_sum_to_one() -> None:
    texts = [a + b + c for a in "abcde" for b in "abcde" for c in "abcde"]
    scores = make_writer().score(texts)
    assert math.fsum(math.exp(score.log_likelihood) for score in scores) == pytest.approx(1, abs=1e-6)


def test_a_text_begins_as_an_empty_prompt_does() -> None:
    def after(last: int) -> Any:
        return lambda tokens: [5.0 if id == last and tokens == [last] else 0.0 for id in range(4)]

    ended = PieceEncoder.of("a", "\n", END_OF_TEXT, "b")
    for encoder, first in ((ended, 2), (PieceEncoder.of("a", "\n", "c", "b"), 1)):
        score = make_writer(encoder, after(first)).score("b")
        assert score.log_likelihood == pytest.approx(-math.log(math.exp(5) + 3))
    common = PieceEncoder.of("a", "b", "c", "d", most_frequent=3)
    assert make_writer(common, after(3)).score("d").log_likelihood == pytest.approx(5 - math.log(math.exp(5) + 3))


def test_the_end_is_scored_where_it_is_asked_for() -> None:
    encoder = PieceEncoder.of("a", "b", END_OF_TEXT)
    writer = make_writer(encoder, constant_logits([0.5, 0.25, 0.25]))
    plain, ended = writer.score("ab"), writer.score("ab", end=True)
    assert plain.log_likelihood == pytest.approx(math.log(0.5 * 0.25))
    assert ended.log_likelihood == pytest.approx(math.log(0.5 * 0.25 * 0.25))
    assert [token.token for token in ended.tokens] == [0, 1, 2]
    assert (ended.characters, ended.scored) == (2, 3)
    assert writer.score("", end=True).log_likelihood == pytest.approx(math.log(0.25))


def test_the_end_of_a_model_that_knows_none_is_refused() -> None:
    with pytest.raises(EncodingError, match=r"knows no end of a text.*leave out end=True") as caught:
        make_writer().score("ab", end=True)
    assert "leave out --end, or give --lines" in caught.value.command_line


def test_a_text_without_tokens_has_no_mean() -> None:
    score = make_writer().score("")
    assert score == Score("", 0.0, (), 0)
    assert score.perplexity is score.bits_per_character is None
    assert make_writer().score([]) == []


def test_what_can_t_be_is_minus_infinity_and_null() -> None:
    score = make_writer(PieceEncoder.of("a", "b"), constant_logits([1, 0])).score("ab")
    assert score.log_likelihood == -math.inf
    assert score.perplexity == score.bits_per_character == math.inf
    assert [token.log_probability for token in score.tokens] == [0, -math.inf]
    written = json.loads(json.dumps(score.to_json(), allow_nan=False))
    assert written == {
        "text": "ab",
        "log_likelihood": None,
        "perplexity": None,
        "bits_per_character": None,
        "scored": 2,
        "characters": 2,
        "skipped": 0,
        "unwritten": 0,
        "tokens": [
            {"token": 0, "text": "a", "log_probability": 0.0},
            {"token": 1, "text": "b", "log_probability": None},
        ],
    }
    assert "-0.0" not in json.dumps(score.to_json())


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf], ids=str)
def test_logits_that_are_none_are_refused(bad: float) -> None:
    def logits(tokens: list[int]) -> list[float]:
        return [bad] * SIZE if len(tokens) == 3 else [0.0] * SIZE

    assert make_writer(logits=logits).score(["ab"])[0].perplexity == pytest.approx(SIZE)
    with pytest.raises(GenerationError, match=r"NaN or \+inf, or rule out every token, for texts\[1\]"):
        make_writer(logits=logits).score(["ab", "abc"])


def test_a_model_that_fails_is_named() -> None:
    def logits(tokens: list[int]) -> list[float]:
        raise ValueError("no")

    with pytest.raises(PluginError, match="ScriptedModel failed to read a text: ValueError: no"):
        make_writer(logits=logits).score("a")


# --- what the vocabulary lacks ---


def test_unknown_text_is_named_with_the_text_or_left_out() -> None:
    encoder = CharEncoder().fit(["abcde"])
    writer = make_writer(encoder)
    with pytest.raises(EncodingError, match=r"^the text: the vocabulary of 5 characters lacks 'é' .*unknown='skip'"):
        writer.score("aéb")
    with pytest.raises(EncodingError, match=r"^texts\[1\]: .* lacks 'é'") as caught:
        writer.score(["a", "éb"])
    assert "--unknown skip" in caught.value.command_line
    skipped, plain = writer.score("aéébé", unknown="skip"), writer.score("ab")
    assert (skipped.skipped, skipped.characters, skipped.text) == (3, 2, "aéébé")
    assert skipped.tokens == plain.tokens
    assert skipped.bits_per_character == plain.bits_per_character
    assert writer.score("é", unknown="skip").perplexity is None


@pytest.mark.parametrize(
    ("texts", "options", "message"),
    [
        (["a", 3], {}, r"a text to score must be a str, got 3 as texts\[1\]"),
        ("a", {"unknown": "skp"}, "unknown must be one of error, skip, got 'skp'"),
    ],
)
def test_bad_arguments_are_refused(texts: Any, options: Any, message: str) -> None:
    with pytest.raises(GenerationError, match=message):
        make_writer().score(texts, **options)


class MarkingEncoder(PieceEncoder):
    """Its token 1, the letter b, is only a mark."""

    name = "marking"

    @property
    def never_generated(self) -> tuple[int, ...]:
        return (1,)


@given(st.text("abcde", min_size=2, max_size=50).filter(lambda text: set(text[1:]) - {"b"}))
def test_what_is_never_generated_is_left_out_as_in_an_evaluation(text: str) -> None:
    encoder = MarkingEncoder.of(*"abcde")
    writer = make_writer(encoder)
    score = writer.score(text)
    counted = [token for token in score.tokens if token.log_probability is not None]
    assert [token.token for token in score.tokens] == encoder.encode(text).tolist()
    assert {token.token for token in score.tokens} - {token.token for token in counted} <= {1}
    assert score.scored == score.characters == len(counted) == len(text) - text.count("b")
    assert score.unwritten == text.count("b")
    tokens = np.array([0, *encoder.encode(text)], dtype=np.uint8)
    size = TextSize(len(text) + 1, len(text) + 1)
    result = evaluate_tokens(writer.model, tokens, size, encoder=encoder)
    assert score.perplexity == pytest.approx(result.perplexity, rel=1e-9)
    assert score.bits_per_character == pytest.approx(result.bits_per_character, rel=1e-9)


# --- many texts ---


@settings(max_examples=30)
@given(st.lists(st.text("abcde", max_size=9), max_size=20), st.integers(1, 5), st.integers(1, 20))
def test_texts_come_in_their_order_however_they_are_grouped(texts: list[str], most: int, tokens: int) -> None:
    writer = make_writer()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scoring, "TEXTS", most)
        patch.setattr(scoring, "TOKENS", tokens)
        scores = list(score_texts(writer.model, writer.encoder, iter(texts)))
    assert [score.text for score in scores] == texts
    assert scores == writer.score(texts)


def test_texts_are_taken_as_they_are_needed() -> None:
    taken = []

    def texts() -> Iterator[str]:
        for number in range(10_000):
            taken.append(number)
            yield "ab"

    writer = make_writer(logits=constant_logits([0.2] * SIZE))
    next(score_texts(writer.model, writer.encoder, texts()))
    assert len(taken) == scoring.TEXTS


def test_scores_are_values() -> None:
    writer = make_writer(letters())
    assert writer.score("abc") == writer.score("abc")
    assert hash(writer.score("abc")) == hash(writer.score("abc"))
    with pytest.raises(AttributeError):
        writer.score("a").text = "b"  # type: ignore[misc]
    assert isinstance(writer.score("a"), textforge.Score)


def test_bytes_are_tokens_of_their_own() -> None:
    score = make_writer(ByteEncoder().fit(["é"])).score("é")
    assert [(token.token, token.text) for token in score.tokens] == [(195, "\ufffd"), (169, "\ufffd")]
    assert (score.characters, score.scored) == (1, 2)
    assert isinstance(score.tokens[0], TokenScore)
