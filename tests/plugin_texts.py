"""Plugins as texts, and sources that load them."""

from __future__ import annotations

import types

from textforge.plugins.registry import Source

HEAD = """
import textforge

class Halve(textforge.Sampler):
    "Halve the logits."
    name = "halve"
    by: float = textforge.option(default=2, gt=0, help="By how much.")

    def __call__(self, logits, context):
        return logits / self.by
"""
HOOK = """
@textforge.hookimpl
def register_samplers(register):
    register(Halve)
"""
HALVE = HEAD + HOOK


def other(name: str) -> str:
    """The plugin with a sampler of another name."""
    return HALVE.replace('"halve"', f'"{name}"')


def source(text: str, name: str = "fake", distribution: str | None = None) -> Source:
    """A plugin that is this text."""

    def load() -> types.ModuleType:
        module = types.ModuleType(f"fake_{name}")
        exec(text, vars(module))
        return module

    return Source(name, distribution, None if distribution is None else "1.0", load)


def implementing(statement: str) -> str:
    """A plugin that registers an implementation by this statement."""
    return f"import textforge\n@textforge.hookimpl\ndef register_implementations(register):\n    {statement}\n"
