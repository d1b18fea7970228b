"""The format ``torch``: a `state_dict` under PyTorch's own names, as safetensors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import textforge
from textforge.formats.base import ReadBack
from textforge_torch.backend import TORCH

if TYPE_CHECKING:
    from textforge_torch._export import PlainModule


class TorchFormat(textforge.Format):
    """Writes a `state_dict` that plain PyTorch loads.

    Its implementations are subclasses of `textforge_torch.PlainModule`.

    >>> TorchFormat().suffix
    '.safetensors'
    """

    name = "torch"
    description = "a state_dict under PyTorch's own names, as safetensors"
    suffix = ".safetensors"

    def require(self) -> None:
        TORCH.require(self.name)

    def write(
        self,
        saved: textforge.SavedModel,
        architecture: textforge.Architecture,
        implementation: type[PlainModule],
        path: Path,
        about: Mapping[str, Any],
    ) -> ReadBack:
        from textforge_torch._export import read_state_dict, write_state_dict

        write_state_dict(implementation.state_dict_of(saved.arrays), path, about)
        return read_state_dict(implementation, architecture, saved.vocabulary_size, path)
