"""Stop texts, which end a text before its time and never show."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence


class StopFilter:
    """A filter that passes text on up to where a stop text begins, and holds back what may be the beginning of one.

    What is shown does not depend on how the text is cut into pieces. It is what stands before the
    least of ``text.find(stop)``; where that takes more text to know, it is waited for.

    >>> stops = StopFilter(["END"])
    >>> stops.push("THE"), stops.push("N"), stops.push(" E"), stops.push("ND."), stops.found
    ('TH', '', 'EN ', '', True)
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(stops)
        self._longest = max(map(len, self._stops), default=0)
        self._held = ""
        self._shown = 0
        self._begins: list[int] = []  # where each piece begins in the text
        self.found = False

    def push(self, piece: str) -> str:
        """Take a piece, and return what can be shown now; nothing once a stop text was found."""
        if self.found:
            return ""
        self._begins.append(self._shown + len(self._held))
        held = self._held = self._held + piece
        match, begun = self._match(), self._begun()
        self.found = match <= begun and match < len(held)
        return self._show(min(match, begun))

    def finish(self) -> str:
        """Return what was held back, when no more text comes."""
        match = self._match()
        self.found = self.found or match < len(self._held)
        return self._show(match)

    @property
    def shown_pieces(self) -> int:
        """The number of pieces that have shown, at least in part, or were empty before the place that is reached."""
        return bisect_left(self._begins, self._shown) if self.found else len(self._begins)

    def _match(self) -> int:
        """Return where the first stop text stands in what is held; its length where there is none."""
        places = [self._held.find(stop) for stop in self._stops]
        return min((place for place in places if place >= 0), default=len(self._held))

    def _begun(self) -> int:
        """Return where what may become a stop text begins in what is held; its length where nothing does."""
        held = self._held
        for place in range(max(0, len(held) - self._longest + 1), len(held)):
            if any(stop.startswith(held[place:]) and len(stop) > len(held) - place for stop in self._stops):
                return place
        return len(held)

    def _show(self, end: int) -> str:
        shown, self._held = self._held[:end], "" if self.found else self._held[end:]
        self._shown += end
        return shown
