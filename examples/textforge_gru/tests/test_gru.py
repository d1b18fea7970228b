"""The architecture and its NumPy model keep the contracts."""

from textforge_gru import GRU

from textforge.testing import ArchitectureTests, ImplementationTests


class TestGRU(ArchitectureTests):
    components = (GRU(), GRU(hidden_size=8, num_layers=2, embedding_size=4))


class TestOnNumPy(ImplementationTests):
    backend = "numpy"
    components = ("gru:hidden_size=12,embedding_size=6", "gru:hidden_size=8,num_layers=2")
