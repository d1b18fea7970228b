"""The recipe of a run: what its user left open, chosen by the architecture once the corpus is known."""

from __future__ import annotations

import attrs

from textforge.architectures.base import Architecture
from textforge.architectures.recipe import Budget, CorpusSize, Recipe
from textforge.backends.base import Backend
from textforge.errors import PluginError
from textforge.library.beginning import make_settings
from textforge.library.run import Run
from textforge.plugins.blame import blame
from textforge.training.data import TrainingData
from textforge.training.report import Report
from textforge.training.settings import RECIPE_SETTINGS, complete_settings


def apply_recipe(run: Run, data: TrainingData, report: Report) -> Run:
    """Return the run with the options and settings that its architecture's recipe chooses, and tell of them.

    Raises `PluginError` for a recipe that changes what was given, or chooses a setting that isn't its own.
    """
    budget = _find_budget(run)
    size = CorpusSize(len(data.train), data.encoder.vocabulary_size)
    with blame(run.architecture, "to choose its sizes"):
        recipe = run.architecture.sized(size, budget)
    check_choice(recipe, run.architecture)
    by = f"the architecture {run.architecture.name}"
    settings = make_settings(
        complete_settings(run.given, run.architecture.training_defaults, by, chosen=recipe.settings)
    )
    backend = _choose_precision(run.backend) if recipe.mixed_precision else run.backend
    chosen = attrs.evolve(run, architecture=recipe.architecture, settings=settings, backend=backend)
    if line := _describe(recipe, chosen, run):
        report.message(line)
    return chosen


def _find_budget(run: Run) -> Budget:
    settings = run.settings
    with blame(run.backend, "to tell its speed"):
        run.backend.require()
        speed = run.backend.find_speed()
    return Budget(settings.epochs, settings.minutes, speed, run.given)


def _choose_precision(backend: Backend) -> Backend:
    with blame(backend, "to choose its precision"):
        chosen = backend.mix_precision()
    changed = {name for name in backend.given if getattr(chosen, name, None) != getattr(backend, name)}
    if type(chosen) is not type(backend) or changed:
        raise PluginError(f"the backend {backend.spec} became {chosen!r}, though what is given must stay")
    return chosen


def check_choice(recipe: Recipe[Architecture], before: Architecture) -> None:
    """Raise `PluginError` where a recipe changes what was given, or chooses a setting that isn't its own."""
    after = recipe.architecture
    by = f"the recipe of the architecture {before.name}"
    if type(after) is not type(before):
        raise PluginError(f"{by} gave {after!r}, not an architecture of its own kind")
    for name in sorted(before.given):
        if getattr(after, name) != getattr(before, name):
            raise PluginError(
                f"{by} changed {name}, which was given: {getattr(before, name)} to {getattr(after, name)}"
            )
    if others := sorted(recipe.settings.keys() - set(RECIPE_SETTINGS)):
        raise PluginError(f"{by} chose {others[0]}; it may choose {', '.join(RECIPE_SETTINGS)}")


def _describe(recipe: Recipe[Architecture], chosen: Run, before: Run) -> str | None:
    """Return the line that says what was chosen, and why; None where nothing was, by a recipe that there is."""
    architecture = before.architecture
    if type(architecture).sized is Architecture.sized:
        return f"{architecture.name} has no recipe: its declared defaults are taken for what isn't given"
    options = recipe.architecture.options()
    values = recipe.architecture.option_values()
    parts = [f"{name}={options[name].write(values[name])}" for name in options if name not in architecture.given]
    settings = chosen.settings.options()
    parts += [
        f"{name}={settings[name].write(getattr(chosen.settings, name))}"
        for name in recipe.settings
        if before.given.get(name) is None
    ]
    options, values = chosen.backend.options(), chosen.backend.option_values()
    before_it = before.backend.option_values()
    parts += [f"{name}={options[name].write(value)}" for name, value in values.items() if value != before_it[name]]
    return f"chosen for {recipe.reason}: {', '.join(parts)}" if recipe.reason and parts else None
