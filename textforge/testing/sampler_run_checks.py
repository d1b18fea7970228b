"""Checks of a sampler over many steps. Each is given a `SamplerCase`, and raises `CheckFailure`."""

from __future__ import annotations

import numpy as np

from textforge.samplers.base import Logits
from textforge.testing.cases import SamplerCase
from textforge.testing.failures import fail
from textforge.testing.isolation import silenced
from textforge.testing.sampler_runs import STEPS, SamplerRun

TEXTS = (0, 1, 2, 3)
DROPPED = {2: [0, 2, 3], STEPS // 2: [0, 2]}
"""The rows that are kept, by the step before which the others leave."""


def check_long_run(case: SamplerCase) -> None:
    """Every step of a long text is like the first: of the right shape and type, no NaN, a token left in each row."""
    run = SamplerRun(case.component, case.encoder, TEXTS)
    size = case.encoder.vocabulary_size
    for step, found in enumerate(run.play()):
        if found.size != len(TEXTS) * size:
            continue  # another check speaks of the shape
        rows = found.reshape(len(TEXTS), size)
        if np.isnan(rows).any() or np.isposinf(rows).any() or not np.isfinite(rows).any(axis=-1).all():
            fail(
                "a finite logit in each row, and no NaN, at every step",
                f"{'NaN or plus infinity' if (np.isnan(rows) | np.isposinf(rows)).any() else 'none'} at step {step}",
                "let what changes from step to step stay in bounds, however long the text grows",
            )


def check_rows_independent(case: SamplerCase) -> None:
    """What becomes of a text doesn't depend on those beside it."""
    together = SamplerRun(case.component, case.encoder, TEXTS).play()
    for row, text in enumerate(TEXTS):
        for step, alone in enumerate(SamplerRun(case.component, case.encoder, [text]).play()):
            if not _same(case, alone, together[step][row : row + 1]):
                fail(
                    f"the same logits for text {text} alone as beside {len(TEXTS) - 1} others",
                    f"others at step {step}{_distance(alone, together[step][row : row + 1])}",
                    "compute by row (axis=-1), and draw random numbers by context.random alone",
                )


def check_rows_dropped(case: SamplerCase) -> None:
    """What becomes of a text doesn't change when others finish; what is kept of it goes with it."""
    whole = SamplerRun(case.component, case.encoder, TEXTS).play()
    run = SamplerRun(case.component, case.encoder, TEXTS)
    for step, expected in enumerate(whole):
        if step in DROPPED:
            run.keep(DROPPED[step])
        found = np.array(run(run.logits()))
        if not _same(case, found, expected[run.texts]):
            fail(
                f"the texts {run.texts} to go on as before once others had finished",
                f"other logits at step {step}{_distance(found, expected[run.texts])}",
                "keep what belongs to a row in context.state, with one entry a row: rows move up when others leave",
            )
        run.advance()


def check_runs_apart(case: SamplerCase) -> None:
    """One object serves two runs at once: it holds nothing between calls."""
    expected = [SamplerRun(case.component, case.encoder, texts).play() for texts in ((0, 1), (2, 3))]
    runs = [SamplerRun(case.component, case.encoder, (0, 1)), SamplerRun(case.component, case.encoder, (2, 3))]
    for step in range(len(expected[0])):
        for number, run in enumerate(runs):
            found = np.array(run(run.logits()))
            if not _same(case, found, expected[number][step]):
                fail(
                    "the same logits in two runs side by side as in one after the other",
                    f"others in run {number} at step {step}{_distance(found, expected[number][step])}",
                    "keep nothing on the sampler or its module: context.state and context.shared are a run's own",
                )
            run.advance()


def check_determinism(case: SamplerCase) -> None:
    """The same texts, logits and seed give the same logits, bit for bit."""
    first, second = (
        SamplerRun(case.component, case.encoder, TEXTS, guard=lambda step: silenced()).play() for _ in range(2)
    )
    for step, (one, other) in enumerate(zip(first, second, strict=True)):
        if not np.array_equal(one, other, equal_nan=True):
            fail(
                "the same logits a second time",
                f"others at step {step}{_distance(one, other)}",
                "draw random numbers by context.random, which the run's seed decides, and use no clock",
            )


def _same(case: SamplerCase, one: Logits, other: Logits) -> bool:
    tolerance = case.tolerance
    return one.shape == other.shape and np.allclose(one, other, rtol=tolerance, atol=tolerance, equal_nan=True)


def _distance(one: Logits, other: Logits) -> str:
    if one.shape != other.shape:
        return f", of shape {one.shape} instead of {other.shape}"
    changed = int((np.isfinite(one) != np.isfinite(other)).sum())
    if changed:
        return f", where {changed} tokens are ruled out in one and not in the other"
    with np.errstate(invalid="ignore"):
        return f", up to {np.nanmax(np.abs(one - other)):.3g} apart"


CHECKS = (
    check_long_run,
    check_rows_independent,
    check_rows_dropped,
    check_runs_apart,
    check_determinism,
)
