"""Presets: another project's default chain, in its own order, from its own parameters' names and defaults.

Source: transformers 5.24, `GenerationMixin._get_logits_processor` and `GenerationConfig`; llama.cpp of 2026,
`common_sampler_init` and `common_params_sampling`, with the names its command line has (`-` written `_`).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from types import MappingProxyType
from typing import Any, ClassVar

from textforge.components.component import Option, option
from textforge.components.spec import write_chain
from textforge.errors import GenerationError, OptionError
from textforge.samplers import _presets
from textforge.samplers.base import Context, Logits, Sampler

_SPELLINGS = MappingProxyType(
    {
        "penalty_last_n": "repeat_last_n",
        "penalty_repeat": "repeat_penalty",
        "penalty_freq": "frequency_penalty",
        "penalty_present": "presence_penalty",
        "typ_p": "typical_p",
        "typical": "typical_p",
        "top_nsigma": "top_n_sigma",
        "dynatemp_exponent": "dynatemp_exp",
        "mirostat_eta": "mirostat_lr",
        "mirostat_tau": "mirostat_ent",
        "dry_sequence_breakers": "dry_sequence_breaker",
    }
)
"""Names in llama.cpp's server or source, each with its command line's."""


class Preset(Sampler):
    """The chain that transformers (`hf`) or llama.cpp has by default, as in ``preset:llama.cpp,temp=0.8,min_p=0.05``.

    A parameter not given has the project's default, and one that is off there puts no sampler into the chain. What both
    do differently comes out as that project does it: `hf` keeps what ties with the k-th token, penalizes repetition in
    the whole text, and puts temperature first; `llama.cpp` penalizes the last 64 tokens, keeps k exactly, puts
    temperature last, and stops typical sampling only past its mass. `hf` is as with ``do_sample=True``, as there is
    nothing to set up otherwise: `do_sample` false is its greedy decoding. What concerns beams, lengths or token ids has
    no place here. llama.cpp's Mirostat stands alone behind the temperature: what else is given for the chain is
    refused, where llama.cpp drops it in silence. Its adaptive-p, which must be named among its samplers, is on where
    `adaptive_target` is at least 0.

    >>> from textforge.components.spec import write_chain
    >>> write_chain(Preset("hf", temperature=0.7, repetition_penalty=1.2).expand())
    'repetition-penalty:penalty=1.2,last_n=none | temperature:0.7 | top-k-ties:50'
    >>> write_chain(Preset("llama.cpp").expand())
    'top-k:40 | top-p:0.95 | min-p:0.05 | temperature:0.8'
    """

    name: ClassVar[str] = "preset"

    project: str = option(choices=("hf", "llama.cpp"), help="Whose chain.")
    top_h: float | None = option(default=None, gt=0, le=1, help="hf: none, which is off.")
    top_k: int | None = option(default=None, ge=-1, help="Both: hf 50, llama.cpp 40; 0 is off.")
    top_p: float | None = option(default=None, ge=0, le=1, help="Both: hf 1, llama.cpp 0.95; 1 is off.")
    min_p: float | None = option(default=None, ge=0, le=1, help="Both: hf off, llama.cpp 0.05; 0 is off.")
    typical_p: float | None = option(default=None, gt=0, le=1, help="Both: 1, which is off.")
    do_sample: bool | None = option(default=None, help="hf: true here; false is greedy.")
    temperature: float | None = option(default=None, gt=0, lt=math.inf, help="hf: 1.")
    repetition_penalty: float | None = option(default=None, gt=0, lt=math.inf, help="hf: 1, which is off.")
    no_repeat_ngram_size: int | None = option(default=None, ge=0, help="hf: 0, which is off.")
    epsilon_cutoff: float | None = option(default=None, ge=0, le=1, help="hf: 0, which is off.")
    eta_cutoff: float | None = option(default=None, ge=0, le=1, help="hf: 0, which is off.")
    sequence_bias: dict[str, float] | None = option(default=None, help="hf: none; by text here, not by ids.")
    temp: float | None = option(default=None, gt=-math.inf, lt=math.inf, help="llama.cpp: 0.8; up to 0 is greedy.")
    dynatemp_range: float | None = option(default=None, ge=0, lt=math.inf, help="llama.cpp: 0, which is off.")
    dynatemp_exp: float | None = option(default=None, ge=0, lt=math.inf, help="llama.cpp: 1.")
    repeat_penalty: float | None = option(default=None, gt=0, lt=math.inf, help="llama.cpp: 1, which is off.")
    repeat_last_n: int | None = option(default=None, ge=-1, help="llama.cpp: 64; 0 is off, -1 all.")
    frequency_penalty: float | None = option(
        default=None, gt=-math.inf, lt=math.inf, help="llama.cpp: 0, which is off."
    )
    presence_penalty: float | None = option(default=None, gt=-math.inf, lt=math.inf, help="llama.cpp: 0, which is off.")
    dry_multiplier: float | None = option(default=None, ge=0, lt=math.inf, help="llama.cpp: 0, which is off.")
    dry_base: float | None = option(default=None, ge=0, lt=math.inf, help="llama.cpp: 1.75; below 1 is off.")
    dry_allowed_length: int | None = option(default=None, ge=1, help="llama.cpp: 2.")
    dry_penalty_last_n: int | None = option(default=None, ge=-1, help="llama.cpp: 64; 0 is off, -1 all.")
    dry_sequence_breaker: tuple[str, ...] | None = option(
        default=None, help='llama.cpp: the newline, ":", the double quote and "*".'
    )
    top_n_sigma: float | None = option(default=None, gt=-math.inf, lt=math.inf, help="llama.cpp: -1; up to 0 is off.")
    xtc_probability: float | None = option(default=None, ge=0, le=1, help="llama.cpp: 0, which is off.")
    xtc_threshold: float | None = option(default=None, ge=0, le=1, help="llama.cpp: 0.1; above 0.5 is off.")
    mirostat: int | None = option(default=None, choices=(0, 1, 2), help="llama.cpp: 0, which is off.")
    mirostat_lr: float | None = option(default=None, gt=0, lt=math.inf, help="llama.cpp: 0.1.")
    mirostat_ent: float | None = option(default=None, gt=0, lt=math.inf, help="llama.cpp: 5.")
    adaptive_target: float | None = option(
        default=None, gt=-math.inf, le=1, help="llama.cpp: -1; below 0 is off, as is its sampler there by default."
    )
    adaptive_decay: float | None = option(default=None, ge=0, le=0.99, help="llama.cpp: 0.9.")
    logit_bias: dict[str, float] | None = option(default=None, help="llama.cpp: none; by text here, not by ids.")

    def __attrs_post_init__(self) -> None:
        defaults = _presets.DEFAULTS[self.project]
        for name in self._given:
            if name not in defaults:
                raise OptionError(f"preset: {self.project} has no {name}; {_presets.advise(self.project, name)}")
        if dropped := _presets.find_dropped(self._given):
            mirostat = "mirostat" if self.mirostat == 1 else "mirostat-2"
            raise OptionError(
                f"preset: llama.cpp's mirostat ignores {', '.join(dropped)}; leave it out, "
                f"or put the sampler {mirostat} into a chain of your own"
            )
        self.expand()

    @classmethod
    def known_option(cls, name: str) -> Option:
        """Return the option of that name. Raises `OptionError` for another, naming the one that is meant."""
        if name in _SPELLINGS:
            raise OptionError(f"preset: there is no option {name!r}; llama.cpp's command line has {_SPELLINGS[name]}")
        return super().known_option(name)

    def __call__(self, logits: Logits, context: Context) -> Logits:
        """Raises `GenerationError`: a preset is replaced by its chain, each sampler with a context of its own."""
        raise GenerationError(f"preset: it stands for the chain {write_chain(self.expand())!r}; apply that one instead")

    def expand(self) -> Sequence[Sampler]:
        """Return the project's chain."""
        return self._chain

    @property
    def _given(self) -> dict[str, Any]:
        values = self.option_values()
        del values["project"]
        return {name: value for name, value in values.items() if value is not None}

    @functools.cached_property
    def _chain(self) -> tuple[Sampler, ...]:
        values = {**_presets.DEFAULTS[self.project], **self._given}
        return tuple(_presets.CHAINS[self.project](values))
