"""``textforge export``."""

from __future__ import annotations

from pathlib import Path

import click

from textforge.cli.group import Session
from textforge.cli.output import say
from textforge.cli.parameters import model_argument


@click.command("export")
@model_argument
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "format",
    required=True,
    metavar="NAME",
    help="What to write: keras, onnx, torch, or what another plugin brings.",
)
@click.option("--overwrite", is_flag=True, help="Replace a file that is there.")
@click.pass_obj
def command(session: Session, model: Path, file: Path, format: str, overwrite: bool) -> None:
    """Write a model to a file that other programs read.

    keras: a .keras file, to go on in Keras alone. torch: a state_dict under PyTorch's own names, as safetensors. onnx:
    a graph that reads one token at a time. The file is read back and must give the model's own logits, or it is not
    kept; what it says of the model, its tokens among it, is in the documentation.
    """
    from textforge.library.facade import load

    made = load(model, plugins=session.plugins()).export(file, format=format, overwrite=overwrite)
    say(f"wrote {made.path}, {made.size:,} bytes: {made.description}")
    say(f"its logits are within {made.distance:.1e} of the model's own, over {made.tokens:,} tokens")
