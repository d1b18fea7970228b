"""The backends keep the contract of all backends."""

from __future__ import annotations

from textforge.testing import BackendTests
from textforge_torch import TorchBackend, TorchConvBackend


class TestTorchBackend(BackendTests):
    components = (
        TorchBackend(hidden_size=16, device="cpu"),
        TorchBackend(hidden_size=8, num_layers=2, embedding_size=None, dropout=0.3, device="cpu"),
    )


class TestTorchConvBackend(BackendTests):
    components = (
        TorchConvBackend(channels=12, num_layers=3, device="cpu"),
        TorchConvBackend(channels=8, num_layers=2, kernel_size=3, embedding_size=None, dropout=0.3, device="cpu"),
    )
