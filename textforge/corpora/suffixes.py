"""The corpus that reads a path, by what it ends with: each corpus says which files it claims."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textforge.corpora.base import Corpus
from textforge.corpora.files import FilesCorpus
from textforge.corpora.paths import find_suffix, is_folder, title
from textforge.errors import CorpusError, list_names
from textforge.plugins.entry_points import is_core

if TYPE_CHECKING:
    from textforge.plugins.registry import Plugins, Registered


def find_reader(path: str, plugins: Plugins) -> type[Corpus]:
    """Return the corpus that reads a path: the one that claims its suffix, else `FilesCorpus`, as for every folder.

    A corpus of textforge's own goes before a plugin's. Raises `CorpusError` where two plugins claim the suffix.
    """
    suffix = find_suffix(path)
    if not suffix or suffix in FilesCorpus.suffixes or is_folder(path):
        return FilesCorpus  # without importing the other corpora
    claims = [found for found in plugins.components("corpus") if _claims(found, suffix)]
    claims = [found for found in claims if is_core(found.source.distribution)] or claims
    if len({found.cls for found in claims}) > 1:
        ways = " or ".join(f"{found.name}@{found.source.handle}:…" for found in claims)
        raise CorpusError(
            f"{title(path)} can be read by several corpora, {list_names(found.name for found in claims)}, and {suffix} "
            f"says no more; write {ways}"
        )
    return claims[0].cls if claims else FilesCorpus  # type: ignore[return-value]  # it was registered as a corpus


def _claims(found: Registered, suffix: str) -> bool:
    claimed: tuple[str, ...] = getattr(found.cls, "suffixes", ())
    return suffix in claimed and "paths" in found.cls.options()
