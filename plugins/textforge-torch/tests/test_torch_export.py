"""The format ``torch``: a state_dict that plain PyTorch loads."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import attrs
import leaky_plugin
import numpy as np
import pytest
import torch
from export_samples import exact_logits, saved_conv, saved_lstm
from gradient_backends.textbook import textbook_logits
from safetensors import safe_open
from safetensors.torch import load_file
from torch import nn

import textforge
import textforge_torch
from textforge.encoders.char import CharEncoder
from textforge.errors import ExportError
from textforge.library.exporting import export
from textforge_torch._export import PlainLSTM, read_state_dict, write_state_dict

MODELS = {
    "default": {},
    "three-layers": {"num_layers": 3, "hidden_size": 12},
    "one-hot": {"embedding_size": None, "num_layers": 2, "hidden_size": 9},
    "tiny": {"hidden_size": 1, "embedding_size": 1},
}
ENCODER = CharEncoder().fit(["abcdefghij\n"])
README = Path(__file__).parents[1] / "README.md"


def some_ids(rows, length):
    return np.random.default_rng(5).integers(0, 11, (rows, length))


class Plain(nn.Module):
    """A model that its user has in mind, written without textforge."""

    def __init__(self, vocabulary_size, hidden_size, num_layers, embedding_size):
        super().__init__()
        if embedding_size is not None:
            self.embedding = nn.Embedding(vocabulary_size, embedding_size)
        self.lstm = nn.LSTM(embedding_size or vocabulary_size, hidden_size, num_layers, batch_first=True)
        self.output = nn.Linear(hidden_size, vocabulary_size)

    def forward(self, ids):
        known = hasattr(self, "embedding")
        values = self.embedding(ids) if known else nn.functional.one_hot(ids, self.output.out_features).float()
        return self.output(self.lstm(values)[0])


def plain(path, saved):
    sizes = {name: saved.options[name] for name in ("hidden_size", "num_layers", "embedding_size")}
    module = Plain(saved.vocabulary_size, **sizes)
    module.load_state_dict(load_file(path), strict=True)
    return module


@pytest.mark.parametrize("rows", [1, 16])
@pytest.mark.parametrize("options", MODELS.values(), ids=MODELS)
def test_a_plain_module_gives_the_textbook_s_logits(options, rows, tmp_path):
    saved = saved_lstm(**options)
    export(saved, ENCODER, "torch", tmp_path / "model.safetensors")
    ids = some_ids(rows, 320 // rows)
    with torch.no_grad():
        logits = plain(tmp_path / "model.safetensors", saved)(torch.tensor(ids)).numpy()
    np.testing.assert_allclose(logits, textbook_logits(saved, ids), rtol=0, atol=1e-5)


CONVS = {
    "default": {},
    "wide": {"num_layers": 3, "kernel_size": 3, "dilation_growth": 3, "channels": 10},
    "one-hot": {"embedding_size": None, "num_layers": 4, "channels": 9, "dilation_growth": 1},
    "tiny": {"embedding_size": 1, "num_layers": 1, "channels": 1},
}


@pytest.mark.parametrize("options", CONVS.values(), ids=CONVS)
def test_a_plain_convolutional_module_agrees_too(options, tmp_path):
    saved = saved_conv(**options)
    export(saved, ENCODER, "torch", tmp_path / "model.safetensors")
    ids = some_ids(16, 60)
    known, sizes = load_file(tmp_path / "model.safetensors"), saved.options
    vectors = known["embedding.weight"] if "embedding.weight" in known else torch.eye(11)
    values = nn.functional.linear(vectors[ids], known["input.weight"], known["input.bias"]).transpose(1, 2)
    for layer in range(sizes["num_layers"]):
        dilation = sizes["dilation_growth"] ** layer
        padded = nn.functional.pad(values, ((sizes["kernel_size"] - 1) * dilation, 0))
        weights = known[f"conv.{layer}.weight"], known[f"conv.{layer}.bias"]
        values = values + nn.functional.glu(nn.functional.conv1d(padded, *weights, dilation=dilation), 1)
    logits = nn.functional.linear(values.transpose(1, 2), known["output.weight"], known["output.bias"])
    np.testing.assert_allclose(logits.numpy(), exact_logits(saved, ids), rtol=0, atol=1e-5)


def test_a_convolutional_network_s_names_are_pytorch_s(tmp_path):
    export(saved_conv(num_layers=2, channels=5, embedding_size=3), ENCODER, "torch", tmp_path / "model.safetensors")
    plain = nn.ModuleDict(
        {
            "embedding": nn.Embedding(11, 3),
            "input": nn.Linear(3, 5),
            "conv": nn.ModuleList([nn.Conv1d(5, 10, 2), nn.Conv1d(5, 10, 2, dilation=2)]),
            "output": nn.Linear(5, 11),
        }
    )
    plain.load_state_dict(load_file(tmp_path / "model.safetensors"), strict=True)


def test_weights_as_large_as_trained_ones_agree_too(tmp_path):
    saved = saved_lstm(scale=3)
    made = export(saved, ENCODER, "torch", tmp_path / "model.safetensors")
    ids = some_ids(1, 500)
    with torch.no_grad():
        logits = plain(made.path, saved)(torch.tensor(ids)).numpy()
    np.testing.assert_allclose(logits, textbook_logits(saved, ids), rtol=0, atol=1e-4)
    assert 0 < made.distance < 1e-4


def test_the_names_are_pytorch_s_and_the_second_bias_is_zero(tmp_path):
    saved = saved_lstm(num_layers=2, hidden_size=5, embedding_size=3)
    export(saved, ENCODER, "torch", tmp_path / "model.safetensors")
    tensors = load_file(tmp_path / "model.safetensors")
    assert {name: tuple(tensor.shape) for name, tensor in tensors.items()} == {
        "embedding.weight": (11, 3),
        "lstm.weight_ih_l0": (20, 3),
        "lstm.weight_hh_l0": (20, 5),
        "lstm.bias_ih_l0": (20,),
        "lstm.bias_hh_l0": (20,),
        "lstm.weight_ih_l1": (20, 5),
        "lstm.weight_hh_l1": (20, 5),
        "lstm.bias_ih_l1": (20,),
        "lstm.bias_hh_l1": (20,),
        "output.weight": (11, 5),
        "output.bias": (11,),
    }
    assert not tensors["lstm.bias_hh_l0"].any()
    assert not tensors["lstm.bias_hh_l1"].any()
    np.testing.assert_array_equal(tensors["lstm.bias_ih_l1"].numpy(), saved.arrays["lstm.1.bias"])


def test_the_header_says_what_the_model_is(tmp_path):
    saved = attrs.evolve(saved_lstm(), window=40)
    export(saved, ENCODER, "torch", tmp_path / "model.safetensors")
    with safe_open(tmp_path / "model.safetensors", "pt") as file:
        metadata = file.metadata()
    about = json.loads(metadata["textforge"])
    assert metadata["format"] == "pt"
    assert (about["options"], about["vocabulary_size"], about["window"]) == (saved.options, 11, 40)
    assert "".join(about["tokens"]) == ENCODER.vocabulary


def test_pytorch_s_random_numbers_are_left_alone(tmp_path):
    before = torch.get_rng_state()
    export(saved_lstm(), ENCODER, "torch", tmp_path / "model.safetensors")
    assert torch.equal(before, torch.get_rng_state())


def test_a_module_that_is_loaded_can_be_trained_on(tmp_path):
    saved = saved_lstm()
    export(saved, ENCODER, "torch", tmp_path / "model.safetensors")
    module = plain(tmp_path / "model.safetensors", saved)
    optimizer = torch.optim.Adam(module.parameters(), 0.01)
    ids = torch.tensor(np.tile(np.arange(11), 6)[:64].reshape(4, 16))
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(module(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten())
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2


def test_an_architecture_without_a_module_is_refused(tmp_path):
    plugins = textforge.Plugins([leaky_plugin])
    with pytest.raises(
        ExportError, match=r"^a model of the architecture 'leaky' can't be written as 'torch'; .*: onnx"
    ):
        export(leaky_plugin.Leaky().create(11, 1), ENCODER, "torch", tmp_path / "model.safetensors", plugins=plugins)


STRANGER = """
import textforge, textforge_torch, torch

class PlainLeaky(textforge_torch.PlainModule):
    def __init__(self, architecture, vocabulary_size):
        super().__init__()
        self.embedding = torch.nn.Embedding(vocabulary_size, architecture.size)
        self.output = torch.nn.Linear(architecture.size, vocabulary_size, bias=False)

    def forward(self, ids, state):
        trace, traces = state["trace"], []
        for vectors in self.embedding(ids).unbind(1):
            trace = trace * SHARE + vectors
            traces.append(trace)
        return self.output(torch.stack(traces, 1)), {"trace": trace}

@textforge.hookimpl
def register_implementations(register):
    register(format="torch", architecture="leaky", by="fake_leaky:PlainLeaky")
"""


@pytest.mark.parametrize("share", [0.5, 0.501])
def test_a_stranger_s_architecture_brings_its_own_module(share, tmp_path, monkeypatch):
    """The second one's is wrong."""
    (tmp_path / "fake_leaky.py").write_text(STRANGER.replace("SHARE", str(share)))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "fake_leaky", raising=False)
    plugins = textforge.Plugins([leaky_plugin, "fake_leaky"])
    saved, path = leaky_plugin.Leaky(size=6).create(11, 1), tmp_path / "model.safetensors"
    if share != 0.5:
        with pytest.raises(ExportError, match=r"^the format torch wrote a file whose (logits|state trace) differ"):
            export(saved, ENCODER, "torch", path, plugins=plugins)
        return
    assert export(saved, ENCODER, "torch", path, plugins=plugins).distance < 1e-5
    np.testing.assert_array_equal(load_file(path)["output.weight"].numpy(), saved.arrays["output.weight"])


@pytest.mark.parametrize("name", ["model.pt", "model.pth", "model.bin", "model"])
def test_a_name_that_says_pickle_is_refused(name, tmp_path):
    message = f"^a file of the format torch must end in .safetensors, got {name}: call it model.safetensors$"
    with pytest.raises(ExportError, match=message):
        export(saved_lstm(), ENCODER, "torch", tmp_path / name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("make", [saved_lstm, saved_conv])
def test_a_text_may_be_read_in_parts(make, tmp_path):
    saved = make(num_layers=2)
    architecture = textforge.Plugins().find("architecture", saved.architecture).of(saved)
    module = textforge.Plugins().implementation("torch", saved.architecture, kind="format").load()
    write_state_dict(module.state_dict_of(saved.arrays), tmp_path / "model.safetensors", {})
    read = read_state_dict(module, architecture, 11, tmp_path / "model.safetensors")
    ids, state, parts = some_ids(3, 40), None, []
    for begin, end in ((0, 1), (1, 20), (20, 40)):
        logits, state = read(ids[:, begin:end], state)
        parts.append(logits)
    np.testing.assert_allclose(np.concatenate(parts, 1), exact_logits(saved, ids), rtol=0, atol=1e-5)
    assert {name: array.shape for name, array in state.items()} == {
        name: tuple(3 if size is None else size for size in shape) for name, shape in architecture.state().items()
    }


def test_the_module_is_public():
    assert issubclass(PlainLSTM, textforge_torch.PlainModule)


@pytest.mark.parametrize(("place", "make"), [(0, saved_lstm), (1, saved_conv)], ids=["lstm", "conv"])
def test_the_readme_s_lines_load_it(place, make, tmp_path):
    """As they stand, in a process that has no textforge."""
    export(make(), ENCODER, "torch", tmp_path / "model.safetensors")
    block = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.S)[place]
    before = "import sys\nsys.modules['textforge'] = sys.modules['textforge_torch'] = None\n"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", before + block],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout) == 40
    assert set(done.stdout) <= set(ENCODER.vocabulary)
