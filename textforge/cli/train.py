"""``textforge train``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from textforge.cli.group import Session
from textforge.cli.parameters import declared_options, given
from textforge.training.settings import TrainingSettings


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
@click.option("--backend", metavar="SPEC", help="What trains: torch, else keras, else ngram, as installed.")
@declared_options(TrainingSettings, epochs="N", sample="CHAIN", validation="FRACTION")
@click.option("--resume", is_flag=True, help="Go on with the run that MODEL was saved from.")
@click.option("--overwrite", is_flag=True, help="Replace the model that is in MODEL.")
@click.pass_obj
def command(
    session: Session,
    /,
    corpora: tuple[str, ...],
    output: Path,
    encoder: str | None,
    backend: str | None,
    resume: bool,
    overwrite: bool,
    **settings: Any,
) -> None:
    """Learn a model from a text.

    CORPUS is a file, a folder, a glob, - for standard input, or the spec of a registered corpus such as python-docs
    or files:book.txt,encoding=latin-1. Ctrl-C stops and keeps what was learnt.
    """
    if resume and (encoder or overwrite):
        raise click.UsageError(
            f"--resume goes on with the model as it is: leave out --{'encoder' if encoder else 'overwrite'}."
        )
    if not (corpora or resume):
        raise click.UsageError("Missing argument 'CORPUS...': a file, a folder, or a corpus such as python-docs.")
    from textforge.library import train
    from textforge.training.console import ConsoleReport

    report = ConsoleReport()
    try:
        train(
            corpora,
            encoder=encoder,
            backend=backend,
            output=output,
            overwrite=overwrite,
            resume=resume,
            report=report,
            plugins=session.plugins(),
            **given(settings),
        )
    except KeyboardInterrupt:
        _say_how_to_go_on(output, report.saved)
        raise
    click.echo(f"saved in {output}; write with: textforge generate {output}", err=True)


def _say_how_to_go_on(output: Path, saved: bool) -> None:
    if saved:
        click.echo(f"\nstopped; what was learnt is saved. Go on with: textforge train -o {output} --resume", err=True)
    else:
        click.echo("\nstopped before anything was learnt; nothing was saved", err=True)
