"""The format ``onnx``: run by onnxruntime, and by ONNX's own evaluator."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import leaky_plugin
import numpy as np
import onnx
import onnxruntime
import pytest
from export_samples import SAVED, exact_logits, saved_conv, saved_gpt, saved_lstm, some_ids
from onnx.reference import ReferenceEvaluator

from textforge.architectures.lstm import LSTM
from textforge.encoders.char import CharEncoder
from textforge.errors import BackendError, ExportError
from textforge.formats.onnx.file import read_graph, write_graph
from textforge.formats.onnx.lstm import lstm_graph
from textforge.library.exporting import export
from textforge.model import SavedModel
from textforge.plugins.registry import Plugins

Make = Callable[[], SavedModel]
ENCODER = CharEncoder().fit(["abcdefghij\n"])


def session(path: Path) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def by_steps(run: Any, ids: np.ndarray, state: dict[str, np.ndarray]) -> np.ndarray:
    """As someone would who has nothing but the file and what it says of itself."""
    logits = []
    for t in range(ids.shape[1]):
        step, *after = run(["logits", *(f"next_{name}" for name in state)], {"ids": ids[:, t], **state})
        state = dict(zip(state, after, strict=True))
        logits.append(step)
    return np.stack(logits, axis=1)


def zeros(path: Path, rows: int) -> dict[str, np.ndarray]:
    parts = session(path).get_inputs()[1:]
    return {
        part.name: np.zeros([rows if size == "rows" else size for size in part.shape], np.float32) for part in parts
    }


@pytest.mark.parametrize("rows", [1, 16])
@pytest.mark.parametrize("make", SAVED.values(), ids=SAVED)
def test_onnxruntime_gives_the_same_logits(make: Make, rows: int, tmp_path: Path) -> None:
    saved, path = make(), tmp_path / "model.onnx"
    export(saved, ENCODER, "onnx", path)
    ids = some_ids(rows, 1000 // rows)
    logits = by_steps(session(path).run, ids, zeros(path, rows))
    assert logits.dtype == np.float32
    np.testing.assert_allclose(logits, exact_logits(saved, ids), rtol=0, atol=1e-5)


def test_weights_as_large_as_trained_ones_agree_too(tmp_path: Path) -> None:
    saved = saved_lstm(scale=3)
    made = export(saved, ENCODER, "onnx", tmp_path / "model.onnx")
    ids = some_ids(1, 1000)
    exact = exact_logits(saved, ids)
    logits = by_steps(session(made.path).run, ids, zeros(made.path, 1))
    np.testing.assert_allclose(logits, exact, rtol=0, atol=1e-4)
    assert 0 < made.distance < 1e-4


@pytest.mark.parametrize("make", SAVED.values(), ids=SAVED)
def test_the_graph_keeps_the_standard(make: Make, tmp_path: Path) -> None:
    saved, path = make(), tmp_path / "model.onnx"
    export(saved, ENCODER, "onnx", path)
    onnx.checker.check_model(path, full_check=True)
    ids = some_ids(2, 20)
    logits = by_steps(ReferenceEvaluator(str(path)).run, ids, zeros(path, 2))
    np.testing.assert_allclose(logits, exact_logits(saved, ids), rtol=0, atol=1e-5)


def test_without_onnxruntime_the_file_is_checked_by_onnx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    saved = saved_lstm(hidden_size=5)
    ids = some_ids(2, 20)
    write_graph(lstm_graph(saved, LSTM.of(saved)), 11, tmp_path / "model.onnx", {})
    logits, _ = read_graph(tmp_path / "model.onnx")(ids, None)
    np.testing.assert_allclose(logits, exact_logits(saved, ids), rtol=0, atol=1e-5)


def test_inputs_and_outputs_say_what_they_are(tmp_path: Path) -> None:
    export(saved_lstm(num_layers=2, hidden_size=7), ENCODER, "onnx", tmp_path / "model.onnx")
    opened = session(tmp_path / "model.onnx")
    assert [(given.name, given.type, given.shape) for given in opened.get_inputs()] == [
        ("ids", "tensor(int64)", ["rows"]),
        ("hidden", "tensor(float)", [2, "rows", 7]),
        ("cell", "tensor(float)", [2, "rows", 7]),
    ]
    assert [(given.name, given.shape) for given in opened.get_outputs()] == [
        ("logits", ["rows", 11]),
        ("next_hidden", [2, "rows", 7]),
        ("next_cell", [2, "rows", 7]),
    ]


def test_the_state_of_a_convolutional_network_is_what_its_layers_look_back_on(tmp_path: Path) -> None:
    export(saved_conv(num_layers=2, kernel_size=3, channels=7), ENCODER, "onnx", tmp_path / "model.onnx")
    opened = session(tmp_path / "model.onnx")
    shapes = {given.name: given.shape for given in opened.get_inputs()}
    assert shapes == {"ids": ["rows"], "conv.0": ["rows", 2, 7], "conv.1": ["rows", 4, 7]}


def test_the_state_of_a_transformer_is_its_last_keys_and_values_and_their_number(tmp_path: Path) -> None:
    saved = saved_gpt(num_layers=2, hidden_size=6, num_heads=1, window=5)
    export(saved, ENCODER, "onnx", tmp_path / "model.onnx")
    opened = session(tmp_path / "model.onnx")
    cache = [2, "rows", 5, 6]
    shapes = {given.name: given.shape for given in opened.get_inputs()}
    assert shapes == {"ids": ["rows"], "keys": cache, "values": cache, "seen": ["rows"]}


def test_the_file_says_what_its_tokens_are(tmp_path: Path) -> None:
    saved = saved_lstm(model_window=40)
    export(saved, ENCODER, "onnx", tmp_path / "model.onnx")
    about = json.loads(session(tmp_path / "model.onnx").get_modelmeta().custom_metadata_map["textforge"])
    assert "".join(about["tokens"]) == ENCODER.vocabulary
    assert about["options"] == saved.options
    assert (about["architecture"], about["vocabulary_size"], about["window"]) == ("lstm", 11, 40)


def test_an_architecture_of_a_stranger_s_brings_its_own_graph(tmp_path: Path) -> None:
    plugins = Plugins([leaky_plugin], disabled="all")
    saved = leaky_plugin.Leaky(size=6).create(11, seed=1)
    made = export(saved, ENCODER, "onnx", tmp_path / "model.onnx", plugins=plugins)
    assert made.distance < 1e-5
    ids = some_ids(2, 20)
    logits = by_steps(session(made.path).run, ids, zeros(made.path, 2))
    traces = np.zeros((2, 6))
    for t in range(20):
        traces = traces / 2 + saved.arrays["embedding.weight"][ids[:, t]]
        np.testing.assert_allclose(logits[:, t], traces @ saved.arrays["output.weight"].T, rtol=0, atol=1e-5)


def test_its_graph_is_checked_as_ours_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plugins = Plugins([leaky_plugin], disabled="all")
    monkeypatch.setattr(leaky_plugin, "HALF", np.array(0.5001, np.float32))
    saved = leaky_plugin.Leaky(size=6).create(11, seed=1)
    with pytest.raises(ExportError, match=r"^the format onnx wrote a file whose .* differ"):
        export(saved, ENCODER, "onnx", tmp_path / "model.onnx", plugins=plugins)


def test_a_model_too_large_for_the_format_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(message: onnx.ModelProto) -> bytes:
        raise ValueError("exceeds maximum protobuf size of 2GB")

    monkeypatch.setattr(onnx.ModelProto, "SerializeToString", refuse)
    with pytest.raises(ExportError, match=r"can't hold a model of this size in one file .*2GB"):
        write_graph(lstm_graph(saved_lstm(), LSTM()), 11, tmp_path / "model.onnx", {})


@pytest.mark.parametrize(
    ("module", "message"),
    [
        ("None", "the format onnx needs ONNX, which is not installed: run `pip install 'textforge-lm[onnx]'`"),
        (
            "types.SimpleNamespace(__version__='1.2')",
            (
                "the format onnx needs ONNX 1.16 or newer, but 1.2 is installed: "
                "run `pip install 'textforge-lm[onnx]' 'onnx>=1.16'`"
            ),
        ),
    ],
)
def test_onnx_that_is_missing_or_old_is_named_with_the_command_that_helps(module: str, message: str) -> None:
    code = f"""
import sys, types
sys.modules['onnx'] = {module}
from textforge.formats.onnx.format import OnnxFormat
try:
    OnnxFormat().require()
except Exception as error:
    print(type(error).__name__, error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == f"{BackendError.__name__} {message}\n"


def test_onnx_is_imported_only_to_export() -> None:
    code = (
        "import sys, textforge\nfrom textforge.library import exporting\nfrom textforge.cli import main\n"
        "textforge.Plugins().format('onnx')\nprint({'onnx', 'onnxruntime'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
