"""Which backend trains, and which runs what was trained."""

from __future__ import annotations

from textforge.backends.base import Backend
from textforge.components.component import build
from textforge.components.spec import parse_spec
from textforge.errors import NAME_PLUGIN, BackendError, BundleError, OptionError, TextforgeError, advise, listed
from textforge.model import Model, SavedModel
from textforge.plugins.registry import Plugins

TRAINERS = ("torch", "keras", "ngram")
"""What trains unless something else is asked for: the first that is installed."""
RUNNER = "numpy"
"""What runs a model unless something else is asked for, where it can."""


def choose_trainer(plugins: Plugins, spec: str | Backend | None) -> Backend:
    """The backend to train with.

    Raises `BackendError` for one that can only run models.
    """
    if spec is None:
        spec = next((name for name in TRAINERS if name in plugins.names("backend")), TRAINERS[0])
    backend: Backend = plugins.backend(spec)
    if not backend.trains:
        trainers = [found.name for found in plugins.components("backend") if found.cls.trains]  # type: ignore[attr-defined]
        raise BackendError(
            f"the backend {backend.name} runs trained models but can't train; train with ",
            advise("backend"),
            f" {' or '.join(sorted(trainers))}",
        )
    return backend


def choose_runner(
    plugins: Plugins, saved: SavedModel, spec: str | Backend | None, trained_by: str, plugin: str | None = None
) -> Backend:
    """The backend to run a trained model with: as asked for, else NumPy where it can, else what trained it.

    `spec` takes run-time options only, the others are the model's. `trained_by` names the backend that trained it, and
    `plugin` what brought that one. Raises `BackendError` for a backend of another architecture and where there is none,
    and `OptionError` for an option that is the model's own.
    """
    if isinstance(spec, Backend):
        return _checked(plugins, saved, type(spec), spec)
    if spec is None:
        spec = default_runner(plugins, saved.architecture, trained_by, plugin)
    parsed = parse_spec(spec)
    cls: type[Backend] = plugins.find("backend", parsed.name)
    runtime = [name for name, found in cls.options().items() if found.runtime]
    for name in [*parsed.pairs, *(list(cls.options())[:1] if parsed.first is not None else [])]:
        if not cls.known_option(name).runtime:
            raise OptionError(
                f"{cls.name}: {name} is part of the trained model and can't be changed; "
                f"the options for running it are {listed(runtime)}"
            )
    _refuse_other_architecture(plugins, saved, cls)
    return build(cls, parsed.first, {**options_of(cls, saved), **parsed.pairs})


def load_model(backend: Backend, saved: SavedModel) -> Model:
    """The model that was saved, run by a backend.

    Raises `BundleError` also for what a backend didn't foresee: options that were edited, say.
    """
    try:
        return backend.load(saved)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, TextforgeError):
            raise
        raise BundleError(
            f"the backend {backend.name} can't load the model ({type(error).__name__}: {error}): copy it again, or "
            f"train it again"
        ) from error


def default_runner(
    plugins: Plugins, architecture: str, trained_by: str | None = None, plugin: str | None = None
) -> str:
    """The name of what runs an architecture unless something else is asked for: NumPy, else what trained the model.

    Raises `BackendError` where nothing does.
    """
    able = _able(plugins, architecture)
    for name in (RUNNER, trained_by):
        if name in able:
            return name
    if able:
        return able[0]
    message = f"no installed backend runs a model of the architecture {architecture!r}"
    if not trained_by:
        raise BackendError(message)
    source = f" of the plugin {plugin!r}" if plugin else ""
    raise BackendError(f"{message}; it was made by the backend {trained_by!r}{source}: install that, or ", NAME_PLUGIN)


def _able(plugins: Plugins, architecture: str) -> list[str]:
    """The names of the backends that run an architecture."""
    return [found.name for found in plugins.components("backend") if found.cls.runs(architecture)]  # type: ignore[attr-defined]


def options_of(cls: type[Backend], saved: SavedModel) -> dict[str, object]:
    """The model's options that the class declares, so that the backend knows the model it runs."""
    return {
        name: saved.options[name]
        for name, found in cls.options().items()
        if not found.runtime and name in saved.options
    }


def _checked(plugins: Plugins, saved: SavedModel, cls: type[Backend], backend: Backend) -> Backend:
    _refuse_other_architecture(plugins, saved, cls)
    return backend.replace(**options_of(cls, saved))


def _refuse_other_architecture(plugins: Plugins, saved: SavedModel, cls: type[Backend]) -> None:
    if cls.runs(saved.architecture):
        return
    able = _able(plugins, saved.architecture)
    raise BackendError(
        f"the backend {cls.name} can't run a model of the architecture {saved.architecture!r}; "
        f"installed backends that can: {listed(able)}"
    )
