"""The LSTM of textforge on PyTorch.

This module is light: PyTorch is imported only when a model is made.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import textforge
from textforge_torch.backend import TorchBackend

if TYPE_CHECKING:
    from textforge.backends.base import Backend

__all__ = ["TorchBackend", "register_backends"]


@textforge.hookimpl
def register_backends(register: Callable[[type[Backend]], None]) -> None:
    """Register the backend ``torch``."""
    register(TorchBackend)
