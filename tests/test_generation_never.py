"""Ids that an encoder never writes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support import PieceEncoder, ScriptedModel, constant_logits

import textforge
from textforge.errors import GenerationError


class Marking(PieceEncoder):
    name = "marking"

    @property
    def never_generated(self) -> tuple[int, ...]:
        return (1,)


@pytest.mark.parametrize("count", [1, 3])
def test_they_are_ruled_out_before_any_sampler(count: int) -> None:
    seen: list[Any] = []

    class Look(textforge.Sampler):
        name = "look"

        def __call__(self, logits: Any, context: Any) -> Any:
            seen.append(logits.copy())
            return logits

    encoder = Marking.of("a", "?", "b")
    generator = textforge.TextGenerator(ScriptedModel(3, constant_logits([0.05, 0.9, 0.05])), encoder)
    texts = generator.complete("a", samplers=Look(), max_tokens=50, count=count, seed=1)
    written = [text.text for text in texts]
    assert set("".join(written)) == {"a", "b"}
    assert all(np.isneginf(logits[:, 1]).all() and np.isfinite(logits[:, [0, 2]]).all() for logits in seen)


def test_a_model_that_would_write_nothing_else_is_told() -> None:
    generator = textforge.TextGenerator(ScriptedModel(2, constant_logits([0.0, 1.0])), Marking.of("a", "?"))
    with pytest.raises(GenerationError, match="rule out every token"):
        generator.generate("a", seed=1)
