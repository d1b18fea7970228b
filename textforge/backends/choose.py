"""Defaults among the installed components: the architecture that is trained, and the backends to train and run it.

They follow from what architectures and backends declare of themselves (`priority`, `training_priority`,
`running_priority`, `trains`), never from a name here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import attrs

from textforge.architectures.base import Architecture
from textforge.backends.base import Backend
from textforge.components.spec import Spec, parse_spec
from textforge.errors import (
    NAME_PLUGIN,
    BackendError,
    BundleError,
    OptionError,
    TextforgeError,
    UnknownComponent,
    advise,
    list_names,
    state_error,
)
from textforge.model import Model, SavedModel
from textforge.plugins.blame import blame, describe
from textforge.plugins.registry import Implementation, Plugins

UNFORESEEN = (KeyError, IndexError, TypeError, ValueError, AttributeError)
"""Errors that a saved model may raise where it was edited or damaged."""


def choose_trained(
    plugins: Plugins, architecture: str | Architecture | None, backend: str | Backend | None
) -> tuple[Architecture, Backend]:
    """Return the architecture to train and the backend to train it with.

    Unless given, the architecture is the one of the highest priority that the backend, or any, trains; the backend is
    the one of the highest training priority that trains the architecture. Raises `BackendError` where there is none.
    """
    chosen = None if architecture is None else find_architecture(plugins, architecture)
    computing = None if backend is None else find_backend(plugins, backend, chosen)
    if chosen is None:
        chosen = _choose_default_architecture(plugins, computing)
    if computing is None:
        computing = plugins.backend(_choose_default_trainer(plugins, type(chosen)))
    elif not any(found.backend == computing.name for found in find_trainers(plugins, type(chosen))):
        raise _make_refusal(plugins, computing.name, type(chosen))
    return chosen, computing


def find_architecture(plugins: Plugins, spec: str | Architecture) -> Architecture:
    """Return the architecture that a spec names; raise `OptionError` where an option of it is a backend's."""
    try:
        architecture: Architecture = plugins.architecture(spec)
    except OptionError as error:
        parsed = _parse(spec)
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


def find_backend(plugins: Plugins, spec: str | Backend, architecture: Architecture | None = None) -> Backend:
    """Return the backend that a spec names; raise `OptionError` where an option of it is an architecture's."""
    try:
        backend: Backend = plugins.backend(spec)
    except OptionError as error:
        parsed = _parse(spec)
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


def _parse(spec: object) -> Spec | None:
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


def find_runners(plugins: Plugins, architecture: type[Architecture]) -> list[Implementation]:
    """Return the implementations of an architecture whose backend is installed, by falling running priority."""
    installed = plugins.names("backend")
    found = plugins.implementations(of=architecture)
    ranked = {each.backend: each for each in found if each.backend in installed}
    return sorted(ranked.values(), key=lambda each: -plugins.find("backend", each.backend).running_priority)


def find_trainers(plugins: Plugins, architecture: type[Architecture]) -> list[Implementation]:
    """Return the implementations of an architecture that can be trained, by falling training priority."""
    able = [each for each in find_runners(plugins, architecture) if _trains(plugins, each)]
    return sorted(able, key=lambda each: -plugins.find("backend", each.backend).training_priority)


def _trains(plugins: Plugins, implementation: Implementation) -> bool:
    if implementation.trains is not None:
        return implementation.trains
    trains: bool = plugins.find("backend", implementation.backend).trains
    return trains


def _choose_default_architecture(plugins: Plugins, backend: Backend | None) -> Architecture:
    found = plugins.components("architecture")
    classes: list[Any] = [each.cls for each in found if plugins.note_clash("architecture", each.name, each) is None]
    for cls in sorted(classes, key=lambda cls: -cls.priority):
        able = [each.backend for each in find_trainers(plugins, cls)]
        if cls.priority > 0 and (able if backend is None else backend.name in able):
            architecture: Architecture = cls()
            return architecture
    if backend is None:
        raise BackendError("no installed backend trains any architecture; `textforge plugins` says what is installed")
    only = [cls for cls in classes if backend.name in [each.backend for each in find_trainers(plugins, cls)]]
    trained = [cls.name for cls in only]
    if len(only) == 1:
        single: Architecture = only[0]()
        return single
    if trained:
        raise BackendError(
            f"the backend {backend.name} trains {list_names(trained)}, none of them by default: name one, ",
            advise("architecture", sorted(trained)[0]),
        )
    raise BackendError(f"the backend {backend.name} runs trained models but trains none of the installed architectures")


def _choose_default_trainer(plugins: Plugins, architecture: type[Architecture]) -> str:
    if able := find_trainers(plugins, architecture):
        return able[0].backend
    notes = plugins.notes()
    message = f"no installed backend trains the architecture {architecture.name!r}: install the plugin of one that does"
    raise BackendError(f"{message} ({'; '.join(notes)})" if notes else message)


def _make_refusal(plugins: Plugins, backend: str, architecture: type[Architecture]) -> BackendError:
    """Return the error of a backend that can't train an architecture, which names those that can."""
    runs = any(each.backend == backend for each in find_runners(plugins, architecture))
    problem = "only runs trained models of" if runs else "has no implementation of"
    able = [each.backend for each in find_trainers(plugins, architecture)]
    message = f"the backend {backend} {problem} the architecture {architecture.name!r}; "
    if not able:
        return BackendError(f"{message}no installed backend trains it")
    return BackendError(f"{message}train with ", advise("backend", able[0]), *(f" or {name}" for name in able[1:]))


def choose_runner(
    plugins: Plugins, saved: SavedModel, spec: str | Backend | None, plugin: str | None = None
) -> Backend:
    """Return the backend to run a trained model with: the one given, else that of the highest running priority.

    `plugin` is the plugin that brought the model's architecture. Raises `BackendError` for a backend that doesn't
    implement the architecture and where none does, and `OptionError` for an option that is the model's own.
    """
    if spec is None:
        spec = choose_default_runner(plugins, saved.architecture, plugin)
    parsed = _parse(spec)
    if parsed is not None:
        _refuse_model_options(plugins, saved, parsed)
    backend = find_backend(plugins, spec)
    able = _list_runners(plugins, saved.architecture, plugin)
    if backend.name not in able:
        raise BackendError(
            f"the backend {backend.name} doesn't implement the architecture {saved.architecture!r}; "
            f"installed backends that do: {list_names(able)}"
        )
    return backend


def _refuse_model_options(plugins: Plugins, saved: SavedModel, parsed: Spec) -> None:
    options = plugins.find("backend", parsed.name).options()
    for name in parsed.pairs:
        if name in saved.options and name not in options:
            raise OptionError(
                f"{parsed.name}: {name} is part of the trained model and can't be changed; "
                f"the options for running it are {list_names(options)}"
            )


def choose_default_runner(plugins: Plugins, architecture: str, plugin: str | None = None) -> str:
    """Return the name of the backend that runs an architecture by default.

    Raises `BackendError` where none does.
    """
    if able := _list_runners(plugins, architecture, plugin):
        return able[0]
    source = f" of the plugin {plugin!r}" if plugin else ""
    implemented = sorted({each.backend for each in plugins.implementations() if each.architecture == architecture})
    message = f"no installed backend runs a model of the architecture {architecture!r}{source}"
    if implemented:
        raise BackendError(
            f"{message}; it has implementations for {list_names(implemented)}: install the plugin of one"
        )
    raise BackendError(f"{message}: install the plugin that brings it, or ", NAME_PLUGIN)


def _list_runners(plugins: Plugins, architecture: str, plugin: str | None) -> list[str]:
    """Return the backends that run an architecture, by falling priority; `plugin` is the plugin that brought it."""
    try:
        cls: type[Architecture] = plugins.find("architecture", architecture, plugin)
    except UnknownComponent:
        return []
    return [each.backend for each in find_runners(plugins, cls)]


def restore_architecture(plugins: Plugins, saved: SavedModel, plugin: str | None = None) -> Architecture:
    """Return the architecture of a saved model, with the model's options.

    Raises `BundleError` where no plugin brings it, or an option is missing, unknown or refused.
    """
    try:
        cls: type[Architecture] = plugins.find("architecture", saved.architecture, plugin)
    except UnknownComponent as error:
        source = f" of the plugin {plugin!r}" if plugin else ""
        raise BundleError(
            f"the model needs the architecture {saved.architecture!r}{source}: install that plugin, or ",
            NAME_PLUGIN,
            f" ({error})",
        ) from None
    return cls.of(saved)


def load_runner(plugins: Plugins, saved: SavedModel, backend: str | Backend | None, plugin: str | None = None) -> Model:
    """Return a saved model, run by a backend, the default one unless given; `plugin` brought its architecture."""
    runner = choose_runner(plugins, saved, backend, plugin)
    return load_model(plugins, runner, saved, restore_architecture(plugins, saved, plugin))


def load_model(
    plugins: Plugins, backend: Backend, saved: SavedModel, architecture: Architecture | None = None
) -> Model:
    """Return a saved model, checked by its architecture and run by a backend.

    The architecture is the one of the model's name unless given, as for a plugin's that has a name of textforge's.
    Raises `BundleError` for weights or options that aren't the architecture's, and for errors of a damaged or edited
    model that neither architecture nor implementation foresaw.
    """
    architecture = architecture or restore_architecture(plugins, saved)
    with _telling_damage(architecture):
        checked = attrs.evolve(saved, arrays=architecture.check(saved))
    implementation = plugins.implementation(backend.name, type(architecture))
    with blame(backend, "to import its framework"):
        backend.require()
    loaded = implementation.load()
    with _telling_damage(implementation), blame(implementation, "to load the model", passing=UNFORESEEN):
        return backend.load(checked, architecture, loaded)


@contextmanager
def _telling_damage(reader: Architecture | Implementation) -> Iterator[None]:
    """Raise a `BundleError` that names the reader of a saved model for an error that it didn't foresee."""
    try:
        yield
    except UNFORESEEN as error:
        if isinstance(error, TextforgeError):
            raise
        raise BundleError(
            f"{describe(reader)} can't load the model ({state_error(error)}): if it is damaged, copy it again, or "
            "train it again"
        ) from error
