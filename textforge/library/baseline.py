"""A baseline: another architecture that has learnt what a model has."""

from __future__ import annotations

from textforge.bundle import BundleContents
from textforge.errors import TrainingError
from textforge.library.beginning import find_recorded
from textforge.library.facade import train
from textforge.library.generator import TextGenerator
from textforge.plugins.registry import Plugins

KEPT = ("seed", "validation", "validation_part")
"""The settings that say which part of the corpus is learnt."""


def train_baseline(architecture: str, contents: BundleContents, plugins: Plugins) -> TextGenerator:
    """Return a model of that architecture, trained on the text that a model was last trained on, read again.

    It learns what the model learnt of it, without older text that was mixed in. Raises `TrainingError` where nothing is
    known of that text, or it can't be read a second time.
    """
    if not contents.learnt:
        raise TrainingError("nothing is known of what the model was trained on, so there is no baseline: leave it out")
    settings = {name: contents.settings[name] for name in KEPT if name in contents.settings}
    if contents.settings.get("validation_corpus"):
        settings["validation"] = 0.0  # all of the corpus was learnt
    return train(
        find_recorded(plugins, contents.learnt),
        encoder=contents.encoder.spec,
        architecture=architecture,
        plugins=plugins,
        **settings,
    )
