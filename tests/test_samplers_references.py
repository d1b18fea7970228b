"""Our samplers beside what others publish of theirs: llama.cpp's test vectors, the papers, the notebook."""

from __future__ import annotations

import itertools
import math
import re

import numpy as np
import pytest
from sampler_cases import adversarial, context, sampler, softmax
from support import PieceEncoder

from textforge.errors import OptionError
from textforge.generation.chain import expanded
from textforge.samplers._rows import log_probabilities
from textforge.samplers.dry import DRY
from textforge.samplers.mirostat import Mirostat
from textforge.samplers.mirostat_2 import Mirostat2
from textforge.samplers.temperature import Temperature
from textforge.samplers.top_p import TopP
from textforge.samplers.xtc import XTC
from textforge.spec import write_chain

FOUR, FALLING = [0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1]


def shares(kept, among):
    """The probabilities `kept`, and 0 for the others of `among`, in the order of `among`."""
    return [value if index in kept else 0.0 for index, value in enumerate(among)]


def after(spec, probabilities, history=(0,), encoder=None):
    """The probabilities that a chain makes of others."""
    with np.errstate(divide="ignore"):
        logits = np.log(np.array([probabilities]))
    where = context(history, size=len(probabilities))
    where.encoder = encoder or where.encoder
    for part in expanded([sampler(spec)] if isinstance(spec, str) else [spec]):
        logits = part(logits, where)
    return softmax(logits)[0]


def normalized(values):
    return (np.array(values) / np.sum(values)).tolist()


# tests/test-sampling.cpp of llama.cpp
VECTORS = [
    ("temperature:1", FOUR, FOUR),
    ("preset:llama.cpp,temp=0,top_k=0,top_p=1,min_p=0", FOUR, [0, 0, 0, 1]),
    ("top-k:1", FOUR, [0, 0, 0, 1]),
    ("top-k:3", FOUR, [0, 0.22222, 0.33333, 0.44444]),
    ("top-k:4", FOUR, FOUR),
    ("top-p:0", FOUR, [0, 0, 0, 1]),
    ("top-p:0.7", FOUR, [0, 0, 0.428571, 0.571429]),
    ("top-p:0.8", FOUR, [0, 0.22222, 0.33333, 0.44444]),
    ("top-p:1", FOUR, FOUR),
    ("min-p:0", FOUR, FOUR),
    ("min-p:0.24", FOUR, FOUR),
    ("min-p:0.26", FOUR, normalized([0, 0.2, 0.3, 0.4])),
    ("min-p:0.49", FOUR, normalized([0, 0.2, 0.3, 0.4])),
    ("min-p:0.51", FOUR, normalized([0, 0, 0.3, 0.4])),
    ("min-p:0.74", FOUR, normalized([0, 0, 0.3, 0.4])),
    ("min-p:0.76", FOUR, [0, 0, 0, 1]),
    ("min-p:1", FOUR, [0, 0, 0, 1]),
    ("xtc:1,threshold=0.09", FALLING, [0, 0, 0, 1]),
    ("xtc:1,threshold=0.19", FALLING, normalized([0, 0, 0.2, 0.1])),
    ("xtc:1,threshold=0.29", FALLING, normalized([0, 0.3, 0.2, 0.1])),
    ("xtc:1,threshold=0.39", FALLING, FALLING),
    ("typical:0.5", [0.97, 0.01, 0.01, 0.01], [1, 0, 0, 0]),
    ("typical:0.5", [0.4, 0.2, 0.2, 0.2], [0, 1 / 3, 1 / 3, 1 / 3]),
    ("typical:0.5,boundary=exceeded", [0.97, 0.01, 0.01, 0.01], [1, 0, 0, 0]),
    ("typical:0.5,boundary=exceeded", [0.4, 0.2, 0.2, 0.2], [0, 1 / 3, 1 / 3, 1 / 3]),
    ("top-n-sigma:1", FOUR, [0, 0, 0.428571, 0.571429]),
    ("top-n-sigma:3", FOUR, FOUR),
]


@pytest.mark.parametrize(("spec", "probabilities", "expected"), VECTORS)
def test_llama_cpp_vectors(spec, probabilities, expected):
    np.testing.assert_allclose(after(spec, probabilities), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("history", "repeat", "others", "expected"),
    [
        ([0], 50, 0, [0, 0.25, 0.25, 0.25, 0.25]),
        ([0, 1, 2], 50, 0, [0, 0, 0, 0.5, 0.5]),
        ([0, 1, 2, 0, 0], 50, 0, [0, 0, 0, 0.5, 0.5]),
        ([0], 1, 5, [0.000011, 0.249997, 0.249997, 0.249997, 0.249997]),
        ([0, 1, 2], 1, 5, [0.000023, 0.000023, 0.000023, 0.499966, 0.499966]),
        ([0, 1, 2, 0, 0], 1, 5, [0, 0.000023, 0.000023, 0.499977, 0.499977]),
    ],
)
def test_llama_cpp_penalties(history, repeat, others, expected):
    off = "temp=1,top_k=0,top_p=1,min_p=0"
    spec = f"preset:llama.cpp,{off},repeat_penalty={repeat},frequency_penalty={others},presence_penalty={others}"
    np.testing.assert_allclose(after(spec, [0.2] * 5, history), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("size", "history", "breakers", "multiplier", "allowed", "expected"),
    [
        (4, [0, 1], (), 1, 2, [0.25] * 4),
        (4, [0, 1, 2, 0, 1], (), 1, 2, [0.296923, 0.296923, 0.109232, 0.296923]),
        (5, [0, 1, 3, 4, 0, 1], ("d",), 1, 2, [0.2] * 5),
        (5, [0, 1, 2, 0, 1], (), 2, 2, [0.241818, 0.241818, 0.032727, 0.241818, 0.241818]),
        (5, [0, 1, 2, 3, 4, 0, 1], (), 1, 4, [0.2] * 5),
    ],
)
def test_llama_cpp_dry(size, history, breakers, multiplier, allowed, expected):
    dry = DRY(multiplier, base=1.1, allowed_length=allowed, last_n=len(history), breakers=breakers)
    np.testing.assert_allclose(after(dry, [1 / size] * size, history), expected, rtol=0, atol=1e-5)


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
    assert (np.isfinite(found) == (expected & np.isfinite(rows))).mean() > 0.9999


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
            surprises.append(-log_probabilities(logits)[0, token] / math.log(2))
            where._history.append(np.array([token]))
        assert np.mean(surprises[200:]) == pytest.approx(tau, abs=0.15)


def test_xtc_chances_are_its_own_and_as_often_as_asked():
    where = context([0], rows=20_000, size=4)
    changed = XTC(0.3, threshold=0.1)(np.log(np.tile(FALLING, (20_000, 1))), where)[:, 0] == -math.inf
    assert changed.mean() == pytest.approx(0.3, abs=0.015)


@pytest.mark.parametrize("size", [600, 5_000, 50_000])
def test_top_p_by_partition_is_top_p_by_sorting(size):
    random = np.random.default_rng(size)
    rows = random.normal(size=(4, size)) * np.array([[8.0], [2.0], [0.1], [0.0]])
    rows[1] = np.round(rows[1])
    for p in (0.1, 0.5, 0.9, 0.99):
        found = TopP(p)(rows, None)
        for row, kept in zip(rows, found, strict=True):
            order = np.argsort(-row, kind="stable")
            sums = np.exp(row[order] - row.max()).cumsum()
            count = int(sums.searchsorted(p * np.exp(row - row.max()).sum())) + 1
            assert abs(np.isfinite(kept).sum() - count) <= 1  # rounding decides at a boundary
            assert np.isfinite(kept[order[: np.isfinite(kept).sum()]]).all()


PRESETS = [
    ("hf", "top-k-ties:50"),
    ("hf,do_sample=false", "greedy"),
    (
        "hf,temperature=0.7,top_k=50,repetition_penalty=1.2",
        "repetition-penalty:penalty=1.2,last_n=none | temperature:0.7 | top-k-ties:50",
    ),
    (
        "hf,eta_cutoff=0.1,epsilon_cutoff=0.2,typical_p=0.3,min_p=0.4,top_p=0.5,top_k=0,no_repeat_ngram_size=6",
        "no-repeat-ngram:6 | top-p:0.5 | min-p:0.4 | typical:p=0.3 | epsilon:0.2 | eta:0.1",
    ),
    ("llama.cpp", "top-k:40 | top-p:0.95 | min-p:0.05 | temperature:0.8"),
    (
        "llama.cpp,temp=0.8,min_p=0.05,dry_multiplier=0.8",
        "dry:last_n=64 | top-k:40 | top-p:0.95 | min-p:0.05 | temperature:0.8",
    ),
    (
        "llama.cpp,temp=1,xtc_probability=0.5,typical_p=0.9,top_n_sigma=1,top_k=0,min_p=0,repeat_penalty=1.5",
        "repetition-penalty:penalty=1.5 | top-n-sigma:1.0 | typical:p=0.9,boundary=exceeded | top-p:0.95 | xtc",
    ),
    (
        "llama.cpp,frequency_penalty=2,repeat_last_n=-1,temp=0",
        "frequency-penalty:penalty=2.0,last_n=none | top-k:40 | top-p:0.95 | min-p:0.05 | greedy",
    ),
    ("llama.cpp,mirostat=2,mirostat_lr=0.2", "temperature:0.8 | mirostat-2:eta=0.2,surprise=kept"),
    ("llama.cpp,mirostat=1,mirostat_ent=3,temp=0", "greedy | mirostat:tau=3.0,surprise=kept"),
    ("llama.cpp,dynatemp_range=0.5,top_k=0,top_p=1,min_p=0", "dynamic-temperature:temperature=0.8"),
    ("llama.cpp,repeat_penalty=2,repeat_last_n=0,temp=0,top_k=0,top_p=1,min_p=0", "greedy"),
]


@pytest.mark.parametrize(("spec", "chain"), PRESETS)
def test_presets(spec, chain):
    assert write_chain(expanded([sampler(f"preset:{spec}")])) == chain
    assert sampler(sampler(f"preset:{spec}").spec) == sampler(f"preset:{spec}")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("hf,temp=0.7", "hf has no temp; write temperature"),
        ("llama.cpp,temperature=0.7", "llama.cpp has no temperature; write temp"),
        ("llama.cpp,repetition_penalty=1.2", "llama.cpp has no repetition_penalty; write repeat_penalty"),
        ("hf,dry_multiplier=1", "hf has no dry_multiplier; put the sampler dry into the chain beside the preset"),
        ("llama.cpp,eta_cutoff=0.1", "put the sampler eta into"),
        ("llama.cpp,penalty_repeat=1.1", "llama.cpp's command line has repeat_penalty"),
        ("openai", "project must be one of hf, llama.cpp, got 'openai'"),
        ("hf,temperature=0", "temperature must be > 0"),
    ],
)
def test_a_parameter_of_the_other_project_is_refused_by_its_right_name(spec, message):
    with pytest.raises(OptionError, match=re.escape(message)) as refused:
        sampler(f"preset:{spec}")
    assert "\n" not in str(refused.value)


def test_every_parameter_of_a_preset_has_advice_for_the_other_project():
    from textforge.samplers import _presets

    names = set(_presets.DEFAULTS["hf"]) ^ set(_presets.DEFAULTS["llama.cpp"])
    assert all(_presets.advice(project, name) for project in ("hf", "llama.cpp") for name in names)
