"""Implementations: one architecture on one backend, named by an import path and imported when a model is made."""

from __future__ import annotations

import importlib
import re
from typing import Any

import attrs

from textforge.components.spec import NAME
from textforge.components.values import shown
from textforge.errors import PluginError, TextforgeError
from textforge.plugins.sources import Source, state_reason, working_folder_on_path

PATH = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")
"""An import path: ``package.module:Name``."""


@attrs.frozen
class Implementation:
    """What computes an architecture on a backend, or draws it in a format, and the plugin that brought it."""

    backend: str
    """The backend's name, or the format's."""
    architecture: str
    by: str
    """The import path, ``package.module:Name``."""
    source: Source
    trains: bool | None = None
    """Whether it can be trained, where that isn't as the backend declares."""

    def load(self) -> Any:
        """Import the object and return it.

        Raises `PluginError`, which names the plugin, where it can't be imported; an error of textforge's own, such as
        a missing framework's, passes.
        """
        module, _, name = self.by.partition(":")
        try:
            with working_folder_on_path(self.source.distribution is None):
                return getattr(importlib.import_module(module), name)
        except TextforgeError:
            raise
        except (Exception, SystemExit) as error:
            raise PluginError(
                f"can't load {self.by}, which computes the architecture {self.architecture} on {self.backend}, of the "
                f"plugin {self.source.title}: {state_reason(error, self.source)}"
            ) from error


def make_implementation(
    source: Source, backend: Any, architecture: Any, by: Any, trains: bool | None = None
) -> Implementation:
    """Return the implementation that a plugin registers, checked."""
    for role, name in (("backend", backend), ("architecture", architecture)):
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise PluginError(f"register_implementations needs the {role}'s name as a text, got {shown(name)}")
    if not isinstance(by, str) or not PATH.fullmatch(by):
        raise PluginError(
            f"register_implementations needs an import path, by='package.module:Name', for {architecture} on "
            f"{backend}, got {shown(by)}"
        )
    if trains is not None and not isinstance(trains, bool):
        raise PluginError(f"register_implementations needs trains=True, False or None, got {shown(trains)}")
    return Implementation(backend, architecture, by, source, trains)
