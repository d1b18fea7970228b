"""The PyTorch network keeps the contract of implementations."""

import pytest

pytest.importorskip("torch")

from textforge.testing import ImplementationTests


class TestOnPyTorch(ImplementationTests):
    backend = "torch:device=cpu"
    components = ("gru:hidden_size=12,embedding_size=6", "gru:hidden_size=8,num_layers=2,dropout=0.3")
