"""The backends keep the contract of all backends."""

from __future__ import annotations

from textforge.testing import BackendTests
from textforge_keras import KerasBackend, KerasConvBackend


class TestKerasBackend(BackendTests):
    components = (
        KerasBackend(hidden_size=16, device="cpu"),
        KerasBackend(hidden_size=8, num_layers=2, embedding_size=None, dropout=0.3, device="cpu", jit_compile=True),
    )


class TestKerasConvBackend(BackendTests):
    components = (
        KerasConvBackend(channels=12, num_layers=3, device="cpu"),
        KerasConvBackend(channels=8, num_layers=2, kernel_size=3, embedding_size=None, dropout=0.3, device="cpu"),
    )
