"""The kinds of component: the hook that registers each, and the class that all of it derive from."""

from __future__ import annotations

import importlib
from typing import Any, NamedTuple


class Kind(NamedTuple):
    """A kind of component."""

    hook: str
    """The hook that registers it."""
    base: str
    """The class that its components derive from, as ``module:Class``; imported when a component is registered."""


KINDS = {
    "corpus": Kind("register_corpora", "textforge.corpora.base:Corpus"),
    "encoder": Kind("register_encoders", "textforge.encoders.base:Encoder"),
    "architecture": Kind("register_architectures", "textforge.architectures.base:Architecture"),
    "backend": Kind("register_backends", "textforge.backends.base:Backend"),
    "sampler": Kind("register_samplers", "textforge.samplers.base:Sampler"),
    "format": Kind("register_formats", "textforge.formats.base:Format"),
    "report": Kind("register_reports", "textforge.training.report:Report"),
    "metric": Kind("register_metrics", "textforge.evaluation.metric:Metric"),
}
"""The kinds of component by name."""

GROUPS = {f"textforge.{kind.hook.removeprefix('register_')}": name for name, kind in KINDS.items()}
"""The kind of each group of entry points that name components, such as ``textforge.samplers``."""


def base_class(kind: str) -> type[Any]:
    """Return the class that components of a kind derive from."""
    module, _, name = KINDS[kind].base.partition(":")
    base: type[Any] = getattr(importlib.import_module(module), name)
    return base
