"""NumPy's models beside the textbook's formulas, and beside PyTorch's own layers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import attrs
import numpy as np
import pytest
from gradient_backends.textbook import textbook_logits
from numpy_models import ARCHITECTURES, ONE_HOT, TOLERANCES, saved_model, some_ids, steps
from support import numpy_model

from textforge.model import SavedModel

SHAPES = {
    "lstm-one-layer": ("lstm", {"num_layers": 1}),
    "lstm-two-layers": ("lstm", {"num_layers": 2}),
    "lstm-three-layers": ("lstm", {"num_layers": 3}),
    "conv-one-layer": ("conv", {"num_layers": 1, "kernel_size": 2}),
    "conv-three-layers": ("conv", {"num_layers": 3, "kernel_size": 2}),
    "conv-wide": ("conv", {"num_layers": 2, "kernel_size": 4, "dilation_growth": 3}),
    "conv-no-growth": ("conv", {"num_layers": 3, "kernel_size": 3, "dilation_growth": 1}),
}
TRANSFORMERS = {
    "one-layer": {"num_layers": 1},
    "three-layers": {"num_layers": 3, "window": 7},
    "window-of-one": {"window": 1},
    "wide-window": {"num_layers": 1, "window": 90, "num_heads": 1},
}
USUAL = {
    "lstm": {"hidden_size": 128, "num_layers": 2, "embedding_size": 64},
    "conv": {"channels": 96, "num_layers": 6, "kernel_size": 2, "embedding_size": 64},
    "gpt": {"hidden_size": 96, "num_heads": 3, "num_layers": 2, "window": 128},
}
each_architecture = pytest.mark.parametrize("architecture", ARCHITECTURES)
each_precision = pytest.mark.parametrize("precision", TOLERANCES)


def assert_agrees(saved: SavedModel, ids: np.ndarray, expected: np.ndarray, precision: str) -> None:
    """Fail unless a model gives these logits, whichever way it is asked."""
    model = numpy_model(saved, precision)
    for logits in (
        steps(model, ids),
        model.forward(ids, model.start(len(ids))),
        model.forward(ids, model.start(len(ids)), last_only=True),
    ):
        assert logits.dtype == precision
        np.testing.assert_allclose(logits, expected[:, -logits.shape[1] :], rtol=0, atol=TOLERANCES[precision])


@each_precision
@pytest.mark.parametrize("rows", [1, 16])
@pytest.mark.parametrize("embedding_size", [7, None])
@pytest.mark.parametrize(("architecture", "shape"), SHAPES.values(), ids=SHAPES)
def test_logits_are_those_of_the_textbook(architecture, shape, embedding_size, rows, precision):
    saved, ids = saved_model(architecture, embedding_size=embedding_size, **shape), some_ids(rows, 1000 // rows)
    assert_agrees(saved, ids, textbook_logits(saved, ids), precision)


@each_precision
@pytest.mark.parametrize("rows", [1, 6])
@pytest.mark.parametrize("options", TRANSFORMERS.values(), ids=TRANSFORMERS)
def test_a_transformer_s_logits_are_those_of_the_textbook(options, rows, precision):
    saved, ids = saved_model("gpt", **options), some_ids(rows, 300 // rows)
    assert_agrees(saved, ids, textbook_logits(saved, ids), precision)


@each_architecture
@each_precision
def test_a_usual_model_agrees_over_a_thousand_tokens(architecture, precision):
    saved, ids = saved_model(architecture, 57, **USUAL[architecture]), some_ids(2, 1000, 57)
    assert_agrees(saved, ids, textbook_logits(saved, ids), precision)


@pytest.mark.parametrize(
    ("architecture", "num_layers", "tolerance"),
    [("lstm", 2, {"rtol": 0, "atol": 1e-7}), ("conv", 3, {"rtol": 1e-12}), ("gpt", 2, {"rtol": 1e-9})],
)
def test_large_weights_saturate_without_a_warning(architecture, num_layers, tolerance):
    saved = saved_model(architecture, num_layers=num_layers)
    large = attrs.evolve(saved, arrays={name: array * 30 for name, array in saved.arrays.items()})
    ids = some_ids(1, 100)
    with np.errstate(over="ignore"):
        expected = textbook_logits(large, ids)
    model = numpy_model(large, "float64")
    np.testing.assert_allclose(model.forward(ids, model.start(1)), expected, **tolerance)
    assert np.isfinite(steps(numpy_model(large), ids)).all()


BEGIN = """
import sys
try:
    import numpy as np, torch
except ImportError:
    sys.exit(77)
torch.set_num_threads(1)
found = dict(np.load(sys.argv[1]))
ids, dtype = torch.from_numpy(found.pop("ids")), torch.float64
growth, N, window = (int(found.pop(name)) for name in ("growth", "heads", "window"))
weights = {name: torch.from_numpy(array).to(dtype) for name, array in found.items()}
one_hot = torch.eye(len(weights["output.bias"]), dtype=dtype)
x = weights.get("embedding.weight", one_hot)[ids]
"""
LAYERS = {
    "lstm": """
layers = sum(name.endswith("recurrent_weight") for name in found)
size = found["output.weight"].shape[1]
lstm = torch.nn.LSTM(x.shape[-1], size, layers, batch_first=True, dtype=dtype)
with torch.no_grad():
    for layer in range(layers):
        lstm.get_parameter(f"weight_ih_l{layer}").copy_(weights[f"lstm.{layer}.input_weight"])
        lstm.get_parameter(f"weight_hh_l{layer}").copy_(weights[f"lstm.{layer}.recurrent_weight"])
        lstm.get_parameter(f"bias_ih_l{layer}").copy_(weights[f"lstm.{layer}.bias"])
        lstm.get_parameter(f"bias_hh_l{layer}").zero_()
x = lstm(x)[0].detach()
""",
    "conv": """
x = torch.nn.functional.linear(x, weights["input.weight"], weights["input.bias"]).transpose(1, 2)
for layer in range(sum(name.startswith("conv.") for name in found) // 2):
    weight, dilation = weights[f"conv.{layer}.weight"], growth**layer
    padded = torch.nn.functional.pad(x, ((weight.shape[2] - 1) * dilation, 0))
    convolved = torch.nn.functional.conv1d(padded, weight, weights[f"conv.{layer}.bias"], dilation=dilation)
    x = x + torch.nn.functional.glu(convolved, 1)
x = x.transpose(1, 2)
""",
    "gpt": """
T, H = x.shape[1:]
place = torch.arange(T)
visible = (place[:, None] >= place) & (place[:, None] < place + window)
powers = torch.arange(0, H // N, 2).to(dtype) / (H // N)
turns = torch.polar(torch.ones(()).to(dtype), place[:, None] / 10000**powers)
def norm(x):
    return torch.nn.functional.layer_norm(x, (H,), eps=1e-5)
def turned(x):  # (B, N, T, D)
    return torch.view_as_real(torch.view_as_complex(x.unflatten(-1, (-1, 2)).contiguous()) * turns).flatten(-2)
for layer in range(sum(name.startswith("attention.") for name in found) // 2):
    qkv = torch.nn.functional.linear(norm(x), weights[f"attention.{layer}.input.weight"])
    q, k, v = (part.unflatten(2, (N, -1)).transpose(1, 2) for part in qkv.chunk(3, -1))
    sums = torch.nn.functional.scaled_dot_product_attention(turned(q), turned(k), v, attn_mask=visible)
    x = x + torch.nn.functional.linear(sums.transpose(1, 2).flatten(2), weights[f"attention.{layer}.output.weight"])
    value, gate = torch.nn.functional.linear(norm(x), weights[f"feed_forward.{layer}.input.weight"]).chunk(2, -1)
    gated = value * torch.nn.functional.silu(gate)
    x = x + torch.nn.functional.linear(gated, weights[f"feed_forward.{layer}.output.weight"])
x = norm(x)
weights["output.weight"] = weights["embedding.weight"]
""",
}
END = """
logits = torch.nn.functional.linear(x, weights["output.weight"], weights["output.bias"])
np.save(sys.argv[2], logits.numpy())
"""
LARGER = {
    "lstm": {"hidden_size": 64, "num_layers": 2},
    "conv": {"channels": 32, "num_layers": 4, "kernel_size": 3},
    "gpt": {"hidden_size": 48, "num_heads": 4, "num_layers": 3, "window": 100},
}


def torch_logits(saved: SavedModel, ids: np.ndarray, folder: Path) -> np.ndarray:
    """The logits after each token, (B, T, V), by PyTorch's own layers, in a process of its own."""
    names = {"growth": "dilation_growth", "heads": "num_heads", "window": "window"}
    options = {name: saved.options.get(option, 0) for name, option in names.items()}
    np.savez(folder / "weights.npz", ids=ids, **options, **saved.arrays)
    program = BEGIN + LAYERS[saved.architecture] + END
    command = [sys.executable, "-c", program, folder / "weights.npz", folder / "logits.npy"]
    ended = subprocess.run(command, capture_output=True, text=True)
    if ended.returncode == 77:
        pytest.skip("torch is not installed")
    assert ended.returncode == 0, ended.stderr
    return np.load(folder / "logits.npy")


@pytest.mark.parametrize(
    ("architecture", "options"),
    [*((name, {"embedding_size": size}) for name in ONE_HOT for size in (20, None)), ("gpt", {})],
)
def test_pytorch_s_own_layers_agree(architecture, options, tmp_path):
    saved = saved_model(architecture, 57, **options, **LARGER[architecture])
    ids = some_ids(4, 1000, 57)
    expected = torch_logits(saved, ids, tmp_path)
    for precision in TOLERANCES:
        assert_agrees(saved, ids, expected, precision)
