"""Tokens exactly at a threshold: what each sampler keeps, whatever rounding did to the logit.

Probabilities are fractions, so that exact arithmetic is the judge, and logits are of float32, as models compute them.
"""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sampler_cases import context, sampler

PRECISIONS = st.sampled_from([np.float32, np.float64])


@st.composite
def rows(draw, least=2):
    """Some probabilities, different ones, and a number that every logit is shifted by."""
    weights = draw(st.lists(st.integers(1, 40), min_size=least, max_size=6, unique=True))
    probabilities = [Fraction(weight, sum(weights)) for weight in weights]
    return probabilities, draw(st.floats(-8, 8)), draw(PRECISIONS)


def logits_of(row):
    """The logits, (1, V) float64, as the precision has them."""
    probabilities, shift, precision = row
    return (np.log([[float(p) for p in probabilities]]) + shift).astype(precision).astype(np.float64)


def kept(spec, row):
    found = sampler(spec)(logits_of(row), context(size=len(row[0])))[0]
    return set(np.flatnonzero(np.isfinite(found)).tolist())


def falling(probabilities):
    return sorted(range(len(probabilities)), key=lambda token: -probabilities[token])


def at_least(probabilities, floor):
    return {token for token, p in enumerate(probabilities) if p >= floor}


def test_the_fourth_of_four_is_as_likely_as_it_must_be():
    row = [Fraction(tenths, 10) for tenths in (4, 3, 2, 1)], 0.0, np.float32
    assert kept("min-p:0.25", row) == {0, 1, 2, 3}
    assert kept("xtc:1,threshold=0.3", row) == {1, 2, 3}


@given(rows(), st.data())
def test_min_p(row, data):
    probabilities = row[0]
    floor = data.draw(st.sampled_from(probabilities))
    assert kept(f"min-p:{float(floor / max(probabilities))!r}", row) == at_least(probabilities, floor)


@given(rows(), st.data())
def test_epsilon(row, data):
    probabilities = row[0]
    floor = data.draw(st.sampled_from(probabilities))
    assert kept(f"epsilon:{float(floor)!r}", row) == at_least(probabilities, floor)


@given(rows(), st.data())
def test_eta(row, data):
    """Where the entropy is low, so that epsilon itself is the floor."""
    probabilities = row[0]
    floor = min(probabilities)
    entropy = -sum(float(p) * math.log(p) for p in probabilities)
    expected = probabilities if float(floor) <= math.exp(-2 * entropy) else at_least(probabilities, floor)
    assert len(kept(f"eta:{float(floor)!r}", row)) == len(expected)


@given(rows(), st.data())
def test_top_a(row, data):
    probabilities = row[0]
    floor = data.draw(st.sampled_from(probabilities))
    a = floor / max(probabilities) ** 2
    if a <= 1:
        assert kept(f"top-a:{float(a)!r}", row) == at_least(probabilities, floor)


def test_the_rounding_of_the_best_counts_twice_in_its_square():
    row = [Fraction(weight, 19) for weight in (4, 1, 14)], -7.769218090361729, np.float32
    assert kept(f"top-a:{float(Fraction(4, 19) / Fraction(14, 19) ** 2)!r}", row) == {0, 2}


@given(rows(), st.data())
def test_xtc(row, data):
    probabilities = row[0]
    threshold = data.draw(st.sampled_from(probabilities))
    obvious = falling(probabilities)[: len(at_least(probabilities, threshold))]
    if threshold <= Fraction(1, 2):
        expected = set(range(len(probabilities))) - set(obvious[:-1])
        assert kept(f"xtc:1,threshold={float(threshold)!r}", row) == expected


@given(rows(), st.data())
def test_top_p(row, data):
    probabilities = row[0]
    order = falling(probabilities)
    count = data.draw(st.integers(1, len(order)))
    share = sum(probabilities[token] for token in order[:count])
    assert kept(f"top-p:{float(share)!r}", row) == set(order[:count])


@given(rows(), st.data())
def test_top_p_on_a_large_vocabulary(row, data):
    """By bins, where the unlikely rest has hardly a share."""
    probabilities = row[0]
    order = falling(probabilities)
    count = data.draw(st.integers(1, len(order) - 1))
    share = sum(probabilities[token] for token in order[:count])
    logits = np.concatenate([logits_of(row), np.full((1, 1000), logits_of(row).min() - 30)], axis=1)
    found = sampler(f"top-p:{float(share)!r}")(logits, None)[0]
    assert set(np.flatnonzero(np.isfinite(found)).tolist()) == set(order[:count])


@given(rows(), st.data())
def test_typical(row, data):
    probabilities = row[0]
    entropy = -math.fsum(float(p) * math.log(p) for p in probabilities)
    distances = [abs(-math.log(p) - entropy) for p in probabilities]
    order = sorted(range(len(probabilities)), key=distances.__getitem__)
    gaps = np.diff([distances[token] for token in order])
    count = data.draw(st.integers(1, len(order) - 1))
    if gaps.min() < 1e-5:
        return  # rounding decides which is nearer
    share = float(sum(probabilities[token] for token in order[:count]))
    assert kept(f"typical:{share!r}", row) == set(order[:count])
    assert kept(f"typical:{share!r},boundary=exceeded", row) == set(order[: count + 1])


@given(rows(least=4), st.data())
def test_tail_free(row, data):
    probabilities = row[0]
    order = falling(probabilities)
    ordered = [probabilities[token] for token in order]
    slopes = [after - before for before, after in itertools.pairwise(ordered)]
    bends = [abs(after - before) for before, after in itertools.pairwise(slopes)]
    count = data.draw(st.integers(1, len(bends)))
    if 0 < sum(bends[:count]) < sum(bends) and bends[count]:
        z = sum(bends[:count]) / sum(bends)
        assert kept(f"tail-free:{float(z)!r}", row) == set(order[: count + 1])


def test_the_terms_of_a_bend_round_each():
    row = [Fraction(weight, 122) for weight in (22, 38, 40, 1, 17, 4)], -7.302536818375788, np.float32
    assert kept(f"tail-free:{14 / 43!r}", row) == {1, 2}


@given(st.integers(1, 6), st.floats(0.05, 3), st.floats(-8, 8), PRECISIONS)
def test_top_n_sigma(count, temperature, shift, precision):
    """As many tokens high as low: the low ones are two deviations down, at whatever temperature."""
    logits = np.repeat([1.0, -1.0], count)[np.newaxis] / temperature + shift
    logits = logits.astype(precision).astype(np.float64)
    assert np.isfinite(sampler("top-n-sigma:2")(logits, None)).all()
    assert np.isfinite(sampler("top-n-sigma:1.999")(logits, None)).sum() == count


@given(st.integers(1, 5), st.floats(-8, 8), PRECISIONS)
def test_mirostat_2(bits, shift, precision):
    """The least likely token has a surprise of 2 tau bits exactly."""
    probabilities = [Fraction(1, 2**bits), 1 - Fraction(1, 2**bits)]
    assert kept(f"mirostat-2:{bits / 2}", (probabilities, shift, precision)) == {0, 1}
    assert kept(f"mirostat-2:{bits / 2 - 1e-5}", (probabilities, shift, precision)) == ({1} if bits > 1 else {0})


@given(st.floats(-8, 8), PRECISIONS)
def test_mirostat(shift, precision):
    """Take 0.8 and 0.2: the exponent is 2, and 2 bits' half is two tokens exactly: sqrt(2 / (1 - 1 / 2))."""
    row = [Fraction(4, 5), Fraction(1, 5)], shift, precision
    assert kept("mirostat:0.5", row) == {0, 1}
    assert kept("mirostat:0.4999", row) == {0}


@pytest.mark.parametrize("spec", ["min-p:0.25", "epsilon:0.1", "eta:0.1", "xtc:1,threshold=0.1", "top-a:0.625"])
def test_further_off_than_rounding_is_off(spec):
    """A hundred-thousandth below the threshold is below it."""
    logits = np.log([[0.4, 0.3, 0.2, 0.1]])
    below = logits - np.array([[0, 0, 0, 1e-5]])
    changed = np.isfinite(sampler(spec)(logits, context(size=4))) != np.isfinite(sampler(spec)(below, context(size=4)))
    assert changed.any() or spec.startswith("eta")
