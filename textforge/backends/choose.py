"""Defaults among the installed components: the architecture that is trained, and the backends to train and run it.

They follow from what architectures and backends declare of themselves (`priority`, `training_priority`,
`running_priority`, `trains`), never from a name here.
"""

from __future__ import annotations

from typing import Any

import attrs

from textforge.architectures.base import Architecture
from textforge.architectures.composite import Composite, Part, telling_part
from textforge.backends.base import Backend
from textforge.backends.damage import UNFORESEEN, telling_damage
from textforge.backends.specs import find_architecture, find_backend, make_composite_refusal, parse_if_text
from textforge.components.spec import Spec
from textforge.errors import (
    NAME_PLUGIN,
    BackendError,
    BundleError,
    OptionError,
    UnknownComponent,
    advise,
    list_names,
)
from textforge.model import Model, SavedModel
from textforge.plugins.blame import blame
from textforge.plugins.registry import Implementation, Plugins


def choose_trained(
    plugins: Plugins, architecture: str | Architecture | None, backend: str | Backend | None
) -> tuple[Architecture, Backend]:
    """Return the architecture to train and the backend to train it with.

    Unless given, the architecture is the one of the highest priority that the backend, or any, trains; the backend is
    the one of the highest training priority that trains the architecture. Raises `BackendError` where there is none.
    """
    chosen = None if architecture is None else find_architecture(plugins, architecture)
    if isinstance(chosen, Composite):
        raise make_composite_refusal(type(chosen))
    computing = None if backend is None else find_backend(plugins, backend, chosen)
    if chosen is None:
        chosen = _choose_default_architecture(plugins, computing)
    if computing is None:
        computing = plugins.backend(_choose_default_trainer(plugins, type(chosen)))
    elif not any(found.backend == computing.name for found in find_trainers(plugins, type(chosen))):
        raise _make_refusal(plugins, computing.name, type(chosen))
    return chosen, computing


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
    parsed = parse_if_text(spec)
    if parsed is not None:
        _refuse_model_options(plugins, saved, parsed)
    backend = find_backend(plugins, spec)
    able = _list_runners(plugins, saved.architecture, plugin) + _list_part_runners(plugins, saved, plugin)
    if backend.name not in able:
        raise BackendError(
            f"the backend {backend.name} doesn't implement the architecture {saved.architecture!r}; "
            f"installed backends that do: {list_names(set(able))}"
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


def _list_part_runners(plugins: Plugins, saved: SavedModel, plugin: str | None) -> list[str]:
    """Return the backends that run parts of a model, where it is made of others."""
    try:
        cls: type[Architecture] = plugins.find("architecture", saved.architecture, plugin)
    except UnknownComponent:
        return []
    if not issubclass(cls, Composite):
        return []
    parts = cls.of(saved).split(attrs.evolve(saved, arrays={}))
    lists = [_list_runners(plugins, part.saved.architecture, part.plugin) for part in parts]
    lists += [_list_part_runners(plugins, part.saved, part.plugin) for part in parts]
    return [name for names in lists for name in names]


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
    return resolve_parts(plugins, cls.of(saved))


def resolve_parts(plugins: Plugins, architecture: Architecture) -> Architecture:
    """Return the architecture, which knows those of its parts where it is made of others.

    Raises `BundleError` as `restore_architecture` does.
    """
    if not isinstance(architecture, Composite):
        return architecture
    return architecture.resolve(lambda part: restore_architecture(plugins, part.saved, part.plugin))


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
    if isinstance(architecture, Composite):
        return _load_composite(plugins, backend, saved, architecture)
    with telling_damage(architecture):
        checked = attrs.evolve(saved, arrays=architecture.check(saved))
    implementation = plugins.implementation(backend.name, type(architecture))
    with blame(backend, "to import its framework"):
        backend.require()
    loaded = implementation.load()
    with telling_damage(implementation), blame(implementation, "to load the model", passing=UNFORESEEN):
        return backend.load(checked, architecture, loaded)


def _load_composite(plugins: Plugins, backend: Backend, saved: SavedModel, architecture: Composite) -> Model:
    """Return a model that is made of others, each run by the backend where it can, or else by its default one."""
    models = []
    for number, (own, part) in enumerate(zip(architecture.architectures, architecture.split(saved), strict=True)):
        with telling_part(number, own.name):
            runner = choose_part_runner(plugins, backend, own, part)
            models.append(load_model(plugins, runner, part.saved, own))
    joiner = plugins.implementation(choose_default_runner(plugins, saved.architecture), type(architecture))
    loaded = joiner.load()
    with telling_damage(joiner), blame(joiner, "to load the model", passing=UNFORESEEN):
        model: Model = loaded(saved, architecture, models)
        return model


def choose_part_runner(plugins: Plugins, backend: Backend, architecture: Architecture, part: Part) -> Backend:
    """Return the backend for one of several models: the one that was asked for, where it can, or else its default."""
    if isinstance(architecture, Composite) or backend.name in [
        each.backend for each in find_runners(plugins, type(architecture))
    ]:
        return backend
    default: Backend = plugins.backend(choose_default_runner(plugins, architecture.name, part.plugin))
    return default
