"""A text as it is written: decoding, stopping, and the reason of its end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from textforge.encoders.base import Encoder
from textforge.generation.stopping import StopFilter
from textforge.plugins.blame import blame, blame_error

FinishReason = Literal["length", "stop", "end"]
"""The reason of a text's end: its greatest number of tokens, a stop text, or the end-of-text token."""


class Text:
    """A text being written, token by token."""

    __slots__ = (
        "_decode",
        "_decoder",
        "_encoder",
        "_end_of_text",
        "_hidden",
        "_on_end",
        "_pieces",
        "_stops",
        "_tokens",
        "finish_reason",
        "hidden_tokens",
        "number",
    )

    def __init__(
        self,
        number: int,
        encoder: Encoder,
        stops: Sequence[str] = (),
        on_end: Callable[[Text], None] = lambda text: None,
        hidden: int = 0,
    ) -> None:
        """Begin a text whose first `hidden` characters don't show, for they are the prompt's."""
        self.number = number
        self._on_end = on_end
        self.finish_reason: FinishReason | None = None
        self._end_of_text = -1 if encoder.end_of_text is None else encoder.end_of_text  # a number compares faster
        self._encoder = encoder
        with blame(encoder, "to decode"):
            self._decoder = encoder.decoder()
        self._decode = self._decoder.push
        self._stops = StopFilter(stops) if stops else None
        self._pieces: list[str] = []
        self._tokens = 0
        self._hidden = hidden
        self.hidden_tokens = 0
        """Tokens at the beginning of which nothing shows."""

    @property
    def text(self) -> str:
        """The text that has shown so far."""
        return "".join(self._pieces)

    @property
    def tokens(self) -> int:
        """The number of tokens that show, at least in part: without the end-of-text token and a stop text's."""
        if self._stops is not None and self._stops.found:
            return min(self._tokens, self._stops.shown_pieces)
        return self._tokens

    def push(self, id: int) -> str:
        """Take the next token, and return the text that can be shown now; set `finish_reason` where it is the last."""
        if id == self._end_of_text:
            return self.finish("end")
        self._tokens += 1
        try:
            piece = self._decode((id,))
        except Exception as error:
            raise blame_error(self._encoder, error, "to decode") from error
        if self._hidden:
            shown, self._hidden = piece[self._hidden :], max(0, self._hidden - len(piece))
            if not shown:
                self._tokens, self.hidden_tokens = 0, self.hidden_tokens + 1
                return ""
            piece = shown
        if self._stops is not None:
            piece = self._stops.push(piece)
        self._pieces.append(piece)
        if self._stops is not None and self._stops.found:
            self._end("stop")  # at last: a text that has ended is whole, whenever Ctrl-C comes
        return piece

    def finish(self, reason: FinishReason) -> str:
        """End the text here, and return the text that was held back."""
        with blame(self._encoder, "to decode"):
            rest = self._decoder.finish()
        if self._stops is not None:
            rest = self._stops.push(rest) + self._stops.finish()
        stopped = self._stops is not None and self._stops.found
        self._pieces.append(rest)
        self._end("stop" if stopped else reason)
        return rest

    def _end(self, reason: FinishReason) -> None:
        self.finish_reason = reason
        self._on_end(self)
