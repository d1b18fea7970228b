"""A command as a plugin: the tokens that a model knows, one a line, each with its id.

textforge vocabulary model/ --plugin examples/textforge_vocabulary.py
"""

import json

import click

import textforge
from textforge.cli import current_plugins


@click.command("vocabulary")
@click.argument("model", type=click.Path(exists=True))
@click.option("--like", default="", metavar="TEXT", help="Only tokens with this text in them.")
def command(model, like):
    """List the tokens that MODEL knows."""
    encoder = textforge.load(model, plugins=current_plugins()).encoder
    for id in range(encoder.vocabulary_size):
        text = encoder.token_text(id)
        if like in text:
            click.echo(f"{id}\t{json.dumps(text, ensure_ascii=False)}")


@textforge.hookimpl
def register_commands(register):
    register("vocabulary", f"{__name__}:command", "List the tokens that a model knows.")
