"""The judgement of continuations, against a model that is read one token at a time."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from support import ScriptedModel, hashed_logits

import textforge
from textforge.errors import PluginError
from textforge_lm_eval import _reading
from textforge_lm_eval._reading import judge
from textforge_lm_eval._requests import Pair

SIZE = 6


def ids(*values):
    return np.array(values, dtype=np.int64)


def judge_alone(model, pair, never=()):
    """Judge a pair token by token, each from a fresh state, by the plainest formula."""
    sequence = np.concatenate([pair.context, pair.continuation])
    found, greedy = [], []
    for place in range(len(pair.context), len(sequence)):
        begin = 0 if model.window is None else max(0, place - model.window)
        state = model.start(1)
        for token in sequence[begin:place]:
            logits = model.step(ids(token), state)[0].astype(np.float64)
        found.append(logits[sequence[place]] - np.log(np.exp(logits).sum()))
        allowed = [token for token in range(len(logits)) if token not in never]
        greedy.append(max(allowed, key=lambda token: logits[token]) == sequence[place])
    return found, greedy


def check(model, pairs, never=()):
    found = dict(judge(model, pairs, never))
    assert found.keys() == set(range(len(pairs)))
    for place, pair in enumerate(pairs):
        expected, greedy = judge_alone(model, pair, never)
        np.testing.assert_allclose(found[place].log_probabilities, expected, rtol=1e-6)
        assert found[place].greedy.tolist() == greedy


tokens = st.integers(0, SIZE - 1)
contexts = st.lists(st.lists(tokens, min_size=1, max_size=30), min_size=1, max_size=3)
continuations = st.lists(st.tuples(st.integers(0, 2), st.lists(tokens, max_size=25)), max_size=8)


@pytest.mark.parametrize("window", [None, 1, 4])
@pytest.mark.parametrize("rows", [1, 3, 128])
@settings(max_examples=20, deadline=None)
@given(contexts=contexts, continuations=continuations)
def test_each_is_judged_as_alone(window, rows, contexts, continuations):
    model = ScriptedModel(SIZE, hashed_logits(SIZE), window=window)
    pairs = [Pair(ids(*contexts[place % len(contexts)]), ids(*rest)) for place, rest in continuations]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_reading, "ROWS", rows)
        check(model, pairs, never=(2,))


@pytest.mark.parametrize(
    "architecture",
    ["ngram:order=3", "lstm:hidden_size=8", "conv:channels=4,num_layers=2", "gpt:hidden_size=8,num_heads=2,window=12"],
)
def test_real_models_are_judged_as_step_by_step(architecture):
    plugins = textforge.Plugins()
    if architecture.startswith("ngram"):
        model = textforge.train(text="abcdef" * 30 + "fedcba" * 20, architecture=architecture).model
    else:
        from textforge.backends.choose import load_model

        made = plugins.architecture(architecture).create(vocabulary_size=SIZE, seed=3)
        model = load_model(plugins, plugins.backend("numpy"), made)
    draw = np.random.default_rng(1)
    shared = [draw.integers(0, SIZE, length) for length in (1, 5, 40)]
    check(model, [Pair(context, draw.integers(0, SIZE, n)) for context in shared for n in (1, 3, 33)])


def test_a_context_is_read_once_for_all_that_follow_it():
    model = ScriptedModel(SIZE, hashed_logits(SIZE))
    pairs = [Pair(ids(*[1] * 100), ids(token, 3)) for token in range(4)]
    list(judge(model, pairs, ()))
    assert sum(rows * length for _, rows, length in model.calls) == 99 + 4 * 2


def test_no_more_rows_are_read_than_memory_allows(monkeypatch):
    monkeypatch.setattr(_reading, "LOGITS", SIZE * 32)
    model = ScriptedModel(SIZE, hashed_logits(SIZE))
    check(model, [Pair(ids(place % SIZE), ids(*range(SIZE)) if place % 2 else ids(1)) for place in range(40)])
    assert max(rows * length for _, rows, length in model.calls if rows) <= 32


def test_nothing_is_judged_of_an_empty_continuation():
    ((place, found),) = judge(ScriptedModel(SIZE, hashed_logits(SIZE)), [Pair(ids(1), ids())], ())
    assert (place, found.log_probabilities.tolist(), found.greedy.tolist()) == (0, [], [])


def test_a_model_that_fails_is_named():
    def fail(tokens):
        raise ZeroDivisionError("none")

    with pytest.raises(PluginError, match=r"support:ScriptedModel failed to read a text: ZeroDivisionError: none"):
        list(judge(ScriptedModel(SIZE, fail), [Pair(ids(1), ids(2))], ()))
