"""The errors of datasets and of the Hugging Face hub, as lines that say what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from textforge.corpora.paths import title
from textforge.errors import CorpusError, TextforgeError, is_memory_error, state_error

_CONFIGS = re.compile(
    r"(?:BuilderConfig '(?P<given>.*?)' not found\. A|Please pick one among the a)vailable.*?: \[(?P<known>.*?)\]"
)
_NETWORK = {"aiohttp", "httpcore", "httpcore2", "httpx", "httpx2", "requests", "urllib3"}
"""The libraries whose errors say that there is no connection, or a broken one."""
_LOG_IN = "log in by `hf auth login`, or set HF_TOKEN"


@contextmanager
def explain_failures(name: str, *, remote: bool) -> Iterator[None]:
    """Turn whatever datasets raises into a `CorpusError`; `remote` where `name` is one of the hub's."""
    try:
        yield
    except TextforgeError:
        raise
    except Exception as error:  # it raises whatever it meets: its own, the hub's, those of each kind of file
        if is_memory_error(error):
            raise
        message = (remote and _explain_hub(error, name)) or _explain_data(error, name)
        raise CorpusError(message) from error


def _explain_hub(error: Exception, name: str) -> str | None:
    """Return what the hub's error means and what to do, None for an error that isn't the hub's."""
    from datasets.exceptions import DatasetNotFoundError
    from huggingface_hub import errors as hub

    words = str(error) if isinstance(error, DatasetNotFoundError) else ""
    if isinstance(error, hub.GatedRepoError) or "gated" in words:
        page = f"https://huggingface.co/datasets/{name}"
        return f"the dataset {title(name)} is gated: ask for access at {page}, then {_LOG_IN}"
    if isinstance(error, hub.RevisionNotFoundError) or words.startswith("Revision"):
        return f"the dataset {title(name)} has no such revision; give a branch, tag or commit of its page on the hub"
    if isinstance(error, (hub.RepositoryNotFoundError, DatasetNotFoundError)):
        return (
            f"there is no dataset {title(name)} on the Hugging Face hub, nor a folder of that name here; check the "
            f"name, or, where it is a private one, {_LOG_IN}"
        )
    if isinstance(error, hub.HfHubHTTPError) and error.response is not None:
        answer = f"the Hugging Face hub answered {error.response.status_code} when asked for {title(name)}"
        return f"{answer}; try again later, or {_LOG_IN}"
    return _explain_network(error, name)


def _explain_network(error: Exception, name: str) -> str | None:
    import datasets

    modules = {each.__module__.partition(".")[0] for each in type(error).__mro__}
    unanswered = isinstance(error, FileNotFoundError) and "LocalEntryNotFound" in state_error(error)
    if not isinstance(error, (ConnectionError, TimeoutError)) and not modules & _NETWORK and not unanswered:
        return None
    what = f"the dataset {title(name)} can't be had from the Hugging Face hub"
    if datasets.config.HF_HUB_OFFLINE:
        return f"{what}, for HF_HUB_OFFLINE is set; unset it, or give a folder that has the dataset"
    reason = "it gave no answer" if unanswered else f"no connection ({type(error).__name__})"
    return f"{what}: {reason}; connect and try again, or give a folder that has it"


def _explain_data(error: Exception, name: str) -> str:
    """Return what is wrong with the dataset itself."""
    words = str(error)
    if isinstance(error, RuntimeError) and "scripts are no longer supported" in words:
        return (
            f"the dataset {title(name)} comes with a script of its own, and none is ever run; where the hub has made "
            "Parquet of it, write revision=refs/convert/parquet"
        )
    if isinstance(error, ValueError) and (found := _CONFIGS.search(words)):
        if found["given"]:
            return f"{title(name)} has no config {found['given']!r}; its configs are {found['known']}"
        return f"{title(name)} has several configs: {found['known']}; say which to read, as config=…"
    if isinstance(error, FileNotFoundError):
        return f"{title(name)} has no files that datasets reads; give a dataset, or a folder of data files"
    return f"{title(name)} can't be read by datasets ({state_error(error)}); check its files"
