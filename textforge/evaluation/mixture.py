"""The weights of a mixture of models: those by which it predicts a text best.

Shapes: P models, N tokens predicted, M of them whose distributions are kept, V the vocabulary's size.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import attrs
import numpy as np
import numpy.typing as npt

from textforge.errors import CorpusError, TrainingError
from textforge.evaluation.loss import LOGITS, ROWS, SEQUENCE_LENGTH, STREAM_LENGTH, spans
from textforge.model import Array, Model
from textforge.plugins.blame import blame_model

Floats = npt.NDArray[np.floating]
KEPT_NUMBERS = 1 << 25
"""The log-probabilities that are kept for fitting a geometric mixture: 128 MiB in float32."""
FITTED_TOKENS = 1 << 15
"""The most tokens that a geometric mixture is fitted on; its loss is measured on all. A number too many of so few
parameters costs about one nat for all of these tokens together."""
ITERATIONS = 200
SMALLEST_CHANGE = 1e-7
"""The change of weights, or the gain in nats a token, below which a fit ends."""
PRIOR_TOKENS = 1.0
"""The tokens that even weights count for, so that a text of a few is not followed anywhere."""
LEAST_LOG = -1e4
"""The logarithm, in nats, that stands for that of a probability of 0 while a geometric mixture is fitted."""


@attrs.frozen
class Mixture:
    """A mixture that was fitted to a text."""

    kind: str
    """``linear`` or ``geometric``."""
    coefficients: tuple[float, ...]
    loss: float
    """Mean negative log-likelihood of the text, in nats a token."""


@attrs.frozen
class MixtureFit:
    """The mixtures that were fitted to a text, the best first."""

    mixtures: tuple[Mixture, ...]
    losses: tuple[float, ...]
    """The loss of each model by itself, in nats a token."""
    tokens: int
    """The number of tokens predicted."""

    @property
    def best(self) -> Mixture:
        """The mixture of the lowest loss."""
        return self.mixtures[0]


def fit_mixture(
    models: Sequence[Model], tokens: Array, kinds: Sequence[str], excluded: Sequence[int] = ()
) -> MixtureFit:
    """Return the mixtures of these kinds that predict token ids, (n,), best.

    The models carry their state on; they read contiguous streams side by side, each token after a stream's first
    predicted once, but those left over. Ids that are `excluded` are read and not predicted. Memory is bounded, whatever
    the number of tokens.

    Raises `CorpusError` for a text of less than two tokens, and `TrainingError` where no mixture gives a probability
    to every token.
    """
    if len(tokens) < 2:
        raise CorpusError(f"the text is too short to fit weights on: 2 tokens are needed, got {len(tokens)}")
    targets, kept = _read(models, tokens, excluded, keep="geometric" in kinds)
    if not targets.shape[1]:
        raise CorpusError("nothing of the text can be predicted: all of it is what the vocabulary lacks; give another")
    losses = tuple((0.0 - targets.mean(axis=1)).tolist())
    found = []
    if "linear" in kinds:
        found.append(_fit_linear(targets))
    if "geometric" in kinds and np.isfinite(targets).all():
        found.append(_fit_geometric(models, tokens, excluded, targets, kept))
    found = sorted((each for each in found if np.isfinite(each.loss)), key=lambda each: each.loss)
    if not found:
        ruled_out = int((targets == -np.inf).any(axis=0).sum())
        raise TrainingError(
            f"a model gives {ruled_out:,} of {targets.shape[1]:,} tokens of the text no probability, so no mixture "
            f"that is {' or '.join(kinds)} can be fitted to it: give another text, or the weights"
        )
    return MixtureFit(tuple(found), losses, targets.shape[1])


@attrs.frozen(eq=False)
class _Kept:
    """The distributions of some of the tokens, spread evenly over all."""

    logs: Floats
    """(P, M, V), float32."""
    targets: Floats
    """(P, M): the log-probabilities of the tokens that came."""
    whole: bool
    """True where these are all tokens."""


def _read(models: Sequence[Model], tokens: Array, excluded: Sequence[int], keep: bool) -> tuple[Floats, _Kept]:
    """Return the log-probability of each token by each model, (P, N), and the distributions that are kept."""
    room = max(1, KEPT_NUMBERS // (len(models) * models[0].vocabulary_size)) if keep else 1
    apart = -(-len(tokens) // room)
    found: list[Floats] = []
    kept: list[Floats] = []
    places: list[Array] = []
    read = 0
    for logs, ids in _predict(models, tokens, excluded):
        found.append(np.take_along_axis(logs, ids[np.newaxis, :, np.newaxis], axis=2)[:, :, 0])
        chosen = np.arange(-read % apart, len(ids), apart)
        places.append(read + chosen)
        if keep:
            kept.append(logs[:, chosen].astype(np.float32))
        read += len(ids)
    targets = np.concatenate(found, axis=1)
    own = np.concatenate(kept, axis=1) if keep else np.zeros((len(models), 0, 1), np.float32)
    return targets, _Kept(own, targets[:, np.concatenate(places)], whole=apart == 1)


def _predict(models: Sequence[Model], tokens: Array, excluded: Sequence[int]) -> Iterator[tuple[Floats, Array]]:
    """Yield the log-probabilities of all tokens at some places, (P, n, V), and the ids that came there, (n,)."""
    size = models[0].vocabulary_size
    rows = max(1, min(ROWS, (len(tokens) - 1) // STREAM_LENGTH, LOGITS // (len(models) * size)))
    length = max(1, min(SEQUENCE_LENGTH, LOGITS // (len(models) * size * rows)))
    stream = (len(tokens) - 1) // rows
    starts = np.arange(rows)[:, np.newaxis] * stream  # (B, 1)
    states = [model.start(rows) for model in models]
    is_counted = np.ones(size, dtype=bool)
    is_counted[list(excluded)] = False
    for begin, end in spans(0, stream, length):
        block = tokens[starts + np.arange(begin, end + 1)].astype(np.int64)  # (B, T + 1)
        ids = block[:, 1:].ravel()
        counted = is_counted[ids]
        logs = np.empty((len(models), int(counted.sum()), size))
        for number, (model, state) in enumerate(zip(models, states, strict=True)):
            try:
                logits = model.forward(block[:, :-1], state)
            except Exception as error:
                raise blame_model(model, error, "to read a text") from error
            logs[number] = logits.reshape(-1, size)[counted]
        logs -= logs.max(axis=2, keepdims=True)
        logs -= np.log(np.exp(logs).sum(axis=2, keepdims=True))
        yield logs, ids[counted]


def _fit_linear(targets: Floats) -> Mixture:
    """Return the linear mixture of the lowest loss, by log-probabilities of what came, (P, N).

    Even weights count for as much as a token that each model alone predicts. By expectation maximisation, which never
    raises the loss of such a mixture and finds the lowest: Dempster, Laird and Rubin, "Maximum likelihood from
    incomplete data via the EM algorithm", 1977.
    """
    best = targets.max(axis=0)  # (N,)
    possible = best > -np.inf
    likely = np.exp(targets[:, possible] - best[possible])  # (P, N), the largest of each column 1
    weights = np.full(len(targets), 1 / len(targets))
    for _ in range(ITERATIONS):
        shares = weights[:, np.newaxis] * likely
        shares /= shares.sum(axis=0)
        before, weights = weights, (shares.sum(axis=1) + PRIOR_TOKENS) / (shares.shape[1] + PRIOR_TOKENS * len(shares))
        if np.abs(weights - before).max() < SMALLEST_CHANGE:
            break
    weights /= weights.sum()
    loss = -(np.log(weights @ likely) + best[possible]).mean() if possible.all() else np.inf
    return Mixture("linear", tuple(weights.tolist()), float(loss))


def _fit_geometric(
    models: Sequence[Model], tokens: Array, excluded: Sequence[int], targets: Floats, kept: _Kept
) -> Mixture:
    """Return the geometric mixture of the lowest loss, by Newton's method: the loss is convex in its weights."""
    step = -(-kept.logs.shape[1] // FITTED_TOKENS)
    weights = _minimise(kept.logs[:, ::step], kept.targets[:, ::step])
    loss = (
        _measure(weights, [kept.logs])
        if kept.whole
        else _measure(weights, (logs for logs, _ in _predict(models, tokens, excluded)))
    )
    return Mixture("geometric", tuple(weights.tolist()), loss - float((weights @ targets).mean()))


def _measure(weights: Floats, blocks: Sequence[Floats] | Iterator[Floats]) -> float:
    """Return the mean logarithm of what a geometric mixture's probabilities, before they are divided, sum to."""
    total, count = 0.0, 0
    for block in blocks:
        for piece in _cut(block):
            total += float(_normalise(weights, piece)[1].sum())
            count += piece.shape[1]
    return total / count


def _cut(logs: Floats) -> Iterator[Floats]:
    """Yield log-probabilities, (P, M, V), in pieces in float64, those of what is ruled out finite."""
    for begin, end in spans(0, logs.shape[1], max(1, LOGITS // (8 * len(logs) * logs.shape[2]))):
        yield np.maximum(logs[:, begin:end], LEAST_LOG, dtype=np.float64)


def _normalise(weights: Floats, logs: Floats) -> tuple[Floats, Floats]:
    """Return a geometric mixture's probabilities, (M, V), and the logarithm of what they were divided by, (M,)."""
    mixed = np.tensordot(weights, logs, axes=1)  # (M, V)
    best = mixed.max(axis=1, keepdims=True)
    mixed -= best
    np.exp(mixed, out=mixed)
    sums = mixed.sum(axis=1, keepdims=True)
    mixed /= sums
    return mixed, np.log(sums[:, 0]) + best[:, 0]


def _minimise(logs: Floats, targets: Floats) -> Floats:
    """Return the weights, (P,), of the geometric mixture of the lowest loss on places whose distributions are known."""
    weights = np.full(len(logs), 1 / len(logs))
    mean = targets.mean(axis=1)  # (P,)
    value, gradient, curvature = _derive(weights, logs, mean)
    for _ in range(ITERATIONS):
        direction = np.linalg.solve(curvature, -gradient)
        if -(direction @ gradient) < SMALLEST_CHANGE**2:
            break
        size, found = 1.0, _derive(weights + direction, logs, mean)
        while found[0] > value + 1e-4 * size * (direction @ gradient) and size > SMALLEST_CHANGE:
            size /= 2  # Armijo's rule: far from the minimum a whole step may go too far
            found = _derive(weights + size * direction, logs, mean)
        if found[0] >= value:
            break
        gain, weights = value - found[0], weights + size * direction
        value, gradient, curvature = found
        if gain < SMALLEST_CHANGE:
            break
    return weights


def _derive(weights: Floats, logs: Floats, mean: Floats) -> tuple[float, Floats, Floats]:
    """Return a geometric mixture's loss, its gradient, (P,), and its second derivatives, (P, P).

    The loss grows with the distance from even weights, as by a normal distribution of variance 1 over all tokens: so
    they are bounded where a few tokens are predicted for certain, and found where the models are equal.

    The gradient is what the mixture expects of each model's log-probability, less what came; the second derivatives
    are the covariances of these under the mixture.
    """
    models, places, _ = logs.shape
    total, expected, covariance = 0.0, np.zeros(models), np.zeros((models, models))
    for piece in _cut(logs):
        probabilities, norms = _normalise(weights, piece)
        total += float(norms.sum())
        means = np.einsum("mv,pmv->pm", probabilities, piece)
        expected += means.sum(axis=1)
        centred = piece - means[:, :, np.newaxis]
        weighted = (probabilities * centred).reshape(models, -1)
        covariance += weighted @ centred.reshape(models, -1).T
    apart = weights - 1 / models
    loss = (total + PRIOR_TOKENS * float(apart @ apart) / 2) / places - float(weights @ mean)
    gradient = (expected + PRIOR_TOKENS * apart) / places - mean
    return loss, gradient, (covariance + PRIOR_TOKENS * np.eye(models)) / places
