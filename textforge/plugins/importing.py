"""Importing a plugin that is named by hand, and objects by their import paths."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import os
import re
import sys
import types
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from textforge.components.values import quote
from textforge.errors import PluginError

PluginName = str | os.PathLike[str] | types.ModuleType
"""A plugin named by hand: a file, a module's dotted name, or a module."""

PATH = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")
"""An import path: ``package.module:Name``."""


def import_path(by: str, folders: Sequence[str] = ()) -> Any:
    """Import the object at a path, package.module:Name, looked for in these folders first."""
    module, _, names = by.partition(":")
    with folders_on_path(folders):
        return functools.reduce(getattr, names.split(".") if names else (), importlib.import_module(module))


def _is_file(name: str) -> bool:
    return name.endswith(".py") or any(separator in name for separator in (os.sep, os.altsep) if separator)


def identify(name: PluginName) -> object:
    """Return what is equal for two names of one file or module."""
    if isinstance(name, types.ModuleType):
        return id(name)
    text = os.fspath(name)
    return Path(text).resolve() if _is_file(text) else text


def folders_beside(name: str) -> list[str]:
    """Return the folders in which a plugin named by hand finds its other modules: the file's own, and the working one.

    >>> folders_beside("counts") == [str(Path.cwd())]
    True
    """
    here = str(Path.cwd())
    return list(dict.fromkeys([str(Path(name).resolve().parent), here])) if _is_file(name) else [here]


def import_file_or_module(name: str) -> types.ModuleType:
    """Import a plugin from ``path/to/file.py``, or from a module's dotted name, looked for in the working folder too.

    Raises `PluginError` where there is neither, and whatever the plugin raises.
    """
    if _is_file(name):
        with folders_on_path(folders_beside(name)):
            return _import_file(Path(name))
    if not all(part.isidentifier() for part in name.split(".")):
        raise PluginError(f"{quote(name)} is neither a file that ends in .py nor a module's name")
    with folders_on_path(folders_beside(name)):
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name and f"{name}.".startswith(f"{error.name}."):
                raise PluginError(f"there is no module {name}; a file is named with its ending, ./{name}.py") from None
            raise


@contextmanager
def folders_on_path(folders: Sequence[str]) -> Iterator[None]:
    """Look for modules in these folders first."""
    sys.path[:0] = folders
    try:
        yield
    finally:
        for folder in folders:
            if folder in sys.path:
                sys.path.remove(folder)


def _import_file(path: Path) -> types.ModuleType:
    if path.is_dir():
        package = path.resolve().name
        if (path / "__init__.py").is_file() and package.isidentifier():
            raise PluginError(f"{path} is a package: name it {package}, without a path, from the folder that holds it")
        raise PluginError(f"{path} is a folder: name a file in it")
    if not path.is_file():
        raise PluginError(f"there is no file {path}")
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
    """Return a name that no other module has, two files of one name in different folders included."""
    place = zlib.crc32(os.fsencode(path.resolve()))
    return f"textforge_file_{re.sub(r'[^A-Za-z0-9_]', '_', path.stem)}_{place:08x}"
