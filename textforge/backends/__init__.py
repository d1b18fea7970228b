"""Backends: the computation of models."""

from __future__ import annotations

from collections.abc import Callable

from textforge.plugins.hookspecs import hookimpl

_NUMPY = "textforge.backends.numpy"


@hookimpl
def register_implementations(register: Callable[..., None]) -> None:
    """Register the NumPy models of textforge's architectures."""
    register(backend="numpy", architecture="lstm", by=f"{_NUMPY}.lstm:NumpyLSTM")
    register(backend="numpy", architecture="conv", by=f"{_NUMPY}.conv:NumpyConv")
    register(backend="numpy", architecture="gpt", by=f"{_NUMPY}.gpt:NumpyGPT")
    register(backend="numpy", architecture="mix", by=f"{_NUMPY}.mix:MixModel")
    register(backend="numpy", architecture="ngram", by=f"{_NUMPY}.ngram.model:NgramModel", trains=True)
