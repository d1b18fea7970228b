"""The specs of architectures and backends: their look-up, and advice where what is one's was written for the other."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from textforge.architectures.base import Architecture
from textforge.architectures.composite import Composite
from textforge.backends.base import Backend
from textforge.components.spec import Spec, parse_spec
from textforge.errors import BackendError, OptionError, UnknownComponent, advise
from textforge.plugins.registry import Plugins


def find_architecture(plugins: Plugins, spec: str | Architecture) -> Architecture:
    """Return the architecture that a spec names; raise `OptionError` where an option of it is a backend's."""
    _refuse_composite(plugins, spec)
    try:
        architecture: Architecture = plugins.architecture(spec)
    except OptionError as error:
        parsed = parse_if_text(spec)
        backends = sorted(_list_classes(plugins, "backend"), key=lambda cls: -cls.training_priority)
        if parsed is None:
            raise
        misplaced = _find_misplaced(parsed, plugins.find("architecture", parsed.name), backends)
        if misplaced is None:
            raise
        name, cls = misplaced
        spec = f"{cls.name}:{name}={parsed.pairs[name]}"
        raise OptionError(f"{name} belongs to the backend: ", advise("backend", spec)) from error
    except UnknownComponent as error:
        name = parse_spec(spec).name if isinstance(spec, str) else ""
        if name in plugins.names("backend"):
            raise UnknownComponent(f"{name} is a backend, not an architecture: ", advise("backend", name)) from error
        raise
    return architecture


def _refuse_composite(plugins: Plugins, spec: str | Architecture) -> None:
    """Refuse a spec of an architecture that is made of trained models, before it asks for them as options."""
    name = parse_spec(spec).reference if isinstance(spec, str) else ""
    if name and name.partition("@")[0] in plugins.names("architecture"):
        cls: type[Architecture] = plugins.find("architecture", name)
        if issubclass(cls, Composite):
            raise make_composite_refusal(cls)


def make_composite_refusal(cls: type[Architecture]) -> BackendError:
    """Return the error that an architecture whose models are made of trained ones isn't trained itself."""
    return BackendError(
        f"a model of the architecture {cls.name!r} is made of trained ones: train each of those by itself"
    )


def find_backend(plugins: Plugins, spec: str | Backend, architecture: Architecture | None = None) -> Backend:
    """Return the backend that a spec names; raise `OptionError` where an option of it is an architecture's."""
    try:
        backend: Backend = plugins.backend(spec)
    except OptionError as error:
        parsed = parse_if_text(spec)
        if parsed is None:
            raise
        backend_class = plugins.find("backend", parsed.name)
        misplaced = _find_misplaced(parsed, backend_class, _list_candidates(plugins, parsed.name, architecture))
        if misplaced is None:
            raise
        name, cls = misplaced
        right = advise("architecture", f"{cls.name}:{name}={parsed.pairs[name]}")
        raise OptionError(f"{name} belongs to the architecture: ", right) from error
    except UnknownComponent as error:
        name = parse_spec(spec).name if isinstance(spec, str) else ""
        if name in plugins.names("architecture"):
            raise UnknownComponent(
                f"{name} is an architecture, not a backend: ", advise("architecture", name)
            ) from error
        raise
    return backend


def parse_if_text(spec: object) -> Spec | None:
    """Return a spec that was given as text in its parts; None for an object."""
    return parse_spec(spec) if isinstance(spec, str) else None


def _find_misplaced(parsed: Spec, cls: type[Any], others: Iterable[type[Any]]) -> tuple[str, type[Any]] | None:
    """Return the first option of a spec that its class lacks and another class has, with that class; None for none."""
    for name in parsed.pairs:
        for other in others:
            if name not in cls.options() and name in other.options():
                return name, other
    return None


def _list_candidates(plugins: Plugins, backend: str, architecture: Architecture | None) -> list[type[Architecture]]:
    """Return the architectures that an option may have been meant for, the likeliest first."""
    if architecture is not None:
        return [type(architecture)]
    implemented = {each.architecture for each in plugins.implementations() if each.backend == backend}
    classes = _list_classes(plugins, "architecture")
    return sorted(classes, key=lambda cls: (cls.name not in implemented, -cls.priority))


def _list_classes(plugins: Plugins, kind: str) -> list[Any]:
    return [component.cls for component in plugins.components(kind)]
