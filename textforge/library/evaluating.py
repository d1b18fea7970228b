"""The evaluation of a trained model: what its bundle knows, beside what the text shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import attrs

from textforge.bundle import BundleContents
from textforge.corpora.base import Corpus
from textforge.corpora.resolve import CorpusArgument, resolve_corpora
from textforge.encoders.base import Encoder, Unknown
from textforge.evaluation.evaluation import Evaluation, evaluate
from textforge.evaluation.loss import LossWatcher
from textforge.evaluation.metric import Metric
from textforge.model import GradientModel, Model

if TYPE_CHECKING:
    from textforge.plugins.registry import Plugins


def evaluate_text(
    model: Model,
    encoder: Encoder,
    corpus: CorpusArgument | Sequence[CorpusArgument],
    metrics: str | Metric | Sequence[str | Metric],
    unknown: Unknown,
    plugins: Plugins,
    contents: BundleContents | None,
    learner: GradientModel | None = None,
    progress: LossWatcher | None = None,
) -> Evaluation:
    """Return how well a model predicts a text; `contents` is what is known of its training.

    `learner`, a copy of the model, is measured too, going on to learn as it reads.

    Raises what `textforge.evaluation.evaluation.evaluate` does, and `PluginError` for a metric that there isn't.
    """
    corpora: list[Corpus] = resolve_corpora(corpus, plugins)
    several = [metrics] if isinstance(metrics, (str, Metric)) else metrics
    measures = [plugins.metric(metric) for metric in several]
    hashes = {record.sha256 for record in contents.ever_learnt} if contents else set()
    result = evaluate(
        model,
        encoder,
        corpora,
        unknown=unknown,
        metrics=measures,
        trained_on=hashes,
        learner=learner,
        progress=progress,
    )
    own = {record.sha256 for record in contents.learnt} if contents else set()
    if not (contents and result.trained_on and own == hashes):  # else the loss may be another text's
        return result
    if contents.mixing is not None:
        return attrs.evolve(result, trained_validation_loss=contents.mixing.loss)
    losses = [epoch.validation_loss for epoch in contents.history if epoch.best]
    return attrs.evolve(result, trained_validation_loss=losses[-1] if losses else None)
