"""Dynamic evaluation: a model that goes on learning from the text it reads.

Each piece of the text is predicted first, and then learnt from by a step of gradient descent, so no loss is of a token
that was learnt already. Source: Krause, Kahembwe, Murray and Renals, "Dynamic evaluation of neural sequence models",
2018.

Shapes: T tokens of a piece.
"""

from __future__ import annotations

from collections.abc import Iterator

import attrs
import numpy as np

from textforge.evaluation.loss import LossSum, LossWatcher, sum_losses
from textforge.model import Array, GradientModel, Loss, Optimizer


@attrs.frozen
class Adaptation:
    """The settings of dynamic evaluation."""

    learning_rate: float = 0.001
    piece: int = 32
    """Tokens that are predicted before they are learnt from."""
    optimizer: Optimizer = attrs.field(factory=Optimizer)


USUAL = Adaptation()


def adapt(model: GradientModel, tokens: Array, adaptation: Adaptation) -> Iterator[tuple[Loss, int]]:
    """Yield the mean loss of each piece of token ids, (n,), and its number of tokens; learn from it as it is yielded.

    Every token after the first is predicted just once, from the state that those before it left. The model should have
    no dropout: the losses are those of training.
    """
    model.begin(adaptation.optimizer, seed=0)
    state = model.start(1)
    for step, begin in enumerate(range(0, len(tokens) - 1, adaptation.piece)):
        block = np.asarray(tokens[begin : begin + adaptation.piece + 1], dtype=np.int64)[None]  # (1, T + 1)
        loss, state = model.train_step(
            block[:, :-1], block[:, 1:], state, learning_rate=adaptation.learning_rate, step=step
        )
        yield loss, block.shape[1] - 1


def measure_adapted_loss(
    model: GradientModel, tokens: Array, progress: LossWatcher | None = None, adaptation: Adaptation = USUAL
) -> LossSum:
    """Return the loss of a model over token ids, (n,), from which it learns as it reads them.

    Raises `CorpusError` where there is nothing to predict.
    """
    return sum_losses(adapt(model, tokens, adaptation), max(0, len(tokens) - 1), progress)
