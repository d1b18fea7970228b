from __future__ import annotations

import numpy as np
import pytest

from textforge.architectures.lstm import LSTM
from textforge.model import SavedModel


def initial(vocabulary_size: int = 9, seed: int = 1, **options: int | None) -> SavedModel:
    return LSTM(**options).create(vocabulary_size, seed)


def shapes_of(vocabulary_size: int, **options: int | None) -> dict[str, tuple[int, ...]]:
    return {name: weight.shape for name, weight in LSTM(**options).weights(vocabulary_size).items()}


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
