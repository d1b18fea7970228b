"""``textforge info``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from textforge.cli.parameters import model_argument

if TYPE_CHECKING:
    from textforge.bundle import Bundle


@click.command("info")
@model_argument
@click.option("--json", "as_json", is_flag=True, help="Write the whole manifest as JSON.")
def command(model: Path, as_json: bool) -> None:
    """Show what a model is and how it was trained."""
    from textforge.bundle import Bundle

    bundle = Bundle.open(model)
    if as_json:
        click.echo(json.dumps(bundle.manifest, ensure_ascii=False, indent=2))
        return
    for name, value in _rows(bundle):
        click.echo(f"{name:<16}{value}")


def _rows(bundle: Bundle) -> list[tuple[str, str]]:
    raise NotImplementedError
