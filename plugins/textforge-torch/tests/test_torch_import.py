"""The import of PyTorch: its time, and what is said where it can't be. Each in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

MAKE_A_MODEL = """
import sys, types
{before}
import textforge
from textforge.backends.choose import load_model
from textforge.errors import BackendError
plugins = textforge.Plugins()
try:
    load_model(plugins, plugins.backend("torch"), plugins.architecture("lstm:4").create(vocabulary_size=3, seed=0))
except BackendError as error:
    print(error)
"""


def run(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_plugin_does_not_import_torch():
    code = """
        import sys, textforge_torch
        textforge_torch.TorchBackend(device='cuda').spec
        print('torch' in sys.modules)
    """
    assert run(code.replace("\n        ", "\n")).strip() == "False"


@pytest.mark.parametrize(
    ("before", "message"),
    [
        pytest.param(
            "sys.modules['torch'] = None",
            "the backend torch needs PyTorch, which is not installed: run `pip install 'torch>=2.4'`\n",
            id="missing",
        ),
        pytest.param(
            "sys.modules['torch'] = types.SimpleNamespace(__version__='1.13.1+cu117')",
            "the backend torch needs PyTorch 2.4 or newer, but 1.13.1+cu117 is installed: "
            "run `pip install 'torch>=2.4'`\n",
            id="old",
        ),
        pytest.param(
            "sys.modules['torch'] = types.SimpleNamespace(__version__='nonsense')",
            "the backend torch needs PyTorch 2.4 or newer, but nonsense is installed: run `pip install 'torch>=2.4'`\n",
            id="strange",
        ),
        pytest.param(
            "sys.modules['torch'] = types.ModuleType('torch')",
            "PyTorch is installed but can't be imported (AttributeError: module 'torch' has no attribute "
            "'__version__'): run `pip install --force-reinstall torch`\n",
            id="hollow",
        ),
    ],
)
def test_a_torch_that_can_not_be_used_is_named_with_the_command_that_helps(before, message):
    assert run(MAKE_A_MODEL.format(before=before)) == message


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("raise OSError('libgomp.so:\\n  no such file')", "OSError: libgomp.so: no such file"),
        ("import not_there_at_all", "ModuleNotFoundError: No module named 'not_there_at_all'"),
        (
            "raise TypeError('Descriptors cannot be created directly')",
            "TypeError: Descriptors cannot be created directly",
        ),
    ],
)
def test_a_broken_torch_is_told_from_a_missing_one(tmp_path, source, reason):
    (tmp_path / "torch.py").write_text(source, encoding="utf-8")
    printed = run(MAKE_A_MODEL.format(before=f"sys.path.insert(0, {str(tmp_path)!r})"))
    assert printed == (
        f"PyTorch is installed but can't be imported ({reason}): run `pip install --force-reinstall torch`\n"
    )
