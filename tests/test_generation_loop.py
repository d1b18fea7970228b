from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import PieceEncoder, ScriptedModel, constant_logits, hashed_logits, letters, reciting

from textforge.corpora.base import END_OF_TEXT
from textforge.encoders.base import IncrementalDecoder
from textforge.errors import GenerationError
from textforge.generation.drawing import Draw
from textforge.generation.loop import BATCH, Batch, Task, write, write_one
from textforge.generation.randomness import DrawNumbers
from textforge.generation.reader import PIECE, read_prompt
from textforge.model import Model
from textforge.samplers.base import Sampler
from textforge.samplers.greedy import Greedy
from textforge.samplers.temperature import Temperature

WITH_END = PieceEncoder.of("a", "b", "c", "ab", "bca", END_OF_TEXT)


class Fickle(Sampler):
    """Uses everything a context offers: state by row, shared tables, tokens, random numbers."""

    name = "fickle"

    def __call__(self, logits, context):
        rows, size = logits.shape
        table = context.shared.setdefault("table", np.linspace(-1, 1, size))
        seen = context.state.get("seen", np.zeros((rows, size)))
        if context.step:
            seen[np.arange(rows), context.tokens[:, -1]] += 1
        context.state["seen"] = seen
        words = context.state.setdefault("words", [""] * rows)
        context.state["words"] = [word + str(id) for word, id in zip(words, context.tokens[:, -1], strict=True)]
        lengths = np.array([[len(word) % 3] for word in context.state["words"]])
        amount = context.step % 4  # another number of random numbers at each step
        return logits - 0.7 * seen + table * lengths + context.random(amount, size).sum(axis=1)


def task(encoder=None, logits=None, *, window=None, **changes):
    encoder = encoder or letters()
    model = ScriptedModel(
        encoder.vocabulary_size, logits or hashed_logits(encoder.vocabulary_size), window=window
    )  # fmt: skip
    values = {"prompt": np.array([1, 0]), "samplers": [Temperature(0.8)], "max_tokens": 12, "stops": (), "seed": 1}
    return Task(model=model, encoder=encoder, **(values | changes))


def texts(task, count):
    return [(text.text, text.finish_reason, text.tokens) for text in write(task, count)]


def alone(task, number):
    batch = Batch(task, read_prompt(task.model, task.prompt), range(number, number + 1))
    for _ in batch.run():
        pass
    text = batch.texts[0]
    return text.text, text.finish_reason, text.tokens


def by_hand(task, number, window=None):
    """The token ids of a text, each from logits computed anew over all the tokens before it."""
    numbers, draw = DrawNumbers(task.seed, [number]), Draw(1, task.model.vocabulary_size).draw
    tokens = task.prompt.tolist()
    for step in range(task.max_tokens):
        seen = tokens[-window:] if window else tokens
        logits = np.array([task.model._logits(seen)], dtype=np.float32).astype(np.float64)
        for sampler in task.samplers:
            logits = sampler(logits, None)
        tokens.append(int(draw(logits, numbers.at(step))[0]))
    return tokens[len(task.prompt) :]


@pytest.mark.parametrize("window", [None, 1, 3, 50])
def test_texts_are_those_of_the_loop_written_by_hand(window):
    job = task(window=window, prompt=np.arange(8), max_tokens=20)
    expected = [job.encoder.decode(by_hand(job, number, window)) for number in range(3)]
    assert texts(job, 3) == [(text, "length", 20) for text in expected]
    assert len(set(expected)) == 3


def test_five_texts_are_the_first_of_more_in_any_batches():
    job = task(samplers=[Temperature(0.9), Fickle()])
    many = texts(job, BATCH + 3)
    assert texts(job, 5) == many[:5]
    assert [alone(job, number) for number in (0, 4, BATCH - 1, BATCH, BATCH + 2)] == [
        many[number] for number in (0, 4, BATCH - 1, BATCH, BATCH + 2)
    ]
    assert len(set(many)) > BATCH // 2


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1 << 70), st.lists(st.text("abc", min_size=1, max_size=3), max_size=2))
def test_rows_that_finish_change_nothing_in_the_others(seed, stops):
    job = task(WITH_END, samplers=[Fickle(), Temperature(1.5), Fickle()], stops=tuple(stops), seed=seed)
    assert texts(job, 5) == [alone(job, number) for number in range(5)]


def test_finished_rows_leave_the_batch():
    job = task(WITH_END, max_tokens=30)
    written = texts(job, 6)
    lengths = [tokens + (reason == "end") for _, reason, tokens in written]
    assert len(set(lengths)) > 2
    steps = [rows for name, rows, _ in job.model.calls if name == "step"]
    assert steps == [sum(length > step for length in lengths) for step in range(1, max(lengths))]


def test_a_prompt_is_read_once_in_pieces_whatever_the_count():
    job = task(prompt=np.zeros(2 * PIECE + 7, dtype=np.int64), max_tokens=3)
    texts(job, BATCH + 1)
    assert job.model.calls == [
        ("forward", 1, PIECE), ("forward", 1, PIECE), ("forward", 1, 7),
        ("step", BATCH, 1), ("step", BATCH, 1), ("step", 1, 1), ("step", 1, 1),
    ]  # fmt: skip


def test_a_window_is_never_longer_than_the_model_allows():
    job = task(window=4, prompt=np.array([0, 1]), max_tokens=5)
    texts(job, 2)
    assert job.model.calls == [("forward", 1, 2), *[("forward", 2, length) for length in (3, 4, 4, 4)]]
    job = task(window=4, prompt=np.arange(9), max_tokens=1)
    texts(job, 2)
    assert job.model.calls == [("forward", 1, 4)]


@pytest.mark.parametrize("window", [None, 3])
def test_streams_side_by_side_do_not_disturb_each_other(window):
    job = task(window=window)
    together = list(itertools.zip_longest(write_one(job), write_one(job), fillvalue=""))
    assert ["".join(pieces) for pieces in zip(*together, strict=True)] == [texts(job, 1)[0][0]] * 2


def test_the_end_of_text_finishes_and_does_not_show():
    job = task(WITH_END, reciting([0, 2, 5, 1], 6, prompt_length=2), samplers=[Greedy()])
    assert texts(job, 2) == [("ac", "end", 2)] * 2
    assert list(write_one(job)) == ["a", "c"]


def test_the_end_of_text_may_come_first_or_last():
    first = task(WITH_END, reciting([5], 6, prompt_length=2))
    assert texts(first, 1) == [("", "end", 0)]
    last = task(WITH_END, reciting([0, 5], 6, prompt_length=2), max_tokens=2)
    assert texts(last, 1) == [("a", "end", 1)]


def test_the_last_token_may_complete_a_stop_text():
    job = task(WITH_END, reciting([0, 1, 2], 6, prompt_length=2), max_tokens=3, stops=("bc",))
    assert texts(job, 1) == [("a", "stop", 1)]


def test_what_was_held_back_shows_when_the_text_ends():
    job = task(WITH_END, reciting([0, 1, 2], 6, prompt_length=2), max_tokens=2, stops=("bc",))
    assert texts(job, 1) == [("ab", "length", 2)]
    assert list(write_one(job)) == ["a", "b"]
    ending = task(WITH_END, reciting([0, 1, 5], 6, prompt_length=2), stops=("bc",))
    assert texts(ending, 1) == [("ab", "end", 2)]


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 1000), st.lists(st.text("abc", min_size=1, max_size=4), min_size=1, max_size=3), st.integers(1, 25)
)
def test_stop_texts_cut_the_text_that_would_have_been(seed, stops, max_tokens):
    encoder = PieceEncoder.of("a", "b", "c", "ab", "bca")
    whole = texts(task(encoder, seed=seed, max_tokens=max_tokens), 3)
    stopped = task(encoder, seed=seed, max_tokens=max_tokens, stops=tuple(stops))
    for (text, _, tokens), (shown, reason, shown_tokens) in zip(whole, texts(stopped, 3), strict=True):
        places = [text.find(stop) for stop in stops if stop in text]
        assert (shown, reason) == ((text[: min(places)], "stop") if places else (text, "length"))
        ids = by_hand(task(encoder, seed=seed, max_tokens=max_tokens), 0) if text == whole[0][0] else None
        if ids is not None:
            begins = [len(encoder.decode(ids[:place])) for place in range(len(ids))]
            assert shown_tokens == sum(begin < len(shown) for begin in begins)
        assert shown_tokens <= tokens
    assert "".join(write_one(stopped)) == texts(stopped, 1)[0][0]


class PairDecoder(IncrementalDecoder):
    """Gives two tokens at a time, as bytes of one character come."""

    def __init__(self, encoder):
        self._encoder, self._waiting = encoder, []

    def push(self, ids):
        self._waiting += ids
        ready, self._waiting = (self._waiting, []) if len(self._waiting) == 2 else ([], self._waiting)
        return self._encoder.decode(ready)

    def finish(self):
        return "?!" * len(self._waiting)


class PairEncoder(PieceEncoder):
    name = "pair"

    def decoder(self):
        return PairDecoder(self)


@pytest.mark.parametrize(
    ("max_tokens", "stops", "expected"),
    [
        (4, (), ("abca", "length", 4)),
        (3, (), ("ab?!", "length", 3)),
        (3, ("?",), ("ab", "stop", 2)),
        (3, ("!",), ("ab?", "stop", 3)),
        (9, ("ca",), ("ab", "stop", 2)),
        (9, ("a",), ("", "stop", 0)),
        (3, ("c",), ("ab?!", "length", 3)),
    ],
)
def test_text_comes_as_soon_as_it_is_certain(max_tokens, stops, expected):
    encoder = PairEncoder(pieces=("a", "b", "c"))
    job = task(encoder, reciting([0, 1, 2], 3, prompt_length=2), max_tokens=max_tokens, stops=stops)
    assert texts(job, 1) == [expected]
    pieces = list(write_one(job))
    assert "".join(pieces) == expected[0]
    assert "" not in pieces


def test_no_tokens_need_no_model():
    job = task(max_tokens=0)
    assert texts(job, 3) == [("", "length", 0)] * 3
    assert list(write_one(job)) == []
    assert job.model.calls == []


def test_draws_over_steps_and_texts_follow_the_probabilities():
    encoder = PieceEncoder.of(*"abcd")
    probabilities = np.array([0.5, 0.25, 0.0, 0.25])
    job = task(encoder, constant_logits(probabilities), samplers=[], max_tokens=300)
    counts = np.bincount(encoder.encode("".join(text for text, _, _ in texts(job, 20))), minlength=4)
    expected = probabilities[[0, 1, 3]] * 6000
    assert counts[2] == 0
    assert ((counts[[0, 1, 3]] - expected) ** 2 / expected).sum() < 18.5  # 2 degrees of freedom, p = 1e-4


@pytest.mark.parametrize(
    ("bad", "problem"), [(np.nan, "hold NaN"), (np.inf, "hold +inf"), (-np.inf, "rule out every token")]
)
def test_a_model_whose_logits_are_bad_is_named(bad, problem):
    def logits(tokens):
        return [bad if len(tokens) == 5 else 0.0] * 9

    with pytest.raises(GenerationError) as refused:
        texts(task(logits=logits), 2)
    assert str(refused.value) == (
        f"the model gave logits that {problem}, for text 0 at step 3 (chain: temperature:0.8); "
        f"each text needs a finite one, and none may be NaN or +inf"
    )


class Spoiler(Sampler):
    name = "spoiler"

    def __call__(self, logits, context):
        spoilt = logits.copy()
        if context.step == 2:
            spoilt[-1] = -np.inf
        return spoilt


def test_a_chain_whose_logits_are_bad_is_named():
    with pytest.raises(GenerationError, match=r"the samplers \(spoiler \| temperature:0.8\) left .* text 3 at step 2"):
        texts(task(samplers=[Spoiler(), Temperature(0.8)]), 4)


def test_a_model_with_another_vocabulary_than_it_says_is_refused():
    with pytest.raises(GenerationError, match=r"the model must give logits of shape \(1, 9\), got \(1, 4\)"):
        texts(task(logits=lambda tokens: [0.0] * 4), 1)


class Float64Model(ScriptedModel):
    def _read(self, ids, state):
        return super()._read(ids, state).astype(np.float64)


def test_a_float64_model_without_forward_of_its_own_will_do():
    job = task()
    model = Float64Model(9, job.model._logits)
    model.forward = lambda *arguments, **keywords: Model.forward(model, *arguments, **keywords)
    other = Task(model, job.encoder, job.prompt, job.samplers, job.max_tokens, job.stops, job.seed)
    assert texts(other, 3) == texts(job, 3)
