"""The way to lm_eval: its import, and its command line with textforge's model among its models."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import textforge

LM_EVAL = textforge.Framework("lm_eval", title="the lm-evaluation-harness", oldest=(0, 4), needed_by="model")
_LOG_LEVEL = "LMEVAL_LOG_LEVEL"


def run_harness(words: Sequence[str], *, quiet: bool = False) -> None:
    """Run the harness's own command line with these words; `quiet` leaves out what it logs below a warning.

    The harness finds models in a registry that each must be imported into, and has no entry points for others': so its
    command is run here, where ours is. Raises `BackendError` where lm_eval can't be imported, and whatever the harness
    raises.
    """
    LM_EVAL.require("textforge")
    from lm_eval.__main__ import cli_evaluate

    import textforge_lm_eval.model  # noqa: F401 -- registers it

    if quiet:
        os.environ.setdefault(_LOG_LEVEL, "WARNING")
    before, sys.argv = sys.argv, ["lm_eval", *words]  # which is where it reads them
    try:
        cli_evaluate()
    finally:
        sys.argv = before
