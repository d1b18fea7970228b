"""The loading of one plugin by itself.

Whatever goes wrong in a plugin is recorded, and what it had registered is taken back.
"""

from __future__ import annotations

import functools
import inspect
import sys
import time
import types
from collections.abc import Callable
from typing import Any

import attrs
import pluggy

import textforge
from textforge.components.component import Component
from textforge.components.spec import NAME
from textforge.components.values import quote
from textforge.errors import PluginError, list_names, nearest
from textforge.plugins import hookspecs
from textforge.plugins.aside import print_aside
from textforge.plugins.implementations import Command, Implementation, make_command, make_implementation
from textforge.plugins.kinds import KINDS, base_class
from textforge.plugins.sources import IMPLEMENTATIONS, Provided, Source, state_reason

HOOKS = (*(kind.hook for kind in KINDS.values()), "register_implementations", "register_commands")
"""The hooks, in the order in which they are called."""


@attrs.frozen
class Registered:
    """A component class, and the plugin that brought it."""

    kind: str
    name: str
    cls: type[Component]
    source: Source

    @property
    def by(self) -> str:
        """The class's import path."""
        return f"{self.cls.__module__}:{self.cls.__qualname__}"


@attrs.frozen
class Plugin:
    """A plugin that was found: what it registered, or why it failed."""

    source: Source
    components: tuple[Registered, ...] = ()
    implementations: tuple[Implementation, ...] = ()
    commands: tuple[Command, ...] = ()
    error: str | None = None
    exception: BaseException | None = attrs.field(default=None, eq=False, repr=False)
    """The error that was raised, where it failed."""
    seconds: float = attrs.field(default=0.0, eq=False)
    """Seconds that loading took, those of whatever it was the first to import included."""


@attrs.define
class _Collected:
    """The components that a plugin registers."""

    source: Source
    components: list[Registered] = attrs.field(factory=list)
    implementations: list[Implementation] = attrs.field(factory=list)
    commands: list[Command] = attrs.field(factory=list)

    def receivers(self) -> dict[str, Callable[..., None]]:
        """Return the function that each hook is given."""
        receivers: dict[str, Callable[..., None]] = {
            "register_implementations": self.add_implementation,
            "register_commands": self.add_command,
        }
        return receivers | {kind.hook: functools.partial(self.add_component, name) for name, kind in KINDS.items()}

    def add_component(self, kind: str, cls: Any) -> None:
        """Register a component's class."""
        self.components.append(make_registered(self.source, kind, cls))

    def add_implementation(
        self,
        backend: str | None = None,
        architecture: str | None = None,
        by: str | None = None,
        trains: bool | None = None,
        format: str | None = None,
    ) -> None:
        """Register an implementation's import path."""
        self.implementations.append(make_implementation(self.source, backend, architecture, by, trains, format))

    def add_command(self, name: str, by: str, summary: str | None = None) -> None:
        """Register a command's import path."""
        self.commands.append(make_command(self.source, name, by, summary))

    def add_provided(self, provided: Provided) -> None:
        """Register what an entry point names: a component is imported, the others keep their paths."""
        if provided.kind in IMPLEMENTATIONS.values():
            name, _, architecture = provided.name.partition(".")
            backend, format = (name, None) if provided.kind == "implementation" else (None, name)
            self.add_implementation(backend, architecture, provided.by, format=format)
        elif provided.kind == "command":
            self.commands.append(Command(provided.name, provided.by, None, self.source))  # metadata may say any name
        else:
            self.add_named(provided)

    def add_named(self, provided: Provided) -> None:
        """Import the component that an entry point names, and register it."""
        cls = self.source.load()
        for module in _modules_around(provided.by):
            _refuse_newer_interface(module)
        self.add_component(provided.kind, cls)
        if cls.name != provided.name:
            raise PluginError(
                f"its entry point is called {provided.name!r}, and {cls.__name__}.name is {cls.name!r}: "
                "give both the same name"
            )


def _modules_around(by: str) -> list[Any]:
    """Return the package and the module at an import path: either may say which interface it is written to."""
    module = by.partition(":")[0]
    names = dict.fromkeys([module.partition(".")[0], module])
    return [sys.modules[name] for name in names if name in sys.modules]


def load_plugin(source: Source) -> Plugin:
    """Return what a plugin registers, or what failed: an entry point's object, or a module whose hooks are called."""
    collected = _Collected(source)
    started = time.perf_counter()
    try:
        with print_aside():  # what a plugin prints as it is imported is no result
            if source.provides:
                collected.add_provided(source.provides)
            else:
                _call_hooks(source.load(), collected.receivers())
    except (Exception, SystemExit) as error:
        reason = state_reason(error, source)
        return Plugin(source, error=reason, exception=error, seconds=time.perf_counter() - started)
    return Plugin(
        source,
        tuple(collected.components),
        tuple(collected.implementations),
        tuple(collected.commands),
        seconds=time.perf_counter() - started,
    )


def _call_hooks(module: Any, receivers: dict[str, Callable[..., None]]) -> None:
    """Register a module with a plugin manager of its own, so that nothing of it reaches the others."""
    _refuse_newer_interface(module)
    _refuse_undecorated(module)
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    # Only what is there already: a module that loads its names lazily must not load them now.
    manager.register(types.SimpleNamespace(**vars(module)) if isinstance(module, types.ModuleType) else module)
    _refuse_unknown_hooks(manager)
    callers = [getattr(manager.hook, hook) for hook in HOOKS]
    if not any(caller.get_hookimpls() for caller in callers):
        raise PluginError(f"it has no hook: write one of {list_names(HOOKS)}, with @textforge.hookimpl above it")
    for caller in callers:
        _refuse_other_arguments(caller)
        results = caller(register=receivers[caller.name])
        if results:
            raise PluginError(f"{caller.name} gave back {quote(results[0])}: call register(…) for each instead")


def _refuse_newer_interface(module: Any) -> None:
    needed = getattr(module, "__dict__", {}).get("PLUGIN_API", 1)  # not what a module would load lazily
    if not isinstance(needed, int) or isinstance(needed, bool) or needed < 1:
        raise PluginError(f"PLUGIN_API must be a whole number >= 1, got {quote(needed)}")
    if needed > textforge.PLUGIN_API:
        raise PluginError(
            f"it needs version {needed} of the plugin interface, and textforge {textforge.__version__} has "
            f"{textforge.PLUGIN_API}: install a newer textforge"
        )


def _refuse_undecorated(module: Any) -> None:
    for hook in HOOKS:
        function = getattr(module, hook, None)
        if inspect.isroutine(function) and not hasattr(function, f"{hookspecs.PROJECT}_impl"):
            raise PluginError(f"{hook} is not marked: write @textforge.hookimpl above it")


def _refuse_unknown_hooks(manager: pluggy.PluginManager) -> None:
    for name in sorted(set(vars(manager.hook)) - set(HOOKS)):
        if not name.startswith("_"):
            raise PluginError(f"there is no hook {name!r}; the hooks are {list_names(HOOKS)}{nearest(name, HOOKS)}")


def _refuse_other_arguments(caller: Any) -> None:
    for implementation in caller.get_hookimpls():
        if implementation.kwargnames:
            name = implementation.kwargnames[0]
            raise PluginError(
                f"the argument {name!r} of {caller.name} has a default, so it is never passed: remove the default"
            )
        if not implementation.argnames:
            raise PluginError(f"{caller.name} has no argument `register`: write def {caller.name}(register)")


def make_registered(source: Source, kind: str, cls: Any) -> Registered:
    """Return a class that a plugin registers as a component of a kind, checked."""
    base: Any = base_class(kind)
    if not (inspect.isclass(cls) and issubclass(cls, base)):
        expected = f"the class {type(cls).__name__}" if isinstance(cls, base) else "a class derived from it"
        raise PluginError(
            f"{KINDS[kind].hook} was given {quote(cls)}: textforge.{base.__name__} is what it is for, "
            f"so register {expected}"
        )
    name = getattr(cls, "name", None)
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise PluginError(
            f"{cls.__name__}.name must be two characters or more of lower-case letters, digits and '-', "
            f"got {quote(name)}"
        )
    if inspect.isabstract(cls):
        raise PluginError(f"the {kind} {name!r} lacks {list_names(vars(cls)['__abstractmethods__'])}")
    component: Any = cls
    return Registered(kind, name, component, source)
