"""The opening of a dataset: of the hub, of a folder that `save_to_disk` wrote, or of a folder of data files."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import attrs

from textforge.corpora.findings import Findings
from textforge.corpora.paths import is_folder, make_missing_error, status_of, title
from textforge.errors import CorpusError, nearest

_HUB_NAME = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")
_COMMIT = re.compile("[0-9a-f]{40}")
_USUAL = "train"


def is_remote(path: str) -> bool:
    """Return whether a path is a name of the hub's; a folder that is there goes before one.

    Raises `CorpusError` for a file, and for a path that is neither there nor such a name.
    """
    if is_folder(path):
        return False
    if status_of(path) is not None:
        raise CorpusError(
            f"{title(path)} is a file, not a dataset's folder; name it by itself, as a corpus of its kind"
        )
    if not _HUB_NAME.fullmatch(path) or path.endswith((".", "-")):
        raise make_missing_error(path)
    return True


def is_saved(path: str) -> bool:
    """Return whether a folder is what `save_to_disk` wrote."""
    return any((Path(path) / name).is_file() for name in ("dataset_dict.json", "state.json"))


@attrs.frozen
class Opened:
    """A dataset, or a stream of one, and what makes it anew."""

    dataset: Any
    builder: Any = None
    """The builder of a stream; None where the rows lie on the disk."""
    split: str = ""
    commit: str | None = None

    def narrow(self, column: str) -> Any:
        """Return the dataset with one column alone; where its files can be read so, the others aren't fetched."""
        if self.builder is None or getattr(self.builder.config, "columns", ()) is not None:
            return self.dataset.select_columns([column])
        self.builder.config.columns = [column]  # of Parquet, say, which is read by columns
        return _join(self.builder.as_streaming_dataset(), self.split)


def _join(splits: Mapping[str, Any], names: str) -> Any:
    """Return the stream of a split, or of several behind one another, as ``train+test``."""
    from datasets import concatenate_datasets

    parts = [splits[name.strip()] for name in names.split("+")]
    return parts[0] if len(parts) == 1 else concatenate_datasets(parts)


@attrs.frozen
class Opener:
    """The way to one dataset, by the options of the corpus."""

    path: str
    config: str | None
    split: str | None
    revision: str | None
    streaming: bool
    findings: Findings

    def open_saved(self, datasets: Any) -> Opened:
        """Return a split that lies in a folder of `save_to_disk`, memory-mapped."""
        for option in ("config", "revision"):
            if (given := getattr(self, option)) is not None:
                raise CorpusError(f"{title(self.path)} was saved without a {option}, got {given!r}; leave it out")
        found = datasets.load_from_disk(self.path)
        if isinstance(found, dict):
            return Opened(found[self._choose_split(found, exact=True)])
        own = None if found.split is None else str(found.split)
        if self.split not in (None, own):
            has = "one part, without a name" if own is None else f"the split {own!r} alone"
            raise CorpusError(f"{title(self.path)} has {has}, not {self.split!r}; leave out split")
        return Opened(found)

    def open_folder(self, datasets: Any) -> Opened:
        """Return a split of a folder of data files: JSON Lines, CSV, Parquet, texts and others."""
        if self.revision is not None:
            raise CorpusError(f"{title(self.path)} is a folder, without revisions, got {self.revision!r}; leave it out")
        builder = datasets.load_dataset_builder(str(Path(self.path).absolute()), self.config)
        if not self.streaming:
            self._tell_cache(datasets)
        return self._build(builder)

    def open_remote(self, datasets: Any, commit: str | None) -> Opened:
        """Return a split of a dataset on the hub, with its commit where it is known.

        `commit` is that of an earlier reading: what is read again must be the same.
        """
        builder = datasets.load_dataset_builder(self.path, self.config, revision=commit or self.revision)
        if builder.repo_id is None:  # json, text and others: datasets would read the current folder
            raise CorpusError(
                f"{title(self.path)} is a kind of files to datasets, not a dataset; give the folder that has such files"
            )
        found = self._build(builder)
        commit = str(builder.hash) if _COMMIT.fullmatch(str(builder.hash)) else None
        if commit is None:
            self.findings.add(f"{title(self.path)} was read from the cache of datasets")
        elif self.revision != commit:
            self.findings.add(
                f"{title(self.path)} was read at its commit {commit}; revision={commit} reads the same again"
            )
        self._tell_cache(datasets)
        return attrs.evolve(found, commit=commit)

    def _build(self, builder: Any) -> Opened:
        if self.streaming:
            splits = builder.as_streaming_dataset()
            chosen = self._choose_split(splits, exact=False)
            return Opened(_join(splits, chosen), builder, chosen)
        builder.download_and_prepare()
        return Opened(builder.as_dataset(split=self._choose_split(builder.info.splits, exact=False)))

    def _tell_cache(self, datasets: Any) -> None:
        config = datasets.config
        if self.streaming:
            kept = f"datasets keeps what describes it in {title(str(config.HF_CACHE_HOME))}"
        else:
            kept = f"datasets keeps a copy of it in {title(str(config.HF_DATASETS_CACHE))}"
        self.findings.add(f"{kept}; the environment variable HF_HOME names another folder")

    def _choose_split(self, splits: Iterable[str], *, exact: bool) -> str:
        """Return the split to read; unless `exact`, it may be part of one, as ``train[:10%]``."""
        names = [str(name) for name in splits]
        if self.split is None:
            return self._choose_usual(names)
        for part in [self.split] if exact else self.split.split("+"):
            self._check_split(part.strip(), names, exact=exact)
        return self.split

    def _check_split(self, part: str, names: list[str], *, exact: bool) -> None:
        """Raise `CorpusError` where a split isn't there, or is to be cut and can't be."""
        base, cut, _ = part.partition("[")
        if (part if exact else base) not in names:
            raise CorpusError(
                f"{title(self.path)} has no split {part!r}; its splits are {_list(names)}{nearest(base, names)}"
            )
        if cut and self.streaming and not exact:
            raise CorpusError(
                f"{title(self.path)} is read as a stream, which has whole splits alone, got {part!r}; write "
                "streaming=false too, or leave out the part in brackets"
            )

    def _choose_usual(self, names: Collection[str]) -> str:
        if _USUAL not in names and len(names) != 1:
            raise CorpusError(
                f"{title(self.path)} has no split 'train', and several others: {_list(names)}; say which to read, as "
                f"split={next(iter(names), '…')}"
            )
        chosen = _USUAL if _USUAL in names else next(iter(names))
        if len(names) > 1:
            self.findings.add(
                f"{title(self.path)} was read by its split {chosen!r} of {_list(names)}; split=… reads another"
            )
        return chosen


def _list(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names)) or "none"
