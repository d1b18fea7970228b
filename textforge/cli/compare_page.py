"""The comparison as a page, one HTML file that needs no other and runs no script."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from textforge.cli.compare_terminal import bits, percent
from textforge.cli.page import escape_text, get_shade, make_facts, make_head, make_scale
from textforge.cli.visible import shorten, show_token
from textforge.evaluation.copying import LENGTHS, RunLengths

if TYPE_CHECKING:
    from textforge.library.comparing import Choice, ComparedText, ComparedToken, Piece

MARKED = LENGTHS[0]
"""The characters of the shortest run that is marked as copied."""
_BAR = 16


def make_page(
    texts: Sequence[ComparedText],
    prompt: str,
    facts: Mapping[str, object],
    copied: Sequence[RunLengths] | None = None,
) -> str:
    """Return the page, as one text. `facts` says how it came about: the model, the seed.

    `copied` has, for each text, how long a run of a corpus each of its characters is in; long ones are marked.
    """
    title = f"{shorten(' '.join(prompt.split()), 60) or 'A new beginning'} – textforge compare"
    most = max((text.model_entropy or 0 for text in texts), default=0)
    most = max([most, *(text.entropy or 0 for text in texts)])
    lengths: Sequence[RunLengths | None] = [None] * len(texts) if copied is None else copied
    articles = "\n".join(_article(text, prompt, most, runs) for text, runs in zip(texts, lengths, strict=True))
    return f"""{make_head(title)}<header>
<h1>One prompt, {len(texts)} {"chain" if len(texts) == 1 else "chains"} of samplers</h1>
{make_facts(facts)}
{_legend(copied is not None)}
</header>
<main class="chains">
{articles}
</main>
<footer>
<p>Entropy is how open the choice of the next token was, in bits, as a mean over the tokens drawn: 0 where one token was
certain, 1 where two were equally likely. Before the chain, it is that of the model itself, in the same places.
Repetition is the share of the text’s 4-grams of tokens that stand earlier in it too.</p>
<p>Hover over a token, or step to it with the tabulator key, to see what else it might have been.</p>
</footer>
</body>
</html>
"""


def _legend(marked: bool) -> str:
    copied = f'<span><span class="copied">Copied</span>: {MARKED} characters or more, word for word</span>'
    return f"""<fieldset class="legend">
<span>Tokens are shaded by how likely they were</span>
<label><input type="radio" name="shade" id="by-model" checked>to the model</label>
<label><input type="radio" name="shade" id="by-chain">after the chain</label>
{make_scale()}
{copied if marked else ""}
</fieldset>"""


def _article(text: ComparedText, prompt: str, most: float, runs: RunLengths | None) -> str:
    """Return the HTML of one chain: its figures, with bars in proportion to the `most` bits of all, and its text."""
    ends = list(itertools.accumulate((len(piece.text) for piece in text.pieces), initial=0))
    longest = [0 if runs is None else int(runs[start:end].max(initial=0)) for start, end in itertools.pairwise(ends)]
    pieces = "".join(_piece(piece, run) for piece, run in zip(text.pieces, longest, strict=True))
    tokens = len(text.tokens) - text.ended
    end = "the text ended by itself" if text.ended else "stopped at the limit"
    shown_prompt = f'<span class="prompt">{escape_text(prompt)}</span>' if prompt else ""
    return f"""<article>
<h2><code>{escape_text(text.chain) or "no samplers"}</code></h2>
<dl class="figures">
{_figure("entropy", "mean of the tokens drawn, after the chain", bits(text.entropy), text.entropy, most)}
{_figure("before the chain", "the model's own, same places", bits(text.model_entropy), text.model_entropy, most)}
{_figure("repetition", "4-grams of tokens that stand earlier too", percent(text.repetition), text.repetition, 1)}
{_copied_figure(runs)}</dl>
<div class="text" dir="auto">{shown_prompt}{pieces}</div>
<p class="end">{tokens:,} {"token" if tokens == 1 else "tokens"}, {end}</p>
</article>"""


def _copied_figure(runs: RunLengths | None) -> str:
    if runs is None:
        return ""
    share = float((runs >= MARKED).mean()) if len(runs) else None
    return (
        _figure("copied", f"characters in runs of {MARKED} or more that the corpus has", percent(share), share, 1)
        + "\n"
    )


def _figure(name: str, meaning: str, shown: str, value: float | None, most: float) -> str:
    width = 100 * (value or 0) / most if most else 0
    bar = f'<span class="bar"><i style="width:{width:.1f}%"></i></span>'
    return f'<div title="{escape_text(meaning)}"><dt>{name}</dt>{bar}<dd>{shown}</dd></div>'


def _piece(piece: Piece, run: int) -> str:
    """Return the HTML of a piece that shows at once, shaded, with the other choices in a tip.

    It is marked where it is in a long `run`, in characters, of the corpus.
    """
    if not piece.tokens:
        return escape_text(piece.text)
    classes = f"t m{get_shade(piece.before)} c{get_shade(piece.after)}" + (" nl" if piece.text.startswith("\n") else "")
    tip = "\n\n".join(_tip(token) for token in piece.tokens)
    if run >= MARKED:
        classes += " copied"
        tip += f"\n\n  in a run of {run:,} characters that the corpus has"
    return f'<span class="{classes}" tabindex="0" data-tip="{escape_text(tip)}">{escape_text(piece.text)}</span>'


def _tip(token: ComparedToken) -> str:
    """Return a small table: each choice there was, and which was drawn."""
    longest = max(5, *(len(show_token(choice.text)) for choice in token.likeliest))
    rows = [_row(choice, choice == token.drawn, longest) for choice in token.likeliest]
    head = f"  {'token':{longest}}    model    chain"
    return "\n".join([head, *rows, f"  {'bits':{longest}}  {token.entropy_before:7.2f}  {token.entropy_after:7.2f}"])


def _row(choice: Choice, drawn: bool, longest: int) -> str:
    mark, bar = "▸" if drawn else " ", "━" * round(_BAR * choice.before) or "╴"
    return f"{mark} {show_token(choice.text):{longest}}  {choice.before:7.2%}  {choice.after:7.2%}  {bar}"
