"""The same model, seed and chain write the same texts in PyTorch as in NumPy."""

from __future__ import annotations

import numpy as np
import pytest

import textforge
from textforge.backends.numpy_backend import NumpyBackend
from textforge.encoders.char import CharEncoder
from textforge_torch import TorchBackend, TorchConvBackend

LETTERS = "\n abcdefghijklmnopqrstuvwxyz"


SMALL = {
    TorchBackend: {"hidden_size": 24, "num_layers": 2, "embedding_size": 8},
    TorchConvBackend: {"channels": 24, "num_layers": 3, "embedding_size": 8},
}


@pytest.mark.parametrize("window", [None, 12])
@pytest.mark.parametrize("kind", SMALL)
def test_texts_are_equal_in_float64(kind: type[TorchBackend | TorchConvBackend], window: int | None) -> None:
    saved = kind(**SMALL[kind]).initial(len(LETTERS), seed=5)
    scaled = {name: array * np.float32(2) for name, array in saved.arrays.items()}  # far from uniform
    saved = textforge.SavedModel(saved.architecture, saved.options, saved.vocabulary_size, scaled, window)
    encoder = CharEncoder().fit([LETTERS])
    torch_texts, numpy_texts = (
        textforge.TextGenerator(backend.load(saved), encoder).generate(
            "what is ", samplers="top-k:12 | temperature:0.9", max_tokens=150, count=6, seed=3
        )
        for backend in (kind(device="cpu", precision="float64"), NumpyBackend(precision="float64"))
    )
    assert torch_texts == numpy_texts
    assert len(set(torch_texts)) == 6
