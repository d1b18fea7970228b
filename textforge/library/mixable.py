"""The check of what a run is to mix with the model that it trains."""

from __future__ import annotations

from textforge.backends.choose import choose_trained
from textforge.errors import TrainingError, advise
from textforge.plugins.registry import Plugins
from textforge.training.settings import TrainingSettings


def check_mixed(settings: TrainingSettings, plugins: Plugins) -> None:
    """Raise an error for what can't be mixed in, before any text is read: an unknown architecture, or no text for it.

    Weights are fitted to the text that is kept for validation: `TrainingError` where none is.
    """
    for spec in settings.mix:
        choose_trained(plugins, spec, None)
    if settings.mix and not (settings.validation or settings.validation_corpus):
        raise TrainingError(
            advise("mix"), " needs text to fit the weights to, and none is kept: give a share of the corpus by ",
            advise("validation"), ", or another text by ", advise("validation_corpus"),
        )  # fmt: skip
