"""A mixture of models: PyTorch computes the parts that it implements, and NumPy the others and the mixture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import textforge
from textforge.architectures.composite import describe_part
from textforge.architectures.mix import Mix
from textforge.backends.choose import load_model

TEXT = "It is said of the bear that it met the owl, and of the hare that it fed the crow.\n" * 40


@pytest.mark.parametrize("kind", ["linear", "geometric"])
def test_the_same_mixture_on_pytorch_and_on_numpy(kind: str) -> None:
    plugins = textforge.Plugins()
    parts = [plugins.architecture(spec).create(9, seed=2) for spec in ("lstm:8", "conv:channels=8", "ngram:order=2")]
    described = [describe_part(part, None) for part in parts]
    saved = Mix(parts=described, coefficients=(0.5, 0.25, 0.25), kind=kind).join(parts)
    ids = np.random.Generator(np.random.PCG64(1)).integers(0, 9, (3, 12))
    models = [load_model(plugins, plugins.backend(name), saved) for name in ("torch:device=cpu", "numpy")]
    first, second = (np.array(model.forward(ids, model.start(3))) for model in models)
    np.testing.assert_allclose(first, second, atol=1e-5)


def test_what_pytorch_trained_is_mixed_and_generates_alike(tmp_path: Path) -> None:
    (tmp_path / "book.txt").write_text(TEXT, encoding="utf-8")
    mixed = textforge.train(
        tmp_path / "book.txt", architecture="lstm:8", backend="torch:device=cpu", mix="ngram:order=3",
        epochs=1, seed=1, output=tmp_path / "m",
    )  # fmt: skip
    text = mixed.generate("It is", seed=1, max_tokens=60)
    for backend in ("torch:device=cpu", "numpy", "numpy:precision=float64"):
        assert textforge.load(tmp_path / "m", backend=backend).generate("It is", seed=1, max_tokens=60) == text
