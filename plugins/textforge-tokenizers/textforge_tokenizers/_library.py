"""The way to tokenizers: its import, its tokenizers from JSON, and its threads beside a fork."""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING, Any

import textforge
from textforge.errors import EncodingError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

TOKENIZERS = textforge.Framework("tokenizers", oldest=(0, 21), needed_by="encoder")
_THREADS = "TOKENIZERS_PARALLELISM"


def require_tokenizers() -> Any:
    """Import tokenizers and return it; raise `BackendError`, which says how to install it, where it can't be."""
    module = TOKENIZERS.require("bpe")
    _prepare_forks()
    return module


def open_tokenizer(text: str, title: str) -> Tokenizer:
    """Return the tokenizer that some JSON describes; raise `EncodingError`, which names it by `title`, for another."""
    tokenizers = require_tokenizers()
    try:
        tokenizer: Tokenizer = tokenizers.Tokenizer.from_str(text)
    except BaseException as error:
        if not is_library_error(error):
            raise
        raise EncodingError(
            f"bpe: {title} is no tokenizer.json that tokenizers {tokenizers.__version__} reads "
            f"({' '.join(str(error).split())}); give one that Tokenizer.save or save_pretrained wrote"
        ) from None
    return tokenizer


def is_library_error(error: BaseException) -> bool:
    """Return whether an error is the library's: a plain `Exception`, or a panic, which is none."""
    return isinstance(error, Exception) or type(error).__name__ == "PanicException"


@functools.cache
def _prepare_forks() -> None:
    """Keep a process that is forked from this one from hanging in threads it hasn't got, and from a warning of that.

    tokenizers looks at the variable in the child, before anything of Python's runs there; so it is set while a process
    is forked, and stays set in the child alone. Where it is set already, nothing is done.
    """
    if not hasattr(os, "register_at_fork"):
        return
    ours: list[bool] = []

    def before() -> None:
        if _THREADS not in os.environ:
            ours.append(True)
            os.environ[_THREADS] = "false"

    def restore() -> None:
        if ours:
            ours.clear()
            os.environ.pop(_THREADS, None)

    os.register_at_fork(before=before, after_in_parent=restore)
