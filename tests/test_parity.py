"""The same model in every framework: logits, losses, texts, and training that changes its backend halfway."""

from __future__ import annotations

import numpy as np
import pytest
from parity.measure import ARCHITECTURES, BOUNDARY, TAME, Parity

FEW = (0, 3, 4)
"""One layer and three with an embedding or the shorter window, two with one-hot input or the longer one: for all six
a framework compiles for minutes."""
MODELS = [
    *((architecture, FEW) for architecture in ARCHITECTURES),
    *(pytest.param((architecture, range(6)), marks=pytest.mark.slow) for architecture in ARCHITECTURES),
]


@pytest.fixture(scope="module", params=MODELS, ids=str)
def parity(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Parity:
    architecture, models = request.param
    return Parity(architecture, tmp_path_factory.mktemp("parity"), models=models).measure()


@pytest.mark.parametrize(
    ("kind", "precision", "most"),
    [
        ("fresh", "float32", 1e-5),
        ("trained", "float32", 1e-4),
        ("fresh", "float64", 1e-12),
        ("trained", "float64", 1e-12),
    ],
)
def test_the_same_weights_give_the_same_logits(parity: Parity, kind: str, precision: str, most: float) -> None:
    distances = parity.logit_distance(kind, precision)
    assert len(distances) == 3
    assert max(distances.values()) <= most, distances


def test_the_same_seed_gives_the_same_first_weights(parity: Parity) -> None:
    assert parity.first_weights_are_equal()


@pytest.mark.parametrize("optimizer", TAME)
def test_the_first_losses_are_the_same_at_the_default_rates(parity: Parity, optimizer: str) -> None:
    assert parity.loss_distance(f"first {optimizer}") <= 1e-4


@pytest.mark.parametrize("optimizer", TAME)
def test_fifty_losses_are_the_same_at_tame_rates(parity: Parity, optimizer: str) -> None:
    assert parity.loss_distance(f"tame {optimizer}") <= 1e-3
    losses = parity.results["torch"][f"tame {optimizer}/losses"]
    assert losses[-1] < losses[0] - 0.1, "nothing was learnt, so nothing was compared"


def test_texts_part_only_where_a_draw_falls_on_the_boundary_of_two_tokens(parity: Parity) -> None:
    for parted in parity.parted("float32").values():
        assert all(where.distance <= BOUNDARY for where in parted), parted
    texts = parity.results["numpy"]["texts float32/texts"]
    assert len(set(texts.tolist())) == 50
    assert all(len(text) == 2000 for text in texts)


def test_no_text_parts_in_float64(parity: Parity) -> None:
    assert len(parity.parted("float64")) == 3
    assert not any(parity.parted("float64").values())


def test_a_run_that_changes_its_backend_ends_where_one_that_does_not(parity: Parity) -> None:
    assert max(parity.swapped().values()) <= 0.01, parity.swapped()
    for framework in ("torch", "keras"):
        losses = parity.results[framework]["whole/losses"]
        assert len(losses) == 4
        assert losses[-1] < losses[0] - 0.1
        np.testing.assert_array_equal(parity.results[framework]["half/losses"], losses[:2])
