"""``textforge train``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import click

from textforge.cli.group import Session
from textforge.cli.output import quote_command, say
from textforge.cli.parameters import add_declared_options, select_given
from textforge.training.settings import TrainingSettings

if TYPE_CHECKING:
    from textforge.library.arguments import SettingsArguments


@click.command("train")
@click.argument("corpora", metavar="CORPUS...", nargs=-1)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    metavar="MODEL",
    help="Folder to save the model in.",
)
@click.option("--encoder", metavar="SPEC", help="How text becomes tokens.  [default: char]")
@click.option(
    "--architecture", metavar="SPEC", help="What the model is, with its options; lstm unless given, where that trains."
)
@click.option("--backend", metavar="SPEC", help="What computes it; unless given, what is installed and trains fastest.")
@click.option(
    "--from", "from_model", type=click.Path(path_type=Path), metavar="MODEL", help="Model to go on from on a new text."
)
@add_declared_options(
    TrainingSettings,
    epochs="N",
    sample="CHAIN",
    validation="FRACTION",
    validation_corpus="CORPUS",
    replay="CORPUS:SHARE",
    mix="SPEC",
)
@click.option(
    "--report", "reports", multiple=True, metavar="SPEC", help="Report of a plugin that watches the run; repeatable."
)
@click.option("--resume", is_flag=True, help="Go on with the run that MODEL was saved from.")
@click.option("--overwrite", is_flag=True, help="Replace the model that is in MODEL.")
@click.pass_obj
def command(
    session: Session,
    /,
    corpora: tuple[str, ...],
    output: Path,
    encoder: str | None,
    architecture: str | None,
    backend: str | None,
    from_model: Path | None,
    reports: tuple[str, ...],
    resume: bool,
    overwrite: bool,
    **settings: Unpack[SettingsArguments],
) -> None:
    """Learn a model from a text.

    CORPUS is a file, a folder, a glob, - for standard input, or the spec of a registered corpus such as python-docs
    or files:book.txt,encoding=latin-1. Ctrl-C stops and keeps what was learnt.
    """
    of_model = {"encoder": encoder, "architecture": architecture}
    if resume:
        _check_usage(corpora, {**of_model, "overwrite": overwrite, "from": from_model}, "resume")
    else:
        _check_usage(corpora, of_model, "from" if from_model else None)
    from textforge.library.facade import train_contents
    from textforge.training.console import ConsoleReport
    from textforge.training.reports import Reports, make_reports

    report, plugins = ConsoleReport(), session.plugins()
    try:
        train_contents(
            corpora,
            encoder=encoder,
            architecture=architecture,
            backend=backend,
            output=output,
            overwrite=overwrite,
            resume=resume,
            from_model=from_model,
            report=Reports([report, *make_reports(reports, plugins)]),
            plugins=plugins,
            **select_given(settings),
        )
    except KeyboardInterrupt:
        _say_how_to_go_on(session, output, report.saved)
        raise
    say(f"saved in {output}; write with: {_command(session, 'generate', output)}")


def _check_usage(corpora: tuple[str, ...], excluded: Mapping[str, object], by: str | None) -> None:
    """Refuse the options that go with new models alone, where one is gone on with by `by`, and a lack of corpora."""
    for name, value in excluded.items():
        if by and value:
            raise click.UsageError(f"--{by} goes on with the model as it is: leave out --{name}.")
    if not corpora and by != "resume":
        raise click.UsageError("Missing argument 'CORPUS...': a file, a folder, or a corpus such as python-docs.")


def _say_how_to_go_on(session: Session, output: Path, saved: bool) -> None:
    if saved:
        again = _command(session, "train", "-o", output, "--resume")
        say(f"\nstopped; what was learnt is saved. Go on with: {again}")
    else:
        say("\nstopped before anything was learnt; nothing was saved")


def _command(session: Session, *words: object) -> str:
    plugins = [word for name in session.plugin_names for word in ("--plugin", name)]
    return quote_command("textforge", *words, *plugins)
