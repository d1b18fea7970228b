"""What a sampler is checked for. Each check is given a `SamplerCase`, and raises `CheckFailure`."""

from __future__ import annotations

import warnings
from contextlib import nullcontext

import numpy as np

from textforge.encoders.char import CharEncoder
from textforge.samplers.base import Logits
from textforge.testing import component_checks
from textforge.testing.cases import SamplerCase
from textforge.testing.failures import CheckFailure, fail
from textforge.testing.isolation import silenced
from textforge.testing.sampler_runs import SamplerRun

TEXTS = (0, 1, 2, 3)
ONLY_TOKEN = "a"
HUGE = 1e30


def check_shape(case: SamplerCase) -> None:
    """The result has a row for each row, and a column for each token."""
    run = SamplerRun(case, TEXTS)
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
    run = SamplerRun(case, TEXTS)
    found = np.asarray(run(run.logits()))
    if found.dtype != np.float64:
        fail("logits in float64", str(found.dtype), "don't convert them, or end with .astype(np.float64)")


def check_input_untouched(case: SamplerCase) -> None:
    """The logits it is given, which are read-only, are left as they are."""
    mend = "work on a copy, logits.copy(), or with functions that make a new array, such as np.where"
    run = SamplerRun(case, TEXTS)
    try:
        run(run.logits(), read_only=True)
    except CheckFailure as error:
        raise CheckFailure("read-only logits to be left alone", error.got, mend) from error


def check_no_nan(case: SamplerCase) -> None:
    """No logit is NaN or plus infinity, however large or small the logits are."""
    run = SamplerRun(case, range(len(_extremes(case))))
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
    found = _by_row(SamplerRun(case, range(len(rows)))(rows))
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
    found = _by_row(SamplerRun(case, range(len(rows)))(rows))
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
    found = _by_row(SamplerRun(case, (0, 1), only)(logits))
    if not np.isfinite(found).all():
        fail("the only token to be kept", f"{found.ravel().tolist()}", "always keep the likeliest token of a row")


def check_rows_independent(case: SamplerCase) -> None:
    """What becomes of a text doesn't depend on those beside it."""
    together = SamplerRun(case, TEXTS).play()
    for row, text in enumerate(TEXTS):
        for step, alone in enumerate(SamplerRun(case, [text]).play()):
            if not _same(alone, together[step][row : row + 1]):
                fail(
                    f"the same logits for text {text} alone as beside {len(TEXTS) - 1} others",
                    f"others at step {step}{_distance(alone, together[step][row : row + 1])}",
                    "compute by row (axis=-1), and draw random numbers by context.random alone",
                )


def check_rows_dropped(case: SamplerCase) -> None:
    """What becomes of a text doesn't change when others finish; what is kept of it goes with it."""
    whole = SamplerRun(case, TEXTS).play()
    run = SamplerRun(case, TEXTS)
    for step, expected in enumerate(whole):
        if step in (2, 4):
            run.keep([0, 2, 3] if step == 2 else [0, 2])
        found = np.array(run(run.logits()))
        if not _same(found, expected[run.texts]):
            fail(
                f"the texts {run.texts} to go on as before once others had finished",
                f"other logits at step {step}{_distance(found, expected[run.texts])}",
                "keep what belongs to a row in context.state, with one entry a row: rows move up when others leave",
            )
        run.advance()


def check_runs_apart(case: SamplerCase) -> None:
    """One object serves two runs at once: it holds nothing between calls."""
    expected = [SamplerRun(case, texts).play() for texts in ((0, 1), (2, 3))]
    runs = [SamplerRun(case, (0, 1)), SamplerRun(case, (2, 3))]
    for step in range(len(expected[0])):
        for number, run in enumerate(runs):
            found = np.array(run(run.logits()))
            if not _same(found, expected[number][step]):
                fail(
                    "the same logits in two runs side by side as in one after the other",
                    f"others in run {number} at step {step}{_distance(found, expected[number][step])}",
                    "keep nothing on the sampler or its module: context.state and context.shared are a run's own",
                )
            run.advance()


def check_determinism(case: SamplerCase) -> None:
    """The same texts, logits and seed give the same logits, bit for bit."""
    first, second = (SamplerRun(case, TEXTS, guard=lambda step: silenced()).play() for _ in range(2))
    for step, (one, other) in enumerate(zip(first, second, strict=True)):
        if not np.array_equal(one, other, equal_nan=True):
            fail(
                "the same logits a second time",
                f"others at step {step}{_distance(one, other)}",
                "draw random numbers by context.random, which the run's seed decides, and use no clock",
            )


def check_quiet(case: SamplerCase) -> None:
    """No warning is shown among the user's text."""
    rows = np.concatenate([_plain_rows(case), _ruled_out(case)])
    run = SamplerRun(case, range(len(rows)), guard=lambda step: nullcontext())
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
    check_shape,
    check_dtype,
    check_input_untouched,
    check_no_nan,
    check_one_finite,
    check_minus_infinities,
    check_one_token_vocabulary,
    check_rows_independent,
    check_rows_dropped,
    check_runs_apart,
    check_determinism,
    check_quiet,
    *component_checks.CHECKS,
)


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


def _same(one: Logits, other: Logits) -> bool:
    return one.shape == other.shape and np.allclose(one, other, rtol=1e-9, atol=1e-9, equal_nan=True)


def _distance(one: Logits, other: Logits) -> str:
    if one.shape != other.shape:
        return f", of shape {one.shape} instead of {other.shape}"
    changed = int((np.isfinite(one) != np.isfinite(other)).sum())
    if changed:
        return f", where {changed} tokens are ruled out in one and not in the other"
    with np.errstate(invalid="ignore"):
        return f", up to {np.nanmax(np.abs(one - other)):.3g} apart"
