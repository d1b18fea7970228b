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


def table_architecture(name: str) -> str:
    """A plugin with an architecture of that name, whose logits are a table, and its implementation on NumPy."""
    return f'''
import textforge

class Table(textforge.Architecture):
    "A table of logits."
    name = "{name}"

    def weights(self, vocabulary_size):
        return {{"table": textforge.Weight((vocabulary_size, vocabulary_size), textforge.normal(1.0), 0)}}

class TableModel(textforge.NumpyModel):
    def step(self, ids, state):
        return self.weights["table"][ids]

@textforge.hookimpl
def register_architectures(register):
    register(Table)

@textforge.hookimpl
def register_implementations(register):
    register(backend="numpy", architecture="{name}", by=f"{{__name__}}:TableModel")
'''
