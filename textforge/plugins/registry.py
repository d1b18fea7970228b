"""The plugins of one run, and look-up of components by name.

Nothing is loaded before the first look-up; `textforge.plugins.loading` loads each plugin by itself.
"""

from __future__ import annotations

import functools
import inspect
import os
import re
from collections.abc import Iterable, Sequence
from types import ModuleType
from typing import Any

from textforge.components.spec import Spec, parse_chain, parse_spec
from textforge.components.values import shown
from textforge.errors import AmbiguousComponent, PluginError, UnknownComponent, listed, nearest
from textforge.plugins.implementations import Implementation
from textforge.plugins.kinds import KINDS, base_class
from textforge.plugins.loading import Plugin, Registered, load_plugin
from textforge.plugins.sources import PluginName, Source, installed_sources, named_sources

__all__ = ["DISABLE_VARIABLE", "KINDS", "Implementation", "Plugin", "Plugins", "Registered", "Source"]

DISABLE_VARIABLE = "TEXTFORGE_DISABLE_PLUGINS"


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
        extra: PluginName | Iterable[PluginName] = (),
        *,
        sources: Iterable[Source] | None = None,
        disabled: str | None = None,
    ) -> None:
        self._extra = (extra,) if isinstance(extra, (str, os.PathLike, ModuleType)) else tuple(extra)
        self._sources = None if sources is None else tuple(sources)
        self._disabled = disabled

    @functools.cached_property
    def found(self) -> tuple[Plugin, ...]:
        """Every plugin, loaded: in the order of distributions, those named by hand last.

        Raises `PluginError` where one named by hand fails; of the others the error is recorded.
        """
        plugins = [load_plugin(source) for source in self._installed if source not in self.disabled]
        for source in named_sources(self._extra):
            plugin = load_plugin(source)
            if plugin.error:
                raise PluginError(f"can't load the plugin {source.name}: {plugin.error}") from plugin.exception
            plugins.append(plugin)
        return tuple(plugins)

    @functools.cached_property
    def _installed(self) -> tuple[Source, ...]:
        return installed_sources() if self._sources is None else self._sources

    @functools.cached_property
    def disabled(self) -> tuple[Source, ...]:
        """The plugins that are installed and were left out."""
        disabled = os.environ.get(DISABLE_VARIABLE, "") if self._disabled is None else self._disabled
        return tuple(source for source in self._installed if _is_disabled(source, disabled))

    @property
    def failures(self) -> tuple[Plugin, ...]:
        """The plugins that failed to load."""
        return tuple(plugin for plugin in self.found if plugin.error)

    def components(self, kind: str) -> tuple[Registered, ...]:
        """Everything registered of a kind, by name."""
        if kind not in KINDS:
            raise PluginError(f"there is no kind of component {kind!r}; the kinds are {listed(KINDS)}")
        found = [component for plugin in self.found for component in plugin.components if component.kind == kind]
        return tuple(sorted(found, key=lambda component: component.name))

    def names(self, kind: str) -> tuple[str, ...]:
        """The names there are of a kind."""
        return tuple(dict.fromkeys(component.name for component in self.components(kind)))

    def find(self, kind: str, name: str) -> type[Any]:
        """The class of that kind and name.

        Raises `UnknownComponent`, or `AmbiguousComponent` where two plugins bring different classes.
        """
        found = [component for component in self.components(kind) if component.name == name]
        if not found:
            raise UnknownComponent(self._unknown(kind, name))
        if any(component.cls is not found[0].cls for component in found):
            sources = " and ".join(dict.fromkeys(component.source.title for component in found))
            raise AmbiguousComponent(
                f"more than one {kind} is called {name!r}, by {sources}; "
                f"uninstall one, or name one in {DISABLE_VARIABLE}"
            )
        return found[0].cls

    def _unknown(self, kind: str, name: str) -> str:
        names = self.names(kind)
        message = f"there is no {kind} {shown(name)}; installed: {listed(names)}{nearest(name, names)}"
        return self._with_notes(message)

    def _with_notes(self, message: str) -> str:
        notes = self.notes()
        return f"{message} ({'; '.join(notes)})" if notes else message

    def notes(self, distribution: str | None = None) -> list[str]:
        """Return why something may not be there: plugins that failed to load, or were left out.

        `distribution` is what would bring it, where that is known.
        """
        missing = distribution is not None and not self._knows(distribution)
        notes = [f"{distribution} brings it: pip install {distribution}"] if missing else []
        notes += [f"{plugin.source.title} failed to load: {plugin.error}" for plugin in self.failures]
        return notes + [f"{source.title} is left out by {DISABLE_VARIABLE}" for source in self.disabled]

    def _knows(self, distribution: str) -> bool:
        """Return whether a distribution is installed, if only to fail or to be left out."""
        sources = [*(plugin.source for plugin in self.found), *self.disabled]
        return any(source.distribution == distribution for source in sources)

    def corpus(self, spec: Any) -> Any:
        """Return the corpus a spec names; an object of the kind stands for itself."""
        return self._component("corpus", spec)

    def encoder(self, spec: Any) -> Any:
        """Return the encoder a spec names, not yet fitted; an object of the kind stands for itself."""
        return self._component("encoder", spec)

    def architecture(self, spec: Any) -> Any:
        """Return the architecture a spec names; an object of the kind stands for itself."""
        return self._component("architecture", spec)

    def backend(self, spec: Any) -> Any:
        """Return the backend a spec names; an object of the kind stands for itself."""
        return self._component("backend", spec)

    def sampler(self, spec: Any) -> Any:
        """Return the sampler a spec names; an object of the kind stands for itself."""
        return self._component("sampler", spec)

    def format(self, spec: Any) -> Any:
        """Return the format a spec names; an object of the kind stands for itself."""
        return self._component("format", spec)

    def report(self, spec: Any) -> Any:
        """Return the report a spec names; an object of the kind stands for itself."""
        return self._component("report", spec)

    def metric(self, spec: Any) -> Any:
        """Return the metric a spec names; an object of the kind stands for itself."""
        return self._component("metric", spec)

    def chain(self, chain: Any) -> list[Any]:
        """Return the samplers of a chain: a spec, an object, or a sequence of specs, chains and objects.

        Presets are not yet expanded.
        """
        if isinstance(chain, str):
            return [self._build("sampler", spec) for spec in parse_chain(chain)]
        if not isinstance(chain, Sequence):
            return [self.sampler(chain)]
        return [sampler for part in chain for sampler in self.chain(part)]

    def implementations(self) -> tuple[Implementation, ...]:
        """Return every implementation that was registered, by backend and architecture."""
        found = [implementation for plugin in self.found for implementation in plugin.implementations]
        return tuple(sorted(found, key=lambda found: (found.backend, found.architecture)))

    def implementation(self, backend: str, architecture: str) -> Implementation:
        """Return what computes an architecture on a backend; not yet imported.

        Raises `UnknownComponent`, which names the backends that do, or `AmbiguousComponent` where two plugins bring
        different ones.
        """
        found = [
            each for each in self.implementations() if (each.backend, each.architecture) == (backend, architecture)
        ]
        if not found:
            raise UnknownComponent(self._with_notes(self._unimplemented(backend, architecture)))
        if any(each.by != found[0].by for each in found):
            sources = " and ".join(dict.fromkeys(each.source.title for each in found))
            raise AmbiguousComponent(
                f"more than one plugin implements the architecture {architecture!r} on {backend!r}: {sources}; "
                f"uninstall one, or name one in {DISABLE_VARIABLE}"
            )
        return found[0]

    def _unimplemented(self, backend: str, architecture: str) -> str:
        able = {each.backend for each in self.implementations() if each.architecture == architecture}
        missing = f"there is no implementation of the architecture {shown(architecture)} on {shown(backend)}"
        return f"{missing}; it is implemented on: {listed(able)}"

    def _component(self, kind: str, spec: Any) -> Any:
        if not isinstance(spec, str):
            _refuse_other(kind, spec)
            return spec
        return self._build(kind, parse_spec(spec))

    def _build(self, kind: str, spec: Spec) -> Any:
        return spec.build(self.find(kind, spec.name))


def _refuse_other(kind: str, value: Any) -> None:
    base = base_class(kind)
    if isinstance(value, base):
        return
    hint = f": write {value.__name__}(…)" if inspect.isclass(value) and issubclass(value, base) else ""
    article = "an" if kind[0] in "ae" else "a"
    raise PluginError(f"{article} {kind} is expected, as a spec or an object, got {shown(value)}{hint}")


def _is_disabled(source: Source, disabled: str) -> bool:
    if source.distribution == "textforge":
        return False
    names = {_normal(name) for name in disabled.split(",")} - {""}
    return bool(names & {"all", "1", _normal(source.name), _normal(source.distribution or "")})


def _normal(name: str) -> str:
    """A name as package indexes compare it: ``Textforge_Min.P`` is ``textforge-min-p``."""
    return re.sub(r"[-_.]+", "-", name.strip()).lower()
