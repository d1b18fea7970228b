"""The recipe of the architecture ``lstm``, read from the table that ``python -m tests.benchmarks.recipe`` prints.

A pass is one reading of the corpus; a multiply-add is one weight's part in one token.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import attrs

from textforge.architectures.recipe import Budget, CorpusSize, fit_streams

SIZES = ((64, 1), (96, 1), (128, 1), (192, 1), (256, 1), (384, 1), (512, 1), (512, 2), (768, 2), (1024, 2))
"""Hidden sizes and numbers of layers, in the order of their cost."""
SECONDS_A_TOKEN, SECONDS_A_MULTIPLY_ADD = 3.1e-6, 2.65e-11
"""The time of training on two cores with units for bfloat16: 170,000 tokens a second at 1 x 128, 45,000 at 1 x 384."""
STREAMS = ((4_000, 1), (10_000, 2), (50_000, 4), (400_000, 8))
"""Streams of a short corpus: below so many tokens, so many."""
LEAST_WARM_UP, MOST_WARM_UP, WARM_UP_STEPS = 0.02, 0.1, 30
"""The share of the steps in which the rate rises, and the steps that this should take at least."""
USUAL_SIZE = (128, 1)
"""The size that any text gets unless time is too short for it."""
DROPOUT = ((0.05, 0.0), (1.0, 0.1), (3.0, 0.3), (12.0, 0.5), (math.inf, 0.6))
"""The share dropped, by the multiply-adds of a token beside the tokens of the corpus: up to so many, so much."""
FADING = 1.4
"""Passes over a corpus in which the weights would fade to 1/e of themselves at the highest rate."""
MOST_DECAY = 0.1
"""The largest weight decay: of 300,000 characters, 0.1 ends at 1.361, none at 1.367 and 0.25 at 1.389."""
TOKENS_A_MULTIPLY_ADD = 5
"""Tokens to be read, over and over, for each multiply-add of the largest network that pays."""
USUAL_EPOCHS = 6
"""The fewest epochs that a network is fitted to."""
USUAL_SECONDS = 120.0
"""The time, on two cores, that a run is fitted to where nothing limits it."""
TIME_TO_SPARE = 4.0
"""Minutes that are so many times what a run needs are left unused: a machine may be slower than the declared speed."""
MOST_SECONDS = 240.0
"""The time, on two cores, that a run limited by epochs is fitted to."""


@attrs.frozen
class Size:
    """The size of a network, and what a token costs it."""

    hidden_size: int
    num_layers: int
    embedding_size: int | None
    vocabulary_size: int

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds of the layers for a token; an input is looked up, one-hot too."""
        size = self.hidden_size
        return 4 * size * (self.embedding_size or 0) + 4 * size * size * (2 * self.num_layers - 1)

    @property
    def seconds_a_token(self) -> float:
        """The time of training on two cores, the output included."""
        multiply_adds = self.multiply_adds + self.hidden_size * self.vocabulary_size
        return SECONDS_A_TOKEN + SECONDS_A_MULTIPLY_ADD * multiply_adds

    def count_passes(self, corpus: CorpusSize, budget: Budget) -> float:
        """Return the passes over the corpus that a run makes in the time that it is fitted to, or in its epochs.

        Few epochs count as `USUAL_EPOCHS`: more may be asked for later, of a network that is what it is.
        """
        seconds = USUAL_SECONDS if budget.seconds is None else budget.seconds
        in_time = seconds / self.seconds_a_token / corpus.tokens
        if budget.epochs is None:
            return min(in_time, most_passes(corpus))
        epochs = float(max(budget.epochs, USUAL_EPOCHS))
        return epochs if budget.minutes is None else min(in_time, epochs)

    def has_time_to_spare(self, corpus: CorpusSize, budget: Budget) -> bool:
        """Return whether the minutes are several times what the network needs to learn all that it can."""
        needed = most_passes(corpus) * corpus.tokens * self.seconds_a_token
        return budget.seconds is not None and budget.seconds >= TIME_TO_SPARE * needed

    def pays(self, corpus: CorpusSize, budget: Budget) -> bool:
        """Return whether a run has tokens enough, and time, for a network of this size."""
        passes = self.count_passes(corpus, budget)
        tokens = passes * corpus.tokens
        is_usual = self.multiply_adds <= self.make(*USUAL_SIZE).multiply_adds
        if is_usual and (budget.minutes is None or passes >= most_passes(corpus)):
            return True
        in_time = budget.minutes is not None or max(1.0, passes) * corpus.tokens * self.seconds_a_token <= MOST_SECONDS
        return in_time and tokens >= TOKENS_A_MULTIPLY_ADD * self.multiply_adds

    def make(self, hidden_size: int, num_layers: int) -> Size:
        """Return another size, with the same embedding."""
        return attrs.evolve(self, hidden_size=hidden_size, num_layers=num_layers)


def choose_size(corpus: CorpusSize, budget: Budget, given: Mapping[str, Any]) -> Size:
    """Return the largest size that pays, or the smallest there is; options that are `given` stay.

    With a hidden size that is given there is one layer, unless those are given too.
    """
    if "hidden_size" in given:
        given = {"num_layers": 1, **given}
    embedding = {"embedding_size": choose_embedding_size(corpus), "vocabulary_size": corpus.vocabulary_size}
    sizes = [Size(**{"hidden_size": h, "num_layers": n, **embedding, **given}) for h, n in SIZES]
    return next((size for size in reversed(sizes) if size.pays(corpus, budget)), sizes[0])


def choose_embedding_size(corpus: CorpusSize) -> int:
    """Return the embedding's size for the vocabulary."""
    return 64 if corpus.vocabulary_size < 1000 else 128 if corpus.vocabulary_size < 10_000 else 256


def most_passes(corpus: CorpusSize) -> float:
    """Return the passes after which a network has learnt of a corpus what it can, however much time is left."""
    return 12.0 if corpus.tokens < 5_000 else 16.0 if corpus.tokens < 50_000 else 24.0


def choose_dropout(size: Size, passes: float, corpus: CorpusSize) -> float:
    """Return the share to drop: the more, the larger a network is beside its corpus and the more often it reads it."""
    ratio = size.multiply_adds / corpus.tokens
    share = next(share for limit, share in DROPOUT if ratio <= limit)
    return min(share, 0.0 if passes < 1.5 else 0.1 if passes < 4 else 1.0)


def choose_settings(size: Size, passes: float, corpus: CorpusSize, budget: Budget) -> dict[str, Any]:
    """Return the training settings for a network of this size; what is chosen suits what is given."""
    rows, length = fit_streams(corpus.tokens, choose_rows(size, corpus, budget))
    settings = {"batch_size": rows, "sequence_length": length, "learning_rate": choose_learning_rate(size)}
    given = {name: value for name, value in budget.settings.items() if value is not None}
    used = {**settings, **given}
    tokens_a_step = used["batch_size"] * used["sequence_length"]
    epochs = passes if budget.epochs is None else min(passes, budget.epochs)
    settings["warm_up"] = choose_warm_up(max(1.0, epochs) * corpus.tokens / tokens_a_step)
    if given.get("optimizer", "adam") == "adam":
        settings["weight_decay"] = choose_weight_decay(tokens_a_step, corpus, used["learning_rate"])
    if budget.epochs or (budget.minutes and not size.has_time_to_spare(corpus, budget)):
        return settings
    return {"epochs": max(1, round(passes)), **settings}


def choose_rows(size: Size, corpus: CorpusSize, budget: Budget) -> int:
    """Return the streams: few of a short corpus, which then has more steps, and more where that is much faster."""
    if budget.speed > 4:
        return 64
    usual = 32 if size.multiply_adds > 1_000_000 else 16
    return next((rows for tokens, rows in STREAMS if corpus.tokens < tokens), usual)


def choose_warm_up(steps: float) -> float:
    """Return the share of the steps over which the rate rises: a short run needs more of them."""
    return float(f"{min(MOST_WARM_UP, max(LEAST_WARM_UP, WARM_UP_STEPS / steps)):.2g}")


def choose_weight_decay(tokens_a_step: int, corpus: CorpusSize, rate: float) -> float:
    """Return the decay by which a weight would fade away over `FADING` passes, if nothing was learnt in them."""
    return float(f"{min(MOST_DECAY, tokens_a_step / (rate * FADING * corpus.tokens)):.2g}")


def choose_learning_rate(size: Size) -> float:
    """Return the highest rate at which a network of this size learns steadily."""
    cost = size.multiply_adds
    return 0.012 if cost < 500_000 else 0.008 if cost < 1_000_000 else 0.005
