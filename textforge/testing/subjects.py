"""Components to be checked, and what they are checked with, from what a user wrote."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from textforge.architectures.base import Architecture
from textforge.backends.base import Backend
from textforge.backends.choose import resolve_parts
from textforge.bundle.reader import Bundle
from textforge.components.component import Component
from textforge.components.spec import Spec, parse_spec
from textforge.corpora.base import END_OF_TEXT
from textforge.encoders.base import Encoder
from textforge.errors import OptionError, PluginError, SpecError, UnknownComponent, advise, list_names, nearest
from textforge.formats.base import Format
from textforge.model import SavedModel
from textforge.plugins.registry import Plugin, Plugins
from textforge.testing.cases import Case
from textforge.testing.checks import CASES, case_of
from textforge.testing.model_cases import ImplementationCase
from textforge.testing.texts import HARD_TEXTS, PLAIN_TEXT

CHECKED = tuple(case.kind for case in CASES.values())
"""The kinds of component that are checked."""
IMPLEMENTATION = ImplementationCase.kind
UNCHECKED = {
    "report": "see it at work, `textforge train … --report {name}`",
    "metric": "see it at work, `textforge evaluate … --metric {name}`",
    "command": "run it, `textforge {name}`",
}
"""The kinds that there are no checks of, and what shows more of a component of each."""

if TYPE_CHECKING:
    from collections.abc import Sequence


class NoChecks(PluginError):
    """The error that there are no checks of something."""


class Unloaded(PluginError):
    """The error that a plugin failed to load."""


OBSTACLES = (NoChecks, OptionError, UnknownComponent)
"""The errors of making a case that say why something can't be checked, and are no fault of it."""


@attrs.frozen
class Subject:
    """Something that is to be checked."""

    kind: str
    name: str
    make: Callable[..., Case]
    """Makes its case, from what the case's class takes beside the component; raises one of `OBSTACLES` where there are
    no checks of its kind, an option is needed, or a backend that it is for isn't installed."""


@attrs.frozen
class Fittings:
    """An encoder, a model and a tolerance to check with, each None unless given."""

    encoder: Encoder | None = None
    model: SavedModel | None = None
    tolerance: float | None = None

    @classmethod
    def of(cls, plugins: Plugins, *, encoder: str | None, model: Path | None, tolerance: float | None) -> Fittings:
        """Fit the encoder that a spec names to the kit's texts, or take a bundle's, and read the bundle's model.

        Raises `BundleError` for what is no bundle, and whatever is wrong with the spec.
        """
        bundle = None if model is None else Bundle.open(model)
        if encoder is not None:
            texts = [part for text in (PLAIN_TEXT, *HARD_TEXTS) for part in (text, END_OF_TEXT)]
            return cls(plugins.encoder(encoder).fit(texts), None if bundle is None else bundle.model(), tolerance)
        if bundle is not None:
            return cls(bundle.encoder(plugins), bundle.model(), tolerance)
        return cls(tolerance=tolerance)

    def details(self, kind: str) -> dict[str, Any]:
        """Return what of them the case of a kind takes."""
        of_kind: dict[str, dict[str, Any]] = {
            "sampler": {"encoder": self.encoder, "tolerance": self.tolerance},
            "implementation": {"saved": self.model, "tolerance": self.tolerance},
        }
        return {name: value for name, value in of_kind.get(kind, {}).items() if value is not None}


def refuse_idle(kinds: Iterable[str], **given: object) -> None:
    """Raise `PluginError` where an encoder or a model was given that is of use for none of the kinds."""
    users = {"encoder": ("sampler",), "model": ("sampler", "implementation")}
    for name, value in given.items():
        if value is not None and not set(users[name]).intersection(kinds):
            others = " and ".join(map(_with_article, dict.fromkeys(kinds)))
            raise PluginError(
                f"--{name} is for checking {' or '.join(map(_with_article, users[name]))}, not {others}: leave it out"
            )


def _with_article(kind: str) -> str:
    return f"{'an' if kind[0] in 'aei' else 'a'} {kind}"


def subjects(plugins: Plugins, name: str, kind: str | None = None, backend: str | None = None) -> list[Subject]:
    """Return what a component's spec, or a distribution's name, stands for.

    With a `backend`, an architecture's spec stands for its implementation on that. A distribution stands for all its
    components and implementations, with their defaults.

    Raises `UnknownComponent` for what is neither, and `PluginError` for what could be components of several kinds, or
    is a distribution that failed to load, and whatever is wrong with the spec.

    >>> [(subject.kind, subject.make().component) for subject in subjects(Plugins(), "top-k:3")]
    [('sampler', TopK(k=3))]
    """
    if backend is not None:
        return [Subject(IMPLEMENTATION, name, functools.partial(ImplementationCase.of, plugins, backend, name))]
    spec = _spec(name)
    bare = spec.name.partition("@")[0] if spec else None
    kinds = [one for one in CHECKED if spec and bare in plugins.names(one) and kind in (None, one)]
    if len(kinds) > 1:
        raise PluginError(f"{name!r} is the name of {' and '.join(kinds)}: say which one with ", advise("kind"))
    if spec and kinds:
        component = spec.build(plugins.find(kinds[0], spec.reference))
        return [Subject(kinds[0], spec.reference, functools.partial(_make_case, plugins, lambda: component))]
    brought = [plugin for plugin in plugins.found if _is_called(plugin, name)]
    if brought and all(plugin.error for plugin in brought):
        _refuse_unloaded(brought[0])
    if not brought and bare and (unchecked := _find_unchecked(plugins, bare)):
        _refuse_unchecked(unchecked, bare)
    if not brought:
        raise UnknownComponent(_describe_unknown(plugins, spec.name if spec else name, kind))
    if found := _of(plugins, brought, kind):
        return found
    raise NoChecks(f"{name} brings nothing that could be checked{f' of the kind {kind}' if kind else ''}")


def _find_unchecked(plugins: Plugins, name: str) -> str | None:
    """Return the kind of what has the name, of those that there are no checks of."""
    kinds = [kind for kind in UNCHECKED if kind != "command" and name in plugins.names(kind)]
    return next(iter(kinds), "command" if name in [each.name for each in plugins.commands()] else None)


def _refuse_unloaded(plugin: Plugin, **details: Any) -> Any:
    raise Unloaded(f"{plugin.source.title} failed to load: {plugin.error}")


def _refuse_unchecked(kind: str, name: str, **details: Any) -> Any:
    raise NoChecks(f"{name} is a {kind}, of which there are no checks: {UNCHECKED[kind].format(name=name)}")


def _make_case(plugins: Plugins, make: Callable[[], Component], **details: Any) -> Case:
    component = make()
    if isinstance(component, (Backend, Format)):
        details["plugins"] = plugins
    if isinstance(component, Architecture):
        component = resolve_parts(plugins, component)
    return case_of(component, **details)


def _spec(name: str) -> Spec | None:
    try:
        return parse_spec(name)
    except SpecError:
        if ":" in name:
            raise
        return None


def _is_called(plugin: Plugin, name: str) -> bool:
    """Return whether a plugin's distribution, or the file or module that was named by hand, has that name."""
    distribution = (plugin.source.distribution or "").replace("_", "-").lower()
    return name.replace("_", "-").lower() == distribution or (not distribution and name == plugin.source.name)


def _of(plugins: Plugins, brought: Sequence[Plugin], kind: str | None) -> list[Subject]:
    """Return what plugins bring, each once: a hook and an entry point may both name it."""
    found: dict[tuple[str, str], Subject] = {}

    def add(kind_found: str, name: str, make: Callable[..., Case]) -> None:
        if kind in (None, kind_found):
            found.setdefault((kind_found, name), Subject(kind_found, name, make))

    for plugin in brought:
        if plugin.error:
            name = plugin.source.name
            found["plugin", name] = Subject("plugin", name, functools.partial(_refuse_unloaded, plugin))
        for each in plugin.components:
            if each.kind in CHECKED:
                build = functools.partial(Spec(each.name).build, each.cls)
                add(each.kind, each.name, functools.partial(_make_case, plugins, build))
            else:
                add(each.kind, each.name, functools.partial(_refuse_unchecked, each.kind, each.name))
        for one in plugin.implementations:
            if one.kind == "backend":
                make = functools.partial(ImplementationCase.of, plugins, one.backend, one.architecture)
                add(IMPLEMENTATION, f"{one.architecture} on {one.backend}", make)
        for command in plugin.commands:
            add("command", command.name, functools.partial(_refuse_unchecked, "command", command.name))
    return list(found.values())


def _describe_unknown(plugins: Plugins, name: str, kind: str | None) -> str:
    names = [found for one in CHECKED if kind in (None, one) for found in plugins.names(one)]
    distributions = {plugin.source.distribution for plugin in plugins.found} - {None}
    failures = "".join(f"; {plugin.source.title} failed to load: {plugin.error}" for plugin in plugins.failures)
    known = [*names, *(str(distribution) for distribution in distributions)]
    return (
        f"there is no {kind or 'component'} or distribution {name!r}; components: {list_names(names)}; "
        f"distributions: {list_names(map(str, distributions))}{nearest(name, known)}{failures}"
    )
