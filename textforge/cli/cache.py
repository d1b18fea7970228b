"""``textforge cache``."""

from __future__ import annotations

import json

import click

from textforge.cli.output import say, show


@click.command("cache")
@click.argument("names", metavar="[NAME...]", nargs=-1)
@click.option("--clear", is_flag=True, help="Delete the files, or those that are named.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
def command(names: tuple[str, ...], clear: bool, as_json: bool) -> None:
    """List what was downloaded or worked out and is kept, or clear it.

    It lies in the folder that the environment variable TEXTFORGE_CACHE names, else in the system's for caches. In the
    former, what is not textforge's for certain is listed and deleted only where it is named.
    """
    from textforge.corpora.cache import cache_folder, clear_cached, list_cached

    folder = cache_folder()
    found = list_cached(names)
    total = f"{len(found):,} file{'' if len(found) == 1 else 's'}, {sum(found.values()):,} bytes"
    if clear:
        clear_cached(found)
        say(f"{total} deleted from {folder}")
        return
    if as_json:
        sizes = {path.relative_to(folder).as_posix(): size for path, size in found.items()}
        show(json.dumps({"folder": str(folder), "files": sizes}))
        return
    from textforge.library.token_cache import list_texts  # which clearing does without

    say(f"{total} in {folder}")
    for path, size in found.items():
        texts = list_texts(path)
        show("  ".join([f"{size:>15,}", path.relative_to(folder).as_posix(), *texts]))
