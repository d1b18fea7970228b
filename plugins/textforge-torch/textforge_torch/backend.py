"""The backends on PyTorch: their run-time options, and the way to PyTorch."""

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
from textforge.components.frameworks import Framework
from textforge.errors import OptionError
from textforge.model import Model, ReadBack, SavedModel

TORCH = Framework("torch", "PyTorch", oldest=(2, 4), brought_by="textforge-torch")
_DEVICE = re.compile(r"auto|cpu|mps|cuda(:\d+)?")


class TorchRuntime(GradientBackend):
    """What every backend on PyTorch is told beside its architecture's options."""

    frameworks = ("torch",)
    formats = MappingProxyType({"torch": "a state_dict under PyTorch's own names, as safetensors"})

    device: str = textforge.option(
        default="auto",
        help="Where to compute: cpu, cuda, cuda:N, mps; auto: the first there is of cuda, mps and cpu.",
        runtime=True,
    )
    precision: str = textforge.option(
        default="float32",
        choices=("float32", "bfloat16", "float64"),
        help="bfloat16: train faster, in mixed precision; float64: generate and evaluate more exactly.",
        runtime=True,
    )

    def __attrs_post_init__(self) -> None:
        """Refuse a device that can't be one."""
        super().__attrs_post_init__()
        if not _DEVICE.fullmatch(self.device):
            raise OptionError(
                f"{self.title()}device must be auto, cpu, cuda, cuda:N (N from 0) or mps, got {self.device!r}"
            )

    def load(self, saved: SavedModel) -> Model:
        """The model on its device.

        Raises `BackendError` where PyTorch or the device is missing, `BundleError` for weights that don't fit.
        """
        TORCH.require(self.name)
        from textforge_torch._devices import find_device
        from textforge_torch._model import TorchModel
        from textforge_torch._networks import NETWORKS

        device = find_device(self.device, self.precision)
        return TorchModel(saved, NETWORKS[saved.architecture], device, self.precision)

    def export(self, saved: SavedModel, format: str, path: Path, about: Mapping[str, Any]) -> ReadBack:
        TORCH.require(self.name)
        from textforge_torch._export import write_state_dict

        return write_state_dict(saved, path, about)


class TorchBackend(LSTMBackend, TorchRuntime):
    """Trains and runs the LSTM with PyTorch.

    >>> model = TorchBackend(hidden_size=16, device="cpu").create(vocabulary_size=5, seed=1)
    >>> model.step([3, 4], model.start(batch_size=2)).shape
    (2, 5)
    """

    name = "torch"


class TorchConvBackend(ConvBackend, TorchRuntime):
    """Trains and runs the causal convolutional network with PyTorch.

    >>> model = TorchConvBackend(channels=16, device="cpu").create(vocabulary_size=5, seed=1)
    >>> model.step([3, 4], model.start(batch_size=2)).shape
    (2, 5)
    """

    name = "torch-conv"
