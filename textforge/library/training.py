"""A training run from its corpora to its bundle."""

from __future__ import annotations

import itertools

import attrs

from textforge.backends.choose import load_model
from textforge.bundle import BundleContents, BundleWriter
from textforge.encoders.base import Encoder
from textforge.generation.chain import check_chain, expand_presets
from textforge.library.choosing import apply_recipe
from textforge.library.keeping import Keeper
from textforge.library.mixed_training import count_mixed, fit_and_mix, leave_time
from textforge.library.reading import read_corpora
from textforge.library.run import Run
from textforge.model import GradientModel, Model, SavedModel
from textforge.plugins.blame import blame
from textforge.training.data import TrainingData
from textforge.training.memory import refuse_too_large, refuse_untrainable
from textforge.training.report import Report
from textforge.training.reports import Reports
from textforge.training.samples import SampleWriter


def train(run: Run, writer: BundleWriter | None, report: Report) -> BundleContents:
    """Do the run and give what a bundle has of it; with a writer, every checkpoint is committed."""
    from textforge.training.fit import fit  # the loop, which nothing else needs

    folder = writer.path if writer else None
    with read_corpora(run, folder) as read:
        encoder = read.data.encoder
        for note in read.notes:
            report.message(note)
        if run.checkpoint is None:
            run = apply_recipe(run, read.data, report)
        check_chain(expand_presets(list(itertools.chain(*run.chains))), encoder)
        report.message(f"{run.architecture.spec} by {run.backend.spec}, seed {run.settings.seed}")
        model = _first_model(run, read.data, report)
        keeper = Keeper(run, encoder, read.records, writer)
        reports = Reports([SampleWriter(run.chains, read.data, run.settings, report), keeper, report])
        if not run.settings.mix:
            return keeper.conclude(fit(model, read.data, run.settings, reports, run.checkpoint))
        counted = count_mixed(run, read.data, model, report)
        settings = leave_time(run.settings, counted, report)
        return fit_and_mix(
            run, read.data, counted, keeper, reports, lambda told: fit(model, read.data, settings, told, run.checkpoint)
        )


def _first_model(run: Run, data: TrainingData, report: Report) -> Model:
    if run.checkpoint is not None:
        return load_model(run.plugins, run.backend, run.checkpoint.model, run.architecture)
    with blame(run.backend, "to tell its memory"):
        run.backend.require()
        memory = run.backend.find_memory()
    encoder, settings = data.encoder, run.settings
    with blame(run.architecture, "to declare its weights"):
        refuse_too_large(run.architecture, encoder, memory)
    if run.source is not None:
        saved = _grow(run, run.source, encoder, report)
    else:
        with blame(run.architecture, "to make a new model"):
            saved = run.architecture.create(encoder.vocabulary_size, settings.seed)
    model = load_model(run.plugins, run.backend, saved, run.architecture)
    if isinstance(model, GradientModel):
        is_new = run.source is None
        refuse_untrainable(run.architecture, encoder, settings, len(data.train), memory, encoder_may_change=is_new)
    return model


def _grow(run: Run, source: SavedModel, encoder: Encoder, report: Report) -> SavedModel:
    """Return the model that the run goes on from, for the vocabulary that there is now."""
    new = encoder.vocabulary_size - source.vocabulary_size
    known = f"{source.vocabulary_size:,} {encoder.token_name} are known"
    report.message(f"from {run.lineage[-1].model or 'a model in hand'}: {known}, {new:,} are new")
    if run.settings.sequences == "stream":
        source = attrs.evolve(source, window=run.architecture.model_window)  # it may have been of windows before
    if not new:
        return source
    with blame(run.architecture, "to grow its vocabulary"):
        return run.architecture.grow(source, encoder.vocabulary_size, run.settings.seed)
