"""``textforge info``."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING

import click

from textforge.cli.output import show
from textforge.cli.parameters import model_argument

if TYPE_CHECKING:
    from textforge.bundle import Ancestor, Bundle
    from textforge.training.data import CorpusRecord


@click.command("info")
@model_argument
@click.option("--json", "as_json", is_flag=True, help="Write the whole manifest as JSON.")
def command(model: Path, as_json: bool) -> None:
    """Show what a model is and how it was trained."""
    from textforge.bundle import Bundle

    bundle = Bundle.open(model)
    if as_json:
        show(json.dumps(bundle.manifest, indent=2))
        return
    for name, value in _rows(bundle):
        show(f"{name:<16}{value}")


def _rows(bundle: Bundle) -> list[tuple[str, str]]:
    options = ", ".join(f"{name}={_plain(value)}" for name, value in bundle.model_options.items())
    versions = ", ".join(f"{name} {version}" for name, version in bundle.versions.items())
    window = f", window of {bundle.window} tokens" if bundle.window else ""
    rows = [
        ("model", f"{bundle.architecture}, {bundle.vocabulary_size:,} tokens known{window}"),
        *_model_rows(bundle, options),
        ("encoder", _encoder(bundle)),
        ("mixed by" if bundle.mixing and not bundle.mixing.trained else "trained by", f"{bundle.backend} ({versions})"),
        *[("from", _ancestor(ancestor)) for ancestor in bundle.lineage],
        *[("corpus", _corpus(corpus)) for corpus in bundle.corpora],
        ("training", _training(bundle)),
        ("loss", _loss(bundle)),
        ("settings", ", ".join(f"{name}={_plain(value)}" for name, value in bundle.settings.items())),
        *[("file", f"{entry.name}, {entry.size:,} bytes") for entry in bundle.files.values()],
    ]
    return [(name, value) for name, value in rows if value]


def _model_rows(bundle: Bundle, options: str) -> list[tuple[str, str]]:
    """Return what the model is: its options, or those of the models that it was mixed of."""
    if bundle.mixing is None:
        return [("options", options)]
    from textforge.bundle.mixing import read_mix
    from textforge.errors import BundleError

    mixing = bundle.mixing
    try:
        mix = read_mix(bundle.model_options)
    except BundleError as error:  # the rest can be shown all the same
        return [("options", str(error))]
    of = "" if mixing.loss is None else f", {_nats(mixing.loss)} on {mixing.tokens or 0:,} tokens held out"
    losses = mixing.losses or [None] * len(mixing.names)
    rows = [("mixture", f"{mix.kind}{of}")]
    for weight, name, part, loss in zip(mix.coefficients, mixing.names, mix.describe_parts(), losses, strict=False):
        rows.append(("part", f"{weight:.4f} of {name}: {part}" + ("" if loss is None else f"; {_nats(loss)}")))
    return rows


def _nats(loss: float) -> str:
    return f"{loss:.4f} nats a token ({loss / math.log(2):.3f} bits)"


def _encoder(bundle: Bundle) -> str:
    from textforge.errors import BundleError

    try:
        options = bundle.encoder_options()
    except BundleError as error:  # the rest can be shown all the same
        return f"{bundle.encoder_name}; {error}"
    return ", ".join([bundle.encoder_name, *(f"{name}={_plain(value)}" for name, value in options.items())])


def _corpus(corpus: CorpusRecord) -> str:
    several = f" in {corpus.documents:,} documents" if (corpus.documents or 0) > 1 else ""
    part = "" if corpus.part == "training" else f", for {corpus.part}"
    return f"{corpus.spec}, {corpus.characters:,} characters{several}{part}"


def _ancestor(ancestor: Ancestor) -> str:
    corpora = ", ".join(corpus.spec for corpus in ancestor.corpora if corpus.part != "validation")
    learnt = f", which had learnt {corpora}" if corpora else ""
    loss = "" if ancestor.best_loss is None else f", to a loss of {ancestor.best_loss:.4f}"
    return f"{ancestor.model or 'a model in hand'}{learnt}{loss}"


def _training(bundle: Bundle) -> str:
    results, position = bundle.results, bundle.position
    if results.epochs is None:
        return ""
    epochs = "1 epoch" if results.epochs == 1 else f"{results.epochs:.4g} epochs"
    done = f"{epochs}, {results.steps:,} steps, {results.seconds or 0:,.1f} s"
    return done if position is None or position.finished else f"{done}; interrupted, to be resumed"


def _loss(bundle: Bundle) -> str:
    results = bundle.results
    if results.best_loss is None:
        return ""
    kind = "training" if results.validation_loss is None else "validation"
    of = " of the part that was trained" if bundle.mixing else ""
    return f"{_nats(results.best_loss)}, {kind}{of}, after epoch {results.best_epoch:.4g}"


def _plain(value: object) -> str:
    return "none" if value is None else str(value)
