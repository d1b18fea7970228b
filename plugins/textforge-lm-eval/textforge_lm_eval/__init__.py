"""A saved model as a model of EleutherAI's lm-evaluation-harness: the class, and the command ``lm-eval``.

This module is light: lm_eval is imported when `TextforgeLM` is first used, or a command is run.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from textforge_lm_eval.model import TextforgeLM

__all__ = ["TextforgeLM"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'textforge_lm_eval' has no attribute {name!r}")
    from textforge_lm_eval._library import LM_EVAL

    LM_EVAL.require("textforge")
    return getattr(importlib.import_module("textforge_lm_eval.model"), name)
