"""The mixing of trained models into one."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textforge.architectures.composite import FEWEST, describe_part
from textforge.architectures.mix import KINDS, Mix, find_fault
from textforge.backends.base import Backend
from textforge.backends.choose import choose_runner
from textforge.backends.streamed import read_as_stream
from textforge.bundle import BundleContents, BundleWriter, Mixing, find_plugin
from textforge.corpora.resolve import CorpusArgument
from textforge.encoders.base import Encoder, Unknown
from textforge.errors import OptionError, TrainingError, advise
from textforge.evaluation.mixture import MixtureFit, fit_mixture
from textforge.library.held_out import SPLIT, HeldOut, find_split, read_common, read_given
from textforge.library.keeping import list_versions
from textforge.library.loading import load_contents
from textforge.library.logged import LOGGER
from textforge.library.mixed_parts import MixedPart, open_part, refuse_other_encoder
from textforge.model import Model, SavedModel
from textforge.plugins.registry import Plugins
from textforge.training.validating import draw_part

if TYPE_CHECKING:
    from textforge.library.generator import TextGenerator

MEASURED_TOKENS = 1 << 17
"""The most tokens that weights are fitted on."""
READ_AGAIN = 8
"""The number of times as many tokens that are read for a model with a window, which reads it anew for each."""

Teller = Callable[[str], None]
"""A function called with each line that a user should read."""


def mix(
    models: Sequence[str | Path | TextGenerator],
    *,
    weights: Sequence[float] | None = None,
    kind: str | None = None,
    corpus: CorpusArgument | Sequence[CorpusArgument] = (),
    unknown: Unknown = "error",
    output: str | Path | None = None,
    overwrite: bool = False,
    backend: str | Backend | None = None,
    plugins: Plugins | None = None,
) -> TextGenerator:
    """Mix models into one and return a generator that writes with it.

    `models` are saved models' folders, or generators, two or more, with the same encoder. They are mixed by their
    probabilities, ``kind="linear"``, or by the logarithms of these, ``"geometric"``. Unless `weights` are given, one a
    model, they are fitted to text that no model has learnt, and the better kind is kept: to `corpus`, or else to the
    part that all of them have kept of their common corpus for validation. What the vocabulary lacks of `corpus` raises
    `EncodingError`, or is left out with ``unknown="skip"``. Geometric weights need not sum to 1, and may
    be negative: ``weights=(1.5, -0.5)`` contrasts the first model with the second. What was measured is logged, by the
    name ``textforge.training``, and stands in the generator's ``contents.mixing``. With `output`, the model is saved
    there.

    Raises `TextforgeError`.

    >>> import textforge
    >>> book = "It is so, and that is that. " * 20
    >>> short, long = (textforge.train(text=book, architecture=f"ngram:order={order}") for order in (2, 4))
    >>> textforge.mix([short, long], weights=(0.25, 0.75)).generate("It", seed=1, max_tokens=4)
    ' is '
    """
    plugins = plugins or Plugins()
    contents = mix_contents(
        models,
        weights=weights,
        kind=kind,
        corpus=corpus,
        unknown=unknown,
        output=output,
        overwrite=overwrite,
        backend=backend,
        plugins=plugins,
        tell=lambda line: LOGGER.info("%s", line),
    )
    return load_contents(contents, backend, plugins)


def mix_contents(
    models: Sequence[str | Path | TextGenerator],
    *,
    weights: Sequence[float] | None,
    kind: str | None,
    corpus: CorpusArgument | Sequence[CorpusArgument],
    unknown: Unknown,
    output: str | Path | None,
    overwrite: bool,
    backend: str | Backend | None,
    plugins: Plugins,
    tell: Teller,
) -> BundleContents:
    """Mix models as `mix` does, and return what a bundle holds of the result."""
    if isinstance(models, (str, Path)) or len(models) < FEWEST:
        count = 1 if isinstance(models, (str, Path)) else len(models)
        raise TrainingError(f"a mixture needs {FEWEST} models or more, got {count}: name the others too")
    coefficients = _check_weights(weights, kind, len(models))
    if coefficients is not None and corpus:
        raise OptionError(advise("weights"), " that are given are not fitted: leave out ", advise("corpus"))
    writer = None if output is None else BundleWriter.prepare(output, overwrite=overwrite)
    try:
        parts = [open_part(model, number, plugins) for number, model in enumerate(models)]
        for part in parts[1:]:
            refuse_other_encoder(parts[0].contents.encoder, part.contents.encoder, (parts[0].name, part.name))
        text = read_given(_list(parts), corpus, unknown, plugins) if corpus else None
        contents = _mix(parts, coefficients, kind, text, backend, plugins, tell)
        if writer:
            writer.commit(contents)
        return contents
    finally:
        if writer:
            writer.close()


def _check_weights(weights: Sequence[float] | None, kind: str | None, count: int) -> tuple[float, ...] | None:
    """Return the weights that were given, for so many models; raise `OptionError` for what can't be."""
    if kind is not None and kind not in KINDS:
        raise OptionError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
    if weights is None:
        return None
    coefficients: tuple[float, ...] = _check_numbers(weights)
    if wrong := find_fault(coefficients, kind or choose_kind(coefficients), count):
        raise OptionError(advise("weights"), f" {wrong}")
    return coefficients


def _check_numbers(weights: Sequence[float]) -> tuple[float, ...]:
    try:
        checked: tuple[float, ...] = Mix.known_option("coefficients").check(tuple(weights))
    except (TypeError, ValueError) as error:
        raise OptionError(advise("weights"), f" {error}") from None
    return checked


def choose_kind(coefficients: Sequence[float]) -> str:
    """Return the kind of mixture that weights are for, where it wasn't given: linear, where they are shares of 1."""
    return "geometric" if find_fault(tuple(coefficients), "linear", len(coefficients)) else "linear"


def _list(parts: Sequence[MixedPart]) -> list[BundleContents]:
    return [part.contents for part in parts]


def _mix(
    parts: Sequence[MixedPart],
    coefficients: tuple[float, ...] | None,
    kind: str | None,
    text: AbstractContextManager[HeldOut] | None,
    backend: str | Backend | None,
    plugins: Plugins,
    tell: Teller,
) -> BundleContents:
    contents, names = _list(parts), [part.name for part in parts]
    described = [(each.model, each.architecture_plugin) for each in contents]
    even = join_models(described, "linear", [1 / len(parts)] * len(parts))
    runner = choose_runner(plugins, even, backend)
    models = [part.load(runner, plugins) for part in parts]
    mixing = Mixing(tuple(names))
    if coefficients is None:
        with text or read_common(contents, names, plugins) as held_out:
            fitted = fit_held_out(models, held_out, contents[0].encoder, kind)
        for line in (*held_out.notes, *describe_fit(fitted, names)):
            tell(line)
        kind, coefficients = fitted.best.kind, fitted.best.coefficients
        mixing = Mixing(tuple(names), fitted.best.loss, fitted.losses, fitted.tokens)
    saved = join_models(described, kind or choose_kind(coefficients), coefficients)
    return _make_contents(parts, saved, mixing, plugins)


def fit_held_out(
    models: Sequence[Model], held_out: HeldOut, encoder: Encoder, kind: str | None, most: int = MEASURED_TOKENS
) -> MixtureFit:
    """Return the mixtures, of a kind or of each, that were fitted to a text, or to `most` tokens spread over it."""
    window = max(model.window or 1 for model in models)
    tokens = draw_part(held_out.tokens, min(most, max(1000, most * READ_AGAIN // window)), 0)
    streams = [read_as_stream(model) for model in models]
    return fit_mixture(streams, tokens, KINDS if kind is None else (kind,), encoder.never_generated)


def describe_fit(fitted: MixtureFit, names: Sequence[str]) -> list[str]:
    """Return the lines that tell of mixtures, the best first, and of their parts.

    >>> from textforge.evaluation.mixture import Mixture
    >>> fit = MixtureFit((Mixture("linear", (0.7, 0.3), 1.25),), (1.5, 1.75), 1000)
    >>> for line in describe_fit(fit, ("lstm/", "counted/")):
    ...     print(line)
    on 1,000 tokens held out, nats a token:
    lstm/      1.5000 (2.164 bits)
    counted/   1.7500 (2.525 bits)
    linear     1.2500 (1.803 bits)  weights 0.7000,0.3000
    """
    rows = [(name, loss, "") for name, loss in zip(names, fitted.losses, strict=True)]
    for mixture in fitted.mixtures:
        written = ",".join(f"{each:.4f}" for each in mixture.coefficients)
        rows.append((mixture.kind, mixture.loss, f"  weights {written}"))
    width = max(len(name) for name, _, _ in rows)
    lines = [f"{name:<{width}}  {loss:.4f} ({loss / math.log(2):.3f} bits){more}" for name, loss, more in rows]
    return [f"on {fitted.tokens:,} tokens held out, nats a token:", *lines]


def join_models(
    models: Sequence[tuple[SavedModel, str | None]], kind: str, coefficients: Sequence[float]
) -> SavedModel:
    """Return the mixture of saved models, each with the plugin that brought its architecture."""
    described = tuple(describe_part(saved, plugin) for saved, plugin in models)
    architecture = Mix(parts=described, coefficients=tuple(coefficients), kind=kind)
    return architecture.join([saved for saved, _ in models])


def _make_contents(parts: Sequence[MixedPart], saved: SavedModel, mixing: Mixing, plugins: Plugins) -> BundleContents:
    first = parts[0].contents
    runner = choose_runner(plugins, saved, None)
    lineage = {ancestor: None for part in parts for ancestor in (*part.contents.lineage, part.make_ancestor())}
    corpora = {record: None for part in parts for record in part.contents.corpora}
    return BundleContents(
        encoder=first.encoder,
        model=saved,
        backend=runner.spec,
        corpora=tuple(corpora),
        settings=_find_common_settings(parts),
        versions=list_versions(runner),
        lineage=tuple(lineage),
        encoder_plugin=first.encoder_plugin,
        backend_plugin=find_plugin(plugins, "backend", runner),
        architecture_plugin=find_plugin(plugins, "architecture", Mix.name),
        mixing=mixing,
    )


def _find_common_settings(parts: Sequence[MixedPart]) -> dict[str, Any]:
    """Return the settings that say what all parts were validated on, so that the mixture may be mixed again."""
    try:
        splits = [find_split(part.contents, part.name) for part in parts]
    except TrainingError:
        return {}
    known = parts[0].contents.settings
    return {name: known[name] for name in SPLIT if name in known} if splits.count(splits[0]) == len(splits) else {}
