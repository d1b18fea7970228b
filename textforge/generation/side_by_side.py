"""Texts after many prompts of unequal length, in order, written side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from textforge.generation.groups import Group, Key, write_groups
from textforge.generation.healing import Prompt
from textforge.generation.loop import WritingProgress, WritingWatcher
from textforge.generation.task import Task
from textforge.generation.text import Text

ROWS = 128
"""Texts written side by side."""
FEWEST = 32
"""Texts written side by side at least, where they may wait for others."""
PROMPTS = 512
"""Prompts that are sorted by length together: as many texts at most wait for those before them."""


def write_each(
    task: Task, prompts: Sequence[Prompt], count: int, progress: WritingWatcher | None = None
) -> Iterator[tuple[int, Text]]:
    """Yield `count` texts of each prompt, in order, each with its prompt's place; the task's own prompt isn't read.

    Each is the text that its prompt gives alone, by logits that agree to rounding.
    """
    for first in range(0, len(prompts), PROMPTS):
        some = _Some(task, prompts[first : first + PROMPTS], count)
        for steps in some.write():
            if progress is not None:
                progress(WritingProgress(first * count + some.finished, len(prompts) * count, steps))
            for place, text in some.take():
                yield first + place, text


class _Some:
    """Some prompts, sorted by length, and their texts.

    Where few are left of those that are written side by side, as the others have ended, they are set aside, and others
    take their place. Once there are enough of them, or no others, they are read anew up to where they were, and go on.
    """

    def __init__(self, task: Task, prompts: Sequence[Prompt], count: int) -> None:
        self._task = task
        self._begun: list[Group] = []
        self._waiting = _make_groups(task, prompts, count)
        self._wanted = [(place, number) for place in range(len(prompts)) for number in range(count)]
        self._wanted.reverse()
        self._ended: dict[Key, Text] = {}

    @property
    def finished(self) -> int:
        """The number of finished texts."""
        return sum(group.finished for group in self._begun)

    def write(self) -> Iterator[int]:
        """Write all texts to their end; after each token, yield how many the longest of those being written has."""
        aside: list[Group] = []
        while self._waiting or aside:
            if self._waiting and sum(group.rows for group in aside) < ROWS:
                groups = self._choose_groups()
            else:
                groups, aside = sorted(aside, key=lambda group: group.length), []
            fewest = FEWEST if self._waiting or aside else 1
            for _ in write_groups(self._task.model, groups, fewest):
                yield max(group.steps for group in groups)
            for group in groups:
                self._ended |= {key: text for key, text in group.texts.items() if text.finish_reason}
            aside += [group for group in groups if group.rows]
            yield self._task.max_tokens

    def _choose_groups(self) -> list[Group]:
        """Return groups that were not begun, the shortest first, as many as may be written side by side."""
        chosen = [self._waiting.pop(0)]
        rows = chosen[0].rows
        while self._waiting and rows + self._waiting[0].rows <= ROWS:
            rows += self._waiting[0].rows
            chosen.append(self._waiting.pop(0))
        self._begun += chosen
        return chosen

    def take(self) -> Iterator[tuple[int, Text]]:
        """Yield the next texts in order, each once, with the place of its prompt, as far as they are finished."""
        while self._wanted and self._wanted[-1] in self._ended:
            key = self._wanted.pop()
            yield key[0], self._ended.pop(key)


def _make_groups(task: Task, prompts: Sequence[Prompt], count: int) -> list[Group]:
    """Return groups of texts whose prompts are equally long, the shortest first, of `ROWS` at most."""
    places = sorted(range(len(prompts)), key=lambda place: len(prompts[place].ids))
    groups = []
    for _, same in groupby(places, lambda place: len(prompts[place].ids)):
        keys = [(place, number) for place in same for number in range(count)]
        for begin in range(0, len(keys), ROWS):
            some = keys[begin : begin + ROWS]
            groups.append(Group(task, [prompts[place] for place, _ in some], some))
    return groups
