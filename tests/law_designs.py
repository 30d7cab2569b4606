"""Designs under a law and its corrections, as inputs: records put together as a spec does, then numbers one by one."""

import math
from collections.abc import Mapping
from functools import cache

import mpmath  # type: ignore[import-untyped]
from hypothesis import strategies as st
from mpmath import mpf

from kernels.evaluate import evaluate
from kernels.model import GRAPH
from sweep import catalogue
from sweep.resolve import single
from tests import naive_laws

Number = int | float
Inputs = dict[str, Number]

OFF = dict.fromkeys(("moe_law", "repetition_law", "precision_law", "shape_law", "ptq_law"), "none")
ON = {"moe_law": "joint_moe", "repetition_law": "muennighoff_data", "precision_law": "by_format"}
RECORDS = catalogue.records("law")
LAWS = list(RECORDS)
WITH_LOSS = [law for law in LAWS if RECORDS[law].values["law_form"] != "allocation"]
WITH_COMPUTE = [law for law in WITH_LOSS if RECORDS[law].values["law_compute"] == "6nd"]
CHINCHILLA = {
    "law_form": "power",
    "law_compute": "6nd",
    "law_repetition": "transferred",
    "law_precision": "transferred",
}
OF_TWO_POWERS = [law for law in LAWS if RECORDS[law].values.items() >= CHINCHILLA.items()]


@cache
def _neutral() -> Inputs:
    return dict(single({}).fixed)


def word(name: str, text: str) -> int:
    """The code of a word."""
    return GRAPH.words[name].index(text)


def inputs(law: str, **records: str) -> Inputs:
    """Every input under a law, without corrections but those named; words as codes."""
    given = dict(_neutral())
    for kind, record in (OFF | records | {"law": law}).items():
        for name, value in catalogue.records(kind)[record].values.items():
            given[name] = word(name, value) if isinstance(value, str) else value
    return given


def values(wanted: list[str], given: Mapping[str, Number], **changed: Number) -> dict[str, float]:
    """The wanted metrics of a design."""
    found = evaluate(GRAPH, wanted, {**given, **changed})
    return {name: float(found[name]) for name in wanted}


def value(wanted: str, given: Mapping[str, Number], **changed: Number) -> float:
    """One metric of a design."""
    return values([wanted], given, **changed)[wanted]


def at(flops: float) -> Inputs:
    """A design of that compute under a law whose N are active parameters; where its N and D lie does not matter."""
    return {"law_params": 1e9, "train_tokens": flops / 6.0 / 1e9}


def told_beside_its_own_repetition(design: Inputs) -> bool:
    """Whether a law with repetition of its own, whose U_N is of 16 bits and one expert, is told of bits or experts."""
    wanted = ["repetition_counts", "worth_of_a_parameter", "moe_gain_exponent", "capybara_coefficient"]
    counts, *told = values(wanted, design).values()
    own = design["law_repetition"] == word("law_repetition", "own")
    return own and bool(counts) and told != [1.0, 0.0, 0.0]


def told(law: str, bits: str, unique: float, ratio: float) -> tuple[Inputs, naive_laws.Loss]:
    """A mixture of experts on repeated tokens, in the bits of a training format: as inputs, and as the naive loss.

    Experts by the leverage, at a granularity of 4 and with a tenth of them at work; 4 bits are integers here. The body
    is so much of the parameters.
    """
    core = naive_laws.CORES[law].of(float)
    records = {"moe_law": "ling_el", "repetition_law": "muennighoff_data", "precision_law": "by_format"}
    design = inputs(law, train_precision=bits, **records) | {"unique_tokens": unique}
    design |= {"num_experts": 64, "expert_expansion": 10.0, "expert_granularity": 8.0}
    low, high = (naive_laws.leverage(mpf(1) / 10, mpf(4), mpf(flops)) for flops in ("1e20", "1e22"))
    power = float(mpmath.log(high / low) / mpmath.log(100))
    scale = float(low) / (1e20 / 6.0) ** power
    widths = [float(design[f"train_{tensor}_bits"]) for tensor in ("weight", "activation", "kv")]
    is_integer = design["train_number_kind"] == word("train_number_kind", "integer")
    at_16 = naive_laws.kumar_factors(*[mpf(16)] * 3)
    left = float(naive_laws.kumar_factors(*map(mpf, widths)) / at_16) if is_integer else 1.0
    layout = [mpf(design[f"train_{part}"]) for part in ("exponent_bits", "mantissa_bits", "scale_block")]
    added = 0.0 if is_integer or widths[0] >= 16 else float(naive_laws.capybara_term(mpf(1), mpf(1), *layout))
    return design, naive_laws.corrected(
        core,
        unique,
        lambda params, tokens: left * scale * (params * tokens) ** power,
        lambda params, tokens: added * (ratio * params) ** -0.2368 * tokens**0.5162,
    )


PARAMS = st.floats(6.5, 12.5).map(lambda x: 10.0**x)
TOKENS = st.floats(8.5, 14.0).map(lambda x: 10.0**x)
DEMAND = st.one_of(st.just(0.0), st.floats(8.0, 15.0).map(lambda x: 10.0**x))


Spec = dict[str, str | Number]


def built(spec: Spec) -> Inputs:
    """A design from the records and numbers of a few of its inputs, as a spec gives them."""
    records = {kind: record for kind, record in spec.items() if isinstance(record, str)}
    numbers = {name: number for name, number in spec.items() if not isinstance(number, str)}
    return inputs(**records) | numbers


@st.composite
def specs(draw: st.DrawFn, /, laws: list[str], **fixed: str) -> Spec:
    """A model of some shape on some tokens, under one of the laws and a random mix of corrections."""
    kinds = {
        "law": laws,
        "moe_law": ["none", "joint_moe", "ling_el"],
        "repetition_law": ["none", "muennighoff_data"],
        "precision_law": ["none", "kumar_train", "kumar_train_fp", "capybara_fp", "by_format"],
        "train_precision": ["bf16", "fp8_training", "int8_training", "fp4_training"],
        "shape_law": ["none", "gemstones_shape_hot", "gemstones_shape_cool_end"],
        "vocabulary_law": ["tao_a1", "tao_a2", "tao_a3"],
    }
    spec: Spec = {kind: fixed.get(kind) or draw(st.sampled_from(found)) for kind, found in kinds.items()}
    spec["hidden_size"] = 128 * draw(st.integers(4, 128))
    spec["num_layers"] = draw(st.integers(4, 128))
    spec["num_experts"] = draw(st.sampled_from([1, 1, 8, 64, 256]))
    spec["train_tokens"] = tokens = draw(TOKENS)
    repeats = draw(st.one_of(st.just(0.0), st.floats(0.3, 40.0)))
    spec["unique_tokens"] = tokens / repeats if repeats else math.inf
    spec["vocabulary_correction"] = draw(st.sampled_from([0, 1]))
    spec["inference_tokens"] = draw(DEMAND)
    return spec


SMALL_IN_4_BITS: Spec = {  # N is worth a fifth, so more of it is best than the tokens are enough for in 16 bits
    "law": "muennighoff_data",
    "repetition_law": "muennighoff_data",
    "precision_law": "kumar_train",
    "train_precision": "fp4_training",
    "hidden_size": 512,
    "num_layers": 4,
    "train_tokens": 1e9,
    "inference_tokens": 0.0,
}
