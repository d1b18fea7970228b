from __future__ import annotations

import attrs
import numpy as np
import pytest

from textforge.architectures.conv import (
    LONGEST_LOOK_BACK,
    Conv,
    compute_look_backs,
    find_needed_lengths,
)
from textforge.backends.numpy.conv import NumpyConv
from textforge.errors import OptionError
from textforge.model import SavedModel

DEFAULTS = Conv().option_values()


def initial(vocabulary_size: int = 9, seed: int = 1, **options: int | None) -> SavedModel:
    return Conv(**options).create(vocabulary_size, seed)


def shapes_of(vocabulary_size: int, **options: int | None) -> dict[str, tuple[int, ...]]:
    return {name: weight.shape for name, weight in Conv(**options).weights(vocabulary_size).items()}


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
    assert compute_look_backs(*sizes) == expected


def test_each_layer_carries_its_last_inputs():
    assert Conv(channels=8, num_layers=2, kernel_size=3).state() == {"conv.0": (None, 2, 8), "conv.1": (None, 4, 8)}


def test_of_the_last_positions_only_those_are_needed_that_layers_above_read():
    assert find_needed_lengths([2, 4, 8], 100) == [13, 9, 1]
    assert find_needed_lengths([2, 4, 8], 10) == [10, 9, 1]
    assert find_needed_lengths([2, 4, 8], 0) == [0, 0, 0]


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


def test_the_furthest_look_back_there_may_be():
    Conv(num_layers=1, kernel_size=LONGEST_LOOK_BACK + 1)
    with pytest.raises(OptionError, match="look back too far"):
        Conv(num_layers=1, kernel_size=LONGEST_LOOK_BACK + 2)
