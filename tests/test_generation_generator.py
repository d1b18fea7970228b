from __future__ import annotations

import numpy as np
import pytest
from support import PieceEncoder, ScriptedModel, hashed_logits, letters, reciting

import textforge
from textforge.corpora.base import END_OF_TEXT
from textforge.errors import EncodingError, GenerationError, OptionError, PluginError, UnknownComponent
from textforge.library.generated_text import GeneratedText
from textforge.library.generator import TextGenerator
from textforge.plugins.registry import Plugins
from textforge.samplers.base import Sampler
from textforge.samplers.greedy import Greedy
from textforge.samplers.temperature import Temperature
from textforge.samplers.top_k import TopK


class Careful(Sampler):
    name = "careful"

    def __call__(self, logits, context):
        raise NotImplementedError

    def expand(self):
        return (TopK(3), Temperature(0.5))


class Picky(Sampler):
    name = "picky"

    def __call__(self, logits, context):
        return logits

    def check(self, encoder):
        raise GenerationError(f"picky doesn't like {encoder.vocabulary_size} tokens")


def generator(encoder=None, logits=None, **changes):
    encoder = encoder or letters()
    model = ScriptedModel(encoder.vocabulary_size, logits or hashed_logits(encoder.vocabulary_size))
    return TextGenerator(model, encoder, plugins=Plugins(disabled="all"), **changes)


def test_generate_complete_and_stream_agree():
    writer = generator()
    text = writer.generate("abc", seed=1, max_tokens=50, stop=["gg"])
    assert isinstance(text, str)
    assert "".join(writer.stream("abc", seed=1, max_tokens=50, stop=["gg"])) == text
    assert writer.generate("abc", seed=1, max_tokens=50, stop="gg", count=1) == [text]
    (completed,) = writer.complete("abc", seed=1, max_tokens=50, stop="gg")
    assert completed == GeneratedText("abc", text, completed.finish_reason, len(text), 1)


def test_count_gives_so_many_texts_the_first_ones_the_same():
    writer = generator()
    ten = writer.generate("a", count=10, seed=3, max_tokens=8)
    assert writer.generate("a", count=5, seed=3, max_tokens=8) == ten[:5]
    assert [text.text for text in writer.complete("a", count=7, seed=3, max_tokens=8)] == ten[:7]
    assert len(set(ten)) == 10


def test_texts_come_as_soon_as_those_before_them_are_finished():
    encoder = PieceEncoder.of("a", "b", END_OF_TEXT)
    writer = generator(encoder, lambda tokens: [0.0, 0.0, 1.0])
    texts = writer.complete("a", count=20, seed=1, max_tokens=40)
    next(texts)
    steps = len(writer.model.calls)
    list(texts)
    assert steps < len(writer.model.calls)


def test_chains_may_be_written_in_any_way():
    writer = generator()
    ways = [
        "top-k:3 | temperature:0.5",
        ["top-k:3", "temperature:0.5"],
        [TopK(3), "temperature:0.5"],
        (TopK(3), Temperature(0.5)),
        Careful(),
        [Careful()],
    ]
    assert len({writer.generate("a", samplers=way, seed=5, max_tokens=30) for way in ways}) == 1
    assert writer.generate("a", seed=5) == writer.generate("a", seed=5, samplers="temperature:0.7", max_tokens=400)
    assert writer.generate("a", samplers=Greedy(), seed=5) == writer.generate("a", samplers="greedy", seed=6)


def test_plugins_are_looked_up_only_for_specs(monkeypatch):
    def refuse(**_):
        raise RuntimeError("looked up")

    monkeypatch.setattr("textforge.plugins.registry.find_installed_sources", refuse)
    encoder = letters()
    writer = TextGenerator(ScriptedModel(encoder.vocabulary_size, hashed_logits(encoder.vocabulary_size)), encoder)
    assert len(writer.generate("a", samplers=[Temperature(0.5)], max_tokens=3)) == 3
    with pytest.raises(RuntimeError, match="looked up"):
        writer.generate("a", samplers="greedy")


@pytest.mark.parametrize("seed", [0, 1, 1 << 63, 1 << 64, 1 << 300, np.int64(7)])
def test_any_seed_that_is_not_negative_will_do(seed):
    writer = generator()
    (text,) = writer.complete("a", seed=seed, max_tokens=20)
    assert text.seed == seed
    assert text.text == writer.generate("a", seed=seed, max_tokens=20)
    assert text.text != writer.generate("a", seed=int(seed) + 1, max_tokens=20)


def test_without_a_seed_one_is_drawn_and_said():
    writer = generator()
    texts = [next(writer.complete("a", max_tokens=20)) for _ in range(4)]
    assert len({text.seed for text in texts}) == 4
    for text in texts:
        assert 0 <= text.seed < 1 << 32
        assert writer.generate("a", seed=text.seed, max_tokens=20) == text.text
    assert len({text.seed for text in writer.complete("a", count=3, max_tokens=1)}) == 1


def test_max_tokens_of_0_gives_nothing():
    writer = generator()
    assert writer.generate("a", max_tokens=0) == ""
    assert writer.generate("a", max_tokens=0, count=2) == ["", ""]
    assert list(writer.stream("a", max_tokens=0)) == []
    assert next(writer.complete("a", max_tokens=0, seed=1)) == GeneratedText("a", "", "length", 0, 1)


@pytest.mark.parametrize(
    ("pieces", "most_frequent", "first"),
    [(("a", "\n", END_OF_TEXT), 0, 2), (("a", "b", "\n"), 1, 2), (("a", "b", "c"), 1, 1), (("a", "b", "c"), 0, 0)],
)
def test_an_empty_prompt_starts_after_the_end_a_newline_or_the_most_frequent(pieces, most_frequent, first):
    encoder = PieceEncoder.of(*pieces, most_frequent=most_frequent)
    seen = []

    def logits(tokens):
        seen.append(list(tokens))
        return [0.0] * 3

    (text,) = generator(encoder, logits).complete("", max_tokens=1, seed=1, samplers=[])
    assert seen == [[first]]
    assert text.prompt == ""


def test_what_the_vocabulary_lacks_of_a_prompt_is_an_error_or_left_out():
    writer = generator()
    with pytest.raises(EncodingError):
        writer.generate("aXb")
    skipped = writer.generate("aXb", unknown="skip", seed=1, max_tokens=20)
    assert skipped == writer.generate("ab", seed=1, max_tokens=20)
    assert writer.generate("XY", unknown="skip", seed=1) == writer.generate("", seed=1)


def test_finish_reasons():
    encoder = PieceEncoder.of("a", "b", END_OF_TEXT)
    writer = generator(encoder, reciting([0, 1, 1, 2], 3))

    def finished(**changes):
        (text,) = writer.complete("a", seed=1, **changes)
        return text.text, text.finish_reason, text.tokens

    assert finished() == ("abb", "end", 3)
    assert finished(max_tokens=2) == ("ab", "length", 2)
    assert finished(stop="bb") == ("a", "stop", 1)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"max_tokens": -1}, GenerationError, "max_tokens must be a whole number >= 0, got -1"),
        ({"max_tokens": 1.5}, GenerationError, "max_tokens must be a whole number >= 0, got 1.5"),
        ({"stop": ""}, GenerationError, "a stop text must be a text of one character or more, got ''"),
        ({"stop": ["a", ""]}, GenerationError, "a stop text must be a text of one character or more, got ''"),
        ({"stop": [3]}, GenerationError, "a stop text must be a text of one character or more, got 3"),
        ({"stop": None}, GenerationError, "stop must be a text or a list of texts, got None"),
        ({"unknown": "ignore"}, GenerationError, "unknown must be one of error, skip, got 'ignore'"),
        ({"seed": -1}, GenerationError, "seed must be a whole number >= 0, got -1"),
        ({"seed": "x"}, GenerationError, "seed must be a whole number >= 0, got 'x'"),
        ({"prompt": 3}, GenerationError, "the prompt must be a text, got 3"),
        ({"prompt": "Z"}, EncodingError, "the vocabulary lacks 'Z'"),
        ({"samplers": "greddy"}, UnknownComponent, "there is no sampler 'greddy'"),
        ({"samplers": "top-k:0"}, OptionError, "top-k: k must be >= 1, got 0"),
        ({"samplers": 3}, PluginError, "a sampler is expected"),
        ({"samplers": [Picky()]}, GenerationError, "picky doesn't like 9 tokens"),
    ],
)
def test_what_can_t_be_done_is_refused_at_the_call(options, error, message):
    writer = generator()
    options = {"prompt": "a"} | options
    for call in (writer.generate, writer.complete, writer.stream):
        with pytest.raises(error) as refused:
            call(**options)
        assert str(refused.value).startswith(message)
        assert "\n" not in str(refused.value)
    assert writer.model.calls == []


@pytest.mark.parametrize("count", [0, -1, 2.0, "3"])
def test_a_count_below_one_is_refused_at_the_call(count):
    writer = generator()
    for call in (writer.generate, writer.complete):
        with pytest.raises(GenerationError, match=r"^count must be a whole number >= 1, got"):
            call("a", count=count)


def test_a_model_and_an_encoder_must_fit():
    with pytest.raises(GenerationError, match="the model knows 4 tokens, but the encoder 9"):
        TextGenerator(ScriptedModel(4, hashed_logits(4)), letters())
    with pytest.raises(GenerationError, match="the encoder piece has no vocabulary yet"):
        TextGenerator(ScriptedModel(0, hashed_logits(0)), PieceEncoder())


def test_public_names():
    assert textforge.TextGenerator is TextGenerator
    assert textforge.GeneratedText is GeneratedText
