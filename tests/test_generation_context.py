from __future__ import annotations

import numpy as np
import pytest

from textforge.errors import GenerationError
from textforge.generation.context import RowContext
from textforge.generation.history import History


def context(texts=(0, 1, 2), *, position=0, seed=1, prompt=(5, 6)):
    history = History(np.array(prompt), rows=len(texts))
    return RowContext(history, seed=seed, texts=texts, position=position), history


def test_tokens_are_a_read_only_view_that_follows():
    found, history = context()
    history.append(np.array([1, 2, 3]))
    tokens = found.tokens
    assert tokens.tolist() == [[5, 6, 1], [5, 6, 2], [5, 6, 3]]
    assert found.prompt_length == 2
    assert np.shares_memory(tokens, found.tokens)
    with pytest.raises(ValueError, match="read-only"):
        tokens[0, 0] = 9


def test_history_grows_and_keeps_rows():
    history = History(np.array([7]), rows=2)
    written = [[7], [7]]
    for step in range(5000):
        history.append(np.array([step, -step]))
        written[0].append(step)
        written[1].append(-step)
    assert history.tokens.tolist() == written
    assert history.newest.tolist() == [4999, -4999]
    history.keep([1])
    assert history.tokens.tolist() == written[1:]
    assert history.last(3).tolist() == [[-4997, -4998, -4999]]
    assert History(np.array([1, 2]), rows=1).last(9).tolist() == [[1, 2]]


@pytest.mark.parametrize("length", [0, 1, 5])
def test_a_history_of_texts_under_way_goes_on(length):
    tokens = np.arange(2 * length).reshape(2, length)
    history = History.of(tokens, prompt_length=length // 2)
    assert history.prompt_length == length // 2
    written = tokens.tolist()
    assert history.tokens.tolist() == written
    for step in range(1100):
        history.append(np.array([step, -step]))
        written[0].append(step)
        written[1].append(-step)
    assert history.tokens.tolist() == written
    assert tokens.shape == (2, length)


def test_the_newest_tokens_are_never_written_over():
    history = History(np.array([7]), rows=1)
    kept = []
    for step in range(3000):
        history.append(np.array([step]))
        kept.append(history.newest)
    assert [ids.item() for ids in kept] == list(range(3000))


@pytest.mark.parametrize("shape", [(), (4,), (2, 3), (0,), (1000,)])
def test_random_has_a_row_for_each_text(shape):
    found, _ = context()
    numbers = found.random(*shape)
    assert numbers.shape == (3, *shape)
    assert ((numbers >= 0) & (numbers < 1)).all()


def test_random_depends_on_the_step_alone_not_on_what_was_asked_before():
    greedy, modest = context()[0], context()[0]
    for step in range(4):
        greedy.step = modest.step = step
        if step < 3:
            greedy.random(17)
            greedy.random()
    assert greedy.random(5).tolist() == modest.random(5).tolist()


def test_a_second_call_goes_on_where_the_first_ended():
    split, whole = context()[0], context()[0]
    parts = np.concatenate([split.random(2), split.random(3), split.random()[:, np.newaxis]], axis=1)
    assert parts.tolist() == whole.random(6).tolist()


def test_positions_seeds_steps_and_texts_have_streams_of_their_own():
    def first(step=0, **changes):
        found = context(**changes)[0]
        found.step = step
        return found.random(4).tolist()

    streams = [first(), first(position=1), first(seed=2), first(step=1), first(texts=(3, 4, 5))]
    flat = [tuple(row) for stream in streams for row in stream]
    assert len(set(flat)) == len(flat) == 15


def test_rows_that_leave_take_their_entries_along():
    found, _ = context()
    found.state = {"a": np.arange(6).reshape(3, 2), "b": ["x", "y", "z"], "c": (1, 2, 3)}
    found.shared = {"table": np.arange(9)}
    alone = context(texts=(2,))[0]
    found.random(2)
    found.keep([0, 2])
    found.step = alone.step = 1
    assert found.state["a"].tolist() == [[0, 1], [4, 5]]
    assert (found.state["b"], found.state["c"]) == (["x", "z"], (1, 3))
    assert found.shared["table"].tolist() == list(range(9))
    assert found.random(3)[1].tolist() == alone.random(3)[0].tolist()


def test_rows_may_leave_before_random_is_first_asked():
    found, _ = context()
    found.keep([1])
    assert found.random(3).tolist() == context(texts=(1,))[0].random(3).tolist()


@pytest.mark.parametrize("value", [3, "abc", {1: 2, 2: 3, 3: 4}, np.array(5), [1, 2], np.zeros((2, 3)), None])
def test_state_that_is_not_by_row_is_refused(value):
    found, _ = context()
    found.state["mine"] = value
    with pytest.raises(GenerationError, match=r"context\.state\['mine'\] must be an array or a list"):
        found.keep([0])
