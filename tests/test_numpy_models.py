"""Properties that NumPy's models of every architecture have in common."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy_models import ARCHITECTURES, ONE_HOT, TOLERANCES, saved_model, some_ids, steps
from support import numpy_model

from textforge.backends.numpy import model as numpy_base
from textforge.backends.numpy import weights as numpy_weights
from textforge.errors import BundleError

pytestmark = pytest.mark.parametrize("architecture", ARCHITECTURES)
SMALL = {
    "lstm": {"num_layers": (1, 3), "hidden_size": (1, 9)},
    "conv": {"num_layers": (1, 3), "channels": (1, 9), "kernel_size": (2, 4), "dilation_growth": (1, 3)},
    "gpt": {"num_layers": (1, 3), "window": (1, 25)},
}
"""The least and the most of each size that is drawn."""


def test_forward_of_no_tokens_changes_nothing(architecture):
    model = numpy_model(saved_model(architecture))
    state, ids = model.start(2), some_ids(2, 5)
    assert model.forward(ids[:, :0], state).shape == (2, 0, 11)
    assert model.forward(ids[:, :0], state, last_only=True).shape == (2, 0, 11)
    np.testing.assert_array_equal(steps(model, ids, state), steps(model, ids))


def test_the_result_of_forward_stays_as_it_is(architecture):
    model, ids = numpy_model(saved_model(architecture)), some_ids(1, 5)
    state = model.start(1)
    for last_only in (False, True):
        logits = model.forward(ids, state, last_only)
        before = logits.copy()
        model.step(ids[:, 0], state)
        np.testing.assert_array_equal(logits, before)


@pytest.mark.parametrize("rows", [1, 3])
def test_the_state_is_advanced_in_place_and_the_logits_are_a_buffer(architecture, rows):
    model, ids = numpy_model(saved_model(architecture)), some_ids(rows, 2)
    state = model.start(rows)
    first = model.step(ids[:, 0], state)
    before = first.copy()
    second = model.step(ids[:, 0], state)
    assert second.shape == (rows, 11)
    assert np.shares_memory(first, second)
    assert not np.array_equal(before, second), "the same token after another one gives other logits"


def test_states_share_nothing(architecture):
    model, ids = numpy_model(saved_model(architecture)), some_ids(1, 20)
    one, other = model.start(1), model.start(1)
    expected = steps(model, ids)
    for t in range(20):
        logits = model.step(ids[:, t], one)
        model.step((ids[:, t] + 1) % 11, other)
        np.testing.assert_array_equal(logits, expected[:, t])


def test_one_model_serves_many_threads(architecture):
    model = numpy_model(saved_model(architecture))
    texts = [some_ids(1, 300, seed=seed) for seed in range(8)]
    with ThreadPoolExecutor(4) as threads:
        for ids, logits in zip(texts, threads.map(lambda ids: steps(model, ids), texts), strict=True):
            np.testing.assert_array_equal(logits, steps(model, ids))


@pytest.mark.parametrize("precision", TOLERANCES)
def test_rows_are_independent(architecture, precision):
    model, ids = numpy_model(saved_model(architecture), precision), some_ids(5, 60)
    together = steps(model, ids)
    for row in range(5):
        alone = steps(model, ids[row : row + 1])
        np.testing.assert_allclose(together[row], alone[0], rtol=0, atol=TOLERANCES[precision] / 4)


@settings(deadline=None, max_examples=40)
@given(
    rows=st.integers(1, 4),
    chosen=st.lists(st.integers(0, 3), min_size=1, max_size=6),
    read=st.integers(0, 20),
)
def test_select_copies_rows_in_any_order(architecture, rows, chosen, read):
    model, ids = numpy_model(saved_model(architecture), "float64"), some_ids(rows, 30)
    chosen = np.array([row % rows for row in chosen])
    state = model.start(rows)
    model.forward(ids[:, :read], state)
    selected = model.select(state, chosen)
    expected = steps(model, ids[:, read:], state)[chosen]
    np.testing.assert_allclose(steps(model, ids[chosen, read:], selected), expected, rtol=0, atol=1e-13)


def test_a_selection_is_a_copy(architecture):
    model, ids = numpy_model(saved_model(architecture)), some_ids(2, 4)
    state, undisturbed = model.start(2), model.start(2)
    for both in (state, undisturbed):
        model.forward(ids, both)
    selected = model.select(state, np.array([1, 0]))
    model.step(ids[:, 0], selected)
    np.testing.assert_array_equal(model.step(ids[:, 1], state), model.step(ids[:, 1], undisturbed))


def test_no_rows_may_be_left(architecture):
    model = numpy_model(saved_model(architecture))
    none = model.select(model.start(2), np.array([], dtype=np.int64))
    assert model.step(np.array([], dtype=np.int64), none).shape == (0, 11)
    assert model.forward(np.zeros((0, 3), dtype=np.int64), none).shape == (0, 3, 11)


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("embedding_size", [7, None])
def test_a_table_too_large_is_not_made(architecture, rows, embedding_size, monkeypatch):
    if architecture not in ONE_HOT:
        pytest.skip("its table is its embedding")
    saved, ids = saved_model(architecture, embedding_size=embedding_size), some_ids(rows, 40)
    expected = steps(numpy_model(saved, "float64"), ids)
    monkeypatch.setattr(numpy_weights, "TABLE_BYTES", 0)
    model = numpy_model(saved, "float64")
    np.testing.assert_allclose(steps(model, ids), expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(model.forward(ids, model.start(rows)), expected, rtol=0, atol=1e-12)


def test_a_token_the_vocabulary_lacks_is_refused(architecture):
    model = numpy_model(saved_model(architecture))
    with pytest.raises(IndexError):
        model.step(np.array([11]), model.start(1))


@pytest.mark.parametrize("precision", TOLERANCES)
def test_what_was_loaded_is_saved_as_a_copy(architecture, precision):
    saved = saved_model(architecture, model_window=60)
    model = numpy_model(saved, precision)
    steps(model, some_ids(1, 5))
    model.save().arrays["output.bias"][:] = 7
    again = model.save()
    assert (again.architecture, again.options, again.vocabulary_size) == (architecture, saved.options, 11)
    assert again.window == model.window == 60
    assert again.arrays.keys() == saved.arrays.keys()
    for name, array in again.arrays.items():
        assert array.dtype == np.float32
        assert array.flags.c_contiguous
        np.testing.assert_array_equal(array, saved.arrays[name])


@pytest.mark.parametrize("precision", TOLERANCES)
def test_the_precision_asked_for_is_computed_in(architecture, precision):
    model = numpy_model(saved_model(architecture), precision)
    assert model.step(np.array([1]), model.start(1)).dtype == precision


def test_misshapen_weights_are_refused(architecture):
    saved = saved_model(architecture)
    with pytest.raises(BundleError, match=r"output\.bias have shape \(3,\), but the options say \(11,\)"):
        numpy_model(attrs.evolve(saved, arrays=saved.arrays | {"output.bias": np.zeros(3, np.float32)}))


@settings(deadline=None, max_examples=50)
@given(data=st.data())
def test_any_mixture_of_calls_reads_the_same_text(architecture, data):
    rows, length = data.draw(st.integers(1, 4), label="rows"), 40
    options = {name: data.draw(st.integers(*bounds), label=name) for name, bounds in SMALL[architecture].items()}
    model = numpy_model(saved_model(architecture, **options), "float64")
    state, ids, at = model.start(rows), some_ids(rows, length), 0
    expected = steps(model, ids)
    while at < length:
        size = data.draw(st.integers(1, length - at), label="size")
        how = data.draw(st.sampled_from(["step", "forward", "last"]), label="how")
        piece = ids[:, at : at + size]
        logits = steps(model, piece, state) if how == "step" else model.forward(piece, state, how == "last")
        at += size
        np.testing.assert_allclose(logits, expected[:, at - logits.shape[1] : at], rtol=0, atol=1e-12)


@pytest.mark.parametrize("last_only", [False, True])
@pytest.mark.parametrize("rows", [1, 3])
def test_long_texts_are_read_in_pieces(architecture, rows, last_only, monkeypatch):
    model, ids = numpy_model(saved_model(architecture, num_layers=2), "float64"), some_ids(rows, 50)
    whole = model.forward(ids, model.start(rows), last_only)
    lengths, read = [], type(model).read
    monkeypatch.setattr(numpy_base, "PIECE_BYTES", 7 * model.bytes_per_token(rows))
    monkeypatch.setattr(
        type(model), "read", lambda self, ids, *rest: lengths.append(ids.shape[1]) or read(self, ids, *rest)
    )
    state = model.start(rows)
    np.testing.assert_allclose(model.forward(ids, state, last_only), whole, rtol=0, atol=1e-13)
    assert lengths == [7] * 7 + [1]
    np.testing.assert_allclose(
        model.step(ids[:, 0], state), steps(model, np.c_[ids, ids[:, 0]])[:, -1], rtol=0, atol=1e-13
    )
