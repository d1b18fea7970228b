"""Scores as a page, one HTML file that needs no other and runs no script."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from textforge.cli.page import escape_text, get_shade, make_facts, make_head, make_scale
from textforge.cli.score_pieces import ScoredPiece, split_pieces
from textforge.cli.visible import show_token

if TYPE_CHECKING:
    from textforge.encoders.base import Encoder
    from textforge.evaluation.score import Score, TokenScore

_BAR = 16

FOOT = """</main>
<footer>
<p>The log-likelihood is the sum of the tokens’ log-probabilities, in nats. The perplexity says how uncertain the model
was at each token: as of a choice among so many. Bits a character can be compared between models of any encoder. The
bars show the mean bits a token, of those that a choice among the whole vocabulary would take.</p>
<p>Hover over a token, or step to it with the tabulator key, to see how likely it was.</p>
</footer>
</body>
</html>
"""


def make_top(facts: Mapping[str, object]) -> str:
    """Return the page up to its first text. `facts` says how it came about: the model, the file."""
    return f"""{make_head("Scores – textforge score")}<header>
<h1>Texts by how likely each of their tokens was</h1>
{make_facts(facts)}
<div class="legend">
<span>Tokens are shaded by how likely they were to the model</span>
{make_scale()}
</div>
</header>
<main class="chains">
"""


def make_article(number: int, score: Score, encoder: Encoder) -> str:
    """Return the HTML of one text: its figures, and its tokens, shaded."""
    pieces = "".join(_piece(piece) for piece in split_pieces(score, encoder))
    uniform = math.log(max(2, encoder.vocabulary_size))
    loss = -score.log_likelihood / score.scored if score.scored else 0.0
    width = 100 * min(1.0, loss / uniform)
    bar = f'<span class="bar"><i style="width:{width:.1f}%"></i></span>'
    left_out = score.skipped + score.unwritten
    return f"""<article>
<h2>text {number}</h2>
<dl class="figures">
<div><dt>log-likelihood</dt><span></span><dd>{score.log_likelihood:.4f}</dd></div>
<div><dt>perplexity</dt>{bar}<dd>{_write(score.perplexity, 3)}</dd></div>
<div><dt>bits a character</dt><span></span><dd>{_write(score.bits_per_character, 4)}</dd></div>
</dl>
<div class="text" dir="auto">{pieces}</div>
<p class="end">{score.scored:,} {"token" if score.scored == 1 else "tokens"}{
        f", {count_characters(left_out)} left out" if left_out else ""
    }</p>
</article>
"""


def count_characters(number: int) -> str:
    """Return a number of characters as it is said."""
    return f"{number:,} {'character' if number == 1 else 'characters'}"


def _write(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _piece(piece: ScoredPiece) -> str:
    """Return the HTML of a piece that shows at once, shaded, with its tokens in a tip."""
    log_probability = piece.log_probability
    shade = 0 if log_probability is None else get_shade(math.exp(log_probability))
    classes = f"t m{shade}" + (" nl" if piece.text.startswith("\n") else "")
    tip = "\n".join(_row(token) for token in piece.tokens)
    return f'<span class="{classes}" tabindex="0" data-tip="{escape_text(tip)}">{escape_text(piece.text)}</span>'


def _row(token: TokenScore) -> str:
    if token.log_probability is None:
        return f"{show_token(token.text)}  never generated: it counts for nothing"
    probability = math.exp(token.log_probability)
    bar = "━" * round(_BAR * probability) or "╴"
    return f"{show_token(token.text)}  {probability:.2%}  {token.log_probability:.4f} nats  {bar}"
