"""Where plugins come from: entry points of what is installed, and files and modules named by hand."""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import importlib.util
import os
import re
import sys
import types
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs

from textforge.components.values import shown
from textforge.errors import PluginError

ENTRY_POINT_GROUP = "textforge"

PluginName = str | os.PathLike[str] | types.ModuleType
"""A plugin named by hand: a file, a module's dotted name, or a module."""


@attrs.frozen
class Source:
    """Where a plugin comes from: an entry point of a distribution, or a file or module named by hand."""

    name: str
    """The entry point's name, or the file or module as it was given."""
    distribution: str | None
    version: str | None
    load: Callable[[], Any] = attrs.field(eq=False, repr=False)

    @property
    def title(self) -> str:
        """How messages call it."""
        return f"{self.distribution} ({self.name})" if self.distribution else self.name


def installed_sources() -> tuple[Source, ...]:
    """The entry points of the group ``textforge``, of every installed distribution, textforge's own first."""
    try:
        sources = [_entry_point_source(point) for point in importlib.metadata.entry_points(group=ENTRY_POINT_GROUP)]
    except Exception:  # one distribution's unreadable file must not hide the others
        found = [source for each in importlib.metadata.distributions() for source in _sources_of(each)]
        sources = list(dict.fromkeys(found))  # a folder may be on the path twice
    return tuple(sorted(sources, key=lambda source: (source.distribution != "textforge", source.title)))


def _entry_point_source(point: importlib.metadata.EntryPoint) -> Source:
    return Source(point.name, *_name_and_version(point.dist), point.load)


def _sources_of(distribution: importlib.metadata.Distribution) -> list[Source]:
    try:
        return [_entry_point_source(point) for point in distribution.entry_points.select(group=ENTRY_POINT_GROUP)]
    except Exception as error:
        failure = PluginError(f"its entry_points.txt can't be read ({type(error).__name__}); install it again")
        return [Source("entry_points.txt", *_name_and_version(distribution), functools.partial(_fail, failure))]


def _fail(error: Exception) -> None:
    raise error


def _name_and_version(distribution: importlib.metadata.Distribution | None) -> tuple[str | None, str | None]:
    try:
        return (distribution.name, distribution.version) if distribution else (None, None)
    except Exception:  # metadata that is missing says nothing against the plugin
        return None, None


def named_sources(names: Iterable[PluginName]) -> list[Source]:
    """The plugins named by hand; a file named twice is one."""
    return list({_identity(name): _named_source(name) for name in names}.values())


def _is_file(name: str) -> bool:
    return name.endswith(".py") or any(separator in name for separator in (os.sep, os.altsep) if separator)


def _identity(name: PluginName) -> object:
    if isinstance(name, types.ModuleType):
        return id(name)
    text = os.fspath(name)
    return Path(text).resolve() if _is_file(text) else text


def _named_source(name: PluginName) -> Source:
    if isinstance(name, types.ModuleType):
        return Source(name.__name__, None, None, lambda: name)
    text = os.fspath(name)
    return Source(text, None, None, functools.partial(import_file_or_module, text))


def import_file_or_module(name: str) -> types.ModuleType:
    """Import a plugin from ``path/to/file.py``, or from a module's dotted name, looked for in the working folder too.

    Raises `PluginError` where there is neither, and whatever the plugin raises.
    """
    if _is_file(name):
        return _import_file(Path(name))
    if not all(part.isidentifier() for part in name.split(".")):
        raise PluginError(f"{shown(name)} is neither a file that ends in .py nor a module's name")
    with working_folder_on_path():
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name and f"{name}.".startswith(f"{error.name}."):
                raise PluginError(f"there is no module {name}; a file is named with its ending, ./{name}.py") from None
            raise


@contextmanager
def working_folder_on_path(wanted: bool = True) -> Iterator[None]:
    """Look for modules in the working folder first, unless that is not wanted."""
    if not wanted:
        yield
        return
    folder = str(Path.cwd())
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        if folder in sys.path:
            sys.path.remove(folder)


def _import_file(path: Path) -> types.ModuleType:
    if not path.is_file():
        raise PluginError(f"{path} is a folder: name a file in it" if path.is_dir() else f"there is no file {path}")
    name = _module_name(path)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise PluginError(f"{path} is no Python file: its name must end in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up while it runs
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return module


def _module_name(path: Path) -> str:
    """A name that no other module has, two files of one name in different folders included."""
    place = zlib.crc32(os.fsencode(path.resolve()))
    return f"textforge_file_{re.sub(r'[^A-Za-z0-9_]', '_', path.stem)}_{place:08x}"


def state_reason(error: BaseException, source: Source) -> str:
    """Return on one line why something of a plugin failed."""
    try:
        text = " ".join(str(error).split())
    except Exception:  # a stranger's `__str__` may fail as well
        text = ""
    if isinstance(error, PluginError):
        return text
    if isinstance(error, ModuleNotFoundError):
        # Only a distribution's own name is safe to propose: a module's may be a stranger's on the index.
        text += f"; pip install {source.distribution} may bring it" if source.distribution else "; install what has it"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
