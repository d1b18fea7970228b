"""The backend, and the architectures on it, keep the contract of all."""

from __future__ import annotations

from textforge.testing import BackendTests, ImplementationTests
from textforge_torch import TorchBackend


class TestTorchBackend(BackendTests):
    components = (TorchBackend(device="cpu"),)


class TestLSTMOnTorch(ImplementationTests):
    backend = "torch:device=cpu"
    components = ("lstm:hidden_size=16", "lstm:hidden_size=8,num_layers=2,embedding_size=none,dropout=0.3")


class TestConvOnTorch(ImplementationTests):
    backend = "torch:device=cpu"
    components = (
        "conv:channels=12,num_layers=3",
        "conv:channels=8,num_layers=2,kernel_size=3,embedding_size=none,dropout=0.3",
    )


class TestGPTOnTorch(ImplementationTests):
    backend = "torch:device=cpu"
    components = (
        "gpt:hidden_size=12,num_heads=2,num_layers=2,window=9",
        "gpt:hidden_size=8,num_heads=4,num_layers=1,window=80,dropout=0.3",
    )
