"""Checks of a sampler on one step's logits. Each is given a `SamplerCase`, and raises `CheckFailure`."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from contextlib import nullcontext

import numpy as np

from textforge.encoders.base import Encoder
from textforge.encoders.char import CharEncoder
from textforge.samplers.base import Logits
from textforge.testing import component_checks, sampler_run_checks
from textforge.testing.cases import SamplerCase
from textforge.testing.failures import CheckFailure, NotApplicable, fail
from textforge.testing.isolation import undisturbed
from textforge.testing.sampler_run_checks import TEXTS
from textforge.testing.sampler_runs import Guard, SamplerRun

ONLY_TOKEN = "a"
SIZES = range(2, 601)
"""Vocabularies' sizes: at some of them, and at no others, the probabilities of a flat row add up to less than 1."""
FIRST_CHARACTER = 0x4E00
FLAT = (0.0, -9.0, 0.1)
HUGE = 1e30


def check_shape(case: SamplerCase) -> None:
    """The result has a row for each row, and a column for each token."""
    run = _run(case, TEXTS)
    logits = run.logits()
    found = run(logits)
    if not isinstance(found, np.ndarray):
        fail("an array of logits", type(found).__name__, "return a NumPy array")
    if found.shape != logits.shape:
        fail(
            f"logits of shape {logits.shape}, as they came in",
            f"shape {found.shape}",
            "return one row for each row of `logits` (axis=-1, keepdims=True keep it so)",
        )


def check_dtype(case: SamplerCase) -> None:
    """The result is float64."""
    run = _run(case, TEXTS)
    found = np.asarray(run(run.logits()))
    if found.dtype != np.float64:
        fail("logits in float64", str(found.dtype), "don't convert them, or end with .astype(np.float64)")


def check_input_untouched(case: SamplerCase) -> None:
    """The logits it is given, which are read-only, are left as they are."""
    mend = "work on a copy, logits.copy(), or with functions that make a new array, such as np.where"
    run = _run(case, TEXTS)
    try:
        run(run.logits(), read_only=True)
    except CheckFailure as error:
        raise CheckFailure("read-only logits to be left alone", error.got, mend) from error


def check_no_nan(case: SamplerCase) -> None:
    """No logit is NaN or plus infinity, however large or small the logits are."""
    run = _run(case, range(len(_extremes(case))))
    found = _by_row(run(_extremes(case)))
    bad = np.isnan(found) | np.isposinf(found)
    if bad.any():
        row = int(bad.any(axis=-1).argmax())
        fail(
            "logits without NaN and plus infinity",
            f"{found[row][bad[row]][0]} for logits of up to {np.abs(_extremes(case)[row]).max():g}",
            "subtract each row's largest logit before np.exp",
        )


def check_one_finite(case: SamplerCase) -> None:
    """Each row keeps a token that can be drawn."""
    rows = _plain_rows(case)
    found = _by_row(_run(case, range(len(rows)))(rows))
    empty = ~np.isfinite(found).any(axis=-1)
    if empty.any():
        row = rows[int(empty.argmax())]
        fail(
            "a finite logit in each row",
            f"none, of logits from {row.min():.3g} to {row.max():.3g}",
            "always keep the likeliest token of a row",
        )


def check_minus_infinities(case: SamplerCase) -> None:
    """Tokens that are ruled out already stay so, trouble nobody, and leave one that can be drawn."""
    rows = _ruled_out(case)
    found = _by_row(_run(case, range(len(rows)))(rows))
    out = np.isneginf(rows)
    if np.isnan(found).any():
        fail(
            "no NaN where logits are minus infinity",
            "NaN",
            "mind that -inf minus -inf and 0 times -inf are NaN; use np.where",
        )
    if not np.isneginf(found[out]).all():
        fail(
            "what an earlier sampler ruled out to stay so",
            f"a logit of {found[out].max():.3g} instead of -inf",
            "leave -inf as it is, by np.where(np.isneginf(logits), logits, …)",
        )
    if not np.isfinite(found).any(axis=-1).all():
        fail(
            "a finite logit in a row that has one",
            "none",
            "always keep the likeliest token, if it is the only one that isn't ruled out as well",
        )


def check_one_token_vocabulary(case: SamplerCase) -> None:
    """A vocabulary of a single token is no trouble."""
    only = CharEncoder().fit([ONLY_TOKEN])
    logits = np.array([[-0.5], [3.0]])
    found = _by_row(_run(case, (0, 1), only)(logits))
    if not np.isfinite(found).all():
        fail("the only token to be kept", f"{found.ravel().tolist()}", "always keep the likeliest token of a row")


def check_flat_rows(case: SamplerCase) -> None:
    """Where all tokens are equally likely, one at least is kept, whatever the vocabulary's size is."""
    refusals = []
    for size in SIZES:
        characters = "".join(map(chr, range(FIRST_CHARACTER, FIRST_CHARACTER + size)))
        try:
            run = _run(case, range(len(FLAT)), CharEncoder(vocabulary=characters))
        except NotApplicable as refusal:
            refusals.append(refusal)
            continue
        found = _by_row(run(np.tile(np.array(FLAT)[:, np.newaxis], size)))
        if not np.isfinite(found).any(axis=-1).all():
            fail(
                f"a finite logit in a row of {size} equal ones",
                "none",
                "mind that rounded probabilities needn't add up to 1: compare with >=, "
                "and always keep the likeliest token of a row",
            )
    if len(refusals) == len(SIZES):
        raise refusals[0]


def check_quiet(case: SamplerCase) -> None:
    """No warning is shown among the user's text."""
    rows = np.concatenate([_plain_rows(case), _ruled_out(case)])
    run = _run(case, range(len(rows)), guard=lambda step: nullcontext())
    with np.errstate(all="warn", under="ignore"), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run(rows)
    if caught:
        fail(
            "no warning",
            f"{caught[0].category.__name__}: {caught[0].message}",
            "avoid what causes it, or say `with np.errstate(…)` where it is meant",
        )


CHECKS = (
    component_checks.check_use,
    check_shape,
    check_dtype,
    check_input_untouched,
    check_no_nan,
    check_one_finite,
    check_minus_infinities,
    check_one_token_vocabulary,
    check_flat_rows,
    *sampler_run_checks.CHECKS,
    check_quiet,
    *component_checks.CHECKS,
)


def _run(
    case: SamplerCase, texts: Sequence[int], encoder: Encoder | None = None, guard: Guard = undisturbed
) -> SamplerRun:
    return SamplerRun(case.component, encoder or case.encoder, texts, guard)


def _by_row(found: Logits) -> Logits:
    return np.asarray(found).reshape(len(found), -1)


def _plain_rows(case: SamplerCase) -> Logits:
    """Rows as a model gives them: spread, flat, all negative, all alike but one, with ties, (B, V)."""
    size = case.encoder.vocabulary_size
    slope = np.linspace(-4, 4, size)
    peak = np.where(np.arange(size) == size // 2, 30.0, 0.0)
    return np.array([slope, np.zeros(size), slope - 60, peak, -peak, np.round(slope), np.full(size, -9.0)])


def _extremes(case: SamplerCase) -> Logits:
    """Rows of huge and tiny logits, (B, V)."""
    slope = np.linspace(-1, 1, case.encoder.vocabulary_size)
    steep = np.sign(slope - slope[-2]) * HUGE
    return np.array([slope * 1e3, slope * HUGE, slope / HUGE, steep, np.full_like(slope, HUGE), -np.abs(slope) * HUGE])


def _ruled_out(case: SamplerCase) -> Logits:
    """Rows some of whose tokens are ruled out, down to all but one, (B, V)."""
    size = case.encoder.vocabulary_size
    rows = np.tile(np.linspace(-3, 3, size), (4, 1))
    rows[0, ::3] = -np.inf
    rows[1, size // 2 :] = -np.inf
    rows[2, np.arange(size) != size // 2] = -np.inf
    rows[3, 1:] = -np.inf
    return rows
