"""The same model, seed and chain write the same texts in PyTorch as in NumPy."""

from __future__ import annotations

from gradient_backends.texts import TextsSuite


class TestTexts(TextsSuite):
    """The suite that every framework is held to."""
