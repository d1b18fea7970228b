"""The backend on Keras: its run-time options, and the way to TensorFlow."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar

import textforge
from textforge.backends.memory import find_machine_memory
from textforge.errors import OptionError

if TYPE_CHECKING:
    from textforge_keras.network import Network

_DEVICE = re.compile(r"auto|cpu|gpu(:\d+)?")


class KerasBackend(textforge.Backend):
    """Keras on TensorFlow, which trains and runs models, on a CPU or a GPU.

    >>> KerasBackend(device="cpu").spec
    'keras:device=cpu'
    """

    name = "keras"
    frameworks = ("keras", "tensorflow")
    training_priority: ClassVar[int] = 10
    running_priority: ClassVar[int] = 10

    device: str = textforge.option(
        default="auto", help="Where to compute: cpu, gpu, gpu:N; auto: a GPU where there is one."
    )
    precision: str = textforge.option(
        default="float32",
        choices=("float32", "bfloat16", "float64"),
        help="bfloat16: train in mixed precision; float64: generate and evaluate more exactly.",
    )
    jit_compile: bool | str = textforge.option(
        default="auto",
        choices=("auto", True, False),
        help="Compile training steps with XLA; auto: where that was measured to be faster.",
    )

    def __attrs_post_init__(self) -> None:
        """Refuse a device that can't be one."""
        super().__attrs_post_init__()
        if not _DEVICE.fullmatch(self.device):
            raise OptionError(f"{self.title()}device must be auto, cpu, gpu or gpu:N (N from 0), got {self.device!r}")

    def require(self) -> None:
        from textforge_keras._framework import require_keras

        require_keras(self.name)

    def find_memory(self) -> int | None:
        """Return the bytes of memory of this machine; None for a GPU, of which TensorFlow doesn't tell."""
        from textforge_keras._devices import find_device

        return find_machine_memory() if find_device(self.device) == "/CPU:0" else None

    def find_speed(self) -> float:
        """Return the speed of training on a processor: 49,000 tokens a second at 1 x 128, where PyTorch has 170,000."""
        return 0.3

    def load(
        self, saved: textforge.SavedModel, architecture: textforge.Architecture, implementation: type[Network]
    ) -> textforge.Model:
        """Return the model on its device; `implementation` is a `textforge_keras.Network`.

        Raises `BackendError` where the device is missing.
        """
        from textforge_keras._devices import find_device
        from textforge_keras._model import KerasModel

        device = find_device(self.device)
        return KerasModel(saved, architecture, implementation, device, self.precision, self.jit_compile)
