"""Our samplers beside transformers' logits processors: the same support and probabilities.

Torch is imported here, and only here among the tests of samplers; the file can run in a process of its own.
"""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
import transformers
from sampler_cases import adversarial, context, sampler, softmax
from transformers.generation import logits_process as theirs

from textforge.generation.chain import expand_presets
from textforge.generation.context import RowContext
from textforge.generation.history import History

SIZES = (1, 2, 7, 60, 700)
BELOW = 1 - 2e-6
"""Below a threshold by more than float32 would round to it."""
ROWS = 400


def rows_of(size, seed=0):
    return adversarial(size, np.random.default_rng([seed, size]), ROWS)


def judge(processor, logits, tokens=None):
    ids = torch.zeros((len(logits), 1), dtype=torch.long) if tokens is None else torch.from_numpy(tokens)
    return processor(ids, torch.from_numpy(logits.copy())).numpy()


def ours(spec, logits, tokens=None):
    tokens = np.zeros((len(logits), 1), dtype=np.int64) if tokens is None else tokens
    history = History.of(tokens, tokens.shape[1])
    for part in expand_presets([sampler(spec)]):
        where = RowContext(history, seed=1, texts=range(len(logits)), position=0, encoder=context(size=9).encoder)
        logits = part(logits, where)
    return logits


def agree(mine, judged):
    assert ((mine == -np.inf) == (judged == -np.inf)).all()
    np.testing.assert_allclose(softmax(mine), softmax(judged), rtol=0, atol=1e-6)


def between(mine, narrow, wide, rows):
    """Check that what the narrower threshold keeps is kept, and what the wider one drops is dropped.

    Theirs compares to the last bit, of whatever precision; ours takes what float32 would round to the threshold.
    """
    least, most = judge(narrow, rows) > -np.inf, judge(wide, rows) > -np.inf
    kept = mine > -np.inf
    assert (kept[least]).all()
    assert not kept[~most].any()
    assert (least != most).sum() <= 2
    np.testing.assert_array_equal(mine[kept], rows[kept])


def same_up_to_ties(mine, judged):
    """The same logits kept, whichever of equal tokens have them: transformers leaves that to an unstable sort."""
    np.testing.assert_array_equal(np.sort(mine, axis=-1), np.sort(judged, axis=-1))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("value", [1e-3, 0.3, 0.7, 1.0, 1.5, 40.0])
def test_temperature(size, value):
    rows = rows_of(size)
    agree(ours(f"temperature:{value}", rows), judge(theirs.TemperatureLogitsWarper(value), rows))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("k", [1, 3, 50])
def test_top_k(size, k):
    rows = rows_of(size)
    judged = judge(theirs.TopKLogitsWarper(k), rows)
    agree(ours(f"top-k-ties:{k}", rows), judged)
    untied = np.argsort(np.random.default_rng(k).random((ROWS, size)), axis=-1).astype(np.float64)
    agree(ours(f"top-k:{k}", untied), judge(theirs.TopKLogitsWarper(k), untied))


def test_top_k_ties_keeps_as_many_of_equal_tokens():
    assert np.isfinite(ours("top-k-ties:2", np.zeros((1, 5)))).sum() == 5


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("p", [0.05, 0.33, 0.5, 0.7, 0.9, 0.999])
def test_top_p(size, p):
    rows = rows_of(size)
    mine = ours(f"top-p:{p}", rows)
    # transformers sums from the unlikely end: where p falls on a boundary, rounding decides, so it may differ by a hair
    near = [judge(theirs.TopPLogitsWarper(p + hair), rows) for hair in (-1e-9, 0, 1e-9)]
    counts = [np.isfinite(judged).sum(axis=-1) for judged in near]
    settled = (counts[0] == counts[2]) & (counts[1] == counts[0])
    assert settled.mean() > 0.94
    same_up_to_ties(mine[settled], near[1][settled])
    kept = np.isfinite(mine).sum(axis=-1)
    assert ((np.minimum(counts[0], counts[2]) <= kept) & (kept <= np.maximum(counts[0], counts[2]))).all()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("p", [0.001, 0.05, 0.37, 0.999])
def test_min_p(size, p):
    rows = rows_of(size)
    between(ours(f"min-p:{p}", rows), theirs.MinPLogitsWarper(p), theirs.MinPLogitsWarper(p * BELOW), rows)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("h", [0.113, 0.437, 0.771])  # of a hundred equals no whole number
def test_top_h(size, h):
    """On rows without ties, which theirs leaves to an unstable sort."""
    rows = rows_of(size)
    rows = np.array([row for row in rows if len(set(row[row > -np.inf])) == np.isfinite(row).sum()])
    assert len(rows) > 100
    agree(ours(f"top-h:{h}", rows), judge(theirs.TopHLogitsWarper(h), rows))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("p", [0.05, 0.2, 0.37, 0.7, 0.95])
def test_typical(size, p):
    rows = rows_of(size)
    mine = ours(f"typical:{p}", rows)
    near = [judge(theirs.TypicalLogitsWarper(p + hair), rows) for hair in (-1e-9, 0, 1e-9)]
    settled = np.array([(before == after).all() for before, after in zip(near[0], near[2], strict=True)])
    assert settled.mean() > 0.98
    agree(mine[settled], near[1][settled])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("epsilon", [3e-4, 0.0123, 0.3])
def test_epsilon_and_eta(size, epsilon):
    rows = rows_of(size)
    found = ours(f"epsilon:{epsilon}", rows)
    between(found, theirs.EpsilonLogitsWarper(epsilon), theirs.EpsilonLogitsWarper(epsilon * BELOW), rows)
    # their epsilon is of single precision
    agree(ours(f"eta:{float(np.float32(epsilon))!r}", rows), judge(theirs.EtaLogitsWarper(epsilon), rows))


@pytest.mark.parametrize("size", [1, 3, 20])
@pytest.mark.parametrize("length", [1, 2, 5, 40])
def test_what_looks_back(size, length):
    random = np.random.default_rng([size, length])
    rows, tokens = rows_of(size), random.integers(0, size, (ROWS, length))
    for penalty in (0.5, 1.2, 30.0):
        judged = judge(theirs.RepetitionPenaltyLogitsProcessor(penalty), rows, tokens)
        agree(ours(f"repetition-penalty:{penalty},last_n=none", rows, tokens), judged)
    for n in (1, 2, 3, 6):
        judged = judge(theirs.NoRepeatNGramLogitsProcessor(n), rows, tokens)
        drawable = np.isfinite(judged).any(axis=-1)  # theirs may leave nothing
        mine = ours(f"no-repeat-ngram:{n}", rows, tokens)
        agree(mine[drawable], judged[drawable])
        assert (np.isfinite(mine[~drawable]).sum(axis=-1) == 1).all()


def test_logit_bias():
    random = np.random.default_rng(5)
    rows, tokens = rows_of(9), random.integers(0, 4, (ROWS, 6))
    bias = [[[0], 1.5], [[3], -4.0], [[1, 2], 2.5], [[0, 1, 2], -1.0], [[2, 2], 0.5]]
    judged = judge(theirs.SequenceBiasLogitsProcessor(bias), rows, tokens)
    spec = 'logit-bias:{"a": 1.5, "d": -4, "bc": 2.5, "abc": -1, "cc": 0.5}'
    agree(ours(spec, rows, tokens), judged)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"temperature": 0.7, "top_k": 5, "repetition_penalty": 1.2},
        {"top_k": 0, "top_p": 0.83, "no_repeat_ngram_size": 2},
        {"top_k": 0, "min_p": 0.07, "typical_p": 0.71, "temperature": 1.3},
        {"epsilon_cutoff": 0.011, "do_sample": False, "repetition_penalty": 1.5},
        {"epsilon_cutoff": 0.011, "eta_cutoff": 0.0312},
        {"top_h": 0.6, "temperature": 1.4},
    ],
)
def test_the_preset_is_what_generate_makes(given):
    """The whole chain, by transformers' own assembly of it and its own defaults."""
    model = transformers.GPT2LMHeadModel(transformers.GPT2Config(n_layer=1, n_head=1, n_embd=4, vocab_size=20))
    settings = transformers.GenerationConfig(**{"do_sample": True, **given})
    settings, _ = model._prepare_generation_config(settings)
    processors = model._get_logits_processor(settings, input_ids_seq_length=6, device="cpu")
    random = np.random.default_rng(3)
    rows, tokens = random.normal(size=(ROWS, 20)) * 2, random.integers(0, 20, (ROWS, 6))
    judged = judge(processors, rows, tokens)
    spec = ",".join(["preset:hf", *(f"{name}={str(value).lower()}" for name, value in given.items())])
    mine = ours(spec, rows, tokens)
    if given.get("do_sample") is False:
        assert (mine.argmax(axis=-1) == judged.argmax(axis=-1)).all()
        assert (np.isfinite(mine).sum(axis=-1) == 1).all()
    else:
        agree(mine, judged)


def test_transformers_brings_no_tensorflow_along():
    """PyTorch is in this process, and the two may crash together; our Keras plugin, where it runs here too, says so."""
    assert "tensorflow" not in sys.modules or "textforge_keras._framework" in sys.modules


@pytest.mark.parametrize(
    ("name", "warper", "threshold"),
    [
        ("min-p", lambda p: theirs.MinPLogitsWarper(min(p, 1.0)), lambda falling, place: falling[place] / falling[0]),
        ("epsilon", theirs.EpsilonLogitsWarper, lambda falling, place: falling[place]),
        ("top-p", lambda p: theirs.TopPLogitsWarper(min(p, 1.0)), lambda falling, place: sum(falling[: place + 1])),
    ],
)
def test_exactly_at_the_threshold_in_float32(name, warper, threshold):
    """Check that what theirs keeps at a threshold a little stricter is kept, what it drops at a laxer one dropped."""
    random = np.random.default_rng(8)
    stricter, laxer = (1 - 2e-6, 1 + 2e-6) if name == "top-p" else (1 + 2e-6, 1 - 2e-6)
    for _ in range(200):
        weights = random.choice(np.arange(1, 40), 5, replace=False)
        value = float(threshold(np.sort(weights / weights.sum())[::-1], int(random.integers(0, 4))))
        logits = np.log((weights / weights.sum())[np.newaxis]).astype(np.float32)
        mine = np.isfinite(ours(f"{name}:{value!r}", logits.astype(np.float64)))
        assert mine[np.isfinite(judge(warper(value * stricter), logits))].all()
        assert not mine[~np.isfinite(judge(warper(value * laxer), logits))].any()
