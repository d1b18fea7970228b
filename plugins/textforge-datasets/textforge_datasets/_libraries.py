"""The way to pyarrow and datasets: their imports, and what datasets says while it reads."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import textforge
from textforge.corpora.findings import Findings

PYARROW = textforge.Framework("pyarrow", oldest=(25, 0), needed_by="corpus")
"""With older ones, a process that has streamed Parquet may abort at its end (apache/arrow#45214)."""
DATASETS = textforge.Framework("datasets", oldest=(5, 0), needed_by="corpus")
"""Before 4.0, it might run the code that a dataset comes with."""
_LOGGERS = ("datasets", "huggingface_hub")


def require_pyarrow(corpus: str) -> Any:
    """Import pyarrow and return it, for a corpus of that name; raise `BackendError` where it can't be."""
    return PYARROW.require(corpus)


def require_datasets(corpus: str) -> Any:
    """Import datasets and return it, for a corpus of that name; raise `BackendError` where it can't be."""
    require_pyarrow(corpus)
    return DATASETS.require(corpus)


class _Collector(logging.Handler):
    """A handler that turns warnings into findings, a line each."""

    def __init__(self, findings: Findings) -> None:
        super().__init__(logging.WARNING)
        self._findings = findings

    def emit(self, record: logging.LogRecord) -> None:
        words = " ".join(record.getMessage().split())
        self._findings.add(f"{record.name.partition('.')[0]} says: {words}")


@contextmanager
def attend_datasets(findings: Findings) -> Iterator[None]:
    """Turn the warnings of datasets into findings, and show its progress bars on a terminal's standard error alone.

    What is changed belongs to the whole process, and is put back at the end: so this is held only while datasets works.
    """
    with _hear(findings), _leave_torch_out():
        yield


@contextmanager
def _leave_torch_out() -> Iterator[None]:
    """Keep a stream from importing PyTorch: that takes seconds, and TensorFlow may crash that is imported later."""
    from datasets import config

    before = config.TORCH_AVAILABLE
    config.TORCH_AVAILABLE = before and "torch" in sys.modules
    try:
        yield
    finally:
        config.TORCH_AVAILABLE = before


@contextmanager
def _hear(findings: Findings) -> Iterator[None]:
    from datasets import utils
    from huggingface_hub import utils as hub

    loggers = [logging.getLogger(name) for name in _LOGGERS]
    before = [(logger, logger.handlers, logger.propagate) for logger in loggers]
    libraries = [] if sys.stderr.isatty() else [each for each in (utils, hub) if not each.are_progress_bars_disabled()]
    for library in libraries:
        library.disable_progress_bars()
    for logger in loggers:
        logger.handlers, logger.propagate = [_Collector(findings)], False
    try:
        yield
    finally:
        for logger, handlers, propagate in before:
            logger.handlers, logger.propagate = handlers, propagate
        for library in libraries:
            library.enable_progress_bars()
