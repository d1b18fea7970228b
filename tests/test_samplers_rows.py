"""The public functions on rows, histories and surprises, beside plain arithmetic."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sampler_cases import adversarial, context

from textforge.generation.distribution import Distribution
from textforge.samplers import rows, thresholds
from textforge.samplers.history import count_tokens
from textforge.samplers.surprise import surprise_in_bits

LOGITS = hnp.arrays(
    np.float64, st.tuples(st.integers(1, 4), st.integers(1, 9)), elements=st.floats(-700, 700) | st.integers(-3, 3)
)


@given(LOGITS)
def test_log_softmax_is_exact(logits):
    found = rows.log_softmax(logits)
    for before, after in zip(logits.tolist(), found.tolist(), strict=True):
        best = max(before)
        total = math.log(math.fsum(math.exp(logit - best) for logit in before))
        np.testing.assert_allclose(after, [logit - best - total for logit in before], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(rows.softmax(logits), np.exp(found), rtol=0, atol=1e-14)


def test_one_log_softmax_for_any_shape():
    """Take rows, a row, and sequences of rows; a distribution's is the same, bit for bit."""
    logits = np.random.default_rng(1).normal(size=(3, 4, 7))
    found = rows.log_softmax(logits)
    for sequence in range(3):
        np.testing.assert_array_equal(rows.log_softmax(logits[sequence]), found[sequence])
        np.testing.assert_array_equal(rows.log_softmax(logits[sequence, 0]), found[sequence, 0])
        np.testing.assert_array_equal(Distribution(logits[sequence, 0]).log_probabilities, found[sequence, 0])


@pytest.mark.parametrize("size", [1, 5, 600, 3_000])
@pytest.mark.parametrize("count", [1, 2, 100, 10_000])
def test_sort_likeliest_is_the_beginning_of_the_whole_order(size, count):
    logits = adversarial(size, np.random.default_rng(size), 60)
    np.testing.assert_array_equal(rows.sort_likeliest(logits, count), rows.sort_likeliest_first(logits)[:, :count])


@given(LOGITS, st.data())
def test_what_is_ruled_out_leaves_the_best(logits, data):
    outside = data.draw(hnp.arrays(np.bool_, logits.shape))
    before = logits.copy()
    found = rows.rule_out_unless_all(logits, outside)
    np.testing.assert_array_equal(logits, before)
    for row, left, dropped in zip(logits, found, outside, strict=True):
        expected = np.where(dropped, -np.inf, row)
        if dropped.all():
            expected[row.argmax()] = row.max()
        np.testing.assert_array_equal(left, expected)


@given(LOGITS)
def test_surprise_and_entropy(logits):
    logs = rows.log_softmax(logits)
    bits = surprise_in_bits(logits)
    np.testing.assert_allclose(bits, -logs / math.log(2), rtol=1e-14)
    expected = (rows.softmax(logits) * bits).sum(axis=-1, keepdims=True) * math.log(2)
    np.testing.assert_allclose(rows.entropy(logs), expected, rtol=0, atol=1e-10)


def test_tokens_are_counted_as_the_text_grows():
    where = context([0, 1, 1], rows=2, size=4)
    assert count_tokens(where, 4, last_n=3).tolist() == [[1, 2, 0, 0]] * 2
    where._history.append(np.array([2, 3]))
    assert count_tokens(where, 4, last_n=3).tolist() == [[0, 2, 1, 0], [0, 2, 0, 1]]


@given(st.floats(1e-6, 1), st.floats(-20, 20))
def test_thresholds_move_by_a_millionth_and_no_more(share, logit):
    assert 0 < share - thresholds.loosen_probability(share) < share * 1e-6
    assert 0 < logit - thresholds.loosen_logit(logit) < 1e-6
    odds = share * (1 - share) * 1e-6 + 1e-16
    assert 0 <= share - thresholds.loosen_share(share) <= odds
    assert 0 <= thresholds.loosen_share_limit(share) - share <= odds
