"""Each backend by the commands: train, resume, evaluate, generate, and what edited bundles come to."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from click.testing import CliRunner
from safetensors.numpy import load_file

from gradient_backends.framework import Suite, each
from textforge.cli import main

TEXT = "It is a truth that the text is short. Is it? It is so, and that is that.\n" * 60
OPTIONS = {
    "lstm": "hidden_size=16,embedding_size=8,dropout=0.1",
    "conv": "channels=12,num_layers=3,embedding_size=8",
    "gpt": "hidden_size=12,num_heads=2,num_layers=2,window=20",
}
EDITS: list[tuple[dict[str, object], str]] = [
    ({"num_layers": 4}, "the model lacks the weights conv.3.bias, conv.3.weight"),
    ({"dilation_growth": 0}, "dilation_growth must be >= 1, got 0"),
    ({"dilation_growth": 100_000}, "look back too far"),
    ({"kernel_size": "2"}, "kernel_size"),
    ({"channels": 13}, "the options say"),
]
WINDOWS = ("--sequences", "windows", "--window", 9, "--stride", 5)


def run(*arguments, status=0):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == status, result.output
    return result.stdout if status == 0 else result.stderr.splitlines()[-1]


def train(book, folder, architecture, backend, *more):
    given = ("--architecture", architecture, "--backend", backend, "--seed", 1, "--batch-size", 4)
    run("train", book, "-o", folder, *given, "--sequence-length", 16, *more)


def weights(folder):
    [path] = folder.glob("model-*.safetensors")
    return load_file(path)


class CommandLineSuite(Suite):
    """Commands as a user gives them."""

    @pytest.fixture
    def book(self, tmp_path):
        path = tmp_path / "book.txt"
        path.write_text(TEXT, encoding="utf-8")
        return path

    def train(self, book, folder, architecture, *more):
        train(book, folder, f"{architecture}:{OPTIONS[architecture]}", f"{self.framework.name}:device=cpu", *more)

    @pytest.mark.parametrize("sequences", [(), WINDOWS], ids=["stream", "windows"])
    @each
    def test_a_model_is_trained_resumed_evaluated_and_written_with(self, architecture, sequences, book, tmp_path):
        whole, parts = tmp_path / "whole", tmp_path / "parts"
        self.train(book, whole, architecture, "--epochs", 2, "--schedule", "constant", *sequences)
        self.train(book, parts, architecture, "--epochs", 1, "--schedule", "constant", *sequences)
        first = weights(parts)
        run("train", "-o", parts, "--resume", "--epochs", 2)
        for name, array in weights(whole).items():
            np.testing.assert_array_equal(weights(parts)[name], array)
        assert any(not np.array_equal(array, weights(parts)[name]) for name, array in first.items())

        spec = self.framework.name
        by_numpy = json.loads(run("evaluate", whole, book, "--json"))
        by_framework = json.loads(run("evaluate", whole, book, "--json", "--backend", f"{spec}:device=cpu"))
        assert by_numpy["loss"] == pytest.approx(by_framework["loss"], abs=1e-5)
        assert by_numpy["loss"] < math.log(len(set(TEXT)))

        texts = {
            run("generate", whole, "--prompt", "It is ", "--max-tokens", 80, "--seed", 3, "--backend", runner)
            for runner in ("numpy:precision=float64", f"{spec}:precision=float64,device=cpu")
        }
        assert len(texts) == 1
        assert len(texts.pop()) >= 80

    @pytest.mark.parametrize("by", ["numpy", "framework"])
    def test_edited_options_are_refused_in_one_line(self, by, book, tmp_path):
        runner = "numpy" if by == "numpy" else f"{self.framework.name}:device=cpu"
        folder = tmp_path / "model"
        self.train(book, folder, "conv", "--epochs", 1)
        manifest = (folder / "config.json").read_text(encoding="utf-8")
        for changes, message in EDITS:
            edited = json.loads(manifest)
            edited["model"]["options"] |= changes
            (folder / "config.json").write_text(json.dumps(edited), encoding="utf-8")
            error = run("generate", folder, "--backend", runner, "--max-tokens", 5, status=1)
            assert error.startswith("Error: ")
            assert message in error
