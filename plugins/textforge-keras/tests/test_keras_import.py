"""The import of TensorFlow and Keras: its time, and what is said, or not, meanwhile. Each in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

MAKE_A_MODEL = """
import os, sys, types
{before}
import textforge
from textforge.backends.choose import load_model
from textforge.errors import BackendError
def make():
    plugins = textforge.Plugins()
    backend = plugins.backend("keras:device=cpu,jit_compile=false")
    return load_model(plugins, backend, plugins.architecture("lstm:4").create(vocabulary_size=3, seed=0))
try:
    make()
except BackendError as error:
    print(error)
{after}
"""
TRAIN = """
import numpy as np
from textforge.model import Optimizer
model = make()
model.begin(Optimizer(), seed=0)
ids = np.zeros((2, 3), dtype=np.uint8)
model.train_step(ids, ids, model.start(2), learning_rate=0.1, step=0)
model.step(np.array([1]), model.start(1))
"""


def run(code, **environment):
    """Return what a process writes to standard output and error, where the user has set no more than this."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("TF_", "KERAS_"))}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=own | environment
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def making_a_model(before="", after="", **environment):
    return run(MAKE_A_MODEL.format(before=before, after=after), **environment)


def test_the_plugin_imports_neither():
    code = (
        "import sys, textforge_keras\n"
        "textforge_keras.KerasBackend(device='gpu').spec\n"
        "print('tensorflow' in sys.modules, 'keras' in sys.modules)"
    )
    assert run(code) == ("False False\n", "")


@pytest.mark.parametrize(
    ("before", "message"),
    [
        pytest.param(
            "sys.modules['tensorflow'] = None",
            "the backend keras needs TensorFlow, which is not installed: run `pip install 'tensorflow>=2.16'`\n",
            id="no-tensorflow",
        ),
        pytest.param(
            "sys.modules['tensorflow'] = types.SimpleNamespace(__version__='2.15.0')",
            "the backend keras needs TensorFlow 2.16 or newer, but 2.15.0 is installed: "
            "run `pip install 'tensorflow>=2.16'`\n",
            id="old-tensorflow",
        ),
        pytest.param(
            "sys.modules['tensorflow'] = types.ModuleType('tensorflow')",
            "TensorFlow is installed but can't be imported (AttributeError: module 'tensorflow' has no attribute "
            "'__version__'): run `pip install --force-reinstall tensorflow`\n",
            id="hollow-tensorflow",
        ),
        pytest.param(
            "sys.modules['tensorflow'] = types.SimpleNamespace(__version__='2.20.0'); sys.modules['keras'] = None",
            "the backend keras needs Keras, which is not installed: run `pip install 'keras>=3.6'`\n",
            id="no-keras",
        ),
        pytest.param(
            "sys.modules['tensorflow'] = types.SimpleNamespace(__version__='2.20.0')\n"
            "sys.modules['keras'] = types.SimpleNamespace(__version__='2.15.0')",
            "the backend keras needs Keras 3.6 or newer, but 2.15.0 is installed: run `pip install 'keras>=3.6'`\n",
            id="old-keras",
        ),
        pytest.param(
            "sys.modules['tensorflow'] = types.SimpleNamespace(__version__='2.20.0')\n"
            "backend = types.SimpleNamespace(backend=lambda: 'jax')\n"
            "sys.modules['keras'] = types.SimpleNamespace(__version__='3.6.0', backend=backend)",
            "the backend keras needs Keras on TensorFlow, but Keras was imported to compute with jax: "
            "run with KERAS_BACKEND=tensorflow\n",
            id="keras-on-jax",
        ),
    ],
)
def test_what_can_not_be_used_is_named_with_the_command_that_helps(before, message):
    assert making_a_model(before) == (message, "")


@pytest.mark.parametrize(("module", "title"), [("tensorflow", "TensorFlow"), ("keras", "Keras")])
@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("raise OSError('libgomp.so:\\n  no such file')", "OSError: libgomp.so: no such file"),
        ("import not_there_at_all", "ModuleNotFoundError: No module named 'not_there_at_all'"),
    ],
)
def test_broken_is_told_from_missing(tmp_path, module, title, source, reason):
    (tmp_path / "tensorflow.py").write_text("__version__ = '2.20.0'", encoding="utf-8")
    (tmp_path / f"{module}.py").write_text(source, encoding="utf-8")
    printed, _ = making_a_model(f"sys.path.insert(0, {str(tmp_path)!r})")
    assert printed == (
        f"{title} is installed but can't be imported ({reason}): run `pip install --force-reinstall {module}`\n"
    )


def test_making_and_training_a_model_writes_nothing():
    assert making_a_model(after=TRAIN) == ("", "")


def test_keras_computes_with_tensorflow_whatever_else_is_asked_for_and_the_request_is_left():
    report = "import keras; print(keras.backend.backend(), os.environ.get('KERAS_BACKEND'))"
    assert making_a_model(after=report, KERAS_BACKEND="jax") == ("tensorflow jax\n", "")
    assert making_a_model(after=report) == ("tensorflow None\n", "")


def beside_tensorflow(tmp_path, source):
    """A TensorFlow that does this while it is imported, and then lacks what Keras needs."""
    (tmp_path / "tensorflow.py").write_text(f"import os\n{source}\n__version__ = '1.0'", encoding="utf-8")
    return f"sys.path.insert(0, {str(tmp_path)!r})"


LOG_LINES = (
    "2026-01-02 03:04:05.678901: I external/port.cc:153] oneDNN custom operations are on.",
    "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR",
    "I0000 00:00:1763943534.135  4101 cpu_feature_guard.cc:227] This binary is optimized",
    "E0000 00:00:1763943534.135  4101 cuda_dnn.cc:8579] Unable to register cuDNN factory",
)


def test_what_else_is_written_meanwhile_arrives(tmp_path):
    source = "\n".join(f"os.write(2, {line.encode() + bytes([10])!r})" for line in (*LOG_LINES, "mine: a warning"))
    _, error = making_a_model(beside_tensorflow(tmp_path, source))
    assert error == "mine: a warning\n"


def test_whoever_asks_for_log_lines_gets_them(tmp_path):
    source = f"os.write(2, {LOG_LINES[0].encode() + bytes([10])!r})"
    report = "print(os.environ['TF_CPP_MIN_LOG_LEVEL'])"
    printed, error = making_a_model(beside_tensorflow(tmp_path, source), report, TF_CPP_MIN_LOG_LEVEL="0")
    assert error == LOG_LINES[0] + "\n"
    assert printed.endswith("\n0\n")


@pytest.mark.parametrize("closing", ["os.close(2)", "sys.stderr.close()", "sys.stderr = None; os.close(2)"])
def test_standard_error_may_be_closed(closing):
    assert making_a_model(closing, "print('made')") == ("made\n", "")
