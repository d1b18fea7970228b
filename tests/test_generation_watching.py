from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import PieceEncoder, ScriptedModel, constant_logits, hashed_logits, letters, reciting

import textforge
from textforge.corpora.base import END_OF_TEXT
from textforge.errors import GenerationError
from textforge.generation.distribution import Distribution
from textforge.generation.tracing import TOP, trace
from textforge.library.generator import TextGenerator
from textforge.plugins.registry import Plugins
from textforge.samplers.base import Sampler
from textforge.samplers.temperature import Temperature
from textforge.samplers.top_k import TopK

WITH_END = PieceEncoder.of("a", "b", "c", "ab", "bca", END_OF_TEXT)


class Restless(Sampler):
    """Uses state, shared tables and random numbers, and gives the same array again and again."""

    name = "restless"

    def __call__(self, logits, context):
        rows, size = logits.shape
        own = context.shared.setdefault(f"own{rows}", np.empty(logits.shape))
        seen = context.state.get("seen", np.zeros((rows, size)))
        if context.step:
            seen[np.arange(rows), context.tokens[:, -1]] += 1
        context.state["seen"] = seen
        np.subtract(logits, 0.5 * seen + context.random(size), out=own)
        return own


class Preset(Sampler):
    name = "preset"

    def __call__(self, logits, context):
        raise NotImplementedError

    def expand(self):
        return (TopK(3), Temperature(0.5))


class Marks(Sampler):
    """Leaves what can't be drawn from."""

    name = "marks"
    value: float = textforge.option(default=0.0, help="Added to the first logit.")

    def __call__(self, logits, context):
        marked = logits.copy()
        marked[:, 0] = {1: np.nan, 2: np.inf}.get(int(self.value), -np.inf)
        return marked if self.value < 3 else np.full(logits.shape, -np.inf)


class Flat(Sampler):
    name = "flat"

    def __call__(self, logits, context):
        return np.zeros(logits.shape)


def generator(encoder=None, logits=None, window=None):
    encoder = encoder or letters()
    model = ScriptedModel(encoder.vocabulary_size, logits or hashed_logits(encoder.vocabulary_size), window=window)
    return TextGenerator(model, encoder, plugins=Plugins(disabled="all"))


def softmax(logits):
    powers = np.exp(np.asarray(logits, dtype=np.float64) - np.max(logits))
    return powers / powers.sum()


# --- distributions ---


@given(st.lists(st.floats(-50, 50) | st.just(-math.inf), min_size=1, max_size=12), st.integers(1, 14))
def test_probabilities_entropy_and_the_likeliest(logits, count):
    row = np.array([*logits, 0.0])
    found = Distribution(row)
    probabilities = softmax(row)
    assert found.probabilities == pytest.approx(probabilities, abs=1e-12)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(probabilities > 0, probabilities * np.log2(probabilities), 0)
    assert found.entropy == pytest.approx(-terms.sum(), abs=1e-9)
    ranked = sorted((id for id in range(len(row)) if row[id] > -np.inf), key=lambda place: (-row[place], place))
    assert found.likeliest(count).tolist() == ranked[:count]
    odd = np.arange(len(row)) % 2 == 1
    assert found.likeliest(count, odd).tolist() == [id for id in ranked if id % 2][:count]


def test_a_distribution_of_logits_far_apart():
    found = Distribution(np.array([1e308, -1e308, -np.inf, 1e308]))
    assert found.probabilities.tolist() == [0.5, 0, 0, 0.5]
    assert found.entropy == 1
    assert found.possible.tolist() == [True, True, False, True]
    assert Distribution(np.array([0.0, -800.0])).log_probabilities.tolist() == [0, -800]
    assert math.copysign(1, Distribution(np.array([3.0])).entropy) == 1


@pytest.mark.parametrize("logits", [[np.nan, 0], [np.inf, 0], [-np.inf, -np.inf]])
def test_a_distribution_that_is_none_has_no_figures(logits):
    found = Distribution(np.array(logits))
    assert not found.is_defined
    assert math.isnan(found.entropy)
    assert np.isnan(found.probabilities).all()
    assert found.likeliest(2).tolist() == []


# --- the same texts ---


@given(
    st.integers(0, 1 << 70), st.sampled_from([None, 3]), st.lists(st.text("abc", min_size=1, max_size=3), max_size=2)
)
def test_watching_changes_no_text(seed, window, stop):
    writer = generator(WITH_END, window=window)
    request = {"samplers": [Restless(), Preset(), Restless()], "max_tokens": 15, "stop": stop, "seed": seed}
    plain = list(writer.complete("a", **request, count=5))
    seen = []
    watched = list(writer.complete("a", **request, count=5, logprobs=True, watch=seen.append))
    assert [(text.text, text.finish_reason, text.tokens) for text in watched] == [
        (text.text, text.finish_reason, text.tokens) for text in plain
    ]
    alone = []
    assert "".join(writer.stream("a", **request, watch=alone.append)) == plain[0].text
    assert [drawn.id for drawn in alone] == [drawn.id for drawn in seen if drawn.number == 0]
    assert all(text.logprobs is None for text in plain)


def test_nothing_is_noted_where_nobody_watches(monkeypatch):
    def refuse(*_, **__):
        raise RuntimeError("noted")

    for name in ("WatchedBatch.__init__", "WatchedChain.__init__", "DrawnToken.__init__"):
        monkeypatch.setattr(f"textforge.generation.loop.{name}", refuse)
    writer = generator()
    assert len(writer.generate("a", seed=1, max_tokens=5)) == 5
    assert len("".join(writer.stream("a", seed=1, max_tokens=5))) == 5
    with pytest.raises(RuntimeError, match="noted"):
        list(writer.complete("a", seed=1, max_tokens=5, logprobs=True))


def test_watching_computes_what_a_chain_does_bit_for_bit():
    seen = []
    writer = generator()
    chain = [Restless(), TopK(4), Restless()]
    (text,) = writer.complete("a", samplers=chain, max_tokens=30, seed=9, watch=seen.append)
    tokens = [writer.encoder.encode("a").item()]
    assert [drawn.step for drawn in seen] == list(range(30))
    for drawn in seen:
        model = np.asarray(writer.model._logits(tokens), dtype=np.float32)
        assert drawn.before.probabilities == pytest.approx(softmax(model), abs=1e-12)
        assert [stage.sampler for stage in drawn.stages] == chain
        assert drawn.stages[1].left.possible.sum() == 4
        kept = drawn.after.probabilities  # the draw, by its definition
        assert drawn.id == np.searchsorted(np.cumsum(kept), drawn.uniform, "right")
        tokens.append(drawn.id)
    assert writer.encoder.decode(tokens[1:]) == text.text


def test_the_end_and_a_stop_texts_tokens_are_told_but_have_no_logprobs():
    def ids(**options):
        seen = []
        (text,) = generator(WITH_END, reciting([0, 1, 3, 5], 6)).complete(
            "a", seed=1, logprobs=True, watch=seen.append, **options
        )
        return [drawn.id for drawn in seen], [noted.token for noted in text.logprobs], text.tokens

    assert ids() == ([0, 1, 3, 5], [0, 1, 3], 3)
    assert ids(stop="bab") == ([0, 1, 3], [0], 1)
    assert ids(max_tokens=2) == ([0, 1], [0, 1], 2)
    assert ids(max_tokens=0) == ([], [], 0)
    assert ids(stop="a") == ([0], [], 0)


def test_logprobs_are_those_of_a_hand_count():
    writer = generator(WITH_END, constant_logits([0.4, 0.3, 0.2, 0.1, 0, 0]))
    for text in writer.complete(
        "a", samplers=[TopK(2), Temperature(0.5)], max_tokens=8, seed=3, count=3, logprobs=True
    ):
        assert len(text.logprobs) == text.tokens == 8
        assert "".join(noted.text for noted in text.logprobs) == text.text
        for noted in text.logprobs:
            before, after = {0: (0.4, 0.16 / 0.25), 1: (0.3, 0.09 / 0.25)}[noted.token]
            assert math.exp(noted.before) == pytest.approx(before, abs=1e-6)
            assert math.exp(noted.after) == pytest.approx(after, abs=1e-6)


def test_a_token_that_only_the_chain_made_possible():
    writer = generator(WITH_END, constant_logits([1, 0, 0, 0, 0, 0]))
    (text,) = writer.complete("a", samplers=Flat(), max_tokens=40, seed=3, logprobs=True)
    assert {noted.before for noted in text.logprobs} == {0, -math.inf}
    assert all(noted.after == pytest.approx(math.log(1 / 6)) for noted in text.logprobs)


# --- the trace ---


def traced(writer, prompt="a", **options):
    seen = []
    list(writer.complete(prompt, watch=lambda drawn: seen.append(trace(drawn, writer.encoder)), **options))
    for line in seen:
        json.loads(json.dumps(line, allow_nan=False))
    return seen


def test_a_trace_says_what_each_sampler_did():
    writer = generator(WITH_END, constant_logits([0.4, 0.3, 0.2, 0.1, 0, 0]))
    (line,) = traced(writer, samplers=Preset(), max_tokens=1, seed=3)

    def tokens(*pairs):
        return [{"id": id, "text": WITH_END.pieces[id], "probability": pytest.approx(p, abs=1e-6)} for id, p in pairs]

    assert line["model"] == {
        "entropy": pytest.approx(1.846439, abs=1e-5),
        "tokens": 4,
        "top": tokens((0, 0.4), (1, 0.3), (2, 0.2), (3, 0.1)),
    }
    first, second = line["samplers"]
    assert first == {
        "sampler": "top-k:3",
        "removed": {"tokens": 1, "probability": pytest.approx(0.1, abs=1e-6), "top": tokens((3, 0.1))},
        "entropy": {"before": line["model"]["entropy"], "after": pytest.approx(1.530493, abs=1e-5)},
    }
    assert (second["sampler"], second["removed"]) == ("temperature:0.5", {"tokens": 0, "probability": 0, "top": []})
    assert second["entropy"]["before"] == first["entropy"]["after"]
    left = [(0, 16 / 29), (1, 9 / 29), (2, 4 / 29)]
    assert line["left"] == {"entropy": second["entropy"]["after"], "tokens": 3, "top": tokens(*left)}
    drawn = line["drawn"]
    assert drawn["text"] == WITH_END.pieces[drawn["id"]]
    assert drawn["after"] == line["left"]["top"][drawn["id"]]["probability"]
    assert drawn["before"] == line["model"]["top"][drawn["id"]]["probability"]
    assert 0 <= drawn["random"] < 1
    assert (line["number"], line["step"]) == (0, 0)


def test_traces_of_several_texts_say_whose_each_is():
    lines = traced(generator(), samplers="temperature:1", max_tokens=4, count=3, seed=1)
    assert [(line["number"], line["step"]) for line in lines] == [(n, step) for step in range(4) for n in range(3)]
    texts = generator().generate("a", samplers="temperature:1", max_tokens=4, count=3, seed=1)
    assert ["".join(line["drawn"]["text"] for line in lines if line["number"] == n) for n in range(3)] == texts


def test_without_samplers_what_is_left_is_what_the_model_thought():
    (line,) = traced(generator(), samplers=[], max_tokens=1, seed=1)
    assert line["samplers"] == []
    assert line["left"] == line["model"]


def test_a_line_is_of_bounded_size_whatever_the_vocabulary():
    encoder = PieceEncoder.of(*map(chr, range(0x4E00, 0x4E00 + 3000)))
    (line,) = traced(generator(encoder), prompt="\u4e00", samplers="top-k:1000", max_tokens=1, seed=1)
    assert line["samplers"][0]["removed"]["tokens"] == 2000
    lists = [line["model"]["top"], line["left"]["top"], line["samplers"][0]["removed"]["top"]]
    assert [len(shown) for shown in lists] == [TOP] * 3
    assert len(json.dumps(line)) < 4000


@pytest.mark.parametrize("value", [1, 2, 3])
def test_what_is_broken_on_the_way_is_traced_as_it_is(value):
    samplers = [Marks(value), Flat()]
    writer = generator()
    (line,) = traced(writer, samplers=samplers, max_tokens=1, seed=1)
    assert line["samplers"][0]["entropy"]["after"] is None
    assert line["samplers"][1]["entropy"]["before"] is None
    assert writer.encoder.decode([line["drawn"]["id"]]) == writer.generate("a", samplers=samplers, max_tokens=1, seed=1)


def test_errors_name_the_same_samplers_when_watched():
    def failing(**options):
        with pytest.raises(GenerationError) as failed:
            list(generator().stream("a", samplers=[TopK(3), Marks(1)], seed=1, **options))
        return str(failed.value)

    assert failing() == failing(watch=lambda drawn: None)
    assert "(top-k:3 | marks:1.0) left logits that hold NaN" in failing()
