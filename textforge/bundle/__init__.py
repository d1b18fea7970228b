"""A trained model on disk: a folder of JSON and safetensors files, its bundle.

    config.json                 the manifest: what the model is, how it was made, which files are current
    encoder-….json              the fitted encoder
    model-….safetensors         the weights that generate
    checkpoint-….safetensors    what resuming needs
    history.jsonl               a line an epoch

Replacing the manifest is the only commit. New files are written under new names before it, and what no manifest
names is deleted after it; so whenever a run is killed, the bundle loads and its parts agree.
"""

from __future__ import annotations

from textforge.bundle.contents import BundleContents, collect_contents, find_plugin
from textforge.bundle.lineage import Ancestor
from textforge.bundle.manifest import FORMAT_VERSION, Results
from textforge.bundle.mixing import Mixing
from textforge.bundle.reader import Bundle
from textforge.bundle.writer import BundleWriter

__all__ = [
    "FORMAT_VERSION",
    "Ancestor",
    "Bundle",
    "BundleContents",
    "BundleWriter",
    "Mixing",
    "Results",
    "collect_contents",
    "find_plugin",
]
