"""``textforge export``."""

from __future__ import annotations

from pathlib import Path

import click

from textforge.cli.group import Session
from textforge.cli.output import say
from textforge.cli.parameters import model_argument


class ExportCommand(click.Command):
    """A command that lists in its help the formats that are installed."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the name of each format, and what it is."""
        from textforge.errors import TextforgeError

        try:
            found = ctx.ensure_object(Session).plugins().components("format")
        except TextforgeError:  # a plugin named by hand that can't be loaded: running a command says why
            return
        with formatter.section("Installed formats"):
            formatter.write_dl([(each.name, each.cls.description) for each in found])


@click.command("export", cls=ExportCommand)
@model_argument
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--format", "format", required=True, metavar="NAME", help="Format of the file, of those below.")
@click.option("--overwrite", is_flag=True, help="Replace a file that is there.")
@click.pass_obj
def command(session: Session, model: Path, file: Path, format: str, overwrite: bool) -> None:
    """Write a model to a file that other programs read.

    The file is read back and must give the model's own logits, on text that the model writes, or it is not kept. What
    it says of the model, its tokens among it, is in the documentation of the format.
    """
    from textforge.library.facade import load

    made = load(model, plugins=session.plugins()).export(file, format=format, overwrite=overwrite)
    say(f"wrote {made.path}, {made.size:,} bytes: {made.description}")
    if made.tokens:
        say(f"its logits are within {made.distance:.1e} of the model's own, over {made.tokens:,} tokens")
    else:
        say("what it holds is the model, bit for bit")
