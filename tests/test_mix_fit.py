"""The weights of a mixture, fitted to a text."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import mix_samples as samples
import numpy as np
import pytest
from mix_samples import LSTM, NGRAM, OTHER, SIZE
from support import ScriptedModel, constant_logits, hashed_logits

from textforge.backends.streamed import read_as_stream
from textforge.errors import CorpusError, PluginError, TrainingError
from textforge.evaluation import mixture
from textforge.evaluation.loss import token_loss
from textforge.evaluation.mixture import fit_mixture
from textforge.model import Model

BOTH = ("linear", "geometric")


def draw(size: int, probabilities: Sequence[float], seed: int = 1) -> Any:
    random = np.random.Generator(np.random.PCG64(seed))
    return random.choice(len(probabilities), size, p=probabilities).astype(np.uint8)


def measure(models: Sequence[Model], weights: Sequence[float], kind: str, tokens: Any) -> float:
    """The loss of a mixture, token by token, without anything of what is tested."""
    states = [model.start(1) for model in models]
    total = 0.0
    for before, after in itertools.pairwise(tokens.tolist()):
        logits = [model.step(np.array([before]), state)[0] for model, state in zip(models, states, strict=True)]
        logs = [each - np.log(np.exp(each).sum()) for each in np.array(logits, dtype=np.float64)]
        if kind == "linear":
            total -= np.log(sum(w * np.exp(each[after]) for w, each in zip(weights, logs, strict=True)))
        else:
            mixed = sum(w * each for w, each in zip(weights, logs, strict=True))
            total -= mixed[after] - np.log(np.exp(mixed).sum())
    return total / (len(tokens) - 1)


def write(models: Sequence[Model], share: float, size: int) -> Any:
    """A text drawn from the linear mixture of two models, of which the first has this share."""
    random = np.random.Generator(np.random.PCG64(4))
    states, text = [model.start(1) for model in models], [0]
    for _ in range(size):
        logits = [model.step(np.array(text[-1:]), state)[0] for model, state in zip(models, states, strict=True)]
        first, second = (np.exp(each) / np.exp(each).sum() for each in np.array(logits, dtype=np.float64))
        mixed = share * first + (1 - share) * second
        text.append(int(random.choice(len(mixed), p=mixed / mixed.sum())))
    return np.array(text, np.uint8)


TEXT = draw(400, [0.3, 0.2, 0.2, 0.1, 0.1, 0.05, 0.05])


def test_linear_weights_are_the_best_of_a_grid() -> None:
    models = [samples.load(LSTM), samples.load(samples.make_part("lstm:8", seed=9))]
    text = write(models, 0.3, 600)
    found = fit_mixture(models, text, ("linear",)).best
    grid = np.linspace(0.01, 0.99, 50)
    losses = [measure(models, (share, 1 - share), "linear", text) for share in grid]
    assert found.coefficients[0] == pytest.approx(grid[int(np.argmin(losses))], abs=0.02)
    assert found.coefficients[0] == pytest.approx(0.3, abs=0.1)
    assert sum(found.coefficients) == pytest.approx(1)
    assert found.loss == pytest.approx(measure(models, found.coefficients, "linear", text))
    assert found.loss <= min(losses) + 1e-4


def test_geometric_weights_are_the_best_of_a_grid() -> None:
    models = [samples.load(part) for part in (LSTM, NGRAM)]
    found = fit_mixture(models, TEXT, ("geometric",)).best
    pairs = [(first, second) for first in np.linspace(-0.5, 1, 13) for second in np.linspace(-0.5, 1.5, 17)]
    losses = [measure(models, pair, "geometric", TEXT) for pair in pairs]
    best = pairs[int(np.argmin(losses))]
    assert found.coefficients == pytest.approx(best, abs=0.13)
    assert found.loss == pytest.approx(measure(models, found.coefficients, "geometric", TEXT))
    assert found.loss <= min(losses) + 1e-3


def test_three_models_and_both_kinds() -> None:
    models = [samples.load(part) for part in (LSTM, OTHER, NGRAM)]
    found = fit_mixture(models, TEXT, BOTH)
    assert {each.kind for each in found.mixtures} == set(BOTH)
    assert found.mixtures[0].loss <= found.mixtures[1].loss
    for each in found.mixtures:
        assert each.loss <= min(found.losses) + 1e-3
        assert each.loss == pytest.approx(measure(models, each.coefficients, each.kind, TEXT))
    assert found.losses == pytest.approx([token_loss(model, TEXT, rows=1).mean for model in models])
    assert found.tokens == len(TEXT) - 1


def test_equal_models_share_the_weight() -> None:
    models = [samples.load(NGRAM), samples.load(NGRAM)]
    for each in fit_mixture(models, TEXT, BOTH).mixtures:
        assert each.coefficients[0] == pytest.approx(each.coefficients[1])


def test_a_long_text_is_read_in_streams_side_by_side() -> None:
    models = [samples.load(part) for part in (LSTM, NGRAM)]
    long = draw(5000, [0.3, 0.2, 0.2, 0.1, 0.1, 0.05, 0.05], seed=2)
    found = fit_mixture(models, long, BOTH)
    assert found.losses == pytest.approx([token_loss(model, long).mean for model in models], abs=1e-3)
    assert found.tokens == 4 * 1249


def test_little_memory_gives_much_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    models = [samples.load(part) for part in (LSTM, NGRAM)]
    whole = fit_mixture(models, TEXT, ("geometric",)).best
    monkeypatch.setattr(mixture, "KEPT_NUMBERS", 2 * SIZE * 100)
    monkeypatch.setattr(mixture, "LOGITS", 8 * 2 * SIZE * 30)
    part = fit_mixture(models, TEXT, ("geometric",)).best
    assert part.coefficients == pytest.approx(whole.coefficients, abs=0.5)
    assert part.coefficients != whole.coefficients  # fewer places were kept
    assert part.loss == pytest.approx(measure(models, part.coefficients, "geometric", TEXT))
    assert whole.loss <= part.loss


def test_fewer_places_are_fitted_than_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    models = [samples.load(part) for part in (LSTM, NGRAM)]
    monkeypatch.setattr(mixture, "FITTED_TOKENS", 100)
    part = fit_mixture(models, TEXT, ("geometric",)).best
    assert part.loss == pytest.approx(measure(models, part.coefficients, "geometric", TEXT))


def test_a_window_is_read_as_a_stream() -> None:
    models = [read_as_stream(samples.load(samples.WINDOWED)), samples.load(NGRAM)]
    found = fit_mixture(models, TEXT[:60], ("linear",)).best
    assert found.loss == pytest.approx(measure(models, found.coefficients, "linear", TEXT[:60]))


def test_what_is_never_written_is_read_and_not_counted() -> None:
    models = [ScriptedModel(SIZE, hashed_logits(SIZE)), ScriptedModel(SIZE, constant_logits([1 / SIZE] * SIZE))]
    found = fit_mixture(models, TEXT, ("linear",), excluded=[0, 6])
    assert found.tokens == int(((TEXT[1:] != 0) & (TEXT[1:] != 6)).sum())
    with pytest.raises(CorpusError, match="nothing of the text can be predicted"):
        fit_mixture(models, TEXT, BOTH, excluded=range(SIZE))


def test_a_few_tokens_are_not_followed_anywhere() -> None:
    models = [samples.load(part) for part in (LSTM, NGRAM)]
    for each in fit_mixture(models, np.array([1, 2], np.uint8), BOTH).mixtures:
        assert np.abs(each.coefficients).max() < 5


def test_a_text_of_a_token_is_refused() -> None:
    with pytest.raises(CorpusError, match="too short to fit weights on: 2 tokens are needed, got 1"):
        fit_mixture([samples.load(LSTM)] * 2, TEXT[:1], BOTH)


def test_what_one_rules_out_is_left_to_the_linear_mixture() -> None:
    models = [
        ScriptedModel(3, constant_logits([0.5, 0.5, 0])),
        ScriptedModel(3, constant_logits([0.25, 0.25, 0.5])),
    ]
    text = draw(200, [0.4, 0.4, 0.2])
    found = fit_mixture(models, text, BOTH)
    assert [each.kind for each in found.mixtures] == ["linear"]
    assert found.losses[0] == np.inf
    with pytest.raises(TrainingError, match="no probability, so no mixture that is geometric can be fitted"):
        fit_mixture(models, text, ("geometric",))
    with pytest.raises(TrainingError, match="no probability, so no mixture that is linear can be fitted"):
        fit_mixture([models[0]] * 2, text, ("linear",))


def test_what_is_ruled_out_and_never_comes_does_no_harm() -> None:
    models = [
        ScriptedModel(3, constant_logits([0.6, 0.4, 0])),
        ScriptedModel(3, constant_logits([0.3, 0.3, 0.4])),
    ]
    text = draw(200, [0.5, 0.5])
    for each in fit_mixture(models, text, BOTH).mixtures:
        assert np.isfinite(each.coefficients).all()
        assert np.isfinite(each.loss)


def test_a_model_that_fails_is_named() -> None:
    class Broken(ScriptedModel):
        def forward(self, ids: Any, state: Any, last_only: bool = False) -> Any:
            raise ZeroDivisionError

    with pytest.raises(PluginError, match="Broken"):
        fit_mixture([Broken(SIZE, hashed_logits(SIZE)), samples.load(NGRAM)], TEXT, BOTH)
