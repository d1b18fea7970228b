"""Presets: the chains they stand for, and the parameters they take."""

from __future__ import annotations

import re

import pytest
from sampler_cases import sampler

from textforge.components.spec import write_chain
from textforge.errors import OptionError
from textforge.generation.chain import expanded
from textforge.samplers import _presets

PRESETS = [
    ("hf", "top-k-ties:50"),
    ("hf,do_sample=false", "greedy"),
    (
        "hf,temperature=0.7,top_k=50,repetition_penalty=1.2",
        "repetition-penalty:penalty=1.2,last_n=none | temperature:0.7 | top-k-ties:50",
    ),
    (
        "hf,eta_cutoff=0.1,epsilon_cutoff=0.2,typical_p=0.3,min_p=0.4,top_p=0.5,top_k=0,no_repeat_ngram_size=6",
        "no-repeat-ngram:6 | top-p:0.5 | min-p:0.4 | typical:p=0.3 | epsilon:0.2 | eta:0.1",
    ),
    ("llama.cpp", "top-k:40 | top-p:0.95 | min-p:0.05 | temperature:0.8"),
    (
        "llama.cpp,temp=0.8,min_p=0.05,dry_multiplier=0.8",
        "dry:last_n=64 | top-k:40 | top-p:0.95 | min-p:0.05 | temperature:0.8",
    ),
    (
        "llama.cpp,temp=1,xtc_probability=0.5,typical_p=0.9,top_n_sigma=1,top_k=0,min_p=0,repeat_penalty=1.5",
        "repetition-penalty:penalty=1.5 | top-n-sigma:1.0 | typical:p=0.9,boundary=exceeded | top-p:0.95 | xtc",
    ),
    (
        "llama.cpp,frequency_penalty=2,repeat_last_n=-1,temp=0",
        "frequency-penalty:penalty=2.0,last_n=none | top-k:40 | top-p:0.95 | min-p:0.05 | greedy",
    ),
    ("llama.cpp,mirostat=2,mirostat_lr=0.2", "temperature:0.8 | mirostat-2:eta=0.2,surprise=kept"),
    ("llama.cpp,mirostat=1,mirostat_ent=3,temp=0", "greedy | mirostat:tau=3.0,surprise=kept"),
    ("llama.cpp,mirostat=2,top_k=0,top_p=1,min_p=0,top_n_sigma=-1", "temperature:0.8 | mirostat-2:surprise=kept"),
    ("llama.cpp,mirostat=0,top_k=20", "top-k:20 | top-p:0.95 | min-p:0.05 | temperature:0.8"),
    ("hf,top_h=0.3,top_k=0,temperature=2", "temperature:2.0 | top-h:h=0.3"),
    ("llama.cpp,adaptive_target=0.4,top_k=0,top_p=1", "min-p:0.05 | temperature:0.8 | adaptive-p:target=0.4"),
    ("llama.cpp,adaptive_target=-1,top_k=0,top_p=1,temp=1", "min-p:0.05"),
    ("llama.cpp,dynatemp_range=0.5,top_k=0,top_p=1,min_p=0", "dynamic-temperature:temperature=0.8"),
    ("llama.cpp,dynatemp_range=0.5,temp=-0.1,top_k=0,top_p=1,min_p=0", "dynamic-temperature:temperature=0.2,range=0.2"),
    ("llama.cpp,dynatemp_range=0.5,temp=-1,top_k=0,top_p=1,min_p=0", "greedy"),
    ("llama.cpp,repeat_penalty=2,repeat_last_n=0,temp=0,top_k=0,top_p=1,min_p=0", "greedy"),
]


@pytest.mark.parametrize(("spec", "chain"), PRESETS)
def test_presets(spec, chain):
    assert write_chain(expanded([sampler(f"preset:{spec}")])) == chain
    assert sampler(sampler(f"preset:{spec}").spec) == sampler(f"preset:{spec}")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("hf,temp=0.7", "hf has no temp; write temperature"),
        ("llama.cpp,temperature=0.7", "llama.cpp has no temperature; write temp"),
        ("llama.cpp,repetition_penalty=1.2", "llama.cpp has no repetition_penalty; write repeat_penalty"),
        ("hf,dry_multiplier=1", "hf has no dry_multiplier; put the sampler dry into the chain beside the preset"),
        ("llama.cpp,eta_cutoff=0.1", "put the sampler eta into"),
        ("llama.cpp,penalty_repeat=1.1", "llama.cpp's command line has repeat_penalty"),
        ("llama.cpp,top_h=0.5", "llama.cpp has no top_h; put the sampler top-h into the chain beside the preset"),
        ("hf,adaptive_target=0.5", "put the sampler adaptive-p into"),
        (
            "llama.cpp,mirostat=2,top_k=40",
            "preset: llama.cpp's mirostat ignores top_k; leave it out, or put the sampler mirostat-2 into a chain",
        ),
        ("llama.cpp,mirostat=1,min_p=0.1,xtc_probability=0.5", "mirostat ignores min_p, xtc_probability; leave it out"),
        ("openai", "project must be one of hf, llama.cpp, got 'openai'"),
        ("hf,temperature=0", "temperature must be > 0"),
    ],
)
def test_a_parameter_of_the_other_project_is_refused_by_its_right_name(spec, message):
    with pytest.raises(OptionError, match=re.escape(message)) as refused:
        sampler(f"preset:{spec}")
    assert "\n" not in str(refused.value)


def test_every_parameter_of_a_preset_has_advice_for_the_other_project():
    names = set(_presets.DEFAULTS["hf"]) ^ set(_presets.DEFAULTS["llama.cpp"])
    assert all(_presets.advise(project, name) for project in ("hf", "llama.cpp") for name in names)
