"""Newer samplers beside plain programs of their published definitions: min-k, p-less, quadratic, adaptive-p, top-h."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sampler_cases import adversarial, context, sampler, softmax

from textforge.samplers.adaptive_p import AdaptiveP


def kept(spec, row):
    return set(np.flatnonzero(np.isfinite(sampler(spec)(np.array([row]), None)[0])).tolist())


def plain_min_k(row, tau):
    """Ding and others, algorithm 1: how many tokens to keep."""
    ordered = sorted((logit for logit in row if logit > -math.inf), reverse=True)
    span = ordered[0] - ordered[-1] + 1e-8
    falls = [(ordered[place - 1] - ordered[place]) / span / place for place in range(1, len(ordered))]
    cliff = falls.index(max(falls)) + 1 if falls else 1
    return max(cliff, min(int(tau / span), len(ordered)))


@pytest.mark.parametrize("tau", [0.0, 3.0, 10.0])
def test_min_k_by_its_algorithm(tau):
    random = np.random.default_rng(5)
    for _ in range(300):
        row = random.normal(size=int(random.integers(1, 60))) * random.choice([0.01, 0.3, 2.0, 6.0])
        row[random.random(len(row)) < 0.2] = -math.inf
        row[0] = 1.0
        order = sorted(range(len(row)), key=lambda token, row=row: -row[token])
        assert kept(f"min-k:{tau}", row) == set(order[: plain_min_k(row.tolist(), tau)])


@given(st.lists(st.integers(-50, 50), min_size=2, max_size=12, unique=True), st.floats(0.05, 20))
def test_min_k_does_not_depend_on_temperature(row, temperature):
    hot = np.array(row) / temperature
    assert kept("min-k:0", hot) == kept("min-k:0", np.array(row, dtype=np.float64))


def test_min_k_keeps_all_of_a_flat_row():
    assert kept("min-k", [2.0] * 5) == set(range(5))
    assert kept("min-k:0", [2.0] * 5) == set(range(5))  # equals of the last token kept
    assert kept("min-k", [2.0, -math.inf]) == {0}


def test_p_less_by_its_definition():
    """Tan, Wu and Howard, equation 2, on rows where rounding doesn't decide."""
    random = np.random.default_rng(6)
    for _ in range(300):
        row = random.normal(size=int(random.integers(1, 60))) * random.choice([0.3, 2.0, 6.0])
        likely = softmax(row[np.newaxis])[0].tolist()
        least = math.fsum(p * p for p in likely)
        if min(abs(p / least - 1) for p in likely) > 1e-5:
            assert kept("p-less", row) == {token for token, p in enumerate(likely) if p >= least}


@pytest.mark.parametrize("size", [1, 2, 3, 7, 10, 49, 1_000, 50_000])
@pytest.mark.parametrize("precision", [np.float32, np.float64])
def test_p_less_keeps_all_of_a_flat_row(size, precision):
    """Where the sum of the squares may round to more than each of them."""
    for logit in (0.0, math.log(1 / size), 7.3):
        assert np.isfinite(sampler("p-less")(np.full((1, size), precision(logit), dtype=np.float64), None)).all()


def plain_quadratic(row, factor, curve):
    """text-generation-webui's transformation, token by token."""
    best = max(row)
    k, s = (3 - curve) / 2, (curve - 1) / 2
    return [
        logit if logit == -math.inf else -k * factor * (logit - best) ** 2 + s * factor * (logit - best) ** 3 + best
        for logit in row
    ]


@pytest.mark.parametrize(("factor", "curve"), [(0.2, 1.0), (0.3, 2.5), (1.5, 3.0), (0.7, 6.0)])
def test_quadratic_by_its_definition(factor, curve):
    random = np.random.default_rng(7)
    for _ in range(100):
        row = random.normal(size=12) * 3
        row[3] = -math.inf
        found = sampler(f"quadratic:{factor},curve={curve}")(row[np.newaxis], None)[0]
        np.testing.assert_allclose(found, plain_quadratic(row.tolist(), factor, curve), rtol=1e-12, atol=1e-12)


@given(st.floats(0.01, 10), st.floats(1, 3), st.lists(st.floats(-30, 30), min_size=1, max_size=9))
def test_quadratic_keeps_the_order_up_to_a_curve_of_3(factor, curve, row):
    found = sampler(f"quadratic:{factor!r},curve={curve!r}")(np.array([row]), None)[0]
    assert (np.diff(found[np.argsort(row, kind="stable")]) >= 0).all()
    assert found.max() == max(row)


@pytest.mark.parametrize("options", ["1e300", "0.2,curve=1e300", "1e300,curve=1e300"])
def test_quadratic_does_not_overflow(options):
    rows = np.concatenate([adversarial(9, np.random.default_rng(1), 50), [[1.7e308, -1.7e308, *[-math.inf] * 7]]])
    found = sampler(f"quadratic:{options}")(rows, None)
    assert (np.isfinite(found) == np.isfinite(rows)).all()


class PlainAdaptiveP:
    """llama.cpp's adaptive-p, for a row, number by number."""

    def __init__(self, target, decay):
        self.target, self.decay = target, decay
        self.weighted_sum, self.total_weight = target / (1 - decay), 1 / (1 - decay)

    def logits(self, probabilities):
        self.original = probabilities
        adapted = min(1.0, max(0.0, 2 * self.target - self.weighted_sum / self.total_weight))
        distances = [abs((p - adapted) / 0.3) for p in probabilities]
        return [5 - 10 * distance * distance / (1 + distance) for distance in distances]

    def accept(self, token):
        self.weighted_sum = self.original[token] + self.decay * self.weighted_sum
        self.total_weight = 1 + self.decay * self.total_weight


@pytest.mark.parametrize(("target", "decay"), [(0.5, 0.9), (0.0, 0.0), (0.9, 0.99), (0.3, 0.5)])
def test_adaptive_p_beside_its_definition(target, decay):
    random = np.random.default_rng(9)
    where, ours = context([0], rows=3, size=12), AdaptiveP(target, decay)
    plain = [PlainAdaptiveP(target, decay) for _ in range(3)]
    for _ in range(80):
        logits = random.normal(size=(3, 12)) * 3
        found = ours(logits, where)
        for row, theirs in enumerate(plain):
            np.testing.assert_allclose(found[row], theirs.logits(softmax(logits)[row].tolist()), rtol=1e-9, atol=1e-9)
        drawn = random.integers(0, 12, 3)
        for theirs, token in zip(plain, drawn.tolist(), strict=True):
            theirs.accept(token)
        where._history.append(drawn)
    assert len({round(theirs.weighted_sum, 6) for theirs in plain}) == 3


def test_adaptive_p_reaches_its_target():
    """Check that what is drawn has the probability that is asked for, on average, where such tokens are."""
    random = np.random.default_rng(4)
    for target in (0.2, 0.4):
        where, found, ours = context([0], size=6), [], AdaptiveP(target)
        for _ in range(2_000):
            logits = np.log(random.permutation([0.45, 0.25, 0.15, 0.1, 0.04, 0.01]))[np.newaxis]
            token = int(random.choice(6, p=softmax(ours(logits, where))[0]))
            found.append(math.exp(logits[0, token]))
            where._history.append(np.array([token]))
        assert np.mean(found[100:]) == pytest.approx(target, abs=0.03)


@given(st.lists(st.integers(1, 50), min_size=1, max_size=8), st.floats(0.05, 1))
def test_top_h_stays_within_its_share_of_the_entropy(weights, h):
    likely = [weight / sum(weights) for weight in weights]
    terms = [-p * math.log(p) for p in likely]
    found = kept(f"top-h:{h!r}", np.log(likely))
    total = math.fsum(terms)
    assert max(range(len(likely)), key=lambda token: (likely[token], -token)) in found
    if len(found) > 1:
        assert math.fsum(terms[token] for token in found) <= h * total * (1 + 1e-5)
    if len(found) < len(likely):  # the next one would be too much
        following = max(set(range(len(likely))) - found, key=lambda token: (likely[token], -token))
        assert math.fsum(terms[token] for token in found) + terms[following] > h * total * (1 - 1e-5)


@given(st.lists(st.integers(1, 40), min_size=2, max_size=6), st.floats(-8, 8))
def test_top_h_of_1_keeps_what_it_looks_at(weights, shift):
    row = (np.log(np.array(weights) / sum(weights)) + shift).astype(np.float32).astype(np.float64)
    assert kept("top-h:1", row) == set(range(len(row)))
    assert len(kept("top-h:1,m=2", row)) == 2
