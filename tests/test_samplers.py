from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from textforge.errors import OptionError
from textforge.plugins.registry import Plugins
from textforge.samplers.greedy import Greedy
from textforge.samplers.temperature import Temperature
from textforge.samplers.top_k import TopK

NO_CONTEXT = None
LOGIT = st.one_of(st.integers(-3, 3).map(float), st.floats(-50, 50), st.just(-math.inf))


@st.composite
def logits(draw, element=LOGIT):
    shape = draw(st.tuples(st.integers(1, 4), st.integers(1, 12)))
    found = draw(hnp.arrays(np.float64, shape, elements=element))
    found.flags.writeable = False
    return found


def test_all_are_registered():
    plugins = Plugins(disabled="all")
    assert plugins.chain("greedy | temperature:0.5 | top-k:3") == [Greedy(), Temperature(0.5), TopK(3)]


@given(logits())
def test_greedy_is_argmax(rows):
    kept = Greedy()(rows, NO_CONTEXT)
    best = [max(range(len(row)), key=lambda token: (row[token], -token)) for row in rows.tolist()]
    assert kept.shape == rows.shape
    assert kept.argmax(axis=-1).tolist() == best
    assert (np.isfinite(kept).sum(axis=-1) == np.isfinite(rows).any(axis=-1)).all()
    for row, id in enumerate(best):
        assert kept[row, id] == rows[row, id]


@given(logits(), st.integers(1, 14))
def test_top_k_keeps_exactly_k_the_lowest_ids_among_equals(rows, k):
    kept = TopK(k)(rows, NO_CONTEXT)
    for before, after in zip(rows.tolist(), kept.tolist(), strict=True):
        best = sorted(range(len(before)), key=lambda token: (-before[token], token))[:k]
        expected = [logit if id in best else -math.inf for id, logit in enumerate(before)]
        assert after == expected


def test_top_k_keeps_one_of_all_equal():
    assert np.isfinite(TopK(1)(np.zeros((3, 5)), NO_CONTEXT)).sum(axis=-1).tolist() == [1, 1, 1]


@given(hnp.arrays(np.float64, (2, 6), elements=st.floats(0.001, 1)), st.floats(0.1, 5))
def test_temperature_is_the_reweighting_of_probabilities(weights, temperature):
    probabilities = weights / weights.sum(axis=-1, keepdims=True)
    reweighted = np.exp(np.log(probabilities) / temperature)
    reweighted /= reweighted.sum(axis=-1, keepdims=True)
    scaled = np.exp(Temperature(temperature)(np.log(probabilities), NO_CONTEXT))
    np.testing.assert_allclose(scaled / scaled.sum(axis=-1, keepdims=True), reweighted, rtol=0, atol=1e-12)


@given(logits(), st.sampled_from([5e-324, 1e-300, 1e-10, 9.99e-4, 1e-3, 1e300]))
def test_no_temperature_is_too_small_or_too_large(rows, temperature):
    scaled = Temperature(temperature)(rows, NO_CONTEXT)
    possible = np.isfinite(rows).any(axis=-1)
    assert not np.isnan(scaled[possible]).any()
    assert np.isfinite(scaled[possible].max(axis=-1)).all()
    assert (scaled[np.isneginf(rows) & possible[:, np.newaxis]] == -np.inf).all()


def test_a_tiny_temperature_is_greedy():
    row = np.array([[1.0, 3.0, 3.0 - 1e-6]])
    assert Temperature(1e-12)(row, NO_CONTEXT).tolist() == [[-2e12, 0.0, pytest.approx(-1e6)]]
    assert np.isneginf(Temperature(5e-324)(row, NO_CONTEXT)).tolist() == [[True, False, True]]


@pytest.mark.parametrize("sampler", [Greedy(), Temperature(0.7), Temperature(1e-9), TopK(3), TopK(99)])
def test_rows_are_independent_and_the_input_is_left_alone(sampler):
    rows = np.random.default_rng(1).integers(-3, 3, (20, 9)).astype(np.float64)
    before = rows.copy()
    rows.flags.writeable = False
    together = sampler(rows, NO_CONTEXT)
    assert (rows == before).all()
    for row in range(len(rows)):
        assert (sampler(rows[row : row + 1], NO_CONTEXT) == together[row : row + 1]).all()


GREEDY = "for the likeliest token every time, write greedy in its place"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Temperature(0), f"temperature: temperature must be > 0 and < inf, got 0; {GREEDY}"),
        (lambda: Temperature(-1.5), f"temperature: temperature must be > 0 and < inf, got -1.5; {GREEDY}"),
        (lambda: Temperature(math.inf), "temperature: temperature must be > 0 and < inf, got inf"),
        (lambda: Temperature(math.nan), "temperature: temperature must be a number, got NaN"),
        (lambda: TopK(0), "top-k: k must be >= 1, got 0; to keep every token, leave top-k out"),
        (lambda: TopK(1.5), "top-k: k must be a whole number, got 1.5"),
    ],
)
def test_options_out_of_range_are_refused(make, message):
    with pytest.raises(OptionError) as refused:
        make()
    assert str(refused.value) == message


def test_defaults():
    assert Temperature().temperature == 1.0
    assert TopK().k == 40
