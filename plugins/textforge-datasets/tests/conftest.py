"""One framework in a process, as in every suite; and a hub that can't be reached, its caches in a folder of the run."""

from __future__ import annotations

import os
import shutil
import tempfile

import pytest
from one_framework import pytest_sessionfinish, pytest_terminal_summary  # noqa: F401

HOME = tempfile.mkdtemp(prefix="textforge-datasets-")
os.environ |= {"HF_HOME": HOME, "HF_HUB_OFFLINE": "1"}  # they are read when datasets is imported
for name in ("HF_DATASETS_CACHE", "HF_DATASETS_OFFLINE", "HF_HUB_CACHE"):
    os.environ.pop(name, None)


def pytest_unconfigure() -> None:
    shutil.rmtree(HOME, ignore_errors=True)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty folder, and the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
