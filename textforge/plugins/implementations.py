"""Things that plugins bring by import path: implementations, imported when a model is made, and commands, when run."""

from __future__ import annotations

from typing import Any

import attrs

from textforge.components.spec import NAME
from textforge.components.values import quote
from textforge.errors import PluginError
from textforge.plugins.importing import PATH
from textforge.plugins.sources import Source, load_path


@attrs.frozen
class Implementation:
    """An architecture on a backend, or in a format, and the plugin that brought it."""

    backend: str
    """The backend's name, or the format's."""
    architecture: str
    by: str
    """The import path, ``package.module:Name``."""
    source: Source
    trains: bool | None = None
    """True where it can be trained; None: as the backend declares."""
    kind: str = "backend"
    """``backend`` or ``format``: what `backend` is the name of."""

    def load(self) -> Any:
        """Import the object and return it.

        Raises `PluginError`, which names the plugin, where it can't be imported; an error of textforge's own, such as
        a missing framework's, passes.
        """
        return load_path(
            self.by, self.source, f"which computes the architecture {self.architecture} on {self.backend},"
        )


@attrs.frozen
class Command:
    """A click command, and the plugin that brought it."""

    name: str
    by: str
    """The import path, ``package.module:command``."""
    summary: str | None
    """The line that lists of commands have of it; None where the plugin gave none."""
    source: Source

    def load(self) -> Any:
        """Import the command and return it; raises `PluginError`, which names the plugin, where it can't be."""
        return load_path(self.by, self.source, f"the command {self.name!r}")


def make_implementation(
    source: Source, backend: Any, architecture: Any, by: Any, trains: bool | None = None, format: Any = None
) -> Implementation:
    """Return the implementation that a plugin registers for a backend or a format, checked."""
    if backend is not None and format is not None:
        raise PluginError("register_implementations needs backend=… or format=…, and was given both")
    kind, backend = ("backend", backend) if format is None else ("format", format)
    for role, name in ((kind, backend), ("architecture", architecture)):
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise PluginError(f"register_implementations needs the {role}'s name as a text, got {quote(name)}")
    if not isinstance(by, str) or not PATH.fullmatch(by):
        raise PluginError(
            f"register_implementations needs an import path, by='package.module:Name', for {architecture} on "
            f"{backend}, got {_tell_given(by)}"
        )
    if trains is not None and not isinstance(trains, bool):
        raise PluginError(f"register_implementations needs trains=True, False or None, got {quote(trains)}")
    return Implementation(backend, architecture, by, source, trains, kind)


def make_command(source: Source, name: Any, by: Any, summary: Any) -> Command:
    """Return the command that a plugin registers, checked."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise PluginError(
            "register_commands needs the command's name, two characters or more of lower-case letters, digits and "
            f"'-', got {quote(name)}"
        )
    if not isinstance(by, str) or not PATH.fullmatch(by):
        raise PluginError(
            f"register_commands needs an import path, by='package.module:command', for {name}, got {_tell_given(by)}"
        )
    if summary is not None and not isinstance(summary, str):
        raise PluginError(f"the summary of the command {name} must be a text, got {quote(summary)}")
    return Command(name, by, summary, source)


def _tell_given(by: Any) -> str:
    """Return what was given for an import path, and of an object how its path is written."""
    name = getattr(by, "__qualname__", None)
    if not isinstance(name, str) or not all(part.isidentifier() for part in name.split(".")):
        return quote(by)
    return f'{quote(by)}: write by=f"{{__name__}}:{name}" for what stands in the same file'
