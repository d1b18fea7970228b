"""For each check of a backend, a backend that fails it and passes the others."""

from __future__ import annotations

import types
from typing import Any

import attrs

import textforge
from textforge.errors import BackendError
from textforge.testing import BackendCase


class GoodBackend(textforge.Backend):
    """Computes in NumPy."""

    name = "good"
    speed: int = textforge.option(default=1, ge=1, help="Number that means nothing.")

    def load(self, saved: textforge.SavedModel, architecture: Any, implementation: Any) -> textforge.Model:
        model: textforge.Model = implementation(saved)
        return model


def make_plugins(by: str, architecture: str = "good") -> textforge.Plugins:
    """Return the plugins of a run with the backend, its architecture and this implementation."""
    plugin = types.ModuleType("plugin_of_good")

    def register_architectures(register: Any) -> None:
        from conformance.broken_architectures import GoodArchitecture

        register(GoodArchitecture)

    def register_backends(register: Any) -> None:
        register(GoodBackend)

    def register_implementations(register: Any) -> None:
        register(backend="good", architecture=architecture, by=by)

    for hook in (register_architectures, register_backends, register_implementations):
        setattr(plugin, hook.__name__, textforge.hookimpl(hook))
    return textforge.Plugins(plugin, disabled="all")


class Missing(GoodBackend):
    """Needs a framework that isn't there."""

    def require(self) -> None:
        raise BackendError("the backend good needs a framework, which is not installed: run `pip install it`")


class Printing(GoodBackend):
    """Says what it imports."""

    def require(self) -> None:
        print("importing")


GOOD = BackendCase(GoodBackend(), make_plugins("conformance.good_model:GoodModel"))
BROKEN = [
    (attrs.evolve(GOOD, component=Missing()), "use"),
    (attrs.evolve(GOOD, component=Printing()), "silent"),
    (attrs.evolve(GOOD, plugins=make_plugins("conformance.good_model:BadModel")), "implementations"),
    (attrs.evolve(GOOD, plugins=make_plugins("conformance.good_model:GoodModel", "bad")), "implementations"),
]
