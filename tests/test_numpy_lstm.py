from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import numpy_model

from textforge.architectures.lstm import LSTM
from textforge.backends.choose import choose_trained, load_model
from textforge.backends.numpy import model as numpy_base
from textforge.backends.numpy import weights as numpy_weights
from textforge.backends.numpy.backend import NumpyBackend
from textforge.errors import BackendError, BundleError, OptionError
from textforge.model import Model, SavedModel
from textforge.plugins.registry import Plugins

TOLERANCES = {"float32": 1e-5, "float64": 1e-12}


def saved_model(
    vocabulary_size: int = 11, seed: int = 3, window: int | None = None, **options: int | None
) -> SavedModel:
    made = LSTM(**{"hidden_size": 16, **options}).create(vocabulary_size, seed)
    random = np.random.default_rng(seed)
    biases = {
        name: array + random.normal(0, 0.3, array.shape).astype(np.float32)
        for name, array in made.arrays.items()
        if name.endswith("bias")
    }
    return attrs.evolve(made, arrays=made.arrays | biases, window=window)


def some_ids(rows: int, length: int, vocabulary_size: int = 11, seed: int = 5) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, vocabulary_size, (rows, length))


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


def steps(model: Model, ids: np.ndarray, state: object | None = None) -> np.ndarray:
    state = model.start(len(ids)) if state is None else state
    return np.stack([model.step(ids[:, t], state).copy() for t in range(ids.shape[1])], axis=1)


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


def test_forward_of_no_tokens_changes_nothing():
    model = numpy_model(saved_model())
    state, ids = model.start(2), some_ids(2, 5)
    assert model.forward(ids[:, :0], state).shape == (2, 0, 11)
    assert model.forward(ids[:, :0], state, last_only=True).shape == (2, 0, 11)
    np.testing.assert_array_equal(steps(model, ids, state), steps(model, ids))


def test_the_result_of_forward_stays_as_it_is():
    model, ids = numpy_model(saved_model()), some_ids(1, 5)
    state = model.start(1)
    for last_only in (False, True):
        logits = model.forward(ids, state, last_only)
        before = logits.copy()
        model.step(ids[:, 0], state)
        np.testing.assert_array_equal(logits, before)


@pytest.mark.parametrize("rows", [1, 3])
def test_the_state_is_advanced_in_place_and_the_logits_are_a_buffer(rows):
    model, ids = numpy_model(saved_model()), some_ids(rows, 2)
    state = model.start(rows)
    first = model.step(ids[:, 0], state)
    before = first.copy()
    second = model.step(ids[:, 0], state)
    assert second.shape == (rows, 11)
    assert np.shares_memory(first, second)
    assert not np.array_equal(before, second), "the same token after another one gives other logits"


def test_states_share_nothing():
    model, ids = numpy_model(saved_model(num_layers=2)), some_ids(1, 20)
    one, other = model.start(1), model.start(1)
    expected = steps(model, ids)
    for t in range(20):
        logits = model.step(ids[:, t], one)
        model.step((ids[:, t] + 1) % 11, other)
        np.testing.assert_array_equal(logits, expected[:, t])


def test_one_model_serves_many_threads():
    model = numpy_model(saved_model(num_layers=2))
    texts = [some_ids(1, 300, seed=seed) for seed in range(8)]
    with ThreadPoolExecutor(4) as threads:
        for ids, logits in zip(texts, threads.map(lambda ids: steps(model, ids), texts), strict=True):
            np.testing.assert_array_equal(logits, steps(model, ids))


@pytest.mark.parametrize("precision", TOLERANCES)
def test_rows_are_independent(precision):
    model, ids = numpy_model(saved_model(num_layers=2), precision), some_ids(5, 60)
    together = steps(model, ids)
    for row in range(5):
        alone = steps(model, ids[row : row + 1])
        np.testing.assert_allclose(together[row], alone[0], rtol=0, atol=TOLERANCES[precision] / 10)


@settings(deadline=None, max_examples=40)
@given(rows=st.integers(1, 4), chosen=st.lists(st.integers(0, 3), min_size=1, max_size=6), read=st.booleans())
def test_select_copies_rows_in_any_order(rows, chosen, read):
    model, ids = numpy_model(saved_model(num_layers=2), "float64"), some_ids(rows, 9)
    chosen = np.array([row % rows for row in chosen])
    state = model.start(rows)
    if read:
        model.forward(ids[:, :8], state)
    selected = model.select(state, chosen)
    expected = model.step(ids[:, 8], state)[chosen]
    np.testing.assert_allclose(model.step(ids[chosen, 8], selected), expected, rtol=0, atol=1e-13)


def test_a_selection_is_a_copy():
    model, ids = numpy_model(saved_model()), some_ids(2, 4)
    state, undisturbed = model.start(2), model.start(2)
    for both in (state, undisturbed):
        model.forward(ids, both)
    selected = model.select(state, np.array([1, 0]))
    model.step(ids[:, 0], selected)
    np.testing.assert_array_equal(model.step(ids[:, 1], state), model.step(ids[:, 1], undisturbed))


def test_no_rows_may_be_left():
    model = numpy_model(saved_model())
    none = model.select(model.start(2), np.array([], dtype=np.int64))
    assert model.step(np.array([], dtype=np.int64), none).shape == (0, 11)
    assert model.forward(np.zeros((0, 3), dtype=np.int64), none).shape == (0, 3, 11)


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("embedding_size", [7, None])
def test_a_table_too_large_is_not_made(rows, embedding_size, monkeypatch):
    saved, ids = saved_model(num_layers=2, embedding_size=embedding_size), some_ids(rows, 40)
    monkeypatch.setattr(numpy_weights, "TABLE_BYTES", 0)
    model = numpy_model(saved, "float64")
    expected = by_the_book(saved, ids)
    np.testing.assert_allclose(steps(model, ids), expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(model.forward(ids, model.start(rows)), expected, rtol=0, atol=1e-12)


def test_a_token_the_vocabulary_lacks_is_refused():
    model = numpy_model(saved_model())
    with pytest.raises(IndexError):
        model.step(np.array([11]), model.start(1))


@pytest.mark.parametrize("precision", TOLERANCES)
def test_what_was_loaded_is_saved(precision):
    saved = saved_model(num_layers=2, window=60)
    model = numpy_model(saved, precision)
    steps(model, some_ids(1, 5))
    again = model.save()
    assert (again.architecture, again.options, again.vocabulary_size) == ("lstm", saved.options, 11)
    assert again.window == model.window == 60
    assert again.arrays.keys() == saved.arrays.keys()
    for name, array in again.arrays.items():
        assert array.dtype == np.float32
        assert array.flags.c_contiguous
        np.testing.assert_array_equal(array, saved.arrays[name])


def test_what_is_saved_is_a_copy():
    model = numpy_model(saved_model())
    before = model.save()
    model.save().arrays["output.bias"][:] = 7
    np.testing.assert_array_equal(model.save().arrays["output.bias"], before.arrays["output.bias"])


def test_misshapen_weights_are_refused():
    saved = saved_model()
    with pytest.raises(BundleError, match=r"output\.bias have shape \(3,\), but the options say \(11,\)"):
        numpy_model(attrs.evolve(saved, arrays=saved.arrays | {"output.bias": np.zeros(3, np.float32)}))


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
