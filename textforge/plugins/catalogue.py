"""A run's plugins: what is installed or named by hand, each loaded once, when something of it is asked for."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable
from types import ModuleType

import attrs

from textforge.components.component import Component
from textforge.errors import PluginError
from textforge.plugins.clashes import Brought
from textforge.plugins.entry_points import DISABLE_VARIABLE, is_left_out
from textforge.plugins.implementations import Command, Implementation
from textforge.plugins.importing import PluginName
from textforge.plugins.loading import Plugin, Registered, load_plugin
from textforge.plugins.sources import IMPLEMENTATIONS, Source, find_named_sources


@attrs.frozen
class Candidate:
    """A component that a plugin brings: registered by a hook, or named by an entry point and not yet imported."""

    name: str
    by: str
    """The class's import path."""
    source: Source
    cls: type[Component] | None = None


class Catalogue:
    """The plugins of one run.

    A module with hooks is loaded at the first look-up, what an entry point names when it is looked up itself.
    """

    def __init__(
        self,
        extra: PluginName | Iterable[PluginName],
        find_sources: Callable[[], tuple[Source, ...]],
        disabled: str | None,
    ) -> None:
        self.extra = (extra,) if isinstance(extra, (str, os.PathLike, ModuleType)) else tuple(extra)
        self._find_sources = find_sources
        self._disabled = disabled
        self._loaded: dict[int, Plugin] = {}

    @functools.cached_property
    def _sources(self) -> tuple[Source, ...]:
        return self._find_sources()

    @functools.cached_property
    def disabled(self) -> tuple[Source, ...]:
        """The plugins that are installed and were left out."""
        disabled = os.environ.get(DISABLE_VARIABLE, "") if self._disabled is None else self._disabled
        return tuple(source for source in self._sources if is_left_out(source.distribution, source.name, disabled))

    @functools.cached_property
    def _enabled(self) -> tuple[Source, ...]:
        left_out = set(map(id, self.disabled))
        return tuple(source for source in self._sources if id(source) not in left_out)

    @functools.cached_property
    def named(self) -> tuple[Plugin, ...]:
        """The plugins named by hand, loaded; raises `PluginError` where one fails."""
        plugins = []
        for source in find_named_sources(self.extra):
            plugin = load_plugin(source)
            if plugin.error:
                raise PluginError(f"can't load the plugin {source.name}: {plugin.error}") from plugin.exception
            plugins.append(plugin)
        return tuple(plugins)

    @functools.cached_property
    def hooked(self) -> tuple[Plugin, ...]:
        """The plugins with hooks, loaded, those named by hand last."""
        return (*(self.load(source) for source in self._enabled if source.provides is None), *self.named)

    def load(self, source: Source) -> Plugin:
        """Return a plugin, loaded once."""
        if id(source) not in self._loaded:
            self._loaded[id(source)] = load_plugin(source)
        return self._loaded[id(source)]

    @property
    def loaded(self) -> tuple[Plugin, ...]:
        """The plugins that were loaded so far, those with hooks at least."""
        hooked = set(map(id, self.hooked))
        return (*self.hooked, *(plugin for plugin in self._loaded.values() if id(plugin) not in hooked))

    def load_all(self) -> tuple[Plugin, ...]:
        """Return every plugin, loaded, in the order of distributions, those named by hand last."""
        return (*map(self.load, self._enabled), *self.named)

    def list_providing(self, *kinds: str) -> list[Source]:
        """Return the entry points that name something of these kinds."""
        return [source for source in self._enabled if source.provides and source.provides.kind in kinds]

    def candidates(self, kind: str) -> list[Candidate]:
        """Return the components of a kind, without importing what an entry point names."""
        lazy = [
            Candidate(source.provides.name, source.provides.by, source)
            for source in self.list_providing(kind)
            if source.provides
        ]
        return lazy + [
            Candidate(found.name, found.by, found.source, found.cls)
            for plugin in self.hooked
            for found in plugin.components
            if found.kind == kind
        ]

    def paths(self) -> list[tuple[str, Source]]:
        """Return the import paths that are known without loading anything more, each with its plugin."""
        lazy = [(source.provides.by, source) for source in self._enabled if source.provides]
        for plugin in self.hooked:
            brought: tuple[Brought, ...] = (*plugin.components, *plugin.implementations, *plugin.commands)
            lazy += [(each.by, plugin.source) for each in brought]
        return lazy

    def components(self, kind: str) -> list[Registered]:
        """Return the components of a kind, all imported; those that fail are left out."""
        plugins = [*map(self.load, self.list_providing(kind)), *self.hooked]
        return [found for plugin in plugins for found in plugin.components if found.kind == kind]

    def implementations(self) -> list[Implementation]:
        """Return the implementations, not imported."""
        plugins = [*map(self.load, self.list_providing(*IMPLEMENTATIONS.values())), *self.hooked]
        return [found for plugin in plugins for found in plugin.implementations]

    def commands(self) -> list[Command]:
        """Return the commands, not imported."""
        plugins = [*map(self.load, self.list_providing("command")), *self.hooked]
        return [found for plugin in plugins for found in plugin.commands]
