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

from textforge.backends.choose import choose_trained, load_model
from textforge.backends.numpy import model as numpy_base
from textforge.backends.numpy.backend import NumpyBackend
from textforge.errors import BackendError, BundleError, OptionError
from textforge.model import SavedModel
from textforge.plugins.registry import Plugins

saved_model = functools.partial(make_saved_model, "lstm")


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def by_the_book(saved: SavedModel, ids: np.ndarray) -> np.ndarray:
    """The logits after each token, (B, T, V), from the textbook's formulas, in float64."""
    arrays = {name: array.astype(np.float64) for name, array in saved.arrays.items()}
    rows, length = ids.shape
    layers, size = saved.options["num_layers"], saved.options["hidden_size"]
    hidden, cell = np.zeros((2, layers, rows, size))
    logits = np.empty((rows, length, saved.vocabulary_size))
    for t in range(length):
        x = np.eye(saved.vocabulary_size)[ids[:, t]]
        if "embedding.weight" in arrays:
            x = x @ arrays["embedding.weight"]
        for layer in range(layers):
            name = f"lstm.{layer}"
            gates = x @ arrays[f"{name}.input_weight"].T + hidden[layer] @ arrays[f"{name}.recurrent_weight"].T
            i, f, g, o = np.split(gates + arrays[f"{name}.bias"], 4, axis=1)
            cell[layer] = sigmoid(f) * cell[layer] + sigmoid(i) * np.tanh(g)
            hidden[layer] = x = sigmoid(o) * np.tanh(cell[layer])
        logits[:, t] = x @ arrays["output.weight"].T + arrays["output.bias"]
    return logits


@pytest.mark.parametrize("precision", TOLERANCES)
@pytest.mark.parametrize("rows", [1, 16])
@pytest.mark.parametrize("embedding_size", [7, None])
@pytest.mark.parametrize("num_layers", [1, 2, 3])
def test_steps_are_those_of_the_textbook(num_layers, embedding_size, rows, precision):
    saved = saved_model(num_layers=num_layers, embedding_size=embedding_size)
    model, ids = numpy_model(saved, precision), some_ids(rows, 1000 if rows == 1 else 200)
    expected = by_the_book(saved, ids)
    logits = steps(model, ids)
    assert logits.dtype == precision
    np.testing.assert_allclose(logits, expected, rtol=0, atol=TOLERANCES[precision])
    read = model.forward(ids, model.start(rows))
    assert read.dtype == precision
    np.testing.assert_allclose(read, expected, rtol=0, atol=TOLERANCES[precision])


@pytest.mark.parametrize("precision", TOLERANCES)
def test_a_usual_model_agrees_over_a_thousand_tokens(precision):
    saved = saved_model(57, hidden_size=128, num_layers=2, embedding_size=64)
    model, ids = numpy_model(saved, precision), some_ids(2, 1000, 57)
    expected = by_the_book(saved, ids)
    np.testing.assert_allclose(steps(model, ids), expected, rtol=0, atol=TOLERANCES[precision])
    np.testing.assert_allclose(model.forward(ids, model.start(2)), expected, rtol=0, atol=TOLERANCES[precision])


def test_large_weights_saturate_without_a_warning():
    saved = saved_model(num_layers=2)
    large = attrs.evolve(saved, arrays={name: array * 30 for name, array in saved.arrays.items()})
    ids = some_ids(1, 100)
    with np.errstate(over="ignore"):
        expected = by_the_book(large, ids)
    model = numpy_model(large, "float64")
    np.testing.assert_allclose(model.forward(ids, model.start(1)), expected, rtol=0, atol=1e-7)
    assert np.isfinite(steps(numpy_model(large), ids)).all()


TORCH = """
import sys
try:
    import numpy as np, torch
except ImportError:
    sys.exit(77)
torch.set_num_threads(1)
found = dict(np.load(sys.argv[1]))
layers = sum(name.endswith("recurrent_weight") for name in found)
size = found["output.weight"].shape[1]
ids, dtype = torch.from_numpy(found.pop("ids")), torch.float64
weights = {name: torch.from_numpy(array).to(dtype) for name, array in found.items()}
one_hot = torch.eye(len(weights["output.bias"]), dtype=dtype)
x = weights.get("embedding.weight", one_hot)[ids]
lstm = torch.nn.LSTM(x.shape[-1], size, layers, batch_first=True, dtype=dtype)
with torch.no_grad():
    for layer in range(layers):
        lstm.get_parameter(f"weight_ih_l{layer}").copy_(weights[f"lstm.{layer}.input_weight"])
        lstm.get_parameter(f"weight_hh_l{layer}").copy_(weights[f"lstm.{layer}.recurrent_weight"])
        lstm.get_parameter(f"bias_ih_l{layer}").copy_(weights[f"lstm.{layer}.bias"])
        lstm.get_parameter(f"bias_hh_l{layer}").zero_()
    logits = lstm(x)[0] @ weights["output.weight"].T + weights["output.bias"]
np.save(sys.argv[2], logits.numpy())
"""


def by_torch(saved: SavedModel, ids: np.ndarray, folder) -> np.ndarray:
    np.savez(folder / "weights.npz", ids=ids, **saved.arrays)
    command = [sys.executable, "-c", TORCH, folder / "weights.npz", folder / "logits.npy"]
    ended = subprocess.run(command, capture_output=True, text=True)
    if ended.returncode == 77:
        pytest.skip("torch is not installed")
    assert ended.returncode == 0, ended.stderr
    return np.load(folder / "logits.npy")


@pytest.mark.parametrize("embedding_size", [20, None])
def test_torch_agrees(embedding_size, tmp_path):
    saved, ids = saved_model(57, hidden_size=64, num_layers=2, embedding_size=embedding_size), some_ids(4, 1000, 57)
    expected = by_torch(saved, ids, tmp_path)
    for precision, tolerance in TOLERANCES.items():
        model = numpy_model(saved, precision)
        np.testing.assert_allclose(model.forward(ids, model.start(4)), expected, rtol=0, atol=tolerance)
        np.testing.assert_allclose(steps(model, ids), expected, rtol=0, atol=tolerance)


@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_any_mixture_of_calls_reads_the_same_text(data):
    rows = data.draw(st.integers(1, 4), label="rows")
    layers = data.draw(st.integers(1, 3), label="layers")
    model = numpy_model(saved_model(num_layers=layers, hidden_size=data.draw(st.integers(1, 9))), "float64")
    state, pieces = model.start(rows), []
    ids = some_ids(rows, 12)
    expected = steps(model, ids)
    at = 0
    while at < 12:
        length = data.draw(st.integers(1, 12 - at), label="length")
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
    model, ids = numpy_model(saved_model(num_layers=2), "float64"), some_ids(rows, 50)
    whole = model.forward(ids, model.start(rows), last_only)
    monkeypatch.setattr(numpy_base, "PIECE_BYTES", 7 * rows * 4 * 16 * 8)
    state = model.start(rows)
    np.testing.assert_allclose(model.forward(ids, state, last_only), whole, rtol=0, atol=1e-13)
    np.testing.assert_allclose(
        model.step(ids[:, 0], state), steps(model, np.c_[ids, ids[:, 0]])[:, -1], rtol=0, atol=1e-13
    )


class TestTheBackend:
    def test_comes_as_a_plugin(self):
        assert isinstance(Plugins().backend("numpy:precision=float64"), NumpyBackend)

    @pytest.mark.parametrize("precision", TOLERANCES)
    def test_computes_in_the_precision_asked_for(self, precision):
        model = numpy_model(saved_model(), precision)
        assert model.step(np.array([1]), model.start(1)).dtype == precision

    def test_refuses_another_precision(self):
        with pytest.raises(OptionError, match="precision must be one of float32, float64, got"):
            NumpyBackend(precision="float16")

    def test_names_the_backends_that_implement_an_architecture(self):
        saved = SavedModel("attention", {}, 3, {})
        with pytest.raises(BundleError, match="the model needs the architecture 'attention': install that plugin"):
            load_model(Plugins(), NumpyBackend(), saved)

    def test_says_what_can_train(self):
        assert not NumpyBackend.trains
        with pytest.raises(BackendError, match="numpy only runs trained models of the architecture 'lstm'; "):
            choose_trained(Plugins(), "lstm", "numpy")
