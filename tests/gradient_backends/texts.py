"""The same model, seed and chain write the same texts in each framework as in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from support import ModelMaker

import textforge
from gradient_backends.framework import Suite, each
from textforge.encoders.char import CharEncoder

LETTERS = "\n abcdefghijklmnopqrstuvwxyz"
SMALL = {
    "lstm": {"hidden_size": 24, "num_layers": 2, "embedding_size": 8},
    "conv": {"channels": 24, "num_layers": 3, "embedding_size": 8},
    "gpt": {"hidden_size": 24, "num_heads": 3, "num_layers": 2, "window": 16},
}


class TextsSuite(Suite):
    """Texts of NumPy as the judge."""

    @pytest.mark.parametrize("window", [None, 12])
    @each
    def test_texts_are_equal_in_float64(self, architecture: str, window: int | None) -> None:
        saved = self.backend(architecture, **SMALL[architecture]).initial(len(LETTERS), seed=5)
        scaled = {name: array * np.float32(2) for name, array in saved.arrays.items()}  # far from uniform
        saved = textforge.SavedModel(saved.architecture, saved.options, saved.vocabulary_size, scaled, window)
        encoder = CharEncoder().fit([LETTERS])
        texts, numpy_texts = (
            textforge.TextGenerator(backend.load(saved), encoder).generate(
                "what is ", samplers="top-k:12 | temperature:0.9", max_tokens=150, count=6, seed=3
            )
            for backend in (
                self.backend(architecture, precision="float64"),
                ModelMaker("numpy", architecture, precision="float64"),
            )
        )
        assert texts == numpy_texts
        assert len(set(texts)) == 6
