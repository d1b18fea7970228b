"""The backend on PyTorch: its run-time options, and the way to PyTorch."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar

import textforge
from textforge.errors import OptionError

if TYPE_CHECKING:
    from textforge_torch.network import Network

TORCH = textforge.Framework("torch", "PyTorch", oldest=(2, 4))
GPU_SPEED = 16.0
"""The speed of training on a GPU as a multiple of two cores', rounded down: an NVIDIA H100 reads 1.6 to 1.9 million
tokens a second with 512 units, two cores 28,000. Most GPUs are slower."""
_DEVICE = re.compile(r"auto|cpu|mps|cuda(:\d+)?")


class TorchBackend(textforge.Backend):
    """PyTorch, which trains and runs models, on a CPU or a GPU.

    >>> TorchBackend(device="cpu").spec
    'torch:device=cpu'
    """

    name = "torch"
    frameworks = ("torch",)
    training_priority: ClassVar[int] = 20
    running_priority: ClassVar[int] = 20

    device: str = textforge.option(
        default="auto",
        help="Where to compute: cpu, cuda, cuda:N, mps; auto: the first there is of cuda, mps and cpu.",
    )
    precision: str = textforge.option(
        default="float32",
        choices=("float32", "bfloat16", "float64"),
        help="bfloat16: train faster, in mixed precision; float64: generate and evaluate more exactly.",
    )

    def __attrs_post_init__(self) -> None:
        """Refuse a device that can't be one."""
        super().__attrs_post_init__()
        if not _DEVICE.fullmatch(self.device):
            raise OptionError(
                f"{self.title()}device must be auto, cpu, cuda, cuda:N (N from 0) or mps, got {self.device!r}"
            )

    def require(self) -> None:
        TORCH.require(self.name)

    def find_memory(self) -> int | None:
        from textforge_torch._devices import find_device, find_memory

        return find_memory(find_device(self.device, self.precision))

    def find_speed(self) -> float:
        from textforge_torch._devices import find_device

        return GPU_SPEED if find_device(self.device, self.precision).type == "cuda" else 1.0

    def mix_precision(self) -> TorchBackend:
        from textforge_torch._devices import find_device, is_faster_in_bfloat16

        if "precision" in self.given or not is_faster_in_bfloat16(find_device(self.device)):
            return self
        return self.replace(precision="bfloat16")

    def load(
        self, saved: textforge.SavedModel, architecture: textforge.Architecture, implementation: type[Network]
    ) -> textforge.Model:
        """Return the model on its device; `implementation` is a `textforge_torch.Network`.

        Raises `BackendError` where the device is missing.
        """
        from textforge_torch._devices import find_device
        from textforge_torch._model import TorchModel

        return TorchModel(saved, architecture, implementation, find_device(self.device, self.precision), self.precision)
