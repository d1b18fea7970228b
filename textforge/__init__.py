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

__version__ = "0.2.0"

PLUGIN_API = 2
"""The version of the interface that plugins are written to. A plugin's module that says `PLUGIN_API = 3` is not loaded
by a textforge that knows 2 only. It grows when something that a plugin may need is added or changed: since 2 an
architecture is no backend, and there are implementations, formats, reports and metrics."""

if TYPE_CHECKING:
    from textforge.architectures.base import Architecture, Weight
    from textforge.architectures.first_values import glorot, normal, orthogonal, zeros
    from textforge.backends.base import Backend
    from textforge.backends.numpy.model import NumpyModel
    from textforge.components.component import Component, learned, option
    from textforge.components.frameworks import Framework
    from textforge.corpora.base import END_OF_TEXT, Corpus
    from textforge.encoders.base import Encoder, IncrementalDecoder
    from textforge.errors import (
        AmbiguousComponent,
        BackendError,
        BundleError,
        CorpusError,
        EncodingError,
        ExportError,
        GenerationError,
        OptionError,
        PluginError,
        PluginWarning,
        SpecError,
        StopTraining,
        TextforgeError,
        TextforgeWarning,
        TrainingError,
        UnknownComponent,
    )
    from textforge.evaluation.metric import Metric
    from textforge.evaluation.score import Score
    from textforge.formats.base import Format
    from textforge.generation.applying import apply_samplers
    from textforge.generation.request import Request
    from textforge.library.facade import load, train
    from textforge.library.generated_text import GeneratedText
    from textforge.library.generator import TextGenerator
    from textforge.library.mixing import mix
    from textforge.model import CountingModel, GradientModel, Model, Optimizer, SavedModel, StateShape
    from textforge.plugins.hookspecs import hookimpl
    from textforge.plugins.registry import Plugins
    from textforge.samplers.base import Context, Sampler
    from textforge.training.report import Report
    from textforge.training.settings import TrainingSettings

_MODULES = {
    "AmbiguousComponent": "errors",
    "Architecture": "architectures.base",
    "Backend": "backends.base",
    "BackendError": "errors",
    "BundleError": "errors",
    "Component": "components.component",
    "Context": "samplers.base",
    "Corpus": "corpora.base",
    "CorpusError": "errors",
    "CountingModel": "model",
    "END_OF_TEXT": "corpora.base",
    "Encoder": "encoders.base",
    "EncodingError": "errors",
    "ExportError": "errors",
    "Format": "formats.base",
    "Framework": "components.frameworks",
    "GeneratedText": "library.generated_text",
    "GenerationError": "errors",
    "GradientModel": "model",
    "IncrementalDecoder": "encoders.base",
    "Metric": "evaluation.metric",
    "Model": "model",
    "NumpyModel": "backends.numpy.model",
    "Optimizer": "model",
    "OptionError": "errors",
    "PluginError": "errors",
    "PluginWarning": "errors",
    "Plugins": "plugins.registry",
    "Report": "training.report",
    "Request": "generation.request",
    "Sampler": "samplers.base",
    "SavedModel": "model",
    "Score": "evaluation.score",
    "SpecError": "errors",
    "StateShape": "model",
    "StopTraining": "errors",
    "TextGenerator": "library.generator",
    "TextforgeError": "errors",
    "TextforgeWarning": "errors",
    "TrainingError": "errors",
    "TrainingSettings": "training.settings",
    "UnknownComponent": "errors",
    "Weight": "architectures.base",
    "apply_samplers": "generation.applying",
    "glorot": "architectures.first_values",
    "hookimpl": "plugins.hookspecs",
    "learned": "components.component",
    "load": "library.facade",
    "mix": "library.mixing",
    "normal": "architectures.first_values",
    "option": "components.component",
    "orthogonal": "architectures.first_values",
    "train": "library.facade",
    "zeros": "architectures.first_values",
}

__all__ = [
    "END_OF_TEXT",
    "PLUGIN_API",
    "AmbiguousComponent",
    "Architecture",
    "Backend",
    "BackendError",
    "BundleError",
    "Component",
    "Context",
    "Corpus",
    "CorpusError",
    "CountingModel",
    "Encoder",
    "EncodingError",
    "ExportError",
    "Format",
    "Framework",
    "GeneratedText",
    "GenerationError",
    "GradientModel",
    "IncrementalDecoder",
    "Metric",
    "Model",
    "NumpyModel",
    "Optimizer",
    "OptionError",
    "PluginError",
    "PluginWarning",
    "Plugins",
    "Report",
    "Request",
    "Sampler",
    "SavedModel",
    "Score",
    "SpecError",
    "StateShape",
    "StopTraining",
    "TextGenerator",
    "TextforgeError",
    "TextforgeWarning",
    "TrainingError",
    "TrainingSettings",
    "UnknownComponent",
    "Weight",
    "__version__",
    "apply_samplers",
    "glorot",
    "hookimpl",
    "learned",
    "load",
    "mix",
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
    return sorted(__all__)
