from __future__ import annotations

import functools
import subprocess
import sys

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy_models import TOLERANCES, some_ids, steps
from numpy_models import saved_model as make_saved_model
from support import numpy_model

from textforge.architectures.conv import Conv
from textforge.backends.numpy import model as numpy_base
from textforge.backends.numpy.conv import NumpyConv
from textforge.model import SavedModel

saved_model = functools.partial(make_saved_model, "conv")
SHAPES = {
    "one-layer": {"num_layers": 1, "kernel_size": 2},
    "three-layers": {"num_layers": 3, "kernel_size": 2},
    "wide": {"num_layers": 2, "kernel_size": 4, "dilation_growth": 3},
    "no-growth": {"num_layers": 3, "kernel_size": 3, "dilation_growth": 1},
}


def by_the_book(saved: SavedModel, ids: np.ndarray) -> np.ndarray:
    """The logits after each token, (B, T, V), from the textbook's formulas, in float64."""
    arrays = {name: array.astype(np.float64) for name, array in saved.arrays.items()}
    options, length = saved.options, ids.shape[1]
    x = np.eye(saved.vocabulary_size)[ids]
    if "embedding.weight" in arrays:
        x = x @ arrays["embedding.weight"]
    x = x @ arrays["input.weight"].T + arrays["input.bias"]
    for layer in range(options["num_layers"]):
        total = np.tile(arrays[f"conv.{layer}.bias"], (len(ids), length, 1))
        for age in range(options["kernel_size"]):
            distance = age * options["dilation_growth"] ** layer
            weights = arrays[f"conv.{layer}.weight"][:, :, options["kernel_size"] - 1 - age]
            total[:, distance:] += x[:, : max(0, length - distance)] @ weights.T
        values, gates = np.split(total, 2, axis=2)
        x = x + values / (1 + np.exp(-gates))
    return x @ arrays["output.weight"].T + arrays["output.bias"]


@pytest.mark.parametrize("precision", TOLERANCES)
@pytest.mark.parametrize("rows", [1, 16])
@pytest.mark.parametrize("embedding_size", [7, None])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_steps_are_those_of_the_textbook(shape, embedding_size, rows, precision):
    saved = saved_model(embedding_size=embedding_size, **shape)
    model, ids = numpy_model(saved, precision), some_ids(rows, 1000 if rows == 1 else 100)
    expected = by_the_book(saved, ids)
    logits = steps(model, ids)
    assert logits.dtype == precision
    np.testing.assert_allclose(logits, expected, rtol=0, atol=TOLERANCES[precision])
    read = model.forward(ids, model.start(rows))
    assert read.dtype == precision
    np.testing.assert_allclose(read, expected, rtol=0, atol=TOLERANCES[precision])
    last = model.forward(ids, model.start(rows), last_only=True)
    np.testing.assert_allclose(last, expected[:, -1:], rtol=0, atol=TOLERANCES[precision])


@pytest.mark.parametrize("precision", TOLERANCES)
def test_a_usual_model_agrees_over_a_thousand_tokens(precision):
    saved = Conv().create(57, seed=2)
    model, ids = numpy_model(saved, precision), some_ids(2, 1000, 57)
    expected = by_the_book(saved, ids)
    np.testing.assert_allclose(steps(model, ids), expected, rtol=0, atol=TOLERANCES[precision])
    np.testing.assert_allclose(model.forward(ids, model.start(2)), expected, rtol=0, atol=TOLERANCES[precision])


def test_large_weights_saturate_without_a_warning():
    saved = saved_model()
    large = attrs.evolve(saved, arrays={name: array * 30 for name, array in saved.arrays.items()})
    ids = some_ids(1, 100)
    with np.errstate(over="ignore"):
        expected = by_the_book(large, ids)
    model = numpy_model(large, "float64")
    np.testing.assert_allclose(model.forward(ids, model.start(1)), expected, rtol=1e-12)
    assert np.isfinite(steps(numpy_model(large), ids)).all()


TORCH = """
import sys
try:
    import numpy as np, torch
except ImportError:
    sys.exit(77)
torch.set_num_threads(1)
found = dict(np.load(sys.argv[1]))
growth = int(sys.argv[3])
ids, dtype = torch.from_numpy(found.pop("ids")), torch.float64
weights = {name: torch.from_numpy(array).to(dtype) for name, array in found.items()}
one_hot = torch.eye(len(weights["output.bias"]), dtype=dtype)
x = weights.get("embedding.weight", one_hot)[ids]
x = torch.nn.functional.linear(x, weights["input.weight"], weights["input.bias"]).transpose(1, 2)
for layer in range(sum(name.startswith("conv.") for name in found) // 2):
    weight, dilation = weights[f"conv.{layer}.weight"], growth**layer
    padded = torch.nn.functional.pad(x, ((weight.shape[2] - 1) * dilation, 0))
    convolved = torch.nn.functional.conv1d(padded, weight, weights[f"conv.{layer}.bias"], dilation=dilation)
    x = x + torch.nn.functional.glu(convolved, 1)
logits = torch.nn.functional.linear(x.transpose(1, 2), weights["output.weight"], weights["output.bias"])
np.save(sys.argv[2], logits.numpy())
"""


def by_torch(saved: SavedModel, ids: np.ndarray, folder) -> np.ndarray:
    np.savez(folder / "weights.npz", ids=ids, **saved.arrays)
    paths = [str(folder / "weights.npz"), str(folder / "logits.npy")]
    command = [sys.executable, "-c", TORCH, *paths, str(saved.options["dilation_growth"])]
    ended = subprocess.run(command, capture_output=True, text=True)
    if ended.returncode == 77:
        pytest.skip("torch is not installed")
    assert ended.returncode == 0, ended.stderr
    return np.load(folder / "logits.npy")


@pytest.mark.parametrize("embedding_size", [20, None])
def test_torch_s_own_convolution_agrees(embedding_size, tmp_path):
    saved = saved_model(57, channels=32, num_layers=4, kernel_size=3, embedding_size=embedding_size)
    ids = some_ids(4, 1000, 57)
    expected = by_torch(saved, ids, tmp_path)
    for precision, tolerance in TOLERANCES.items():
        model = numpy_model(saved, precision)
        np.testing.assert_allclose(model.forward(ids, model.start(4)), expected, rtol=0, atol=tolerance)
        np.testing.assert_allclose(steps(model, ids), expected, rtol=0, atol=tolerance)


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_any_mixture_of_calls_reads_the_same_text(data):
    rows = data.draw(st.integers(1, 4), label="rows")
    options = {
        name: data.draw(st.integers(low, high), label=name)
        for name, low, high in (
            ("num_layers", 1, 3),
            ("channels", 1, 9),
            ("kernel_size", 2, 4),
            ("dilation_growth", 1, 3),
        )
    }
    model = numpy_model(saved_model(**options), "float64")
    state, pieces = model.start(rows), []
    ids = some_ids(rows, 40)
    expected = steps(model, ids)
    at = 0
    while at < 40:
        length = data.draw(st.integers(1, 40 - at), label="length")
        how = data.draw(st.sampled_from(["step", "forward", "last"]), label="how")
        piece = ids[:, at : at + length]
        pieces.append(steps(model, piece, state) if how == "step" else model.forward(piece, state, how == "last"))
        at += length
        np.testing.assert_allclose(pieces[-1][:, -1], expected[:, at - 1], rtol=0, atol=1e-12)
        if how != "last":
            np.testing.assert_allclose(pieces[-1], expected[:, at - length : at], rtol=0, atol=1e-12)


@pytest.mark.parametrize("last_only", [False, True])
@pytest.mark.parametrize("rows", [1, 3])
def test_long_texts_are_read_in_pieces(rows, last_only, monkeypatch):
    model, ids = numpy_model(saved_model(), "float64"), some_ids(rows, 50)
    whole = model.forward(ids, model.start(rows), last_only)
    monkeypatch.setattr(numpy_base, "PIECE_BYTES", 7 * rows * (25 + 24) * 8)
    lengths = []
    read = NumpyConv.read
    monkeypatch.setattr(
        NumpyConv, "read", lambda self, ids, *rest: lengths.append(ids.shape[1]) or read(self, ids, *rest)
    )
    state = model.start(rows)
    np.testing.assert_allclose(model.forward(ids, state, last_only), whole, rtol=0, atol=1e-13)
    assert lengths == [7] * 7 + [1]
    np.testing.assert_allclose(
        model.step(ids[:, 0], state), steps(model, np.c_[ids, ids[:, 0]])[:, -1], rtol=0, atol=1e-13
    )


def test_a_text_is_forgotten_where_no_layer_looks_back_to_it():
    model = numpy_model(saved_model(num_layers=3, kernel_size=3, dilation_growth=2), "float64")
    ids = some_ids(1, 40)
    other = np.c_[(ids[:, :1] + 1) % 11, ids[:, 1:]]
    apart = np.abs(steps(model, ids) - steps(model, other))[0].max(axis=1)
    assert apart[:15].min() > 0, "2 + 4 + 8 positions and the token itself"
    assert not apart[15:].any()
