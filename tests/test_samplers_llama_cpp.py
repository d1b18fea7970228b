"""Our samplers beside the test vectors that llama.cpp publishes of its own: tests/test-sampling.cpp."""

from __future__ import annotations

import numpy as np
import pytest
from sampler_cases import after, context, softmax

from textforge.samplers.dry import DRY
from textforge.samplers.xtc import XTC

FOUR, FALLING = [0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1]


def normalized(values):
    return (np.array(values) / np.sum(values)).tolist()


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
    ("typical:0.5", [0.97, 0.01, 0.01, 0.01], [1, 0, 0, 0]),
    ("typical:0.5", [0.4, 0.2, 0.2, 0.2], [0, 1 / 3, 1 / 3, 1 / 3]),
    ("typical:0.5,boundary=exceeded", [0.97, 0.01, 0.01, 0.01], [1, 0, 0, 0]),
    ("typical:0.5,boundary=exceeded", [0.4, 0.2, 0.2, 0.2], [0, 1 / 3, 1 / 3, 1 / 3]),
    ("top-n-sigma:1", FOUR, [0, 0, 0.428571, 0.571429]),
    ("top-n-sigma:3", FOUR, FOUR),
    ("p-less", [0.1, 0.15, 0.2, 0.25, 0.3], [0, 0, 0, 0.45454545, 0.54545455]),
    ("p-less", [0.2] * 5, [0.2] * 5),
]


@pytest.mark.parametrize(("spec", "probabilities", "expected"), VECTORS)
def test_llama_cpp_vectors(spec, probabilities, expected):
    np.testing.assert_allclose(after(spec, probabilities), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("threshold", "expected"),
    [
        (0.09, [0, 0, 0, 1]),
        (0.19, normalized([0, 0, 0.2, 0.1])),
        (0.29, normalized([0, 0.3, 0.2, 0.1])),
        (0.39, FALLING),
    ],
)
def test_llama_cpp_xtc(threshold, expected):
    """With the chance that theirs takes by its seed, below the probability; above it nothing changes."""
    where = context([0], rows=2, size=4)
    where.random = lambda *shape: np.array([0.9899, 0.9901])
    found = softmax(XTC(0.99, threshold=threshold)(np.log([FALLING, FALLING]), where))
    np.testing.assert_allclose(found, [expected, FALLING], rtol=0, atol=1e-5)


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


@pytest.mark.parametrize(
    ("chain", "kept"),
    [
        # tokens 0 to 9,999 have the weights 0 to 9,999: the sum of those from m on is (9,999 * 10,000 - m (m - 1)) / 2
        ("top-k:10000", 0),
        ("top-k:1", 9_999),
        ("top-p:0.0003", 9_998),
        ("top-p:0.8", 4_472),
        ("min-p:0.1", 1_000),
        (f"min-p:{9_997.9 / 9_999!r}", 9_998),
        ("min-p:1e-12", 1),
        ("top-k:100 | top-p:0.8", 9_920),
        ("top-k:100 | min-p:0.1", 9_900),
        ("top-p:0.8 | min-p:0.1", 4_472),
        ("min-p:0.1 | top-p:0.8", 4_560),
        (f"min-p:{9_997.9 / 9_999!r} | top-p:0.8", 9_998),
        ("top-k:100 | top-p:0.8 | min-p:0.1", 9_920),
        ("top-k:100 | min-p:0.1 | top-p:0.8", 9_920),
        ("min-p:0.1 | top-p:0.8 | top-k:9000", 4_560),
    ],
)
def test_llama_cpp_sampler_queue(chain, kept):
    """Its kind of chains on its kind of row, the least token that is kept worked out by hand."""
    found = after(chain, np.arange(10_000.0))
    assert np.flatnonzero(found).tolist() == list(range(max(kept, 1), 10_000))
