"""The options, and a model that generates."""

from __future__ import annotations

import numpy as np
import pytest

import textforge
from textforge.backends.base import SavedModel
from textforge.backends.lstm import weight_shapes
from textforge.errors import BundleError, OptionError
from textforge_torch import TorchBackend

MODELS = {
    "default": {},
    "two-layers": {"num_layers": 2, "hidden_size": 24},
    "one-hot": {"embedding_size": None, "hidden_size": 20},
    "one-hot-three-layers": {"embedding_size": None, "hidden_size": 9, "num_layers": 3},
    "tiny": {"hidden_size": 1, "embedding_size": 1},
}


def make(vocabulary_size=11, seed=3, **options):
    return TorchBackend(device="cpu", **options).create(vocabulary_size, seed)


def some_ids(*shape, vocabulary_size=11, seed=0, dtype=np.int64):
    return np.random.default_rng(seed).integers(0, vocabulary_size, shape).astype(dtype)


def scaled(saved, factor):
    """Weights as large as trained ones are."""
    arrays = {name: array * np.float32(factor) for name, array in saved.arrays.items()}
    return SavedModel(saved.architecture, saved.options, saved.vocabulary_size, arrays, saved.window)


def test_the_plugin_is_found_by_its_entry_point():
    backend = textforge.Plugins().backend("torch:hidden_size=32,device=cpu")
    assert backend == TorchBackend(hidden_size=32, device="cpu")
    assert backend.spec == "torch:hidden_size=32,device=cpu"


def test_only_how_to_run_a_model_is_a_run_time_option():
    options = TorchBackend.options()
    assert [name for name, found in options.items() if found.runtime] == ["device", "precision"]
    assert set(TorchBackend().architecture_options()) == {"hidden_size", "num_layers", "embedding_size", "dropout"}


@pytest.mark.parametrize("device", ["auto", "cpu", "cuda", "cuda:0", "cuda:12", "mps"])
def test_devices_that_can_be_asked_for(device):
    assert TorchBackend(device=device).device == device


@pytest.mark.parametrize("device", ["", "gpu", "cuda:", "cuda:-1", "cuda:x", "CPU", "cpu:0", "mps\n"])
def test_devices_that_can_not(device):
    with pytest.raises(OptionError, match=r"^torch: device must be auto, cpu, cuda, cuda:N \(N from 0\) or mps, got "):
        TorchBackend(device=device)


def test_precisions_that_can_not_be_asked_for():
    with pytest.raises(OptionError, match="precision must be one of float32, bfloat16, float64, got"):
        TorchBackend(precision="float16")


@pytest.mark.parametrize("options", MODELS.values(), ids=MODELS)
@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-5), ("float64", 1e-12)])
def test_logits_are_the_textbook_s(options, precision, tolerance, logits_by_the_book):
    model = make(precision=precision, **options)
    ids = some_ids(2, 100)
    logits = model.forward(ids, model.start(2))
    assert logits.dtype == ("float64" if precision == "float64" else "float32")
    np.testing.assert_allclose(logits, logits_by_the_book(model.save(), ids), rtol=0, atol=tolerance)


def test_fresh_weights_agree_over_a_thousand_tokens(logits_by_the_book):
    model = make(vocabulary_size=60)
    ids = some_ids(1, 1000, vocabulary_size=60)
    logits = model.forward(ids, model.start(1))
    np.testing.assert_allclose(logits, logits_by_the_book(model.save(), ids), rtol=0, atol=1e-5)


def test_large_weights_agree_too(logits_by_the_book):
    large = scaled(make(num_layers=2).save(), 3)
    model = TorchBackend(device="cpu").load(large)
    ids = some_ids(1, 300)
    logits = model.forward(ids, model.start(1))
    np.testing.assert_allclose(logits, logits_by_the_book(large, ids), rtol=0, atol=1e-4)


@pytest.mark.parametrize("options", [{}, {"embedding_size": None, "num_layers": 2}], ids=["default", "one-hot"])
def test_the_numpy_backend_agrees(options):
    numpy_backend = textforge.Plugins().backend("numpy")
    model = make(vocabulary_size=60, **options)
    other = numpy_backend.load(model.save())
    ids = some_ids(2, 1000, vocabulary_size=60)
    logits = model.forward(ids, model.start(2))
    np.testing.assert_allclose(logits, other.forward(ids, other.start(2)), rtol=0, atol=1e-5)


@pytest.mark.parametrize("options", MODELS.values(), ids=MODELS)
def test_one_token_at_a_time_is_the_same(options):
    model = make(**options)
    ids = some_ids(3, 12)
    at_once, one_by_one = model.start(3), model.start(3)
    logits = model.forward(ids, at_once)
    steps = [model.step(ids[:, t], one_by_one).copy() for t in range(12)]
    np.testing.assert_allclose(np.stack(steps, axis=1), logits, atol=1e-6)
    np.testing.assert_allclose(model.step(ids[:, 0], one_by_one), model.step(ids[:, 0], at_once), atol=1e-6)


def test_last_only_is_the_last_of_all():
    model = make(num_layers=2)
    ids = some_ids(3, 12)
    whole, last = model.start(3), model.start(3)
    everything = model.forward(ids, whole)
    only = model.forward(ids, last, last_only=True)
    assert only.shape == (3, 1, 11)
    np.testing.assert_allclose(only, everything[:, -1:], atol=1e-6)
    np.testing.assert_array_equal(model.step(ids[:, 0], last), model.step(ids[:, 0], whole))


def test_logits_are_plain_arrays():
    model = make()
    for logits in (model.step(some_ids(3), model.start(3)), model.forward(some_ids(3, 4), model.start(3))):
        assert type(logits) is np.ndarray
        assert logits.flags.c_contiguous
        assert logits.flags.writeable


def test_the_state_is_advanced_in_place():
    model = make()
    state = model.start(1)
    before = state["hidden"].clone()
    first = model.step(np.array([3]), state).copy()
    assert not np.array_equal(state["hidden"], before)
    assert not np.array_equal(model.step(np.array([3]), state), first)


def test_rows_know_nothing_of_each_other():
    model = make(num_layers=2)
    ids = some_ids(4, 20)
    together = model.forward(ids, model.start(4))
    for row in range(4):
        alone = model.forward(ids[row : row + 1], model.start(1))
        np.testing.assert_allclose(alone, together[row : row + 1], atol=1e-6)


@pytest.mark.parametrize("rows", [[1], [2, 0], [0, 0, 0, 2], []], ids=str)
def test_selected_rows_are_a_copy_in_that_order(rows):
    model = make(num_layers=2)
    ids = some_ids(3, 5)
    state = model.start(3)
    model.forward(ids, state)
    chosen = model.select(state, np.array(rows, dtype=np.intp))
    assert chosen["hidden"].shape == (2, len(rows), 128)
    np.testing.assert_array_equal(chosen["cell"], state["cell"][:, rows])
    if rows:
        kept = state["hidden"].clone()
        model.step(some_ids(len(rows)), chosen)
        np.testing.assert_array_equal(state["hidden"], kept)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.int32, np.int64])
def test_ids_of_any_type(dtype):
    model = make()
    ids = some_ids(2, 6)
    wanted = model.forward(ids, model.start(2))
    np.testing.assert_array_equal(model.forward(ids.astype(dtype), model.start(2)), wanted)


def test_ids_from_a_read_only_file(tmp_path):
    path = tmp_path / "tokens"
    some_ids(40, dtype=np.uint16).tofile(path)
    tokens = np.memmap(path, dtype=np.uint16, mode="r")
    model = make()
    logits = model.forward(tokens[:20].reshape(2, 10), model.start(2))  # warnings are errors here
    np.testing.assert_array_equal(logits, model.forward(some_ids(40)[:20].reshape(2, 10), model.start(2)))


def test_ids_beyond_the_vocabulary_do_not_pass():
    for options in ({}, {"embedding_size": None}):
        model = make(**options)
        with pytest.raises((IndexError, RuntimeError)):
            model.step(np.array([11]), model.start(1))


def test_the_same_seed_gives_the_same_weights():
    one, same, other = (make(seed=seed).save().arrays for seed in (3, 3, 4))
    assert all(np.array_equal(one[name], same[name]) for name in one)
    assert not np.array_equal(one["embedding.weight"], other["embedding.weight"])


@pytest.mark.parametrize("options", MODELS.values(), ids=MODELS)
@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_saving_gives_back_what_was_loaded(options, precision):
    backend = TorchBackend(device="cpu", precision=precision, dropout=0.3, **options)
    saved = backend.initial(11, seed=5)
    again = backend.load(saved).save()
    assert again.architecture == "lstm"
    assert again.options == backend.architecture_options()
    assert again.vocabulary_size == 11
    assert list(again.arrays) == list(saved.arrays)
    for name, array in saved.arrays.items():
        assert again.arrays[name].dtype == np.float32
        assert again.arrays[name].flags.c_contiguous
        np.testing.assert_array_equal(again.arrays[name], array)


def test_the_weights_names_and_shapes_are_the_core_s():
    arrays = make(vocabulary_size=7, hidden_size=5, num_layers=2, embedding_size=3).save().arrays
    assert {name: array.shape for name, array in arrays.items()} == weight_shapes(7, 5, 2, 3)


def test_saved_arrays_are_a_copy():
    model = make()
    model.save().arrays["output.bias"][:] = 7
    assert not model.save().arrays["output.bias"].any()


def test_loaded_arrays_are_copied():
    saved = TorchBackend(device="cpu").initial(11, seed=0)
    for array in saved.arrays.values():
        array.flags.writeable = False
    model = TorchBackend(device="cpu").load(saved)  # warnings are errors here
    assert not np.shares_memory(model.save().arrays["output.bias"], saved.arrays["output.bias"])


def test_the_window_is_kept():
    saved = make().save()
    windowed = SavedModel(saved.architecture, saved.options, saved.vocabulary_size, saved.arrays, window=40)
    model = TorchBackend(device="cpu").load(windowed)
    assert model.window == 40
    assert model.save().window == 40


def test_weights_that_do_not_fit_are_refused():
    saved = make().save()
    missing = dict(saved.arrays)
    del missing["lstm.0.bias"]
    misshapen = saved.arrays | {"lstm.0.bias": np.zeros(3, dtype=np.float32)}
    for arrays, what in ((missing, "lacks the weights lstm.0.bias"), (misshapen, "have shape")):
        with pytest.raises(BundleError, match=what):
            TorchBackend(device="cpu").load(SavedModel("lstm", saved.options, 11, arrays))
