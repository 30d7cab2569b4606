"""The inputs of one check of a law, asked of our metrics: what they pin, and what everything else is.

A check knows a law and a few numbers, not a design. So N, whatever it counts, and D are pinned; those that a check does
not say, because nothing it asks for follows from them, are 1. Every correction that it does not mention is neutral: a
dense model in 16 bits, no token repeated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import inf, isfinite, nan, sqrt
from pathlib import Path
from typing import Any

from kernels.evaluate import Number, evaluate
from kernels.graph import Graph, Input
from kernels.model import GRAPH
from sweep import catalogue

SIZES = ("N", "N_act", "N_total", "N_ne", "N_nonemb")  # what checks call the parameters that their law counts
PF_DAY = 8.64e19  # FLOP of a petaflop/s-day
_COUNTS = ("params_active", "params_active_non_embedding")
_CHECKED = Graph(  # the N of a check is any number, not only a whole one below 2**63
    [*GRAPH.inputs.values(), *(Input(name, "", "float", GRAPH.metrics[name].meaning) for name in _COUNTS)],
    [metric for metric in GRAPH.metrics.values() if metric.name not in _COUNTS],
)
# Keys of a check that are an input or a metric of ours.
_PINNED = {
    "D": "train_tokens",
    "S_min": "law_tokens",
    "U": "unique_tokens",
    "E": "expert_expansion",
    "G": "expert_granularity",
    "width": "hidden_size",
    "depth": "num_layers",
    "P_w": "train_weight_bits",
    "P_a": "train_activation_bits",
    "P_kv": "train_kv_bits",
    "E_bits": "train_exponent_bits",
    "M_bits": "train_mantissa_bits",
    "block": "train_scale_block",
    "D_inf": "inference_tokens",
    "target_loss": "target_loss_nats",
    "L": "loss_nats",
    "V": "vocab_size",
}
_OFF = {"moe_law": "none", "repetition_law": "none", "precision_law": "none", "shape_law": "none"}
_SAME_NAME = (
    "law", "repetition_law", "precision_law", "ptq_law", "vocabulary_law", "hyperparameter_law", "batch_law"
)  # fmt: skip


class NotCovered(Exception):
    """Nothing of ours answers a check; the message says why."""


def model(params: float) -> dict[str, float]:
    """A model of so many parameters, by whichever count."""
    return dict.fromkeys(("law_params", "law_active_params", *_COUNTS), params)


def budget(flops: float) -> dict[str, float]:
    """Any N and D of 6 N D = flops: what is best at equal compute depends on nothing else."""
    side = sqrt(flops / 6.0) if flops > 0.0 else nan
    return model(side) | {"train_tokens": side}


def pinned(inputs: Mapping[str, Any]) -> dict[str, float]:
    """What the inputs of a check set, by our names."""
    pins: dict[str, float] = {_PINNED[key]: value for key, value in inputs.items() if key in _PINNED}
    for key in SIZES:
        if key in inputs:
            pins |= model(inputs[key])
    if "N_active" in inputs and "E" in inputs:
        # Krajewski et al. 2024, arXiv:2402.07871: 12 n d**2 active parameters, (8 E + 4) n d**2 in all
        pins |= model(inputs["N_active"] * (8.0 * inputs["E"] + 4.0) / 12.0)
    if "token_multiplier" in inputs and "law_params" in pins:
        pins["train_tokens"] = inputs["token_multiplier"] * pins["law_params"]
    if "S" in inputs:
        pins["expert_activation_ratio"] = 1.0 - inputs["S"]
    if "E_bits" in inputs or "M_bits" in inputs:
        # the printed term knows no format that costs nothing, as those of 16 bits do with us
        pins["train_weight_bits"] = min(15.0, inputs.get("E_bits", 8.0) + inputs.get("M_bits", 7.0) + 1.0)
    for key, unit in (("C", 1.0), ("C_flop", 1.0), ("C_pfdays", PF_DAY)):
        if key in inputs:
            pins |= budget(inputs[key] * unit / inputs.get("C_over_C_min", 1.0))
    return pins


@lru_cache(maxsize=256)
def _given(chosen: frozenset[tuple[str, str]]) -> dict[str, Number]:
    """Constant defaults and the values of records, chosen ones before default ones; words as codes."""
    values: dict[str, Number] = {}
    records = dict(chosen)
    for name, default in catalogue.defaults().items():
        if name in catalogue.KINDS:
            records.setdefault(name, str(default.value))
        elif name in _CHECKED.inputs:
            values[name] = _code(name, default.value)
    for kind, identity in records.items():
        said = catalogue.records(kind)[identity].values
        values |= {name: _code(name, value) for name, value in said.items() if name in _CHECKED.inputs}
    values |= dict.fromkeys(("train_weight_bits", "train_activation_bits", "train_kv_bits"), 16.0)
    values |= {"train_exponent_bits": 8.0, "train_mantissa_bits": 7.0, "train_scale_block": 1.0}
    values |= {"unique_tokens": inf, "num_moe_layers": 0}
    values["vocabulary_correction"] = _code("vocabulary_correction", "off")
    return values | model(1.0) | {"train_tokens": 1.0, "law_params_ratio": 1.0}


def _code(name: str, value: catalogue.Value) -> Number:
    if name in _CHECKED.words:
        return _CHECKED.words[name].index(str(value))
    assert not isinstance(value, str), name
    return value


@dataclass(frozen=True)
class Case:
    """One check: its law, its inputs by the names it has for them, and the folder that its files are named from."""

    law_id: str
    inputs: Mapping[str, Any]
    folder: Path = Path()

    def __getitem__(self, key: str) -> float:
        return float(self.inputs[key])

    def ours(self, metric: str, pins: Mapping[str, float] | None = None, /, **records: str) -> float:
        """Our metric at the inputs of the check and at more pins, which go before them; records go before its own."""
        name = self.inputs.get("base_law", self.law_id)
        own = {kind: name for kind in _SAME_NAME if name in catalogue.records(kind)}
        given = {**_given(frozenset((_OFF | own | records).items())), **pinned(self.inputs), **(pins or {})}
        try:
            value = float(evaluate(_CHECKED, [metric], given)[metric])
        except (ArithmeticError, LookupError, ValueError) as problem:
            raise NotCovered(f"{metric} cannot be evaluated for these inputs: {problem}") from problem
        if not isfinite(value):
            raise NotCovered(f"{metric} has no finite value under {name} for these inputs")
        return value
