"""A third party's architecture, from its install to its texts: PyTorch, Keras and NumPy compute one model."""

from __future__ import annotations

import functools
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from environments import Environment

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "textforge_gru"
TEXT = "It is said of the bear that it met the owl, and of the hare that it fed the crow.\n" * 40
TRAIN = "textforge train book.txt --architecture gru:hidden_size=16,num_layers=2 --seed 1 --schedule constant"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Runs a command where the example is installed, in a folder with a book."""
    folder = tmp_path_factory.mktemp("gru")
    environment = Environment(folder / "venv")
    environment.run(["pip", "install", str(EXAMPLE)], folder)
    (folder / "book.txt").write_text(TEXT, encoding="utf-8")
    shutil.copytree(EXAMPLE / "tests", folder / "tests")
    return functools.partial(environment.run, folder=folder)


def loss(installed: Callable[..., str], model: str) -> float:
    found: float = json.loads(installed(f"textforge evaluate {model} book.txt --json 2>errors"))["loss"]
    return found


def test_each_file_is_short() -> None:
    for path in EXAMPLE.rglob("*.py"):
        assert len(path.read_text(encoding="utf-8").splitlines()) < 80, path


def test_it_imports_public_names_alone() -> None:
    for path in EXAMPLE.rglob("*.py"):
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
        imported = [line.split()[1] for line in lines if line.startswith(("from textforge", "import textforge"))]
        allowed = {"textforge", "textforge.testing", "textforge_torch", "textforge_keras"}
        assert all(name in allowed or name.startswith("textforge_gru") for name in imported), (path, imported)


@pytest.mark.parametrize("suite", ["test_gru.py", "test_gru_torch.py", "test_gru_keras.py"])
def test_it_passes_the_kit(installed: Callable[..., str], suite: str) -> None:
    assert " passed" in installed(f"pytest -q tests/{suite}")


def test_it_changes_its_backend_between_epochs_and_writes_the_same_on_all(installed: Callable[..., str]) -> None:
    installed(f"{TRAIN} --backend torch:device=cpu --epochs 1 -o one")
    installed("cp -r one two")
    installed("textforge train -o one --resume --epochs 2")
    installed("textforge train -o two --resume --epochs 2 --backend keras:device=cpu")
    installed(f"{TRAIN} --backend torch:device=cpu --epochs 2 -o whole")
    assert loss(installed, "one") == loss(installed, "whole")
    assert loss(installed, "two") == pytest.approx(loss(installed, "one"), abs=1e-4)
    texts = {
        installed(
            f"textforge generate two --prompt It --seed 3 --max-tokens 80 --backend {backend}:precision=float64 2>e"
        )
        for backend in ("numpy", "torch", "keras")
    }
    assert len(texts) == 1
    assert len(texts.pop()) >= 80


def test_numpy_runs_it_by_default(installed: Callable[..., str]) -> None:
    installed(f"{TRAIN} --backend torch:device=cpu --epochs 1 -o model")
    frameworks = (
        "import sys\nfrom textforge.cli import main\ntry:\n    main(['generate', 'model', '--max-tokens', '3'])\n"
    )
    frameworks += "except SystemExit:\n    pass\nprint({'torch', 'keras', 'tensorflow'} & set(sys.modules))"
    assert installed(f'python -c "{frameworks}" 2>e').endswith("set()\n")
