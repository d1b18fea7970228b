"""The loading of one plugin by itself.

Whatever goes wrong in a plugin is recorded, and what it had registered is taken back.
"""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Callable
from typing import Any

import attrs
import pluggy

import textforge
from textforge.components.component import Component
from textforge.components.spec import NAME
from textforge.components.values import shown
from textforge.errors import PluginError, listed, nearest
from textforge.plugins import hookspecs
from textforge.plugins.implementations import Implementation, make_implementation
from textforge.plugins.kinds import KINDS, base_class
from textforge.plugins.sources import Source, state_reason

HOOKS = (*(kind.hook for kind in KINDS.values()), "register_implementations")
"""The hooks, in the order in which they are called."""


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
    implementations: tuple[Implementation, ...] = ()
    error: str | None = None
    exception: BaseException | None = attrs.field(default=None, eq=False, repr=False)
    """What was raised, where it failed."""


@attrs.define
class _Collected:
    """What a plugin registers while its hooks are called."""

    source: Source
    components: list[Registered] = attrs.field(factory=list)
    implementations: list[Implementation] = attrs.field(factory=list)

    def receivers(self) -> dict[str, Callable[..., None]]:
        """The function that each hook is given."""
        receivers: dict[str, Callable[..., None]] = {
            kind.hook: functools.partial(self.add_component, name) for name, kind in KINDS.items()
        }
        return receivers | {"register_implementations": self.add_implementation}

    def add_component(self, kind: str, cls: Any) -> None:
        """Register a component's class."""
        self.components.append(make_registered(self.source, kind, cls))

    def add_implementation(self, backend: str, architecture: str, by: str, trains: bool | None = None) -> None:
        """Register an implementation's import path."""
        self.implementations.append(make_implementation(self.source, backend, architecture, by, trains))


def load_plugin(source: Source) -> Plugin:
    """Import a plugin and call its hooks; where anything fails, what failed instead of what it registered."""
    collected = _Collected(source)
    try:
        _call_hooks(source.load(), collected.receivers())
    except (Exception, SystemExit) as error:
        return Plugin(source, error=state_reason(error, source), exception=error)
    return Plugin(source, tuple(collected.components), tuple(collected.implementations))


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
        raise PluginError(f"it has no hook: write one of {listed(HOOKS)}, with @textforge.hookimpl above it")
    for caller in callers:
        _refuse_other_arguments(caller)
        results = caller(register=receivers[caller.name])
        if results:
            raise PluginError(f"{caller.name} gave back {shown(results[0])}: call register(…) for each instead")


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
    for hook in HOOKS:
        function = getattr(module, hook, None)
        if inspect.isroutine(function) and not hasattr(function, f"{hookspecs.PROJECT}_impl"):
            raise PluginError(f"{hook} is not marked: write @textforge.hookimpl above it")


def _refuse_unknown_hooks(manager: pluggy.PluginManager) -> None:
    for name in sorted(set(vars(manager.hook)) - set(HOOKS)):
        if not name.startswith("_"):
            raise PluginError(f"there is no hook {name!r}; the hooks are {listed(HOOKS)}{nearest(name, HOOKS)}")


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
            f"{KINDS[kind].hook} was given {shown(cls)}: textforge.{base.__name__} is what it is for, "
            f"so register {expected}"
        )
    name = getattr(cls, "name", None)
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise PluginError(
            f"{cls.__name__}.name must be two characters or more of lower-case letters, digits and '-', "
            f"got {shown(name)}"
        )
    if inspect.isabstract(cls):
        raise PluginError(f"the {kind} {name!r} lacks {listed(vars(cls)['__abstractmethods__'])}")
    component: Any = cls
    return Registered(kind, name, component, source)
