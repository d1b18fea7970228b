"""Evaluation, against brute force and models whose loss is known."""

from __future__ import annotations

import json
import math
import tracemalloc
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import textforge
from textforge.encoders.char import CharEncoder
from textforge.errors import CorpusError, EncodingError, PluginError
from textforge.evaluation import loss as loss_module
from textforge.evaluation.evaluation import evaluate, evaluate_tokens
from textforge.evaluation.loss import LossSum, token_loss
from textforge.evaluation.text import TextSize


class State:
    def __init__(self, memory: Any) -> None:
        self.memory = memory


class EchoModel(textforge.Model):
    """Its logits depend on every token since the start, the later the more."""

    def __init__(self, vocabulary_size: int, window: int | None = None, scale: float = 1.0) -> None:
        self.vocabulary_size = vocabulary_size
        self.window = window
        self.scale = scale
        self.shapes: list[tuple[int, ...]] = []

    def start(self, batch_size: int) -> State:
        return State(np.zeros(batch_size))

    def logits(self, memory: Any) -> Any:
        return self.scale * np.sin(memory[..., None] * (1 + np.arange(self.vocabulary_size)))

    def step(self, ids: Any, state: State) -> Any:
        state.memory = 0.5 * state.memory + 1 + ids
        return self.logits(state.memory).astype(np.float32)

    def forward(self, ids: Any, state: State, last_only: bool = False) -> Any:
        self.shapes.append(ids.shape)
        return super().forward(ids, state, last_only)

    def select(self, state: State, rows: Any) -> State:
        return State(state.memory[rows].copy())

    def save(self) -> textforge.SavedModel:
        raise NotImplementedError


class TrainableEcho(EchoModel, textforge.GradientModel):
    """The same, computing its loss itself, in float32; never asked for logits."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.seen: list[tuple[Any, Any]] = []

    def loss(self, inputs: Any, targets: Any, state: State) -> Any:
        self.seen.append((inputs, targets))
        memory, losses = state.memory, []
        for t in range(inputs.shape[1]):
            memory = 0.5 * memory + 1 + inputs[:, t]
            if targets.ndim == 2:
                losses.append(self.losses(memory, targets[:, t]))
        if targets.ndim == 1:
            losses.append(self.losses(memory, targets))
        return np.float32(np.mean(losses)), State(memory)

    def losses(self, memory: Any, targets: Any) -> Any:
        logits = self.logits(memory).astype(np.float32)
        return np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(targets)), targets]

    def forward(self, ids: Any, state: State, last_only: bool = False) -> Any:
        raise AssertionError("logits were asked for")

    begin = train_step = training_arrays = restore = EchoModel.save  # type: ignore[assignment]


def texts(vocabulary_size: int = 5, most: int = 60) -> st.SearchStrategy[Any]:
    return st.lists(st.integers(0, vocabulary_size - 1), min_size=2, max_size=most).map(
        lambda ids: np.array(ids, dtype=np.uint8)
    )


def brute_force(model: EchoModel, tokens: Any, start: int, stop: int) -> list[float]:
    """The losses of the tokens from start + 1 to stop, read one by one from a fresh state at start."""
    losses, memory = [], 0.0
    for place in range(start, stop):
        memory = 0.5 * memory + 1 + float(tokens[place])
        logits = [model.scale * math.sin(memory * (1 + i)) for i in range(model.vocabulary_size)]
        losses.append(math.log(sum(map(math.exp, logits))) - logits[int(tokens[place + 1])])
    return losses


@settings(max_examples=60, deadline=None)
@given(tokens=texts(), rows=st.integers(1, 5), length=st.integers(1, 9), stream=st.integers(1, 20))
def test_streams_predict_every_token_after_the_first_once(tokens: Any, rows: int, length: int, stream: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loss_module, "STREAM_LENGTH", stream)
        plain = token_loss(EchoModel(5), tokens, rows=rows, sequence_length=length)
        trainable = token_loss(TrainableEcho(5), tokens, rows=rows, sequence_length=length)
    predicted = len(tokens) - 1
    streams = max(1, min(rows, predicted // stream))
    starts = [i * (predicted // streams) for i in range(streams)]
    stops = [*starts[1:], predicted]
    model = EchoModel(5)
    expected = [loss for a, b in zip(starts, stops, strict=True) for loss in brute_force(model, tokens, a, b)]
    assert plain.tokens == trainable.tokens == len(expected) == predicted
    assert plain.total == pytest.approx(sum(expected), rel=1e-6)
    assert trainable.mean == pytest.approx(plain.mean, abs=1e-5)


@settings(max_examples=60, deadline=None)
@given(tokens=texts(), window=st.integers(1, 12), stride=st.integers(1, 4), rows=st.integers(1, 3))
def test_windows_start_afresh(tokens: Any, window: int, stride: int, rows: int) -> None:
    models = EchoModel(5, window), TrainableEcho(5, window)
    if len(tokens) <= window:
        with pytest.raises(CorpusError, match="too short"):
            token_loss(models[0], tokens)
        return
    plain, trainable = (token_loss(model, tokens, rows=rows, stride=stride) for model in models)
    places = range(0, len(tokens) - window, stride)
    expected = [brute_force(models[0], tokens, place, place + window)[-1] for place in places]
    assert plain.tokens == trainable.tokens == len(expected)
    assert plain.total == pytest.approx(sum(expected), rel=1e-6)
    assert trainable.mean == pytest.approx(plain.mean, abs=1e-5)


def test_chunks_have_one_shape_but_the_last() -> None:
    model = EchoModel(3)
    loss = token_loss(model, np.zeros(4 * 1000 + 3, np.uint8), rows=4, sequence_length=300)
    assert model.shapes == [(4, 300)] * 3 + [(4, 100), (1, 2)]
    assert loss.tokens == 4002


def test_a_short_text_is_cut_into_fewer_streams() -> None:
    model = EchoModel(3)
    token_loss(model, np.zeros(2500, np.uint8))
    assert {shape[0] for shape in model.shapes} == {2, 1}


def test_a_trainable_model_sees_each_token_followed_by_its_next() -> None:
    model = TrainableEcho(9000, scale=0.0)
    token_loss(model, np.arange(8999, dtype=np.uint16), rows=4, sequence_length=70)
    inputs = np.concatenate([inputs.ravel() for inputs, _ in model.seen])
    targets = np.concatenate([targets.ravel() for _, targets in model.seen])
    assert (targets == inputs + 1).all()
    assert sorted(targets.tolist()) == list(range(1, 8999))
    assert {array.dtype for pair in model.seen for array in pair} == {np.dtype(np.int64)}


def test_windows_of_a_trainable_model_have_one_target_each() -> None:
    model = TrainableEcho(100, window=7, scale=0.0)
    token_loss(model, np.arange(100, dtype=np.uint8), rows=2, stride=3)
    assert [inputs.shape for inputs, _ in model.seen] == [(16, 7), (15, 7)]
    assert np.concatenate([targets for _, targets in model.seen]).tolist() == list(range(7, 100, 3))
    assert all((inputs[:, -1] + 1 == targets).all() for inputs, targets in model.seen)


@pytest.mark.parametrize("vocabulary_size", [1, 2, 65])
@pytest.mark.parametrize("window", [None, 4])
def test_a_uniform_model_is_as_uncertain_as_its_vocabulary_is_large(vocabulary_size: int, window: int | None) -> None:
    model = EchoModel(vocabulary_size, window, scale=0.0)
    size = TextSize(characters=50, bytes=100)
    result = evaluate_tokens(model, np.zeros(50, np.uint8), size)
    assert result.perplexity == pytest.approx(vocabulary_size, rel=1e-12)
    assert result.bits_per_character == pytest.approx(math.log2(vocabulary_size), rel=1e-12)
    assert result.bits_per_byte == pytest.approx(math.log2(vocabulary_size) / 2, rel=1e-12)
    assert result.tokens == 50 - (window or 1)


@pytest.mark.parametrize("count", [0, 1])
def test_nothing_to_predict(count: int) -> None:
    with pytest.raises(CorpusError, match=f"too short to evaluate: 2 tokens are needed, got {count}"):
        token_loss(EchoModel(3), np.zeros(count, np.uint8))


def test_a_token_that_is_ruled_out_costs_infinitely_much() -> None:
    class Sure(EchoModel):
        def logits(self, memory: Any) -> Any:
            return np.where(np.arange(self.vocabulary_size) == 0, 0.0, -np.inf) + np.zeros_like(memory)[..., None]

    assert token_loss(Sure(3), np.zeros(9, np.uint8)).total == 0
    result = evaluate_tokens(Sure(3), np.array([0, 1, 0]), TextSize(3, 3))
    assert (result.loss, result.perplexity) == (math.inf, math.inf)


def test_huge_logits_do_not_overflow() -> None:
    assert math.isfinite(token_loss(EchoModel(5, scale=1e4), np.arange(5)).total)


@pytest.mark.parametrize("window", [None, 3])
def test_memory_is_bounded_for_a_large_vocabulary(window: int | None) -> None:
    class Flat(EchoModel):
        def logits(self, memory: Any) -> Any:
            return np.zeros((len(memory), self.vocabulary_size), np.float32)

    model = Flat(50_000, window)
    tracemalloc.start()
    try:
        loss = token_loss(model, np.arange(3000, dtype=np.uint16), stride=20 if window else 1, rows=8)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert loss.mean == pytest.approx(math.log(50_000))
    assert peak < 80 << 20


def test_losses_are_read_in_batches() -> None:
    class Lazy:
        unread = 0
        most = 0

        def __init__(self) -> None:
            Lazy.unread += 1
            Lazy.most = max(Lazy.most, Lazy.unread)

        def __float__(self) -> float:
            Lazy.unread -= 1
            return 0.5

    class LazyModel(TrainableEcho):
        def loss(self, inputs: Any, targets: Any, state: State) -> Any:
            return Lazy(), state

    loss = token_loss(LazyModel(3), np.zeros(9001, np.uint8), rows=1, sequence_length=10)
    assert loss == LossSum(4500.0, 9000)
    assert loss.mean == 0.5
    assert 1 < Lazy.most <= loss_module.PENDING
    assert Lazy.unread == 0


class Texts(textforge.Corpus):
    name = "texts"
    parts: tuple[str, ...] = textforge.option(default=(), help="Chunks.")

    def read(self) -> Iterator[str]:
        yield from self.parts


class Once(Texts):
    """Can be read only once, as standard input."""

    name = "once"
    left: Any = textforge.learned(default=None)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "left", list(self.parts))

    @property
    def rereadable(self) -> bool:
        return False

    def read(self) -> Iterator[str]:
        while self.left:
            yield self.left.pop(0)


def uniform(encoder: textforge.Encoder) -> EchoModel:
    return EchoModel(encoder.vocabulary_size, scale=0.0)


@pytest.mark.parametrize("corpus", [Texts, Once])
def test_characters_and_bytes_are_those_of_the_text(corpus: Any) -> None:
    encoder = CharEncoder().fit(["naïve œuvre €"])
    result = evaluate(uniform(encoder), encoder, [corpus(("naïve", " œuv", "re"))])
    bits = 11 * math.log2(encoder.vocabulary_size)
    assert (result.characters, result.bytes, result.tokens, result.skipped) == (11, 13, 10, 0)
    assert result.bits_per_character == pytest.approx(bits / 11)
    assert result.bits_per_byte == pytest.approx(bits / 13)
    assert json.loads(json.dumps(result.to_json())) == result.to_json()
    assert result.to_json().keys() >= {"loss", "perplexity", "bits_per_character", "bits_per_byte", "tokens", "bytes"}


def test_the_end_of_a_text_is_a_token_but_no_character() -> None:
    end = textforge.END_OF_TEXT
    encoder = CharEncoder().fit(["ab", end])
    corpora = [Texts(("abba", end, "baa", end)), Texts(("bb",))]
    result = evaluate(uniform(encoder), encoder, corpora)
    assert (result.characters, result.bytes, result.tokens) == (9, 9, 11)
    assert result.bits_per_character == pytest.approx(12 * math.log2(3) / 9)


def test_several_texts_for_a_model_that_knows_only_one() -> None:
    encoder = CharEncoder().fit(["ab"])
    result = evaluate(uniform(encoder), encoder, [Texts(("ab", textforge.END_OF_TEXT)), Texts(("ba",))])
    assert (result.tokens, result.characters) == (3, 4)
    assert result.bits_per_character == pytest.approx(1.0)


def test_unknown_characters() -> None:
    encoder = CharEncoder().fit(["ab"])
    with pytest.raises(EncodingError):
        evaluate(uniform(encoder), encoder, [Texts(("abXba",))])
    result = evaluate(uniform(encoder), encoder, [Texts(("ab€ba", "X"))], unknown="skip")
    assert (result.characters, result.bytes, result.tokens, result.skipped) == (6, 8, 3, 2)
    assert [result.bits_per_character, result.bits_per_byte] == pytest.approx([1.0, 1.0])


@pytest.mark.parametrize("corpora", [[], [Texts(("",))], [Texts(("a",))], [Texts(("XX",))]])
def test_a_text_too_short(corpora: Any) -> None:
    encoder = CharEncoder().fit(["ab"])
    with pytest.raises(CorpusError) as caught:
        evaluate(uniform(encoder), encoder, corpora, unknown="skip")
    assert "\n" not in str(caught.value)


def test_the_text_itself_is_measured_as_its_tokens_are(tmp_path: Any) -> None:
    text = "the cat sat on the mat and the rat spat. " * 30
    encoder = CharEncoder().fit([text])
    model = EchoModel(encoder.vocabulary_size)
    result = evaluate(model, encoder, [Texts((text,))], tmp_path)
    assert result.loss == pytest.approx(np.mean(brute_force(model, encoder.encode(text), 0, len(text) - 1)), rel=1e-6)
    assert result.perplexity == pytest.approx(math.exp(result.loss))
    assert list(tmp_path.iterdir()) == []


class WordEncoder(textforge.Encoder):
    """Words of a vocabulary, and a mark for any other."""

    name = "marking"
    words: tuple[str, ...] = textforge.learned(default=())

    @property
    def vocabulary_size(self) -> int:
        return len(self.words) + 1

    @property
    def never_generated(self) -> tuple[int, ...]:
        return (0,)

    def fit(self, chunks: Any) -> WordEncoder:
        return self.replace(words=tuple(sorted(set("".join(chunks).split()))))

    def encode(self, text: str, *, unknown: Any = "error") -> Any:
        known = {word: id for id, word in enumerate(self.words, 1)}
        return np.array([known.get(word, 0) for word in text.split()], dtype=np.int64)

    def decode(self, ids: Any) -> str:
        return "".join(f"{self.words[id - 1]} " if id else "\N{REPLACEMENT CHARACTER}" for id in ids)


@settings(max_examples=60, deadline=None)
@given(tokens=texts(), excluded=st.sets(st.integers(0, 4), max_size=3), window=st.none() | st.integers(1, 5))
def test_excluded_ids_are_read_but_not_counted(tokens: Any, excluded: set[int], window: int | None) -> None:
    first = window or 1
    if len(tokens) <= first:
        return
    model = EchoModel(5, window)
    if window:
        losses = [brute_force(model, tokens, at, at + window)[-1] for at in range(len(tokens) - window)]
    else:
        losses = brute_force(model, tokens, 0, len(tokens) - 1)
    kept = [loss for loss, id in zip(losses, tokens[first:].tolist(), strict=True) if id not in excluded]
    if not kept:
        with pytest.raises(CorpusError, match="nothing of the text can be predicted"):
            token_loss(model, tokens, excluded=tuple(excluded))
        return
    result = token_loss(TrainableEcho(5, window) if not excluded else model, tokens, excluded=tuple(excluded))
    assert result.tokens == len(kept)
    assert result.total == pytest.approx(sum(kept), rel=1e-4)


def test_a_trainable_model_is_asked_for_logits_where_ids_are_left_out() -> None:
    with pytest.raises(AssertionError, match="logits were asked for"):
        token_loss(TrainableEcho(5), np.arange(5), excluded=(2,))


def test_marks_for_unknown_words_are_left_out_with_the_words_they_stand_for() -> None:
    encoder = WordEncoder().fit(["the cat sat"])
    full = WordEncoder().fit(["the cat sat unfathomably on mats"])
    text = "the cat sat unfathomably the cat sat on mats the "
    known = evaluate(uniform(encoder), encoder, [Texts((text,))])
    assert (known.tokens, known.unwritten, known.characters) == (6, len("unfathomably on mats "), len(text))
    known_characters = len("the cat sat the cat sat the ")
    assert known.bits_per_character == pytest.approx(7 * math.log2(4) / known_characters)
    assert known.bits_per_byte == known.bits_per_character
    whole = evaluate(uniform(full), full, [Texts((text,))])
    assert (whole.tokens, whole.unwritten) == (9, 0)
    assert whole.bits_per_character == pytest.approx(10 * math.log2(7) / len(text))


class CountMetric(textforge.Metric):
    """Tokens of an id."""

    name = "count"
    unit = "tokens"
    id: int = textforge.option(default=0, ge=0, help="The id.")

    def measure(self, model: Any, encoder: Any, tokens: Any) -> float:
        assert (tokens.dtype, tokens.flags.writeable) == (np.uint8, False)
        assert model.vocabulary_size == encoder.vocabulary_size
        return int((tokens == self.id).sum())


class BadMetric(textforge.Metric):
    """Gives or raises what it is told to."""

    name = "bad"

    def measure(self, model: Any, encoder: Any, tokens: Any) -> Any:
        if isinstance(self.result, Exception):
            raise self.result
        return self.result

    result: Any = textforge.learned(default=None)


def test_metrics() -> None:
    encoder = CharEncoder().fit(["ab"])
    result = evaluate(uniform(encoder), encoder, [Texts(("abaab",))], metrics=[CountMetric(), CountMetric(1)])
    figures = [(figure.metric, figure.value, figure.unit) for figure in result.metrics]
    assert figures == [("count:0", 3.0, "tokens"), ("count:1", 2.0, "tokens")]
    assert result.to_json()["metrics"][1] == {"metric": "count:1", "value": 2.0, "unit": "tokens"}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (ZeroDivisionError("by\nzero"), "the metric bad failed: ZeroDivisionError: by zero"),
        ("many", "the metric bad must give a number, got str"),
        (None, "the metric bad must give a number, got NoneType"),
        (math.nan, "the metric bad must give a finite number, got nan"),
    ],
)
def test_a_metric_that_fails_is_named(wrong: Any, message: str) -> None:
    encoder = CharEncoder().fit(["ab"])
    with pytest.raises(PluginError) as caught:
        evaluate(uniform(encoder), encoder, [Texts(("abaab",))], metrics=[BadMetric(result=wrong)])
    assert str(caught.value) == message


@pytest.fixture
def books(tmp_path: Any) -> Any:
    for name, text in {"one": "to be or not to be. ", "two": "and then she went to bed. "}.items():
        (tmp_path / f"{name}.txt").write_text(text * 40, encoding="utf-8")
    return tmp_path


def test_a_text_that_was_trained_on_is_recognised(books: Any) -> None:
    both = [books / "one.txt", books / "two.txt"]
    generator = textforge.train(both, architecture="ngram", seed=1, output=books / "model")
    loaded = textforge.load(books / "model")
    held_out = "she went to be. " * 9
    for each in (generator, loaded):
        seen = each.evaluate(both)
        assert len(seen.trained_on) == 1  # two paths are one corpus
        assert seen.trained_validation_loss == pytest.approx(loaded._contents.history[0].validation_loss)  # type: ignore[union-attr]
        assert seen.to_json()["trained_on"] == list(seen.trained_on)
        other = each.evaluate(Texts((held_out,)))
        assert (other.trained_on, other.trained_validation_loss) == ((), None)
    (books / "three.txt").write_bytes(b"".join(path.read_bytes() for path in both))
    assert loaded.evaluate(books / "one.txt").trained_on == ()


def test_a_text_is_recognised_among_others_under_another_name(books: Any) -> None:
    generator = textforge.train(books / "one.txt", architecture="ngram", seed=1)
    copy = books / "copy.txt"
    copy.write_bytes((books / "one.txt").read_bytes())
    result = generator.evaluate([Texts(("to be",)), copy])
    assert [spec.count("copy.txt") for spec in result.trained_on] == [1]


def test_metrics_of_a_generator_by_spec_and_object(books: Any) -> None:
    plugin = books / "metric_plugin.py"
    plugin.write_text(
        "import textforge\n\n\nclass Types(textforge.Metric):\n    '''Kinds of tokens.'''\n    name = 'types'\n\n"
        "    def measure(self, model, encoder, tokens):\n        return len(set(tokens.tolist()))\n\n\n"
        "@textforge.hookimpl\ndef register_metrics(register):\n    register(Types)\n",
        encoding="utf-8",
    )
    plugins = textforge.Plugins([str(plugin)])
    generator = textforge.train(books / "one.txt", architecture="ngram", seed=1, plugins=plugins)
    result = generator.evaluate(Texts(("to be",)), metrics=["types", CountMetric()])
    assert [(figure.metric, figure.value) for figure in result.metrics] == [("types", 5.0), ("count:0", 1.0)]
    with pytest.raises(PluginError, match=r"there is no metric 'typos'.*did you mean 'types'"):
        generator.evaluate(Texts(("to be",)), metrics="typos")
