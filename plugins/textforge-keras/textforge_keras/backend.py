"""The backends on Keras: their run-time options, and the way to TensorFlow."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import textforge
from textforge.architectures.conv import ConvBackend
from textforge.architectures.lstm import LSTMBackend
from textforge.backends.base import GradientBackend
from textforge.errors import ExportError, OptionError
from textforge.model import Model, ReadBack, SavedModel

_DEVICE = re.compile(r"auto|cpu|gpu(:\d+)?")


class KerasRuntime(GradientBackend):
    """What every backend on Keras is told beside its architecture's options."""

    frameworks = ("keras", "tensorflow")
    formats = MappingProxyType({"keras": "a model of Keras's own layers, which keras.models.load_model loads"})

    device: str = textforge.option(
        default="auto", help="Where to compute: cpu, gpu, gpu:N; auto: a GPU where there is one.", runtime=True
    )
    precision: str = textforge.option(
        default="float32",
        choices=("float32", "bfloat16", "float64"),
        help="bfloat16: train in mixed precision; float64: generate and evaluate more exactly.",
        runtime=True,
    )
    jit_compile: bool | str = textforge.option(
        default="auto",
        choices=("auto", True, False),
        help="Compile training steps with XLA; auto: where that was measured to be faster.",
        runtime=True,
    )

    def __attrs_post_init__(self) -> None:
        """Refuse a device that can't be one."""
        super().__attrs_post_init__()
        if not _DEVICE.fullmatch(self.device):
            raise OptionError(f"{self.title()}device must be auto, cpu, gpu or gpu:N (N from 0), got {self.device!r}")

    def load(self, saved: SavedModel) -> Model:
        """The model on its device.

        Raises `BackendError` where TensorFlow, Keras or the device is missing, `BundleError` for weights that don't
        fit.
        """
        from textforge_keras._framework import require_keras

        require_keras(self.name)
        from textforge_keras._devices import find_device
        from textforge_keras._model import KerasModel
        from textforge_keras._networks import NETWORKS

        device = find_device(self.device)
        return KerasModel(saved, NETWORKS[saved.architecture], device, self.precision, self.jit_compile)

    def export(self, saved: SavedModel, format: str, path: Path, about: Mapping[str, Any]) -> ReadBack:
        from textforge_keras._framework import require_keras

        if path.suffix != ".keras":
            raise ExportError(f"Keras loads only files whose names end in .keras, not in {path.suffix!r}: add that")
        require_keras(self.name)
        from textforge_keras._export import write_keras

        return write_keras(saved, path, about)


class KerasBackend(LSTMBackend, KerasRuntime):
    """Trains and runs the LSTM with Keras.

    >>> model = KerasBackend(hidden_size=16, device="cpu").create(vocabulary_size=5, seed=1)
    >>> model.step([3, 4], model.start(batch_size=2)).shape
    (2, 5)
    """

    name = "keras"


class KerasConvBackend(ConvBackend, KerasRuntime):
    """Trains and runs the causal convolutional network with Keras.

    >>> model = KerasConvBackend(channels=8, device="cpu").create(vocabulary_size=5, seed=1)
    >>> model.step([3, 4], model.start(batch_size=2)).shape
    (2, 5)
    """

    name = "keras-conv"
