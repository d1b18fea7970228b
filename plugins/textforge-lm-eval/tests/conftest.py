"""The harness without the net, one framework in a process, and small models."""

from __future__ import annotations

import os
import tempfile

import pytest

_HOME = tempfile.TemporaryDirectory(prefix="textforge-lm-eval-")
os.environ |= {"HF_HOME": _HOME.name, "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "LMEVAL_LOG_LEVEL": "ERROR"}

from one_framework import pytest_sessionfinish, pytest_terminal_summary  # noqa: E402, F401

import textforge  # noqa: E402

TEXT = "The cat sat on the mat. The dog sat on the log.\nA bird sang to the cat, and the dog sang to the bird.\n" * 40


def pytest_configure(config):
    for module in (
        "datasets",
        "dill",
        "multiprocess",
        "evaluate",
        "lm_eval",
        "sqlitedict",
        "torch",
    ):  # their own affair
        config.addinivalue_line("filterwarnings", f"ignore:::{module}")


@pytest.fixture(scope="session")
def generator():
    return textforge.train(text=TEXT, architecture="ngram:order=4")


@pytest.fixture(scope="session")
def bundle(tmp_path_factory, generator):
    path = tmp_path_factory.mktemp("bundle") / "model"
    generator.save(path)
    return path
