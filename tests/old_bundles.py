"""Bundles that version 0.1.0 wrote, as if they were interrupted."""

from __future__ import annotations

import json
from pathlib import Path

import attrs

import textforge
from textforge.bundle import Bundle, BundleWriter

FOLDER = Path(__file__).parent / "bundles" / "0.1.0"
EXPECTED = json.loads((FOLDER / "expected.json").read_text(encoding="utf-8"))


def interrupt(name: str, folder: Path) -> None:
    """Write a bundle as if its run had been meant to go on: that version left the schedule of 4 epochs behind it so."""
    contents = Bundle.open(FOLDER / name).contents(textforge.Plugins())
    assert contents.checkpoint is not None
    before = contents.checkpoint.position
    position = attrs.evolve(before, total_steps=2 * before.step, finished=False)
    checkpoint = attrs.evolve(contents.checkpoint, position=position)
    settings = {**contents.settings, "epochs": 4}
    BundleWriter.prepare(folder).commit(attrs.evolve(contents, settings=settings, checkpoint=checkpoint))
