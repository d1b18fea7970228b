"""The metric interface: a row of evaluate's table."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import ClassVar

import attrs

from textforge.components.component import Component
from textforge.encoders.base import Encoder
from textforge.errors import PluginError, TextforgeError
from textforge.model import Array, Model


class Metric(Component):
    """A figure of a model on a text.

    >>> class Types(Metric):
    ...     '''The share of the vocabulary that the text has.'''
    ...
    ...     name = "types"
    ...     unit = "%"
    ...
    ...     def measure(self, model, encoder, tokens):
    ...         return 100 * len(set(tokens.tolist())) / encoder.vocabulary_size
    """

    unit: ClassVar[str] = ""
    """The unit of the figure, such as ``nats a token``."""

    @abstractmethod
    def measure(self, model: Model, encoder: Encoder, tokens: Array) -> float:
        """Return the figure of a model on a text.

        `tokens`, (n,), are the text's ids, read-only, in the smallest unsigned type that holds them, memory-mapped: of
        any length, and valid during the call only. `encoder.decode` gives their text. A raised error names the metric.
        """


@attrs.frozen
class Measured:
    """A metric's figure."""

    metric: str
    """The metric's spec."""
    value: float
    unit: str


def measure(metric: Metric, model: Model, encoder: Encoder, tokens: Array) -> Measured:
    """Return a metric's figure of a model on token ids, (n,).

    Raises `PluginError`, naming the metric, where it fails, or gives anything but a finite number.
    """
    try:
        value = metric.measure(model, encoder, tokens)
    except TextforgeError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())
        raise PluginError(f"the metric {metric.spec} failed: {type(error).__name__}: {reason}") from error
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise PluginError(f"the metric {metric.spec} must give a number, got {type(value).__name__}") from None
    if not math.isfinite(number):
        raise PluginError(f"the metric {metric.spec} must give a finite number, got {number}")
    return Measured(metric.spec, number, metric.unit)
