"""The GRU as PyTorch modules. Time comes first: (T, B, …)."""

from torch import nn

from textforge_torch import Network

PARTS = {
    "input_weight": "weight_ih",
    "recurrent_weight": "weight_hh",
    "input_bias": "bias_ih",
    "recurrent_bias": "bias_hh",
}
"""The names that `nn.GRU` has for a layer's weights; its gates stand in our order."""


class GRUNetwork(Network):
    """An embedding, PyTorch's own GRU, and a linear output."""

    def __init__(self, architecture, vocabulary_size):
        super().__init__(architecture, vocabulary_size)
        self.embedding = nn.Embedding(vocabulary_size, architecture.embedding_size)
        self.gru = nn.GRU(architecture.embedding_size, architecture.hidden_size, architecture.num_layers)
        self.output = nn.Linear(architecture.hidden_size, vocabulary_size)

    def canonical_parameters(self):
        own = dict(self.named_parameters())
        found = {"embedding.weight": own["embedding.weight"]}
        for layer in range(self.architecture.num_layers):
            found |= {f"gru.{layer}.{part}": own[f"gru.{name}_l{layer}"] for part, name in PARTS.items()}
        return found | {name: own[name] for name in ("output.weight", "output.bias")}

    def forward(self, ids, state, last_only=False, dropout=None):
        values, hidden = self.gru(self.embedding(ids), state["hidden"])  # (T, B, H), (L, B, H)
        if last_only:
            values = values[-1:]
        if dropout is not None:
            values = dropout(values)
        return self.output(values), {"hidden": hidden}
