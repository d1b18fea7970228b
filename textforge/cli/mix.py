"""``textforge mix``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from textforge.cli.group import Session
from textforge.cli.output import quote_command, say
from textforge.cli.parameters import backend_option, unknown_option

if TYPE_CHECKING:
    from textforge.encoders.base import Unknown

    _ParamType = click.ParamType[Any]
else:
    _ParamType = click.ParamType  # generic for type checkers, but not at run time in every click


class Numbers(_ParamType):
    """Numbers, joined by commas."""

    name = "numbers"

    def convert(
        self, value: str | tuple[float, ...], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, ...]:
        if isinstance(value, tuple):
            return value
        try:
            return tuple(float(part) for part in value.split(","))
        except ValueError:
            self.fail(f"must be numbers joined by commas, such as 0.6,0.4, got {value!r}.", param, ctx)


@click.command("mix")
@click.argument("models", metavar="MODEL MODEL...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    metavar="MODEL",
    help="Folder to save the mixture in.",
)
@click.option(
    "--weights",
    type=Numbers(),
    metavar="X,X,...",
    help="Weight of each model; fitted unless given. Geometric ones may be negative: 1.5,-0.5 contrasts two models.",
)
@click.option(
    "--kind",
    type=click.Choice(["linear", "geometric"]),
    help="Mixture of probabilities, or of their logarithms; the better one unless given.",
)
@click.option(
    "--corpus",
    multiple=True,
    metavar="CORPUS",
    help="Text to fit the weights to, which no MODEL has learnt; what all were validated on unless given; repeatable.",
)
@unknown_option
@backend_option
@click.option("--overwrite", is_flag=True, help="Replace the model that is in the folder.")
@click.pass_obj
def command(
    session: Session,
    models: tuple[Path, ...],
    output: Path,
    weights: tuple[float, ...] | None,
    kind: str | None,
    corpus: tuple[str, ...],
    unknown: Unknown,
    backend: str | None,
    overwrite: bool,
) -> None:
    """Mix models into one that predicts better than each.

    They must have the same encoder. Shows the loss of each, and of the mixture, on text that none of them has learnt.
    """
    from textforge.library.mixing import mix_contents

    mix_contents(
        models,
        weights=weights,
        kind=kind,
        corpus=corpus,
        unknown=unknown,
        output=output,
        overwrite=overwrite,
        backend=backend,
        plugins=session.plugins(),
        tell=say,
    )
    plugins = [word for name in session.plugin_names for word in ("--plugin", name)]
    say(f"saved in {output}; write with: {quote_command('textforge', 'generate', output, *plugins)}")
