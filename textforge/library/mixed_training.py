"""Models that are counted beside the one that a run trains, and mixed with it at the end of the run.

They are counted first, so that what a run by time has left is known. The mixture replaces the trained model in the
bundle, and the checkpoint stays that of the trained one: a resumed run goes on with it, and mixes anew at its end.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import attrs

from textforge.architectures.recipe import Budget, CorpusSize
from textforge.backends.choose import choose_trained, load_model
from textforge.bundle import BundleContents, Mixing, find_plugin
from textforge.errors import StopTraining, TrainingError, advise
from textforge.library.choosing import check_choice
from textforge.library.held_out import HeldOut
from textforge.library.mixing import MEASURED_TOKENS, describe_fit, fit_held_out, join_models
from textforge.model import CountingModel, Model, SavedModel
from textforge.plugins.blame import blame
from textforge.training.data import TrainingData
from textforge.training.report import Report
from textforge.training.reports import Forwarding
from textforge.training.resuming import NothingLeft
from textforge.training.settings import TrainingSettings

if TYPE_CHECKING:
    from textforge.library.keeping import Keeper
    from textforge.library.run import Run

SAMPLE = 4096
"""The tokens that the time of a fit is measured on."""
SHARE = 0.1
"""The share of a run limited by time that fitting may take, at most, and that is left for training, at least."""
LEAST = 1000
"""The least number of tokens that weights are fitted on where the time is short."""


@attrs.frozen(eq=False)
class Counted:
    """Models that were counted for a mixture, and the time that this and fitting take."""

    models: tuple[CountingModel, ...]
    plugins: tuple[str | None, ...]
    """The plugins that brought their architectures."""
    tokens: int
    """The most tokens to fit the weights to."""
    seconds: float
    """The seconds of counting, and those that fitting will take."""


def count_mixed(run: Run, data: TrainingData, model: Model, report: Report) -> Counted:
    """Count the models that a run mixes with its own, `model`, of which fitting's time is estimated.

    Raises `TrainingError` for an architecture that isn't counted, and for a text too short to fit weights to.
    """
    began = time.perf_counter()
    if len(data.validation) < 2:
        raise TrainingError(
            f"2 {data.encoder.token_name} held out are needed to fit the weights of a mixture to, got "
            f"{len(data.validation)}; give a longer text, or more of it by ", advise("validation")
        )  # fmt: skip
    counted, brought = [], []
    for spec in run.settings.mix:
        report.message(f"counting {len(data.train):,} {data.encoder.token_name} for {spec}")
        made, plugin = _create(run, data, spec)
        counted.append(made.count(data.train))
        brought.append(plugin)
        for note in counted[-1].notes:
            report.message(note)
    tokens, seconds = MEASURED_TOKENS, 0.0
    if run.settings.minutes is not None:
        tokens, seconds = _plan_fit([model, *counted], data, run.settings.minutes * 60)
    return Counted(tuple(counted), tuple(brought), tokens, time.perf_counter() - began + seconds)


def _create(run: Run, data: TrainingData, spec: str) -> tuple[CountingModel, str | None]:
    """Return an untrained model to be counted, and the plugin that brought its architecture."""
    architecture, backend = choose_trained(run.plugins, spec, None)
    with blame(architecture, "to choose its sizes"):
        size = CorpusSize(len(data.train), data.encoder.vocabulary_size)
        recipe = architecture.sized(size, Budget(settings=run.given, mixed=True))
    check_choice(recipe, architecture)
    architecture = recipe.architecture
    saved = architecture.create(data.encoder.vocabulary_size, run.settings.seed)
    made = load_model(run.plugins, backend, saved, architecture)
    if not isinstance(made, CountingModel):
        raise TrainingError(
            f"{architecture.name} is trained step by step, and only what learns in one reading can be mixed in, such "
            "as ngram: train it by itself, and mix both models by `textforge mix`"
        )
    return made, find_plugin(run.plugins, "architecture", architecture)


def _plan_fit(models: Sequence[Model], data: TrainingData, limit: float) -> tuple[int, float]:
    """Return the most tokens to fit weights to in a run of so many seconds, and the seconds that this will take."""
    sample = HeldOut(data.validation[:SAMPLE], ())
    first = _time(lambda: fit_held_out(models, sample, data.encoder, None))  # in which a framework may compile
    second = _time(lambda: fit_held_out(models, sample, data.encoder, None))
    each = second / len(sample.tokens)
    starting = max(0.0, first - second)
    tokens = min(MEASURED_TOKENS, len(data.validation), max(LEAST, int((SHARE * limit - starting) / each)))
    return tokens, starting + each * tokens


def _time(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def leave_time(settings: TrainingSettings, counted: Counted, report: Report) -> TrainingSettings:
    """Return the settings of a run without the time that counting and fitting take."""
    if settings.minutes is None:
        return settings
    report.message(f"of {settings.minutes:g} minutes, counting and mixing take {counted.seconds:.1f} s")
    return settings.replace(minutes=max(SHARE * settings.minutes, settings.minutes - counted.seconds / 60))


def fit_and_mix(
    run: Run, data: TrainingData, counted: Counted, keeper: Keeper, report: Report, fit: Callable[[Report], SavedModel]
) -> BundleContents:
    """Train by `fit`, which is given a report of which it may not be the end, and mix what it returns.

    A checkpoint that has nothing left to learn is mixed alone, unless that was done.
    """
    with _telling_interruption(run, report):
        try:
            trained = fit(_Unfinished(report))
        except NothingLeft:
            if run.mixed or run.checkpoint is None:
                raise
            trained = run.checkpoint.best
        return _mix(run, data, counted, keeper, report, trained)


def _mix(
    run: Run, data: TrainingData, counted: Counted, keeper: Keeper, report: Report, trained: SavedModel
) -> BundleContents:
    """Fit the weights of the mixture, and keep it."""
    main = keeper.contents(trained).model
    model = load_model(run.plugins, run.backend, main, run.architecture)
    names = (run.architecture.spec, *run.settings.mix)
    fitted = fit_held_out([model, *counted.models], HeldOut(data.validation, ()), data.encoder, None, counted.tokens)
    with contextlib.suppress(StopTraining):  # the run is at its end
        for line in describe_fit(fitted, names):
            report.message(line)
    own = find_plugin(run.plugins, "architecture", run.architecture)
    parts = [(main, own), *zip((each.save() for each in counted.models), counted.plugins, strict=True)]
    mixed = join_models(parts, fitted.best.kind, fitted.best.coefficients)
    return keeper.keep_mixture(mixed, Mixing(names, fitted.best.loss, fitted.losses, fitted.tokens, trained=True))


@contextlib.contextmanager
def _telling_interruption(run: Run, report: Report) -> Iterator[None]:
    """Tell the report, in the end, that the run is over, and where it was interrupted that it has not been mixed."""
    try:
        yield
    except KeyboardInterrupt:
        with contextlib.suppress(StopTraining):
            report.message(f"stopped before the mixture with {', '.join(run.settings.mix)}, which ends the run")
        raise
    finally:
        report.finish()


class _Unfinished(Forwarding):
    """A report that is not told of the end of training, for more of the run is to come."""

    def __init__(self, report: Report) -> None:
        self._report = report

    def send(self, event: str, *arguments: object) -> None:
        getattr(self._report, event)(*arguments)

    def finish(self) -> None:
        """Do nothing."""
