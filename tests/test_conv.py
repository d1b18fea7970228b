from __future__ import annotations

import attrs
import numpy as np
import pytest

from textforge.architectures.conv import (
    LONGEST_LOOK_BACK,
    Conv,
    lengths_needed,
    look_backs,
)
from textforge.backends.numpy.conv import NumpyConv
from textforge.errors import BundleError, OptionError
from textforge.model import Arrays, SavedModel

DEFAULTS = Conv().option_values()


def initial(vocabulary_size: int = 9, seed: int = 1, **options: int | None) -> SavedModel:
    return Conv(**options).create(vocabulary_size, seed)


def shapes_of(vocabulary_size: int, **options: int | None) -> dict[str, tuple[int, ...]]:
    return {name: weight.shape for name, weight in Conv(**options).weights(vocabulary_size).items()}


def checked_arrays(saved: SavedModel) -> Arrays:
    return Conv.of(saved).check(saved)


def test_names_and_shapes():
    assert shapes_of(9, channels=4, num_layers=2, kernel_size=5, embedding_size=3) == {
        "embedding.weight": (9, 3),
        "input.weight": (4, 3),
        "input.bias": (4,),
        "conv.0.weight": (8, 4, 5),
        "conv.0.bias": (8,),
        "conv.1.weight": (8, 4, 5),
        "conv.1.bias": (8,),
        "output.weight": (9, 4),
        "output.bias": (9,),
    }


def test_one_hot_input_has_no_embedding():
    shapes = shapes_of(9, channels=4, num_layers=1, embedding_size=None)
    assert "embedding.weight" not in shapes
    assert shapes["input.weight"] == (4, 9)


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [((1, 2, 2), [1]), ((6, 2, 2), [1, 2, 4, 8, 16, 32]), ((3, 4, 3), [3, 9, 27]), ((4, 3, 1), [2] * 4)],
)
def test_how_far_layers_look_back(sizes, expected):
    assert look_backs(*sizes) == expected


def test_each_layer_carries_its_last_inputs():
    assert Conv(channels=8, num_layers=2, kernel_size=3).state() == {"conv.0": (None, 2, 8), "conv.1": (None, 4, 8)}


def test_of_the_last_positions_only_those_are_needed_that_layers_above_read():
    assert lengths_needed([2, 4, 8], 100) == [13, 9, 1]
    assert lengths_needed([2, 4, 8], 10) == [10, 9, 1]
    assert lengths_needed([2, 4, 8], 0) == [0, 0, 0]


@pytest.mark.parametrize("options", [{}, {"embedding_size": None, "num_layers": 3, "channels": 5, "kernel_size": 4}])
def test_first_weights_have_their_names_and_shapes(options):
    saved = initial(**options)
    assert {name: array.shape for name, array in saved.arrays.items()} == shapes_of(9, **options)
    assert all(array.dtype == np.float32 and array.flags.c_contiguous for array in saved.arrays.values())
    assert saved.options == DEFAULTS | options
    assert (saved.architecture, saved.vocabulary_size, saved.window) == ("conv", 9, None)


def test_the_seed_decides_the_first_weights():
    one, same, other = initial(seed=1), initial(seed=1), initial(seed=2)
    for name, array in one.arrays.items():
        np.testing.assert_array_equal(array, same.arrays[name])
        assert name.endswith("bias") or not np.array_equal(array, other.arrays[name])


@pytest.mark.parametrize("embedding_size", [50, None])
def test_what_a_token_is_looked_up_as_is_normal(embedding_size):
    arrays = initial(400, channels=60, embedding_size=embedding_size).arrays
    values = arrays["input.weight" if embedding_size is None else "embedding.weight"]
    assert values.mean() == pytest.approx(0, abs=0.02)
    assert values.std() == pytest.approx(0.5, abs=0.02)
    assert (np.abs(values) < 0.5).mean() == pytest.approx(0.6827, abs=0.02)


def test_weights_keep_a_signal_s_size_and_layers_share_what_they_add():
    arrays = initial(channels=64, num_layers=4, kernel_size=3).arrays
    assert arrays["input.weight"].std() == pytest.approx(64**-0.5, rel=0.05)
    for layer in range(4):
        values, gates = np.split(arrays[f"conv.{layer}.weight"], 2)
        assert gates.std() == pytest.approx((3 * 64) ** -0.5, rel=0.05)
        assert values.std() == pytest.approx((3 * 64) ** -0.5 / 2, rel=0.05)
    assert not np.array_equal(arrays["conv.0.weight"], arrays["conv.1.weight"])


@pytest.mark.parametrize("num_layers", [1, 4, 15])
def test_what_is_carried_upward_stays_as_large_however_many_layers_there_are(num_layers):
    """With an output that shows the channels as they are."""
    saved = initial(64, channels=64, num_layers=num_layers, dilation_growth=1)
    shown = {"output.weight": np.eye(64, dtype=np.float32)}
    model = NumpyConv(attrs.evolve(saved, arrays=saved.arrays | shown), Conv.of(saved))
    ids = np.random.default_rng(2).integers(0, 64, (4, 100))
    assert 0.5 < model.forward(ids, model.start(4))[:, 50:].std() < 0.8


def test_the_output_is_glorot_uniform():
    values = initial(50, channels=40).arrays["output.weight"]
    limit = np.sqrt(6 / 90)
    assert 0.99 * limit < np.abs(values).max() <= np.float32(limit)
    assert values.std() == pytest.approx(limit / np.sqrt(3), rel=0.05)


def test_biases_are_zero():
    biases = [array for name, array in initial().arrays.items() if name.endswith("bias")]
    assert len(biases) == 2 + DEFAULTS["num_layers"]
    assert not any(bias.any() for bias in biases)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"channels": 0}, "channels must be >= 1, got 0"),
        ({"num_layers": 0}, "num_layers must be >= 1 and <= 1000, got 0"),
        ({"kernel_size": 1}, "kernel_size must be >= 2, got 1"),
        ({"dilation_growth": 0}, "dilation_growth must be >= 1, got 0"),
        ({"embedding_size": 0}, "embedding_size must be >= 1, got 0"),
        ({"dropout": 1}, "dropout must be >= 0 and < 1, got 1"),
        ({"num_layers": 17}, r"^conv: num_layers=17, kernel_size=2 and dilation_growth=2 look back too far: "),
        (
            {"num_layers": 1000, "kernel_size": 99, "dilation_growth": 1},
            "may keep 65536 positions, so one of",
        ),
        ({"dilation_growth": 10**30}, "look back too far"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(OptionError, match=message):
        Conv(**{"kernel_size": 2, "dilation_growth": 2} | options)


def test_the_furthest_look_back_there_may_be():
    Conv(num_layers=1, kernel_size=LONGEST_LOOK_BACK + 1)
    with pytest.raises(OptionError, match="look back too far"):
        Conv(num_layers=1, kernel_size=LONGEST_LOOK_BACK + 2)


def test_checked_arrays_are_the_weights():
    saved = initial(channels=5)
    arrays = {name: np.asfortranarray(array.astype(np.float64)) for name, array in saved.arrays.items()}
    checked = checked_arrays(attrs.evolve(saved, arrays=arrays))
    assert list(checked) == list(saved.arrays)
    for name, array in checked.items():
        assert array.dtype == np.float32
        assert array.flags.c_contiguous
        np.testing.assert_array_equal(array, saved.arrays[name])


BAD_OPTIONS = [
    ({"channels": "abc"}, r"the model's channels must be a whole number, got 'abc'"),
    ({"channels": True}, "the model's channels must be a whole number, got true"),
    ({"channels": -4}, "the model's channels must be >= 1, got -4"),
    ({"channels": 5}, r"input.weight have shape \(4, 3\), but the options say \(5, 3\)"),
    ({"num_layers": 3}, r"the model lacks the weights conv.2.bias, conv.2.weight"),
    ({"num_layers": 1}, "weights its options don't speak of: conv.1.bias, conv.1.weight"),
    ({"num_layers": 10**12}, "the model's num_layers must be >= 1 and <= 1000, got 1000000000000"),
    ({"kernel_size": 1}, "the model's kernel_size must be >= 2, got 1"),
    ({"kernel_size": 3}, r"conv.0.weight have shape \(8, 4, 2\), but the options say \(8, 4, 3\)"),
    ({"kernel_size": 10**9}, "the model's num_layers=2, kernel_size=1000000000 .* look back too far"),
    ({"dilation_growth": 0}, "the model's dilation_growth must be >= 1, got 0"),
    ({"dilation_growth": 2.5}, "the model's dilation_growth must be a whole number, got 2.5"),
    ({"dilation_growth": 10**30}, "look back too far: .*; copy it again, or train it again"),
    ({"embedding_size": "none"}, "the model's embedding_size must be a whole number or none"),
    ({"embedding_size": None}, "weights its options don't speak of: embedding.weight"),
]


@pytest.mark.parametrize(("changes", "message"), BAD_OPTIONS)
def test_an_edited_configuration_is_refused(changes, message):
    saved = initial(channels=4, embedding_size=3, num_layers=2, kernel_size=2)
    with pytest.raises(BundleError, match=message):
        checked_arrays(attrs.evolve(saved, options={**saved.options, **changes}))


@pytest.mark.parametrize("name", DEFAULTS)
def test_an_option_that_is_missing_is_named(name):
    saved = initial(channels=4)
    options = {key: value for key, value in saved.options.items() if key != name}
    with pytest.raises(BundleError, match=f"configuration lacks {name}"):
        checked_arrays(attrs.evolve(saved, options=options))


@pytest.mark.parametrize("size", [0, "9", None])
def test_a_vocabulary_that_is_no_size_is_refused(size):
    with pytest.raises(BundleError, match="vocabulary_size must be a whole number >= 1"):
        checked_arrays(attrs.evolve(initial(), vocabulary_size=size))


def test_missing_unknown_and_bad_weights_are_refused():
    saved = initial()
    fewer = {name: array for name, array in saved.arrays.items() if name != "input.bias"}
    with pytest.raises(BundleError, match=r"lacks the weights input\.bias; "):
        checked_arrays(attrs.evolve(saved, arrays=fewer))
    with pytest.raises(BundleError, match="options don't speak of: attention"):
        checked_arrays(attrs.evolve(saved, arrays=saved.arrays | {"attention": np.zeros(1)}))
    with pytest.raises(BundleError, match=r"the weights output\.bias have numbers that are not finite"):
        checked_arrays(attrs.evolve(saved, arrays=saved.arrays | {"output.bias": np.full(9, np.nan)}))
