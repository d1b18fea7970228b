"""The encoder ``bpe``: byte-pair encoding, and any other tokenizer, by Hugging Face's tokenizers.

This module is light: tokenizers is imported only when an encoder is fitted or used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from textforge_tokenizers.encoder import BPEEncoder

__all__ = ["BPEEncoder"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'textforge_tokenizers' has no attribute {name!r}")
    return getattr(importlib.import_module("textforge_tokenizers.encoder"), name)
