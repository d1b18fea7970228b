"""Samplers: how logits are reshaped before a token is drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from textforge.plugins.hookspecs import hookimpl

if TYPE_CHECKING:
    from textforge.samplers.base import Sampler


@hookimpl
def register_samplers(register: Callable[[type[Sampler]], None]) -> None:
    """Register the samplers that come with textforge."""
    from textforge.samplers.adaptive_p import AdaptiveP
    from textforge.samplers.dry import DRY
    from textforge.samplers.dynamic_temperature import DynamicTemperature
    from textforge.samplers.epsilon import Epsilon
    from textforge.samplers.eta import Eta
    from textforge.samplers.frequency_penalty import FrequencyPenalty
    from textforge.samplers.greedy import Greedy
    from textforge.samplers.logit_bias import LogitBias
    from textforge.samplers.min_k import MinK
    from textforge.samplers.min_p import MinP
    from textforge.samplers.mirostat import Mirostat
    from textforge.samplers.mirostat_2 import Mirostat2
    from textforge.samplers.no_repeat_ngram import NoRepeatNGram
    from textforge.samplers.p_less import PLess
    from textforge.samplers.presence_penalty import PresencePenalty
    from textforge.samplers.preset import Preset
    from textforge.samplers.quadratic import Quadratic
    from textforge.samplers.repetition_penalty import RepetitionPenalty
    from textforge.samplers.tail_free import TailFree
    from textforge.samplers.temperature import Temperature
    from textforge.samplers.top_a import TopA
    from textforge.samplers.top_h import TopH
    from textforge.samplers.top_k import TopK
    from textforge.samplers.top_k_ties import TopKTies
    from textforge.samplers.top_n_sigma import TopNSigma
    from textforge.samplers.top_p import TopP
    from textforge.samplers.typical import Typical
    from textforge.samplers.xtc import XTC

    for sampler in (
        AdaptiveP,
        DRY,
        DynamicTemperature,
        Epsilon,
        Eta,
        FrequencyPenalty,
        Greedy,
        LogitBias,
        MinK,
        MinP,
        Mirostat,
        Mirostat2,
        NoRepeatNGram,
        PLess,
        PresencePenalty,
        Preset,
        Quadratic,
        RepetitionPenalty,
        TailFree,
        Temperature,
        TopA,
        TopH,
        TopK,
        TopKTies,
        TopNSigma,
        TopP,
        Typical,
        XTC,
    ):
        register(sampler)
