"""textforge: learn a language model from a text, and write with it.

>>> import textforge
>>> generator = textforge.train("python-docs", backend="ngram")
>>> len(generator.generate("The ", max_tokens=20, seed=1))
20

Names are imported when they are first used, so that importing textforge costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from textforge.backends.base import (
        Backend,
        GradientBackend,
        Model,
        Optimizer,
        SavedModel,
        TrainableModel,
    )
    from textforge.component import Component, learned, option
    from textforge.corpora.base import END_OF_TEXT, Corpus
    from textforge.encoders.base import Encoder, IncrementalDecoder
    from textforge.errors import TextforgeError
    from textforge.generation.applying import apply_samplers
    from textforge.generation.generator import GeneratedText, TextGenerator
    from textforge.hookspecs import hookimpl
    from textforge.library import load, train
    from textforge.plugins import Plugins
    from textforge.samplers.base import Context, Sampler
    from textforge.training.report import Report
    from textforge.training.settings import TrainingSettings

_MODULES = {
    "Backend": "backends.base",
    "Component": "component",
    "Context": "samplers.base",
    "Corpus": "corpora.base",
    "END_OF_TEXT": "corpora.base",
    "Encoder": "encoders.base",
    "GeneratedText": "generation.generator",
    "GradientBackend": "backends.base",
    "IncrementalDecoder": "encoders.base",
    "Model": "backends.base",
    "Optimizer": "backends.base",
    "Plugins": "plugins",
    "Report": "training.report",
    "Sampler": "samplers.base",
    "SavedModel": "backends.base",
    "TextGenerator": "generation.generator",
    "TextforgeError": "errors",
    "TrainableModel": "backends.base",
    "TrainingSettings": "training.settings",
    "apply_samplers": "generation.applying",
    "hookimpl": "hookspecs",
    "learned": "component",
    "load": "library",
    "option": "component",
    "train": "library",
}

__all__ = [
    "END_OF_TEXT",
    "Backend",
    "Component",
    "Context",
    "Corpus",
    "Encoder",
    "GeneratedText",
    "GradientBackend",
    "IncrementalDecoder",
    "Model",
    "Optimizer",
    "Plugins",
    "Report",
    "Sampler",
    "SavedModel",
    "TextGenerator",
    "TextforgeError",
    "TrainableModel",
    "TrainingSettings",
    "__version__",
    "apply_samplers",
    "hookimpl",
    "learned",
    "load",
    "option",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'textforge' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"textforge.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
