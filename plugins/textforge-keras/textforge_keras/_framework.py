"""Importing TensorFlow and Keras: quietly, and with one line that says what is wrong."""

from __future__ import annotations

import importlib
import operator
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from textforge.components.frameworks import Framework
from textforge.errors import BackendError

TENSORFLOW = Framework("tensorflow", "TensorFlow", oldest=(2, 16))
KERAS = Framework("keras", "Keras", oldest=(3, 6))

LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
KERAS_BACKEND = "KERAS_BACKEND"
_LOG_LINE = re.compile(rb"WARNING: All log messages before absl|[IWE]\d{4} \d|\d{4}-\d\d-\d\d [^ ]+: [IWE] ")


def require_keras(backend: str) -> None:
    """Import both, or raise `BackendError`, saying which command mends what is wrong."""
    with _quiet_start(), _keras_on_tensorflow():
        TENSORFLOW.require(backend)
        keras = KERAS.require(backend)
    computing = keras.backend.backend()
    if computing != "tensorflow":
        raise BackendError(
            f"the backend {backend} needs Keras on TensorFlow, but Keras was imported to compute with {computing}: "
            f"run with {KERAS_BACKEND}=tensorflow"
        )


def remake_model(network: tuple[str, str], *given: Any) -> Any:
    """Return a model that was copied or pickled: in another process, Keras is imported as for any model first."""
    require_keras("keras")
    model = importlib.import_module(f"{__package__}._model").KerasModel
    module, name = network
    saved, architecture, *others = given
    return model(saved, architecture, operator.attrgetter(name)(importlib.import_module(module)), *others)


@contextmanager
def _keras_on_tensorflow() -> Iterator[None]:
    """Keras reads once, while it is imported, what it is to compute with."""
    before = os.environ.get(KERAS_BACKEND)
    os.environ[KERAS_BACKEND] = "tensorflow"
    try:
        yield
    finally:
        if before is None:
            del os.environ[KERAS_BACKEND]
        else:
            os.environ[KERAS_BACKEND] = before


@contextmanager
def _quiet_start() -> Iterator[None]:
    """Keep TensorFlow's log lines from the user's terminal, unless asked for by TF_CPP_MIN_LOG_LEVEL.

    The first ones come from its libraries before any setting is read, so standard error is held back meanwhile;
    whatever else was written to it is passed on.
    """
    if LOG_LEVEL in os.environ or "tensorflow" in sys.modules:
        yield
        return
    os.environ[LOG_LEVEL] = "3"
    try:
        terminal = os.dup(2)
    except OSError:  # standard error is closed: nobody sees anything
        yield
        return
    with tempfile.TemporaryFile() as held:
        _flush()
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            _flush()
            os.dup2(terminal, 2)
            os.close(terminal)
            held.seek(0)
            for line in held:
                if not _LOG_LINE.match(line):
                    os.write(2, line)


def _flush() -> None:
    if sys.stderr is not None and not sys.stderr.closed:
        sys.stderr.flush()
