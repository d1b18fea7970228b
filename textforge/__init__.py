"""textforge: learn a language model from a text, and write with it.

>>> import textforge
>>> generator = textforge.train("python-docs", architecture="ngram")
>>> len(generator.generate("The ", max_tokens=20, seed=1))
20

Names are imported when they are first used, so that importing textforge costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

PLUGIN_API = 1
"""The version of the interface that plugins are written to. A plugin's module that says `PLUGIN_API = 2` is not loaded
by a textforge that knows 1 only. It grows when something is added that a plugin may need."""

if TYPE_CHECKING:
    from textforge.architectures.base import Architecture, Weight
    from textforge.architectures.first_values import glorot, normal, orthogonal, zeros
    from textforge.backends.base import Backend
    from textforge.components.component import Component, learned, option
    from textforge.components.frameworks import Framework
    from textforge.corpora.base import END_OF_TEXT, Corpus
    from textforge.encoders.base import Encoder, IncrementalDecoder
    from textforge.errors import TextforgeError
    from textforge.evaluation.metric import Metric
    from textforge.formats.base import Format
    from textforge.generation.applying import apply_samplers
    from textforge.library.facade import load, train
    from textforge.library.generator import GeneratedText, TextGenerator
    from textforge.model import CountingModel, GradientModel, Model, Optimizer, SavedModel, StateShape
    from textforge.plugins.hookspecs import hookimpl
    from textforge.plugins.registry import Plugins
    from textforge.samplers.base import Context, Sampler
    from textforge.training.report import Report
    from textforge.training.settings import TrainingSettings

_MODULES = {
    "Architecture": "architectures.base",
    "Backend": "backends.base",
    "Component": "components.component",
    "Context": "samplers.base",
    "Corpus": "corpora.base",
    "CountingModel": "model",
    "END_OF_TEXT": "corpora.base",
    "Encoder": "encoders.base",
    "Format": "formats.base",
    "Framework": "components.frameworks",
    "GeneratedText": "library.generator",
    "GradientModel": "model",
    "IncrementalDecoder": "encoders.base",
    "Metric": "evaluation.metric",
    "Model": "model",
    "Optimizer": "model",
    "Plugins": "plugins.registry",
    "Report": "training.report",
    "Sampler": "samplers.base",
    "SavedModel": "model",
    "StateShape": "model",
    "TextGenerator": "library.generator",
    "TextforgeError": "errors",
    "TrainingSettings": "training.settings",
    "Weight": "architectures.base",
    "apply_samplers": "generation.applying",
    "glorot": "architectures.first_values",
    "hookimpl": "plugins.hookspecs",
    "learned": "components.component",
    "load": "library.facade",
    "normal": "architectures.first_values",
    "option": "components.component",
    "orthogonal": "architectures.first_values",
    "train": "library.facade",
    "zeros": "architectures.first_values",
}

__all__ = [
    "END_OF_TEXT",
    "PLUGIN_API",
    "Architecture",
    "Backend",
    "Component",
    "Context",
    "Corpus",
    "CountingModel",
    "Encoder",
    "Format",
    "Framework",
    "GeneratedText",
    "GradientModel",
    "IncrementalDecoder",
    "Metric",
    "Model",
    "Optimizer",
    "Plugins",
    "Report",
    "Sampler",
    "SavedModel",
    "StateShape",
    "TextGenerator",
    "TextforgeError",
    "TrainingSettings",
    "Weight",
    "__version__",
    "apply_samplers",
    "glorot",
    "hookimpl",
    "learned",
    "load",
    "normal",
    "option",
    "orthogonal",
    "train",
    "zeros",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'textforge' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"textforge.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
