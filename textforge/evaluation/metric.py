"""The metric interface: a row of evaluate's table."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from textforge.components.component import Component
from textforge.encoders.base import Encoder
from textforge.model import Model


class Metric(Component):
    """A figure of a model on a text."""

    unit: ClassVar[str] = ""
    """What the figure counts, such as ``nats a token``."""

    @abstractmethod
    def measure(self, model: Model, encoder: Encoder, text: str) -> float:
        """Return the figure of a model on a text, its first million characters."""
