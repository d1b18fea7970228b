"""Sources of plugins: entry points of what is installed, and files and modules named by hand."""

from __future__ import annotations

import functools
import os
import types
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import attrs

from textforge.components.spec import NAME
from textforge.components.values import quote
from textforge.errors import PluginError, TextforgeError, state_error
from textforge.plugins.entry_points import COMMANDS, MODULES, Point, is_core, normalize, read_points
from textforge.plugins.importing import (
    PluginName,
    folders_beside,
    identify,
    import_file_or_module,
    import_path,
)
from textforge.plugins.kinds import GROUPS

IMPLEMENTATIONS = {
    "textforge.implementations": "implementation",
    "textforge.format_implementations": "format implementation",
}
"""The groups of entry points that name implementations, of backends and of formats."""


class Provided(NamedTuple):
    """The one thing that an entry point names, known before it is imported."""

    kind: str
    """The kind of component, or ``implementation``, ``format implementation`` or ``command``."""
    name: str
    """The name; of an implementation ``backend.architecture``."""
    by: str
    """The import path."""


@attrs.frozen
class Source:
    """The origin of a plugin: an entry point of a distribution, or a file or module named by hand."""

    name: str
    """The entry point's name, or the file or module as it was given."""
    distribution: str | None
    version: str | None
    load: Callable[[], Any] = attrs.field(eq=False, repr=False)
    provides: Provided | None = None
    """The one thing it brings, where the entry point names it; else its hooks say what it brings."""

    @property
    def title(self) -> str:
        """The name by which messages call it."""
        return f"{self.distribution} ({self.name})" if self.distribution else self.name

    @property
    def handle(self) -> str:
        """The text behind ``@`` that means its components: its distribution, or a file's or module's name."""
        return self.distribution or Path(self.name).name

    def is_recorded_as(self, name: str) -> bool:
        """Return whether a bundle that records `name` means it; textforge itself had another name before."""
        if is_core(self.distribution) or is_core(name):
            return is_core(self.distribution) and is_core(name)
        return name in (self.distribution, self.name)

    def is_called(self, handle: str) -> bool:
        """Return whether `handle` names it, whatever its case and its dashes."""
        if is_core(self.distribution):
            return is_core(handle)
        names = {self.handle} if self.distribution else {self.handle, Path(self.name).stem}
        return normalize(handle) in map(normalize, names)


def find_installed_sources() -> tuple[Source, ...]:
    """Return a source for each entry point of the groups that textforge reads, textforge's own first."""
    points = read_points((MODULES, *GROUPS, *IMPLEMENTATIONS, COMMANDS))
    return tuple(sorted(map(_make_source, points), key=lambda source: (not is_core(source.distribution), source.title)))


def _make_source(point: Point) -> Source:
    make = functools.partial(Source, point.name, point.distribution, point.version)
    error = point.error or _find_fault(point)
    if error:
        return make(functools.partial(_fail, error))
    if point.group == MODULES:
        return make(point.load)
    kind = {**GROUPS, **IMPLEMENTATIONS, COMMANDS: "command"}[point.group]
    return make(point.load, Provided(kind, point.name, point.path))


def _find_fault(point: Point) -> str | None:
    """Return what is wrong with the name of an entry point, or None."""
    if point.group in GROUPS and not NAME.fullmatch(point.name):
        wanted = "a component's name: two characters or more of lower-case letters, digits and '-'"
    elif point.group in IMPLEMENTATIONS and not all(map(NAME.fullmatch, _split(point.name))):
        wanted = 'two names with a dot between, the architecture\'s last, such as "numpy.lstm"'
    else:
        return None
    return f"an entry point of {point.group} must be called by {wanted}; got {quote(point.name)}"


def _split(name: str) -> tuple[str, str]:
    backend, _, architecture = name.partition(".")
    return backend, architecture


def _fail(message: str) -> None:
    raise PluginError(message)


def find_named_sources(names: Iterable[PluginName]) -> list[Source]:
    """Return the plugins named by hand; a file named twice is one."""
    return list({identify(name): _named_source(name) for name in names}.values())


def _named_source(name: PluginName) -> Source:
    if isinstance(name, types.ModuleType):
        return Source(name.__name__, None, None, lambda: name)
    text = os.fspath(name)
    return Source(text, None, None, functools.partial(import_file_or_module, text))


def load_path(by: str, source: Source, what: str) -> Any:
    """Import the object at a path that a plugin gave.

    Raises `PluginError`, which names the plugin, where it can't be imported; an error of textforge's own, such as a
    missing framework's, passes.
    """
    try:
        return import_path(by, folders_beside(source.name) if source.distribution is None else ())
    except TextforgeError:
        raise
    except (Exception, SystemExit) as error:
        reason = state_reason(error, source)
        raise PluginError(f"can't load {by}, {what} of the plugin {source.title}: {reason}") from error


def state_reason(error: BaseException, source: Source) -> str:
    """Return on one line why something of a plugin failed."""
    text = state_error(error)
    if isinstance(error, PluginError):
        return text.removeprefix(f"{type(error).__name__}: ")
    if isinstance(error, ModuleNotFoundError):
        if (error.name or "").startswith("textforge."):
            return f"{text}; it was written for another version of textforge"
        # Only a distribution's own name is safe to propose: a module's may be a stranger's on the index.
        text += f"; pip install {source.distribution} may bring it" if source.distribution else "; install what has it"
    return text
