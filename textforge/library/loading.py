"""The loading of what a bundle holds, to write with."""

from __future__ import annotations

from textforge.backends.base import Backend
from textforge.backends.choose import load_runner
from textforge.bundle import BundleContents
from textforge.library.generator import TextGenerator
from textforge.plugins.registry import Plugins


def load_contents(contents: BundleContents, backend: str | Backend | None, plugins: Plugins) -> TextGenerator:
    """Return the generator of what a bundle holds, run by a backend as `load` says."""
    model = load_runner(plugins, contents.model, backend, contents.architecture_plugin)
    return TextGenerator(model, contents.encoder, plugins=plugins, contents=contents)
