"""Checks of saved models and first weights that hold for every architecture of weights in float32."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
import pytest

from textforge.architectures.base import Architecture
from textforge.architectures.conv import Conv
from textforge.architectures.gpt import GPT
from textforge.architectures.lstm import LSTM
from textforge.errors import BundleError, OptionError
from textforge.model import Arrays, SavedModel

CLASSES: dict[str, type[Architecture]] = {"lstm": LSTM, "conv": Conv, "gpt": GPT}
SMALL: dict[str, dict[str, Any]] = {
    "lstm": {"hidden_size": 4, "embedding_size": 3},
    "conv": {"channels": 4, "embedding_size": 3, "num_layers": 2, "kernel_size": 2},
    "gpt": {"hidden_size": 4, "num_heads": 2, "num_layers": 2, "window": 5},
}
DEFAULTS = {
    "lstm": {"hidden_size": 128, "num_layers": 1, "embedding_size": 64, "dropout": 0.1},
    "conv": Conv().option_values(),
    "gpt": {"num_layers": 4, "hidden_size": 192, "num_heads": 6, "window": 128, "dropout": 0.1},
}
OTHERS: dict[str, dict[str, Any]] = {
    "lstm": {"embedding_size": None, "num_layers": 3, "hidden_size": 5},
    "conv": {"embedding_size": None, "num_layers": 3, "channels": 5, "kernel_size": 4},
    "gpt": {"hidden_size": 6, "num_heads": 1, "num_layers": 3, "window": 2},
}
each = pytest.mark.parametrize("name", CLASSES)


def initial(name: str, vocabulary_size: int = 9, seed: int = 1, **options: Any) -> SavedModel:
    return CLASSES[name](**options).create(vocabulary_size, seed)


def check(saved: SavedModel) -> Arrays:
    return CLASSES[saved.architecture].of(saved).check(saved)


@pytest.mark.parametrize(("name", "options"), [*((name, {}) for name in CLASSES), *OTHERS.items()])
def test_first_weights_have_their_names_and_shapes(name, options):
    saved = initial(name, **options)
    declared = CLASSES[name](**options).weights(9)
    assert {key: array.shape for key, array in saved.arrays.items()} == {key: w.shape for key, w in declared.items()}
    assert all(array.dtype == np.float32 and array.flags.c_contiguous for array in saved.arrays.values())
    assert saved.options == DEFAULTS[name] | options
    assert (saved.architecture, saved.vocabulary_size, saved.window) == (name, 9, None)


@each
def test_the_seed_decides_the_first_weights(name):
    one, same, other = (initial(name, seed=seed) for seed in (1, 1, 2))
    for key, array in one.arrays.items():
        np.testing.assert_array_equal(array, same.arrays[key])
        assert key.endswith("bias") or not np.array_equal(array, other.arrays[key])


@pytest.mark.parametrize(("name", "options"), [*SMALL.items(), *OTHERS.items()])
def test_a_larger_vocabulary_keeps_every_row_and_draws_the_new_ones(name, options):
    architecture = CLASSES[name](**options)
    saved = attrs.evolve(initial(name, 6, seed=1, **options), window=7)
    grown = architecture.grow(saved, 9, seed=5)
    drawn = architecture.create(9, seed=5)
    assert (grown.vocabulary_size, grown.options, grown.window) == (9, saved.options, 7)
    architecture.check(grown)
    for key, weight in architecture.weights(9).items():
        if weight.vocabulary_axis is None:
            np.testing.assert_array_equal(grown.arrays[key], saved.arrays[key])
        else:
            old, new = np.split(grown.arrays[key], [6], axis=weight.vocabulary_axis)
            np.testing.assert_array_equal(old, saved.arrays[key])
            np.testing.assert_array_equal(new, np.split(drawn.arrays[key], [6], axis=weight.vocabulary_axis)[1])


@each
def test_checked_arrays_are_the_weights(name):
    saved = initial(name)
    checked = check(saved)
    assert list(checked) == list(saved.arrays)
    for key, array in checked.items():
        np.testing.assert_array_equal(array, saved.arrays[key])


@each
def test_other_floats_and_transposes_become_contiguous_float32(name):
    saved = initial(name, **SMALL[name])
    arrays = {key: np.asfortranarray(array.astype(np.float64)) for key, array in saved.arrays.items()}
    checked = check(attrs.evolve(saved, arrays=arrays))
    assert list(checked) == list(saved.arrays)
    for key, array in checked.items():
        assert array.dtype == np.float32
        assert array.flags.c_contiguous
        np.testing.assert_array_equal(array, saved.arrays[key])


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("lstm", {"hidden_size": 0}, "hidden_size must be >= 1, got 0"),
        ("lstm", {"num_layers": 0}, "num_layers must be >= 1 and <= 1000, got 0"),
        ("lstm", {"embedding_size": 0}, "embedding_size must be >= 1, got 0"),
        ("lstm", {"dropout": 1}, "dropout must be >= 0 and < 1, got 1"),
        ("conv", {"channels": 0}, "channels must be >= 1, got 0"),
        ("conv", {"num_layers": 0}, "num_layers must be >= 1 and <= 1000, got 0"),
        ("conv", {"kernel_size": 1}, "kernel_size must be >= 2, got 1"),
        ("conv", {"dilation_growth": 0}, "dilation_growth must be >= 1, got 0"),
        ("conv", {"embedding_size": 0}, "embedding_size must be >= 1, got 0"),
        ("conv", {"dropout": 1}, "dropout must be >= 0 and < 1, got 1"),
        ("conv", {"num_layers": 17}, r"^conv: num_layers=17, kernel_size=2 and dilation_growth=2 look back too far: "),
        (
            "conv",
            {"num_layers": 1000, "kernel_size": 99, "dilation_growth": 1},
            "may keep 65536 positions, so one of",
        ),
        ("conv", {"dilation_growth": 10**30}, "look back too far"),
        ("gpt", {"num_layers": 0}, "num_layers must be >= 1 and <= 1000, got 0"),
        ("gpt", {"hidden_size": 1}, "hidden_size must be >= 2, got 1"),
        ("gpt", {"num_heads": 0}, "num_heads must be >= 1, got 0"),
        ("gpt", {"window": 0}, "window must be >= 1 and <= 65536, got 0"),
        ("gpt", {"dropout": 1}, "dropout must be >= 0 and < 1, got 1"),
        (
            "gpt",
            {"hidden_size": 190},
            r"^gpt: num_heads=6 can't share hidden_size=190 in equal, even parts: .* 12, such as 180 or 192$",
        ),
        ("gpt", {"hidden_size": 6}, "num_heads=6 can't share hidden_size=6 .* multiple of 12, such as 12$"),
        ("gpt", {"hidden_size": 9, "num_heads": 3}, "multiple of 6, such as 6 or 12$"),
    ],
)
def test_options_out_of_range_are_refused(name, options, message):
    with pytest.raises(OptionError, match=message):
        CLASSES[name](**options)


BAD_OPTIONS = [
    ("lstm", {"hidden_size": "abc"}, r"the model's hidden_size must be a whole number, got 'abc'"),
    ("lstm", {"hidden_size": 4.0}, "the model's hidden_size must be a whole number, got 4.0"),
    ("lstm", {"hidden_size": True}, "the model's hidden_size must be a whole number, got true"),
    ("lstm", {"hidden_size": None}, "the model's hidden_size must be a whole number, got None"),
    ("lstm", {"hidden_size": -4}, "the model's hidden_size must be >= 1, got -4"),
    ("lstm", {"hidden_size": 5}, r"lstm.0.input_weight have shape \(16, 3\), but the options say \(20, 3\)"),
    ("lstm", {"num_layers": [1]}, "the model's num_layers must be a whole number"),
    (
        "lstm",
        {"num_layers": 2},
        "the model lacks the weights lstm.1.bias, lstm.1.input_weight, lstm.1.recurrent_weight",
    ),
    ("lstm", {"num_layers": 10**12}, "the model's num_layers must be >= 1 and <= 1000, got 1000000000000"),
    ("lstm", {"embedding_size": "none"}, "the model's embedding_size must be a whole number or none"),
    ("lstm", {"embedding_size": None}, "weights its options don't speak of: embedding.weight"),
    ("conv", {"channels": "abc"}, r"the model's channels must be a whole number, got 'abc'"),
    ("conv", {"channels": True}, "the model's channels must be a whole number, got true"),
    ("conv", {"channels": -4}, "the model's channels must be >= 1, got -4"),
    ("conv", {"channels": 5}, r"input.weight have shape \(4, 3\), but the options say \(5, 3\)"),
    ("conv", {"num_layers": 3}, r"the model lacks the weights conv.2.bias, conv.2.weight"),
    ("conv", {"num_layers": 1}, "weights its options don't speak of: conv.1.bias, conv.1.weight"),
    ("conv", {"num_layers": 10**12}, "the model's num_layers must be >= 1 and <= 1000, got 1000000000000"),
    ("conv", {"kernel_size": 1}, "the model's kernel_size must be >= 2, got 1"),
    ("conv", {"kernel_size": 3}, r"conv.0.weight have shape \(8, 4, 2\), but the options say \(8, 4, 3\)"),
    ("conv", {"kernel_size": 10**9}, "the model's num_layers=2, kernel_size=1000000000 .* look back too far"),
    ("conv", {"dilation_growth": 0}, "the model's dilation_growth must be >= 1, got 0"),
    ("conv", {"dilation_growth": 2.5}, "the model's dilation_growth must be a whole number, got 2.5"),
    ("conv", {"dilation_growth": 10**30}, "look back too far: .*; copy it again, or train it again"),
    ("conv", {"embedding_size": "none"}, "the model's embedding_size must be a whole number or none"),
    ("conv", {"embedding_size": None}, "weights its options don't speak of: embedding.weight"),
    ("gpt", {"hidden_size": "abc"}, r"the model's hidden_size must be a whole number, got 'abc'"),
    ("gpt", {"hidden_size": 8}, r"embedding.weight have shape \(9, 4\), but the options say \(9, 8\)"),
    ("gpt", {"num_heads": 3}, "the model's num_heads=3 can't share hidden_size=4 .*; copy it again, or train it again"),
    ("gpt", {"num_layers": 10**12}, "the model's num_layers must be >= 1 and <= 1000, got 1000000000000"),
    ("gpt", {"window": 10**12}, "the model's window must be >= 1 and <= 65536, got 1000000000000"),
    ("gpt", {"window": None}, "the model's window must be a whole number, got None"),
]


@pytest.mark.parametrize(("name", "changes", "message"), BAD_OPTIONS)
def test_an_edited_configuration_is_refused(name, changes, message):
    saved = initial(name, **SMALL[name])
    with pytest.raises(BundleError, match=message):
        check(attrs.evolve(saved, options={**saved.options, **changes}))


@pytest.mark.parametrize(("name", "missing"), [(name, option) for name in CLASSES for option in DEFAULTS[name]])
def test_an_option_that_is_missing_is_named(name, missing):
    saved = initial(name, **SMALL[name])
    options = {key: value for key, value in saved.options.items() if key != missing}
    with pytest.raises(BundleError, match=f"configuration lacks {missing}"):
        check(attrs.evolve(saved, options=options))


@each
@pytest.mark.parametrize("size", [0, -3, "9", 9.0, None])
def test_a_vocabulary_that_is_no_size_is_refused(name, size):
    with pytest.raises(BundleError, match="vocabulary_size must be a whole number >= 1"):
        check(attrs.evolve(initial(name), vocabulary_size=size))


@each
def test_another_vocabulary_is_refused(name):
    with pytest.raises(BundleError, match=r"embedding.weight have shape \(9, (64|192)\), but the options say \(10, "):
        check(attrs.evolve(initial(name), vocabulary_size=10))


BAD_WEIGHTS = [
    (np.array([0, 0, np.nan, 0, 0, 0, 0, 0, 0], dtype=np.float32), "have numbers that are not finite"),
    (np.full(9, 1e300), "have numbers that are not finite"),
    (np.zeros(9, dtype=np.int32), "must be floating-point numbers, got int32"),
    (np.zeros(9, dtype=np.complex64), "must be floating-point numbers, got complex64"),
    (np.full(9, "a"), "must be floating-point numbers, got <U1"),
    (np.zeros((9, 1), dtype=np.float32), r"have shape \(9, 1\), but the options say \(9,\)"),
    (np.zeros((), dtype=np.float32), r"have shape \(\), but the options say \(9,\)"),
]


@each
@pytest.mark.parametrize(("bias", "message"), BAD_WEIGHTS)
def test_bad_weights_are_refused(name, bias, message):
    saved = initial(name)
    with pytest.raises(BundleError, match=f"the weights output.bias {message}"):
        check(attrs.evolve(saved, arrays=saved.arrays | {"output.bias": bias}))


@pytest.mark.parametrize(
    ("name", "lacking"), [("lstm", "lstm.0.bias"), ("conv", "input.bias"), ("gpt", "attention.0.output.weight")]
)
def test_missing_and_unknown_weights_are_named(name, lacking):
    saved = initial(name)
    fewer = {key: array for key, array in saved.arrays.items() if key != lacking}
    with pytest.raises(BundleError, match=rf"lacks the weights {lacking}; "):
        check(attrs.evolve(saved, arrays=fewer))
    with pytest.raises(BundleError, match="options don't speak of: attention"):
        check(attrs.evolve(saved, arrays=saved.arrays | {"attention": np.zeros(1)}))


def test_a_long_list_of_names_is_shortened():
    arrays = {"output.bias": np.zeros(9)} | dict.fromkeys("abc", np.zeros(1))
    with pytest.raises(BundleError, match=r"embedding\.weight, .* and 3 more; train it again"):
        check(attrs.evolve(initial("lstm", num_layers=2), arrays=arrays))
