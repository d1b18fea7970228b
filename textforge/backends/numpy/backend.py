"""The backend ``numpy``: runs trained models with NumPy alone, faster token by token than a framework does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from textforge.architectures.conv import ARCHITECTURE as CONV
from textforge.architectures.lstm import ARCHITECTURE as LSTM
from textforge.backends.base import Backend
from textforge.backends.numpy.conv import NumpyConv
from textforge.backends.numpy.lstm import NumpyLSTM
from textforge.components.component import option
from textforge.components.frameworks import Framework
from textforge.errors import BackendError, listed
from textforge.model import Model, ReadBack, SavedModel

if TYPE_CHECKING:
    from textforge.training.checkpoint import Checkpoint
    from textforge.training.data import TrainingData
    from textforge.training.report import Report
    from textforge.training.settings import TrainingSettings

ONNX = Framework("onnx", "ONNX", oldest=(1, 16), brought_by="'textforge[onnx]'", needed_by="format")
_MODELS: Mapping[str, Callable[[SavedModel, str], Model]] = MappingProxyType({LSTM: NumpyLSTM, CONV: NumpyConv})
"""What runs each architecture."""


class NumpyBackend(Backend):
    """Runs what other backends have trained.

    >>> import numpy as np
    >>> from textforge.architectures.lstm import LSTMBackend
    >>> class Untrained(LSTMBackend):
    ...     name = "untrained"
    ...     def load(self, saved):
    ...         return NumpyBackend().load(saved)
    >>> model = Untrained(hidden_size=8).create(vocabulary_size=5, seed=1)
    >>> model.forward(np.array([[0, 4, 2]]), model.start(1)).shape
    (1, 3, 5)
    """

    name = "numpy"
    architecture: ClassVar[str] = LSTM
    trains: ClassVar[bool] = False
    formats: ClassVar[Mapping[str, str]] = MappingProxyType(
        {"onnx": "an ONNX graph that reads one token a row, and carries its state from outputs to inputs"}
    )

    precision: str = option(
        default="float32",
        choices=("float32", "float64"),
        help="Numbers to compute with; in float64, slower, a seed's text is the same with every backend.",
        runtime=True,
    )

    @classmethod
    def runs(cls, architecture: str) -> bool:
        return architecture in _MODELS

    def load(self, saved: SavedModel) -> Model:
        if not self.runs(saved.architecture):
            raise BackendError(
                f"the backend {self.name} can't run a model of the architecture {saved.architecture!r}; "
                f"it runs {listed(_MODELS)}"
            )
        return _MODELS[saved.architecture](saved, self.precision)

    def create(self, vocabulary_size: int, seed: int) -> Model:
        """Raises `BackendError`: a model nobody can train is of no use."""
        self._refuse()

    def fit(
        self,
        model: Model,
        data: TrainingData,
        settings: TrainingSettings,
        report: Report,
        checkpoint: Checkpoint | None = None,
    ) -> Model:
        """Raises `BackendError`: another backend has to train."""
        self._refuse()

    def export(self, saved: SavedModel, format: str, path: Path, about: Mapping[str, Any]) -> ReadBack:
        ONNX.require(format)
        from textforge.formats.onnx.export import write_onnx

        return write_onnx(saved, path, about)

    def _refuse(self) -> NoReturn:
        raise BackendError(
            f"the backend {self.name} only runs trained models; train with another, such as torch or ngram "
            "(`textforge plugins` lists what is installed)"
        )
