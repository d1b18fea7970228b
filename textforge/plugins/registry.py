"""The plugins of one run, and look-up of what they bring by name.

Nothing is loaded before the first look-up; `textforge.plugins.loading` loads each plugin by itself.
"""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable, Iterable, Sequence
from types import ModuleType
from typing import Any

from textforge.components.spec import Spec, parse_chain, parse_spec
from textforge.components.values import quote
from textforge.errors import PluginError, PluginWarning, UnknownComponent, list_names, nearest
from textforge.plugins.blame import blame, path_of
from textforge.plugins.catalogue import Candidate, Catalogue
from textforge.plugins.clashes import Brought, T, describe_hidden, settle
from textforge.plugins.entry_points import DISABLE_VARIABLE, is_core
from textforge.plugins.implementations import Command, Implementation
from textforge.plugins.importing import PluginName
from textforge.plugins.kinds import KINDS, base_class
from textforge.plugins.loading import Plugin, Registered
from textforge.plugins.sources import Source, find_installed_sources

__all__ = ["DISABLE_VARIABLE", "KINDS", "Command", "Implementation", "Plugin", "Plugins", "Registered", "Source"]


class Plugins:
    """The plugins of one run.

    `extra` names files and modules to load beside what is installed. `sources` replaces what is
    installed, for tests. `disabled` (else the variable ``TEXTFORGE_DISABLE_PLUGINS``) names
    distributions or entry points to leave out, separated by commas; ``all`` leaves only textforge's own.

    Where plugins clash, textforge's own component wins, and `warn` is told once what it hides; without one it is a
    `textforge.errors.PluginWarning`. ``NAME@DISTRIBUTION`` in a spec, as in ``top-k@textforge-foo:40``, reaches either.

    >>> Plugins().sampler("top-k:3")
    TopK(k=3)
    """

    def __init__(
        self,
        extra: PluginName | Iterable[PluginName] = (),
        *,
        sources: Iterable[Source] | None = None,
        disabled: str | None = None,
        warn: Callable[[str], None] | None = None,
    ) -> None:
        given = None if sources is None else tuple(sources)
        self._catalogue = Catalogue(extra, lambda: find_installed_sources() if given is None else given, disabled)
        self._given = self._catalogue.extra, given, disabled
        self._warn = warn or _warn
        self._told: set[str] = set()

    def __reduce__(self) -> tuple[Any, ...]:
        """Return what names the plugins, modules among them by name: another process looks for them anew."""
        extra, sources, disabled = self._given
        names = tuple(name.__name__ if isinstance(name, ModuleType) else name for name in extra)
        return _make_plugins, (names, sources, disabled)

    def __deepcopy__(self, memo: dict[int, Any]) -> Plugins:
        """Return the registry itself: what it has loaded are classes, of which there is one each."""
        return self

    @functools.cached_property
    def found(self) -> tuple[Plugin, ...]:
        """Every plugin, loaded: in the order of distributions, those named by hand last.

        Raises `PluginError` where one named by hand fails; of the others the error is recorded.
        """
        return self._catalogue.load_all()

    @property
    def disabled(self) -> tuple[Source, ...]:
        """The plugins that are installed and were left out."""
        return self._catalogue.disabled

    @property
    def failures(self) -> tuple[Plugin, ...]:
        """The plugins that failed to load, of those that look-ups have loaded so far."""
        return tuple(plugin for plugin in self._catalogue.loaded if plugin.error)

    def components(self, kind: str) -> tuple[Registered, ...]:
        """Return everything registered of a kind, by name; all of it is imported."""
        _check_kind(kind)
        return tuple(sorted(self._catalogue.components(kind), key=lambda component: component.name))

    def names(self, kind: str) -> tuple[str, ...]:
        """Return the names there are of a kind; what entry points name is not imported."""
        _check_kind(kind)
        return tuple(sorted({candidate.name for candidate in self._catalogue.candidates(kind)}))

    def find(self, kind: str, name: str, preferred: str | None = None) -> type[Any]:
        """Return the class of that kind and name, which may be ``NAME@DISTRIBUTION``; nothing else is imported.

        Where several have the name, the one of the plugin `preferred` is meant, a distribution or a file as
        `find_source` says it.

        Raises `UnknownComponent`, or `AmbiguousComponent` where two plugins bring different classes and textforge
        itself none, or `PluginError` where the one that is meant can't be imported.
        """
        _check_kind(kind)
        name, _, handle = name.partition("@")
        found = [candidate for candidate in self._catalogue.candidates(kind) if candidate.name == name]
        if not found:
            raise UnknownComponent(self._describe_unknown(kind, name))
        if preferred and not handle:
            found = [each for each in found if each.source.is_recorded_as(preferred)] or found
        return self._class_of(kind, self._settle(found, f"{kind} {name!r}", name, handle))

    def find_source(self, kind: str, component: Any) -> Source | None:
        """Return the plugin that brings a component's class; None where none does. Nothing is imported."""
        cls = component if isinstance(component, type) else type(component)
        for each in self._catalogue.candidates(kind):
            if each.cls is cls or (each.cls is None and each.by == path_of(cls)):
                return each.source
        return None

    def _settle(self, found: Sequence[T], title: str, name: str | None = None, handle: str = "") -> T:
        """Return the one of `found` that a name and what was written behind its ``@`` mean."""
        meant = [each for each in found if each.source.is_called(handle)] if handle else found
        if not meant:
            handles = list_names(dict.fromkeys(each.source.handle for each in found))
            raise UnknownComponent(f"{handle} brings no {title}; it is brought by: {handles}")
        chosen, hidden = settle(meant, title, name)
        for each in hidden:
            self._tell(describe_hidden(each, title, name))
        return chosen

    def _tell(self, message: str) -> None:
        if message not in self._told:
            self._told.add(message)
            self._warn(message)

    def _class_of(self, kind: str, candidate: Candidate) -> type[Any]:
        if candidate.cls is not None:
            return candidate.cls
        plugin = self._catalogue.load(candidate.source)
        if plugin.error:
            raise PluginError(
                f"can't load the {kind} {candidate.name!r} of the plugin {candidate.source.title}: {plugin.error}"
            ) from plugin.exception
        return plugin.components[0].cls

    def note_clash(self, what: str, name: str, brought: Brought) -> str | None:
        """Return what is to be said where a name doesn't mean what `brought` is: hidden, or refused; else None.

        `what` is a kind of component or ``command``.
        """
        title = f"{what} {name!r}"
        same = [each for each in self._brought(what) if each.name == name]
        try:
            _, hidden = settle(same, title, name)
        except PluginError as error:
            return str(error)
        return describe_hidden(brought, title, name) if brought.source in [each.source for each in hidden] else None

    def _brought(self, what: str) -> Sequence[Any]:
        return self._catalogue.commands() if what == "command" else self._catalogue.candidates(what)

    def _describe_unknown(self, kind: str, name: str) -> str:
        names = self.names(kind)
        hint = nearest(name, names) or "; if a plugin brings it, install that plugin"
        return self._with_notes(f"there is no {kind} {quote(name)}; installed: {list_names(names)}{hint}")

    def _with_notes(self, message: str) -> str:
        notes = self.notes()
        return f"{message} ({'; '.join(notes)})" if notes else message

    def notes(self) -> list[str]:
        """Return why something may not be there: plugins that failed to load, or were left out."""
        notes = [f"{plugin.source.title} failed to load: {plugin.error}" for plugin in self.failures]
        titles = dict.fromkeys(source.title for source in self.disabled)
        return notes + [f"{title} is left out by {DISABLE_VARIABLE}" for title in titles]

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

    def implementations(self, kind: str = "backend", of: type[Any] | None = None) -> tuple[Implementation, ...]:
        """Return every implementation that was registered for backends, or for formats, by names; none is imported.

        With `of`, an architecture's class, those of that architecture alone. Where several plugins bring one of its
        name, each has the implementations that its own plugin registers, and what the bare name means all others.
        """
        found = [each for each in self._catalogue.implementations() if each.kind == kind]
        if of is not None:
            found = self._keep_those_of(of, [each for each in found if each.architecture == of.name])
        return tuple(sorted(found, key=lambda each: (each.backend, each.architecture)))

    def _keep_those_of(self, cls: type[Any], found: list[Implementation]) -> list[Implementation]:
        owner = self.find_source("architecture", cls)
        rivals = {each.source.handle for each in self._catalogue.candidates("architecture") if each.name == cls.name}
        if owner is None or rivals <= {owner.handle}:
            return found
        others = is_core(owner.distribution)  # are meant for what the bare name means
        return [
            each
            for each in found
            if each.source.handle == owner.handle or (others and each.source.handle not in rivals)
        ]

    def implementation(self, backend: str, architecture: str | type[Any], kind: str = "backend") -> Implementation:
        """Return what computes an architecture on a backend, or what a format needs of it; not yet imported.

        `architecture` is a class, or a name. Of several, textforge's own is meant, else that of the plugin that brings
        the backend. Raises `UnknownComponent`, which names the backends that do, or `AmbiguousComponent` where other
        plugins bring different ones.
        """
        cls = None if isinstance(architecture, str) else architecture
        name = architecture if isinstance(architecture, str) else architecture.name
        wanted = (backend, name)
        found = [each for each in self.implementations(kind, cls) if (each.backend, each.architecture) == wanted]
        if not found:
            raise UnknownComponent(self._with_notes(self._describe_unimplemented(backend, name, kind)))
        title = f"implementation of {name!r} on {backend!r}"
        return self._settle(self._prefer_brought_with(backend, kind, found, title), title)

    def _prefer_brought_with(
        self, backend: str, kind: str, found: list[Implementation], title: str
    ) -> list[Implementation]:
        """Return the implementations of the plugin that brings the backend, or all where it brings none of them."""
        handles = {each.source.handle for each in self._catalogue.candidates(kind) if each.name == backend}
        own = [each for each in found if each.source.handle in handles]
        if not own or any(is_core(each.source.distribution) for each in found):
            return found
        for each in found:
            if each not in own:
                self._tell(describe_hidden(each, title, None, f"that of {own[0].source.title}"))
        return own

    def _describe_unimplemented(self, backend: str, architecture: str, kind: str) -> str:
        able = {each.backend for each in self.implementations(kind) if each.architecture == architecture}
        missing = f"there is no implementation of the architecture {quote(architecture)} on {quote(backend)}"
        return f"{missing}; it is implemented on: {list_names(able)}"

    def commands(self) -> tuple[Command, ...]:
        """Return every command that plugins bring, by name; none is imported."""
        return tuple(sorted(self._catalogue.commands(), key=lambda command: command.name))

    def command(self, name: str) -> Command:
        """Return the command of that name, which may be ``NAME@DISTRIBUTION``; not yet imported.

        Raises `UnknownComponent`, or `AmbiguousComponent` where two plugins bring different ones.
        """
        name, _, handle = name.partition("@")
        found = [command for command in self.commands() if command.name == name]
        if not found:
            raise UnknownComponent(self._with_notes(f"no plugin brings a command {quote(name)}"))
        return self._settle(found, f"command {name!r}", name, handle)

    def packages(self) -> dict[str, str]:
        """Return the titles of plugins by the top-level packages that their code is in, without textforge's own.

        >>> "textforge" in Plugins().packages()
        False
        """
        found = [(path.partition(":")[0].partition(".")[0], source) for path, source in self._catalogue.paths()]
        return {package: source.title for package, source in found if package != "textforge"}

    def _component(self, kind: str, spec: Any) -> Any:
        if not isinstance(spec, str):
            _refuse_other(kind, spec)
            return spec
        return self._build(kind, parse_spec(spec))

    def _build(self, kind: str, spec: Spec) -> Any:
        cls = self.find(kind, spec.reference)
        with blame(cls, f"to be made from {spec.reference}"):
            return spec.build(cls)


def _make_plugins(extra: tuple[PluginName, ...], sources: tuple[Source, ...] | None, disabled: str | None) -> Plugins:
    return Plugins(extra, sources=sources, disabled=disabled)


def _warn(message: str) -> None:
    warnings.warn(message, PluginWarning, stacklevel=5)


def _check_kind(kind: str) -> None:
    if kind not in KINDS:
        raise PluginError(f"there is no kind of component {kind!r}; the kinds are {list_names(KINDS)}")


def _refuse_other(kind: str, value: Any) -> None:
    base = base_class(kind)
    if isinstance(value, base):
        return
    hint = f": write {value.__name__}(…)" if inspect.isclass(value) and issubclass(value, base) else ""
    article = "an" if kind[0] in "ae" else "a"
    raise PluginError(f"{article} {kind} is expected, as a spec or an object, got {quote(value)}{hint}")
