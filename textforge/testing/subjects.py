"""From what a user wrote to the components that are to be checked."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs

from textforge.components.component import Component
from textforge.components.spec import Spec, parse_spec
from textforge.errors import PluginError, SpecError, UnknownComponent, advise, listed, nearest
from textforge.plugins.registry import KINDS, Plugin, Plugins

if TYPE_CHECKING:
    from collections.abc import Sequence


@attrs.frozen
class Subject:
    """A component that is to be checked."""

    kind: str
    name: str
    make: Callable[[], Component]
    """Makes it; raises `OptionError` where it lacks an option."""


def subjects(plugins: Plugins, name: str, kind: str | None = None) -> list[Subject]:
    """What a component's spec, or a distribution's name, stands for.

    Raises `UnknownComponent` for what is neither, and `PluginError` for what could be components of several kinds, or
    is a distribution that failed to load, and whatever is wrong with the spec.

    >>> [(subject.kind, subject.make()) for subject in subjects(Plugins(), "top-k:3")]
    [('sampler', TopK(k=3))]
    """
    spec = _spec(name)
    kinds = [one for one in KINDS if spec and spec.name in plugins.names(one) and kind in (None, one)]
    if len(kinds) > 1:
        raise PluginError(f"{name!r} is the name of {' and '.join(kinds)}: say which one with ", advise("kind"))
    if spec and kinds:
        component = spec.build(plugins.find(kinds[0], spec.name))
        return [Subject(kinds[0], spec.name, lambda: component)]
    brought = [plugin for plugin in plugins.found if _is_called(plugin, name)]
    for plugin in brought:
        if plugin.error:
            raise PluginError(f"{plugin.source.title} failed to load: {plugin.error}")
    if not brought:
        raise UnknownComponent(_unknown(plugins, spec.name if spec else name, kind))
    return _of(brought, kind)


def _spec(name: str) -> Spec | None:
    try:
        return parse_spec(name)
    except SpecError:
        if ":" in name:
            raise
        return None


def _is_called(plugin: Plugin, name: str) -> bool:
    """Whether a plugin's distribution, or the file or module that was named by hand, has that name."""
    distribution = (plugin.source.distribution or "").replace("_", "-").lower()
    return name.replace("_", "-").lower() == distribution or (not distribution and name == plugin.source.name)


def _of(plugins: Sequence[Plugin], kind: str | None) -> list[Subject]:
    return [
        Subject(found.kind, found.name, functools.partial(Spec(found.name).build, found.cls))
        for plugin in plugins
        for found in plugin.components
        if kind in (None, found.kind)
    ]


def _unknown(plugins: Plugins, name: str, kind: str | None) -> str:
    names = [found for one in KINDS if kind in (None, one) for found in plugins.names(one)]
    distributions = {plugin.source.distribution for plugin in plugins.found} - {None}
    failures = "".join(f"; {plugin.source.title} failed to load: {plugin.error}" for plugin in plugins.failures)
    known = [*names, *(str(distribution) for distribution in distributions)]
    return (
        f"there is no {kind or 'component'} or distribution {name!r}; components: {listed(names)}; "
        f"distributions: {listed(map(str, distributions))}{nearest(name, known)}{failures}"
    )
