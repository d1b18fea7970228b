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
from typing import TYPE_CHECKING, Any

from textforge.components.spec import Spec, parse_chain, parse_spec
from textforge.components.values import shown
from textforge.errors import AmbiguousComponent, PluginError, UnknownComponent, listed, nearest
from textforge.plugins.loading import (
    KINDS,
    Plugin,
    PluginName,
    Registered,
    Source,
    base_class,
    installed_sources,
    load_plugin,
    named_sources,
)

if TYPE_CHECKING:
    from textforge.backends.base import Backend
    from textforge.corpora.base import Corpus
    from textforge.encoders.base import Encoder
    from textforge.samplers.base import Sampler

__all__ = ["DISABLE_VARIABLE", "KINDS", "Plugin", "Plugins", "Registered", "Source"]

DISABLE_VARIABLE = "TEXTFORGE_DISABLE_PLUGINS"


OWN_DISTRIBUTIONS = {
    ("backend", "torch"): "textforge-torch",
    ("backend", "torch-conv"): "textforge-torch",
    ("backend", "keras"): "textforge-keras",
    ("backend", "keras-conv"): "textforge-keras",
}
"""What textforge's own plugins bring that are installed by themselves."""


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

    def __getstate__(self) -> dict[str, Any]:
        """Return what names the plugins, modules among them by name: another process loads them anew."""
        names = tuple(name.__name__ if isinstance(name, ModuleType) else name for name in self._extra)
        return {"_extra": names, "_sources": self._sources, "_disabled": self._disabled}

    def __deepcopy__(self, memo: dict[int, Any]) -> Plugins:
        """Return the registry itself: what it has loaded are classes, of which there is one each."""
        return self

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
        notes = self.notes(OWN_DISTRIBUTIONS.get((kind, name)))
        message = f"there is no {kind} {shown(name)}; installed: {listed(names)}{nearest(name, names)}"
        return f"{message} ({'; '.join(notes)})" if notes else message

    def notes(self, distribution: str | None) -> list[str]:
        """Why something may not be there: the distribution that brings it isn't installed, or a plugin doesn't load."""
        missing = distribution is not None and not self._knows(distribution)
        notes = [f"{distribution} brings it: pip install {distribution}"] if missing else []
        notes += [f"{plugin.source.title} failed to load: {plugin.error}" for plugin in self.failures]
        return notes + [f"{source.title} is left out by {DISABLE_VARIABLE}" for source in self.disabled]

    def _knows(self, distribution: str) -> bool:
        """Whether a distribution is installed, if only to fail or to be left out."""
        sources = [*(plugin.source for plugin in self.found), *self.disabled]
        return any(source.distribution == distribution for source in sources)

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
    base = base_class(kind)
    if isinstance(value, base):
        return
    hint = f": write {value.__name__}(…)" if inspect.isclass(value) and issubclass(value, base) else ""
    article = "an" if kind == "encoder" else "a"
    raise PluginError(f"{article} {kind} is expected, as a spec or an object, got {shown(value)}{hint}")


def _is_disabled(source: Source, disabled: str) -> bool:
    if source.distribution == "textforge":
        return False
    names = {_normal(name) for name in disabled.split(",")} - {""}
    return bool(names & {"all", "1", _normal(source.name), _normal(source.distribution or "")})


def _normal(name: str) -> str:
    """A name as package indexes compare it: ``Textforge_Min.P`` is ``textforge-min-p``."""
    return re.sub(r"[-_.]+", "-", name.strip()).lower()
