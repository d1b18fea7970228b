"""The backend ``numpy``: runs models with NumPy alone, faster token by token than a framework does."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textforge.architectures.base import Architecture
from textforge.backends.base import Backend
from textforge.components.component import option
from textforge.model import Model, SavedModel


class NumpyBackend(Backend):
    """Runs what other backends have trained, and trains models that are counted.

    >>> import numpy as np
    >>> from textforge.architectures.lstm import LSTM
    >>> from textforge.backends.numpy.lstm import NumpyLSTM
    >>> architecture = LSTM(hidden_size=8)
    >>> model = NumpyBackend().load(architecture.create(vocabulary_size=5, seed=1), architecture, NumpyLSTM)
    >>> model.forward(np.array([[0, 4, 2]]), model.start(1)).shape
    (1, 3, 5)
    """

    name = "numpy"
    trains: ClassVar[bool] = False
    running_priority: ClassVar[int] = 100

    precision: str = option(
        default="float32",
        choices=("float32", "float64"),
        help="Numbers to compute with; in float64, slower, a seed's text is the same with every backend.",
    )

    def load(
        self,
        saved: SavedModel,
        architecture: Architecture,
        implementation: Callable[[SavedModel, Architecture, str], Model],
    ) -> Model:
        return implementation(saved, architecture, self.precision)
