"""Novel text: no run of n characters that stands in a corpus."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from textforge.components.component import option
from textforge.corpora.index.text_index import TextIndex
from textforge.encoders.base import Encoder
from textforge.errors import CorpusError, GenerationError, OptionError
from textforge.samplers._copies import CopyGuard
from textforge.samplers.base import Context, Logits, Sampler


class Novel(Sampler):
    r"""A ban on each token that would complete a run of `n` characters that stands in the corpus, word for word.

    What is written has then no such run, and none together with the prompt's end. The corpus is read as for training,
    and an index of it is kept in the cache. `n` is 40 by default: shorter runs are often anybody's. A run does not go
    on from one document to the next.

    Where every token that is left would complete one, `GenerationError` is raised: the promise is kept, not bent. It
    hardly comes where `novel` is first in the chain, before samplers that leave few tokens.

    >>> import tempfile, textforge
    >>> from pathlib import Path
    >>> book = Path(tempfile.mkdtemp()) / "book.txt"
    >>> _ = book.write_text("to be or not to be")
    >>> generator = textforge.train(book, architecture="ngram:order=3")
    >>> encoder, novel = generator.encoder, Novel(5, [str(book)])
    >>> left = textforge.apply_samplers(novel, np.zeros((1, 7)), [encoder.encode("to b")], encoder=encoder)
    >>> encoder.decode(np.flatnonzero(np.isneginf(left[0])))
    'e'
    """

    name: ClassVar[str] = "novel"

    n: int = option(
        default=40,
        ge=1,
        help="Length of what may not be copied, in characters.",
        remedy="to let all be, leave novel out",
    )
    corpus: tuple[str, ...] = option(
        default=(), help="Files, folders, patterns or corpora that nothing is copied from; one at least is needed."
    )

    def __attrs_post_init__(self) -> None:
        if not self.corpus:
            raise OptionError(f"novel: corpus is needed, the text not to copy from: write novel:{self.n},corpus=…")

    def check(self, encoder: Encoder | None) -> None:
        """Raise `GenerationError` without an encoder, and `CorpusError` for a corpus that can't be read again."""
        self._open_index(encoder)

    def __call__(self, logits: Logits, context: Context) -> Logits:
        """Return the reshaped logits, (B, V)."""
        shared, tokens = context.shared, context.tokens
        if "guard" not in shared:
            index, encoder = self._open_index(context.encoder)
            shared["guard"] = CopyGuard(index, encoder, self.n)
        guard: CopyGuard = shared["guard"]
        rooms = context.state.get("rooms")  # (B,), characters that no run can be completed with
        if rooms is None or shared["length"] != tokens.shape[1] - 1:
            rooms = np.zeros(len(tokens), dtype=np.int64)
        else:
            rooms -= guard.sizes[tokens[:, -1]]
        context.state["rooms"], shared["length"] = rooms, tokens.shape[1]
        due = np.flatnonzero(rooms <= 0).tolist()
        if not due and not len(guard.always):
            return logits
        kept = logits.copy()
        kept[:, guard.always] = -np.inf
        for row in due:
            rooms[row], banned = guard.look(tokens[row], np.flatnonzero(kept[row] > -np.inf))
            kept[row, banned] = -np.inf
        if (kept.max(axis=-1) == -np.inf).any():
            raise GenerationError(
                f"novel: at step {context.step} every token that is left would complete a run of {self.n} characters "
                "of the corpus; put novel first in the chain, or give it a larger n"
            )
        return kept

    def _open_index(self, encoder: Encoder | None) -> tuple[TextIndex, Encoder]:
        if encoder is None:
            raise GenerationError("novel: it needs an encoder to know the text, and there is none; leave it out")
        from textforge.corpora.index.corpora import index_corpora
        from textforge.corpora.resolve import resolve_corpora
        from textforge.plugins.registry import Plugins

        corpora = resolve_corpora(self.corpus, Plugins())
        for corpus in corpora:
            if not corpus.rereadable:
                raise CorpusError(f"novel: {corpus.spec} can't be read a second time: save it in a file, and name that")
        return index_corpora(corpora), encoder
