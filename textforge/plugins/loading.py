"""Where plugins come from, and the loading of one of them by itself.

Whatever goes wrong in a plugin is recorded, and what it had registered is taken back.
"""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import importlib.util
import inspect
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
import pluggy

import textforge
from textforge.components.component import Component
from textforge.components.spec import NAME
from textforge.components.values import shown
from textforge.errors import PluginError, listed, nearest
from textforge.plugins import hookspecs

ENTRY_POINT_GROUP = "textforge"

KINDS = {"corpus": "corpora", "encoder": "encoders", "backend": "backends", "sampler": "samplers"}
"""The kinds of component, and the room (and hook) each belongs to."""

HOOKS = {kind: f"register_{room}" for kind, room in KINDS.items()}
"""The hook of each kind."""

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


@attrs.frozen
class Registered:
    """A component class, and the plugin that brought it."""

    kind: str
    name: str
    cls: type[Component]
    source: Source


@attrs.frozen
class Plugin:
    """A plugin that was found: what it registered, or why it failed."""

    source: Source
    components: tuple[Registered, ...] = ()
    error: str | None = None
    exception: BaseException | None = attrs.field(default=None, eq=False, repr=False)
    """What was raised, where it failed."""


def base_class(kind: str) -> type[Component]:
    """The class that components of a kind derive from."""
    module = importlib.import_module(f"textforge.{KINDS[kind]}.base")
    base: type[Component] = getattr(module, kind.capitalize())
    return base


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
    with _working_folder_on_path():
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name and f"{name}.".startswith(f"{error.name}."):
                raise PluginError(f"there is no module {name}; a file is named with its ending, ./{name}.py") from None
            raise


@contextmanager
def _working_folder_on_path() -> Iterator[None]:
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


def load_plugin(source: Source) -> Plugin:
    """Import a plugin and call its hooks; where anything fails, what failed instead of what it registered."""
    registered: list[Registered] = []
    try:
        _call_hooks(source.load(), source, registered)
    except (Exception, SystemExit) as error:
        return Plugin(source, error=_reason(error, source), exception=error)
    return Plugin(source, tuple(registered))


def _reason(error: BaseException, source: Source) -> str:
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


def _call_hooks(module: Any, source: Source, registered: list[Registered]) -> None:
    """Register a module with a plugin manager of its own, so that nothing of it reaches the others."""
    _refuse_newer_interface(module)
    _refuse_undecorated(module)
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    # Only what is there already: a module that loads its names lazily must not load them now.
    manager.register(types.SimpleNamespace(**vars(module)) if isinstance(module, types.ModuleType) else module)
    _refuse_unknown_hooks(manager)
    callers = {kind: getattr(manager.hook, hook) for kind, hook in HOOKS.items()}
    if not any(caller.get_hookimpls() for caller in callers.values()):
        raise PluginError(f"it has no hook: write one of {listed(HOOKS.values())}, with @textforge.hookimpl above it")
    for kind, caller in callers.items():
        _refuse_other_arguments(caller)
        results = caller(register=functools.partial(_register, registered, kind, source))
        if results:
            raise PluginError(f"{caller.name} gave back {shown(results[0])}: call register(…) for each class instead")


def _refuse_newer_interface(module: Any) -> None:
    needed = getattr(module, "__dict__", {}).get("PLUGIN_API", 1)  # not what a module would load lazily
    if not isinstance(needed, int) or isinstance(needed, bool) or needed < 1:
        raise PluginError(f"PLUGIN_API must be a whole number >= 1, got {shown(needed)}")
    if needed > textforge.PLUGIN_API:
        raise PluginError(
            f"it needs version {needed} of the plugin interface, and textforge {textforge.__version__} has "
            f"{textforge.PLUGIN_API}: pip install --upgrade textforge"
        )


def _refuse_undecorated(module: Any) -> None:
    for hook in HOOKS.values():
        function = getattr(module, hook, None)
        if inspect.isroutine(function) and not hasattr(function, f"{hookspecs.PROJECT}_impl"):
            raise PluginError(f"{hook} is not marked: write @textforge.hookimpl above it")


def _refuse_unknown_hooks(manager: pluggy.PluginManager) -> None:
    known = HOOKS.values()
    for name in sorted(set(vars(manager.hook)) - set(known)):
        if not name.startswith("_"):
            raise PluginError(f"there is no hook {name!r}; the hooks are {listed(known)}{nearest(name, known)}")


def _refuse_other_arguments(caller: Any) -> None:
    for implementation in caller.get_hookimpls():
        if implementation.kwargnames:
            name = implementation.kwargnames[0]
            raise PluginError(
                f"the argument {name!r} of {caller.name} has a default, so it is never passed: remove the default"
            )
        if not implementation.argnames:
            raise PluginError(f"{caller.name} has no argument `register`: write def {caller.name}(register)")


def _register(registered: list[Registered], kind: str, source: Source, cls: Any) -> None:
    base = base_class(kind)
    if not (inspect.isclass(cls) and issubclass(cls, base)):
        expected = f"the class {type(cls).__name__}" if isinstance(cls, base) else "a class derived from it"
        raise PluginError(
            f"{HOOKS[kind]} was given {shown(cls)}: textforge.{base.__name__} is what it is for, so register {expected}"
        )
    name = getattr(cls, "name", None)
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise PluginError(
            f"{cls.__name__}.name must be two characters or more of lower-case letters, digits and '-', "
            f"got {shown(name)}"
        )
    if inspect.isabstract(cls):
        raise PluginError(f"the {kind} {name!r} lacks {listed(cls.__abstractmethods__)}")
    if kind == "backend" and not isinstance(getattr(cls, "architecture", None), str):
        raise PluginError(f"the backend {name!r} lacks `architecture`, the name of what it trains, such as 'lstm'")
    registered.append(Registered(kind, name, cls, source))
