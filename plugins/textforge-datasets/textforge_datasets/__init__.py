"""The corpora ``parquet`` and ``dataset``: texts of Parquet files, and of Hugging Face datasets.

This module is light: pyarrow and datasets are imported only when a corpus is read.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from textforge_datasets.dataset import DatasetCorpus
    from textforge_datasets.parquet import ParquetCorpus

__all__ = ["DatasetCorpus", "ParquetCorpus"]

_MODULES = {"DatasetCorpus": "dataset", "ParquetCorpus": "parquet"}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'textforge_datasets' has no attribute {name!r}")
    return getattr(importlib.import_module(f"textforge_datasets.{_MODULES[name]}"), name)
