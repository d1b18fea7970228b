"""Discovery of plugins, their guarded loading, and look-up of components by name.

Nothing is loaded before the first look-up. Each plugin is loaded by itself: whatever goes wrong in
one is recorded, what it had registered is taken back, and the others go on.
"""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import importlib.util
import inspect
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
import pluggy

from textforge import hookspecs
from textforge.component import Component
from textforge.errors import AmbiguousComponent, PluginError, UnknownComponent, listed, nearest
from textforge.spec import NAME, Spec, parse_chain, parse_spec

if TYPE_CHECKING:
    from textforge.backends.base import Backend
    from textforge.corpora.base import Corpus
    from textforge.encoders.base import Encoder
    from textforge.samplers.base import Sampler

ENTRY_POINT_GROUP = "textforge"
DISABLE_VARIABLE = "TEXTFORGE_DISABLE_PLUGINS"

KINDS = {"corpus": "corpora", "encoder": "encoders", "backend": "backends", "sampler": "samplers"}
"""The kinds of component, and the room (and hook) each belongs to."""

C = TypeVar("C", bound=Component)


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


class Plugins:
    """The plugins of one run.

    `extra` names files and modules to load beside what is installed. `sources` replaces what is
    installed, for tests. `disabled` (else the variable ``TEXTFORGE_DISABLE_PLUGINS``) names
    distributions or entry points to leave out, separated by commas; ``all`` leaves only textforge's own.

    >>> Plugins().sampler("top-k:3")
    TopK(k=3)
    """

    def __init__(
        self,
        extra: Iterable[str | ModuleType] = (),
        *,
        sources: Iterable[Source] | None = None,
        disabled: str | None = None,
    ) -> None:
        self._extra = tuple(extra)
        self._sources = None if sources is None else tuple(sources)
        self._disabled = disabled

    @functools.cached_property
    def found(self) -> tuple[Plugin, ...]:
        """Every plugin, loaded: in the order of distributions, those named by hand last.

        Raises `PluginError` where one named by hand fails; of the others the error is recorded.
        """
        installed = installed_sources() if self._sources is None else self._sources
        disabled = os.environ.get(DISABLE_VARIABLE, "") if self._disabled is None else self._disabled
        plugins = [_load(source) for source in installed if not _is_disabled(source, disabled)]
        for name in self._extra:
            plugin = _load(_named_source(name))
            if plugin.error:
                raise PluginError(f"can't load the plugin {plugin.source.name}: {plugin.error}")
            plugins.append(plugin)
        return tuple(plugins)

    @property
    def failures(self) -> tuple[Plugin, ...]:
        """The plugins that failed to load."""
        return tuple(plugin for plugin in self.found if plugin.error)

    def components(self, kind: str) -> tuple[Registered, ...]:
        """Everything registered of a kind, by name."""
        found = [component for plugin in self.found for component in plugin.components if component.kind == kind]
        return tuple(sorted(found, key=lambda component: component.name))

    def names(self, kind: str) -> tuple[str, ...]:
        """The names there are of a kind."""
        return tuple(dict.fromkeys(component.name for component in self.components(kind)))

    def find(self, kind: str, name: str) -> type[Any]:
        """The class of that kind and name.

        Raises `UnknownComponent` or `AmbiguousComponent`.
        """
        found = [component for component in self.components(kind) if component.name == name]
        if not found:
            raise UnknownComponent(self._unknown(kind, name))
        if len(found) > 1:
            sources = " and ".join(component.source.title for component in found)
            raise AmbiguousComponent(
                f"{len(found)} plugins bring the {kind} {name!r}: {sources}; "
                f"uninstall one, or name one in {DISABLE_VARIABLE}"
            )
        return found[0].cls

    def _unknown(self, kind: str, name: str) -> str:
        names = self.names(kind)
        message = f"there is no {kind} {name!r}; installed: {listed(names)}{nearest(name, names)}"
        failed = "; ".join(f"{plugin.source.title} failed to load: {plugin.error}" for plugin in self.failures)
        return f"{message} ({failed})" if failed else message

    def corpus(self, spec: str | Corpus) -> Corpus:
        """The corpus a spec names."""
        return self._component("corpus", spec)  # type: ignore[no-any-return]

    def encoder(self, spec: str | Encoder) -> Encoder:
        """The encoder a spec names, not yet fitted."""
        return self._component("encoder", spec)  # type: ignore[no-any-return]

    def backend(self, spec: str | Backend) -> Backend:
        """The backend a spec names."""
        return self._component("backend", spec)  # type: ignore[no-any-return]

    def sampler(self, spec: str | Sampler) -> Sampler:
        """The sampler a spec names."""
        return self._component("sampler", spec)  # type: ignore[no-any-return]

    def chain(self, chain: str | Sampler | Sequence[str | Sampler]) -> list[Sampler]:
        """The samplers of a chain: a spec, an object, or a sequence of specs, chains and objects.

        Presets are not yet expanded.
        """
        if isinstance(chain, str):
            return [self._build("sampler", spec) for spec in parse_chain(chain)]
        if not isinstance(chain, Sequence):
            return [self.sampler(chain)]
        return [sampler for part in chain for sampler in self.chain(part)]

    def _component(self, kind: str, spec: Any) -> Any:
        if not isinstance(spec, str):
            _refuse_other(kind, spec)
            return spec
        return self._build(kind, parse_spec(spec))

    def _build(self, kind: str, spec: Spec) -> Any:
        return spec.build(self.find(kind, spec.name))


def _refuse_other(kind: str, value: Any) -> None:
    if not isinstance(value, base_class(kind)):
        raise PluginError(f"a {kind} is expected, as a spec or an object, got {value!r}")


def base_class(kind: str) -> type[Component]:
    """The class that components of a kind derive from."""
    module = importlib.import_module(f"textforge.{KINDS[kind]}.base")
    base: type[Component] = getattr(module, kind.capitalize())
    return base


def installed_sources() -> tuple[Source, ...]:
    """The entry points of the group ``textforge``, of every installed distribution."""
    entry_points = importlib.metadata.entry_points(group=ENTRY_POINT_GROUP)
    sources = [_entry_point_source(entry_point) for entry_point in entry_points]
    return tuple(sorted(sources, key=lambda source: (source.distribution != "textforge", source.title)))


def _entry_point_source(entry_point: importlib.metadata.EntryPoint) -> Source:
    distribution = entry_point.dist
    return Source(
        name=entry_point.name,
        distribution=distribution.name if distribution else None,
        version=distribution.version if distribution else None,
        load=entry_point.load,
    )


def _named_source(name: str | ModuleType) -> Source:
    if isinstance(name, ModuleType):
        return Source(name.__name__, None, None, lambda: name)
    return Source(name, None, None, lambda: import_file_or_module(name))


def import_file_or_module(name: str) -> ModuleType:
    """Import a plugin from ``path/to/file.py``, or from a module's dotted name."""
    path = Path(name)
    if path.suffix != ".py" and os.sep not in name:
        sys.path.insert(0, str(Path.cwd()))
        try:
            return importlib.import_module(name)
        finally:
            sys.path.pop(0)
    if not path.is_file():
        raise PluginError(f"there is no file {name}")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise PluginError(f"{name} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(path.stem, module)
    spec.loader.exec_module(module)
    return module


def _is_disabled(source: Source, disabled: str) -> bool:
    names = {name.strip() for name in disabled.split(",")} - {""}
    if source.distribution == "textforge":
        return False
    return bool(names & {"all", "1", source.name, source.distribution})


def _load(source: Source) -> Plugin:
    registered: list[Registered] = []
    try:
        module = source.load()
        _refuse_undecorated(module)
        _call_hooks(module, source, registered)
    except (Exception, SystemExit) as error:
        return Plugin(source, error=_reason(error))
    return Plugin(source, tuple(registered))


def _reason(error: BaseException) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, PluginError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _call_hooks(module: Any, source: Source, registered: list[Registered]) -> None:
    """Register a module with a plugin manager of its own, so that nothing of it reaches the others."""
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(module)
    _refuse_unknown_hooks(manager)
    for kind, hook in HOOKS.items():
        caller = getattr(manager.hook, hook)
        _refuse_default_arguments(caller)
        caller(register=functools.partial(_register, registered, kind, source))


HOOKS = {kind: f"register_{room}" for kind, room in KINDS.items()}
"""The hook of each kind."""


def _refuse_unknown_hooks(manager: pluggy.PluginManager) -> None:
    known = HOOKS.values()
    for name in sorted(set(vars(manager.hook)) - set(known)):
        if not name.startswith("_"):
            raise PluginError(f"there is no hook {name!r}; the hooks are {listed(known)}{nearest(name, known)}")


def _refuse_undecorated(module: Any) -> None:
    for hook in HOOKS.values():
        function = getattr(module, hook, None)
        if inspect.isroutine(function) and not hasattr(function, f"{hookspecs.PROJECT}_impl"):
            raise PluginError(f"{hook} is not marked: write @textforge.hookimpl above it")


def _refuse_default_arguments(caller: Any) -> None:
    for implementation in caller.get_hookimpls():
        if implementation.kwargnames:
            name = implementation.kwargnames[0]
            raise PluginError(
                f"the argument {name!r} of {caller.name} has a default, so it is never passed: remove the default"
            )


def _register(registered: list[Registered], kind: str, source: Source, cls: Any) -> None:
    base = base_class(kind)
    if not (inspect.isclass(cls) and issubclass(cls, base)):
        raise PluginError(
            f"{HOOKS[kind]} was given {cls!r}: a class derived from textforge.{base.__name__} is expected"
        )
    name = getattr(cls, "name", None)
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise PluginError(
            f"{cls.__name__}.name must be two characters or more of lower-case letters, digits and '-', got {name!r}"
        )
    if inspect.isabstract(cls):
        raise PluginError(f"the {kind} {name!r} lacks {listed(cls.__abstractmethods__)}")
    if kind == "backend" and not isinstance(getattr(cls, "architecture", None), str):
        raise PluginError(f"the backend {name!r} lacks `architecture`, the name of what it trains, such as 'lstm'")
    registered.append(Registered(kind, name, cls, source))
