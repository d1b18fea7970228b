from __future__ import annotations

import attrs
import numpy as np
import pytest

from textforge.architectures.lstm import LSTM
from textforge.errors import BundleError, OptionError
from textforge.model import Arrays, SavedModel


def initial(vocabulary_size: int = 9, seed: int = 1, **options: int | None) -> SavedModel:
    return LSTM(**options).create(vocabulary_size, seed)


def shapes_of(vocabulary_size: int, **options: int | None) -> dict[str, tuple[int, ...]]:
    return {name: weight.shape for name, weight in LSTM(**options).weights(vocabulary_size).items()}


def checked_arrays(saved: SavedModel) -> Arrays:
    return LSTM.of(saved).check(saved)


def test_names_and_shapes():
    assert shapes_of(9, hidden_size=4, num_layers=2, embedding_size=3) == {
        "embedding.weight": (9, 3),
        "lstm.0.input_weight": (16, 3),
        "lstm.0.recurrent_weight": (16, 4),
        "lstm.0.bias": (16,),
        "lstm.1.input_weight": (16, 4),
        "lstm.1.recurrent_weight": (16, 4),
        "lstm.1.bias": (16,),
        "output.weight": (9, 4),
        "output.bias": (9,),
    }


def test_one_hot_input_has_no_embedding():
    shapes = shapes_of(9, hidden_size=4, embedding_size=None)
    assert "embedding.weight" not in shapes
    assert shapes["lstm.0.input_weight"] == (16, 9)


@pytest.mark.parametrize("options", [{}, {"embedding_size": None, "num_layers": 3, "hidden_size": 5}])
def test_first_weights_have_their_names_and_shapes(options):
    saved = initial(**options)
    assert {name: array.shape for name, array in saved.arrays.items()} == shapes_of(9, **options)
    assert all(array.dtype == np.float32 and array.flags.c_contiguous for array in saved.arrays.values())
    assert saved.options == {"hidden_size": 128, "num_layers": 1, "embedding_size": 64, "dropout": 0.1} | options
    assert (saved.architecture, saved.vocabulary_size, saved.window) == ("lstm", 9, None)


def test_the_seed_decides_the_first_weights():
    one, same, other = initial(seed=1), initial(seed=1), initial(seed=2)
    for name, array in one.arrays.items():
        np.testing.assert_array_equal(array, same.arrays[name])
        assert name.endswith("bias") or not np.array_equal(array, other.arrays[name])


def test_the_embedding_is_normal():
    values = initial(400, embedding_size=50).arrays["embedding.weight"]
    assert values.mean() == pytest.approx(0, abs=0.02)
    assert values.std() == pytest.approx(0.5, abs=0.02)
    assert (np.abs(values) < 0.5).mean() == pytest.approx(0.6827, abs=0.02)


@pytest.mark.parametrize("name", ["lstm.0.input_weight", "lstm.1.input_weight", "output.weight"])
def test_inputs_and_output_are_glorot_uniform(name):
    values = initial(50, hidden_size=40, num_layers=2).arrays[name]
    limit = np.sqrt(6 / sum(values.shape))
    assert np.abs(values).max() <= np.float32(limit)
    assert np.abs(values).max() > 0.99 * limit
    assert values.mean() == pytest.approx(0, abs=0.05 * limit)
    assert values.std() == pytest.approx(limit / np.sqrt(3), rel=0.05)


def test_recurrent_weights_are_orthogonal():
    arrays = initial(hidden_size=24, num_layers=2).arrays
    for layer in (0, 1):
        weights = arrays[f"lstm.{layer}.recurrent_weight"].astype(np.float64)
        np.testing.assert_allclose(weights.T @ weights, np.eye(24), atol=1e-6)
    assert not np.array_equal(arrays["lstm.0.recurrent_weight"], arrays["lstm.1.recurrent_weight"])


def test_orthogonal_weights_favour_no_sign():
    means = [initial(seed=seed, hidden_size=8).arrays["lstm.0.recurrent_weight"][0].mean() for seed in range(60)]
    assert np.mean(means) == pytest.approx(0, abs=0.05)


def test_biases_are_zero_but_for_the_forget_gate():
    arrays = initial(hidden_size=3, num_layers=2).arrays
    for layer in (0, 1):
        assert arrays[f"lstm.{layer}.bias"].tolist() == [0] * 3 + [1] * 3 + [0] * 6
    assert not arrays["output.bias"].any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden_size": 0}, "hidden_size must be >= 1, got 0"),
        ({"num_layers": 0}, "num_layers must be >= 1 and <= 1000, got 0"),
        ({"embedding_size": 0}, "embedding_size must be >= 1, got 0"),
        ({"dropout": 1}, "dropout must be >= 0 and < 1, got 1"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(OptionError, match=message):
        LSTM(**options)


def test_checked_arrays_are_the_weights():
    saved = initial()
    checked = checked_arrays(saved)
    assert list(checked) == list(saved.arrays)
    for name, array in checked.items():
        np.testing.assert_array_equal(array, saved.arrays[name])


def test_other_floats_and_transposes_become_contiguous_float32():
    saved = initial(hidden_size=5)
    arrays = {name: np.asfortranarray(array.astype(np.float64)) for name, array in saved.arrays.items()}
    checked = checked_arrays(attrs.evolve(saved, arrays=arrays))
    for name, array in checked.items():
        assert array.dtype == np.float32
        assert array.flags.c_contiguous
        np.testing.assert_array_equal(array, saved.arrays[name])


BAD_OPTIONS = [
    ({"hidden_size": "abc"}, r"the model's hidden_size must be a whole number, got 'abc'"),
    ({"hidden_size": 4.0}, "the model's hidden_size must be a whole number, got 4.0"),
    ({"hidden_size": True}, "the model's hidden_size must be a whole number, got true"),
    ({"hidden_size": None}, "the model's hidden_size must be a whole number, got None"),
    ({"hidden_size": -4}, "the model's hidden_size must be >= 1, got -4"),
    ({"hidden_size": 5}, r"lstm.0.input_weight have shape \(16, 3\), but the options say \(20, 3\)"),
    ({"num_layers": [1]}, "the model's num_layers must be a whole number"),
    ({"num_layers": 2}, "the model lacks the weights lstm.1.bias, lstm.1.input_weight, lstm.1.recurrent_weight"),
    ({"num_layers": 10**12}, "the model's num_layers must be >= 1 and <= 1000, got 1000000000000"),
    ({"embedding_size": "none"}, "the model's embedding_size must be a whole number or none"),
    ({"embedding_size": None}, "weights its options don't speak of: embedding.weight"),
]


@pytest.mark.parametrize(("changes", "message"), BAD_OPTIONS)
def test_an_edited_configuration_is_refused(changes, message):
    saved = initial(hidden_size=4, embedding_size=3)
    with pytest.raises(BundleError, match=message):
        checked_arrays(attrs.evolve(saved, options={**saved.options, **changes}))


@pytest.mark.parametrize("name", ["hidden_size", "num_layers", "embedding_size"])
def test_an_option_that_is_missing_is_named(name):
    saved = initial(hidden_size=4)
    options = {key: value for key, value in saved.options.items() if key != name}
    with pytest.raises(BundleError, match=f"configuration lacks {name}"):
        checked_arrays(attrs.evolve(saved, options=options))


@pytest.mark.parametrize("size", [0, -3, "9", 9.0, None])
def test_a_vocabulary_that_is_no_size_is_refused(size):
    with pytest.raises(BundleError, match="vocabulary_size must be a whole number >= 1"):
        checked_arrays(attrs.evolve(initial(), vocabulary_size=size))


def test_another_vocabulary_is_refused():
    with pytest.raises(BundleError, match=r"embedding.weight have shape \(9, 64\), but the options say \(10, 64\)"):
        checked_arrays(attrs.evolve(initial(), vocabulary_size=10))


BAD_WEIGHTS = [
    (np.array([0, 0, np.nan, 0, 0, 0, 0, 0, 0], dtype=np.float32), "have numbers that are not finite"),
    (np.full(9, 1e300), "have numbers that are not finite"),
    (np.zeros(9, dtype=np.int32), "must be floating-point numbers, got int32"),
    (np.zeros(9, dtype=np.complex64), "must be floating-point numbers, got complex64"),
    (np.full(9, "a"), "must be floating-point numbers, got <U1"),
    (np.zeros((9, 1), dtype=np.float32), r"have shape \(9, 1\), but the options say \(9,\)"),
    (np.zeros((), dtype=np.float32), r"have shape \(\), but the options say \(9,\)"),
]


@pytest.mark.parametrize(("bias", "message"), BAD_WEIGHTS)
def test_bad_weights_are_refused(bias, message):
    saved = initial()
    with pytest.raises(BundleError, match=f"the weights output.bias {message}"):
        checked_arrays(attrs.evolve(saved, arrays=saved.arrays | {"output.bias": bias}))


def test_missing_and_unknown_weights_are_named():
    saved = initial()
    fewer = {name: array for name, array in saved.arrays.items() if name != "lstm.0.bias"}
    with pytest.raises(BundleError, match=r"lacks the weights lstm\.0\.bias; "):
        checked_arrays(attrs.evolve(saved, arrays=fewer))
    with pytest.raises(BundleError, match="options don't speak of: attention"):
        checked_arrays(attrs.evolve(saved, arrays=saved.arrays | {"attention": np.zeros(1)}))


def test_a_long_list_of_names_is_shortened():
    with pytest.raises(BundleError, match=r"embedding\.weight, .* and 3 more; train it again"):
        checked_arrays(
            attrs.evolve(initial(num_layers=2), arrays={"output.bias": np.zeros(9)} | dict.fromkeys("abc", np.zeros(1)))
        )
