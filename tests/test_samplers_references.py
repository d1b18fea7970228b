"""Our samplers beside plain programs of their papers' definitions, and the notebook's `sample`."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from sampler_cases import adversarial, after, context, sampler, softmax
from support import PieceEncoder

from textforge.samplers.dry import DRY
from textforge.samplers.mirostat import Mirostat
from textforge.samplers.mirostat_2 import Mirostat2
from textforge.samplers.rows import log_softmax
from textforge.samplers.temperature import Temperature
from textforge.samplers.top_p import TopP
from textforge.samplers.xtc import XTC

FALLING = [0.4, 0.3, 0.2, 0.1]


def brute_force_dry(tokens, size, multiplier, base, allowed, last, breakers):
    """DRY by its definition, sequence by sequence."""
    window = tokens if last is None else tokens[-last:]
    penalties = np.zeros(size)
    for length in range(allowed, len(window)):
        tail = window[-length:]
        if any(token in breakers for token in tail):
            break
        for start in range(len(window) - length):
            following = window[start + length]
            if window[start : start + length] == tail and following not in breakers:
                penalties[following] = multiplier * base ** (length - allowed)
    return penalties


def test_dry_beside_brute_force_written_token_by_token():
    random = np.random.default_rng(7)
    for _ in range(150):
        size, prompt = int(random.integers(2, 6)), random.integers(0, 2, int(random.integers(1, 12))).tolist()
        last = None if random.random() < 0.4 else int(random.integers(1, 20))
        allowed = int(random.integers(1, 5))
        breakers = (1,) if random.random() < 0.3 else ()
        dry = DRY(0.7, base=1.3, allowed_length=allowed, last_n=last, breakers=["b"] if breakers else [])
        where, tokens = context(prompt, size=size), list(prompt)
        for _ in range(25):
            found = -dry(np.zeros((1, size)), where)[0]
            expected = brute_force_dry(tokens, size, 0.7, 1.3, allowed, last, breakers)
            np.testing.assert_allclose(found, expected, rtol=1e-12)
            tokens.append(int(random.integers(0, size) if random.random() < 0.5 else tokens[-len(tokens) // 2]))
            where._history.append(np.array(tokens[-1:]))


def test_dry_breakers_of_several_tokens():
    encoder = PieceEncoder.of("a", "b", "c", "d", "\n")
    repeated = [0, 1, 2, 3, 0, 1, 2]  # abcdabc
    assert after(DRY(1.0, breakers=[]), [0.2] * 5, repeated, encoder)[3] < 0.1
    assert after(DRY(1.0, allowed_length=1, breakers=["ab"]), [0.2] * 5, repeated, encoder)[3] == pytest.approx(
        math.exp(-1) / (4 + math.exp(-1))
    )  # only "c" stands behind the breaker
    assert after(DRY(1.0, breakers=["ab"]), [0.2] * 5, repeated, encoder)[3] == pytest.approx(0.2)


def test_tail_free_by_its_definition():
    """Phénix and Egan: the first token, then those before the bends' sum passes z, and never the last."""
    random = np.random.default_rng(4)
    for _ in range(300):
        row = random.normal(size=int(random.integers(3, 20))) * 2
        order = sorted(range(len(row)), key=lambda token: -row[token])
        falling = [softmax(row[np.newaxis])[0][id] for id in order]
        slopes = [a - b for a, b in itertools.pairwise(falling)]
        bends = [abs(a - b) for a, b in itertools.pairwise(slopes)]
        kept, sum_ = {order[0]}, 0.0
        for place, bend in enumerate(bends):
            sum_ += bend / sum(bends)
            if sum_ > 0.9:
                break
            kept.add(order[place + 1])
        found = sampler("tail-free:0.9")(row[np.newaxis], None)[0]
        assert set(np.flatnonzero(np.isfinite(found)).tolist()) == kept


def test_top_a_by_its_definition():
    rows = adversarial(12, np.random.default_rng(2), 300)
    likely = softmax(rows)
    expected = likely >= 0.3 * likely.max(axis=-1, keepdims=True) ** 2
    found = sampler("top-a:0.3")(rows, None)
    assert (np.isfinite(found) == (expected & np.isfinite(rows))).all()


def plain_probabilities(row):
    weights = [math.exp(logit - max(row)) for logit in row]
    return [weight / math.fsum(weights) for weight in weights]


def plain_entropy(likely):
    return -math.fsum(p * math.log(p) for p in likely if p)


def plain_epsilon(likely, epsilon):
    """Hewitt, Manning and Liang, section 4.3: those above epsilon, or else the likeliest."""
    return {id for id, p in enumerate(likely) if p >= epsilon or p == max(likely)}


def plain_eta(likely, epsilon):
    """Hewitt, Manning and Liang, section 4.4: the same with eta = min(epsilon, sqrt(epsilon) exp(-entropy))."""
    return plain_epsilon(likely, min(epsilon, math.sqrt(epsilon) * math.exp(-plain_entropy(likely))))


def plain_typical(likely, mass):
    """Meister and others, equation 10: the smallest sum of distances from the entropy that has the mass, greedily."""
    expected = plain_entropy(likely)
    nearest = sorted((abs(-math.log(p) - expected), id) for id, p in enumerate(likely) if p)
    kept, sum_ = set(), 0.0
    for _, id in nearest:
        kept.add(id)
        sum_ += likely[id]
        if sum_ >= mass:
            break
    return kept


@pytest.mark.parametrize(
    ("name", "plain", "values"),
    [
        ("epsilon", plain_epsilon, (3e-4, 0.02, 0.3)),
        ("eta", plain_eta, (3e-4, 0.02, 0.3)),
        ("typical", plain_typical, (0.2, 0.71, 0.95)),
    ],
)
def test_truncation_by_the_papers_definitions(name, plain, values):
    """On rows without ties, so that no rounding and no order of equals decides."""
    random = np.random.default_rng(11)
    for value in values:
        made = sampler(f"{name}:{value}")
        for _ in range(300):
            row = random.normal(size=int(random.integers(1, 60))) * random.choice([0.3, 2.0, 6.0])
            found = made(row[np.newaxis], None)[0]
            assert set(np.flatnonzero(np.isfinite(found)).tolist()) == plain(plain_probabilities(row.tolist()), value)


def test_dynamic_temperature_by_its_definition():
    row = np.array([[0.0, 1.0, 3.0, -math.inf, 2.0]])
    likely = softmax(row)[0][[0, 1, 2, 4]]
    share = -(likely * np.log(likely)).sum() / math.log(4)
    expected = Temperature(0.4 + 1.2 * share**1.5)(row, None)
    found = sampler("dynamic-temperature:1,range=0.6,exponent=1.5")(row, None)
    np.testing.assert_allclose(softmax(found), softmax(expected), atol=1e-12)
    cold = sampler("dynamic-temperature:0.5,range=0.5")(
        np.array([[0.0, -math.inf, -math.inf], [0.0, -5e3, -1e4]]), None
    )
    assert np.isfinite(cold).sum(axis=-1).tolist() == [1, 1]


@pytest.mark.parametrize("temperature", [0.2, 0.5, 1.0, 1.2])
def test_the_notebooks_sample(temperature):
    """Its way from predictions to the probabilities that it draws from."""
    random = np.random.default_rng(3)
    for preds in random.dirichlet(np.full(59, 0.1), 100):
        preds = np.maximum(preds, 1e-9).astype("float64")
        logarithms = np.log(preds) / temperature
        exp_preds = np.exp(logarithms)
        expected = exp_preds / np.sum(exp_preds)
        found = softmax(Temperature(temperature)(np.log(preds)[np.newaxis], None))[0]
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


class PaperMirostat:
    """Algorithms 1 and 2 of the paper, for a row, in plain Python."""

    def __init__(self, version, tau, eta, m, surprise):
        self.version, self.tau, self.eta, self.m, self.surprise = version, tau, eta, m, surprise
        self.mu = 2 * tau

    def kept(self, probabilities):
        order = sorted(range(len(probabilities)), key=lambda token: (-probabilities[token], token))
        falling = [probabilities[id] for id in order]
        if self.version == 2:
            return [id for id in order if -math.log2(probabilities[id]) <= self.mu] or order[:1]
        count = min(self.m, len(order)) - 1
        steps = [math.log((i + 2) / (i + 1)) for i in range(count)]
        falls = [math.log(falling[i] / falling[i + 1]) for i in range(count)]
        exponent = sum(t * b for t, b in zip(steps, falls, strict=True)) / sum(t * t for t in steps)
        excess = exponent - 1
        k = ((excess * 2**self.mu) / (1 - len(order) ** -excess)) ** (1 / exponent)
        return order[: max(1, int(k))]

    def draw(self, probabilities, kept, token):
        whole = sum(probabilities[id] for id in kept) if self.surprise == "kept" else 1.0
        self.mu -= self.eta * (-math.log2(probabilities[token] / whole) - self.tau)


@pytest.mark.parametrize("surprise", ["model", "kept"])
@pytest.mark.parametrize("version", [1, 2])
def test_mirostat_beside_the_paper(version, surprise):
    random = np.random.default_rng(version)
    ours = Mirostat(2.0, 0.3, 20, surprise) if version == 1 else Mirostat2(2.0, 0.3, surprise)
    papers = [PaperMirostat(version, 2.0, 0.3, 20, surprise) for _ in range(3)]
    where = context([0], rows=3, size=40)
    for _ in range(60):
        logits = random.normal(size=(3, 40)) * 2
        probabilities = softmax(logits).tolist()
        found = ours(logits, where)
        drawn = []
        for row, paper in enumerate(papers):
            kept = paper.kept(probabilities[row])
            assert sorted(kept) == np.flatnonzero(np.isfinite(found[row])).tolist()
            drawn.append(kept[int(random.integers(0, len(kept)))])
            paper.draw(probabilities[row], kept, drawn[row])
        where._history.append(np.array(drawn))
    assert len({round(paper.mu, 3) for paper in papers}) == 3


@pytest.mark.parametrize("name", ["mirostat", "mirostat-2"])
def test_mirostat_reaches_its_surprise(name):
    random = np.random.default_rng(6)
    for tau in (3.0, 4.5):
        where, surprises = context([0], size=200), []
        ours = sampler(f"{name}:tau={tau},eta=0.1")
        for _ in range(1500):
            logits = -np.log(np.arange(1.0, 201))[np.newaxis] * 1.1
            share = softmax(ours(logits, where))[0].cumsum()
            token = min(int(share.searchsorted(random.random(), "right")), 199)
            surprises.append(-log_softmax(logits)[0, token] / math.log(2))
            where._history.append(np.array([token]))
        assert np.mean(surprises[200:]) == pytest.approx(tau, abs=0.15)


def test_xtc_chances_are_its_own_and_as_often_as_asked():
    where = context([0], rows=20_000, size=4)
    changed = XTC(0.3, threshold=0.1)(np.log(np.tile(FALLING, (20_000, 1))), where)[:, 0] == -math.inf
    assert changed.mean() == pytest.approx(0.3, abs=0.015)


@pytest.mark.parametrize("size", [600, 5_000, 50_000])
def test_top_p_by_bins_is_top_p_by_sorting(size):
    random = np.random.default_rng(size)
    rows = random.normal(size=(8, size)) * np.array([[8.0], [2.0], [0.1], [0.0], [1.0], [1e5], [1e-9], [1e-310]])
    rows[1] = np.round(rows[1])
    rows[4, : size // 2] = -math.inf
    rows[4, -1] = -1e300
    for p in (0.0, 0.1, 0.5, 0.9, 0.99, 1 - 1e-16):
        found = TopP(p)(rows, None)
        for row, kept in zip(rows, found, strict=True):
            order = np.argsort(-row, kind="stable")
            sums = np.exp(row[order] - row.max()).cumsum()
            least, most = sums.searchsorted(p * sums[-1] * np.array([1 - 1e-12, 1 + 1e-12])) + 1  # rounding may decide
            assert least <= np.isfinite(kept).sum() <= most
            assert np.isfinite(kept[order[: np.isfinite(kept).sum()]]).all()
