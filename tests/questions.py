"""Small questions made at random: spaces with their objectives, conditions and metrics, as the text of a spec.

They are meant to be awkward: cards without a price or without the number format, counts that tie, metrics that round,
cancel, divide by zero or do not depend on what they name, axes that nothing depends on, conditions that nothing meets.
"""

from __future__ import annotations

from hypothesis import assume
from hypothesis import strategies as st

from sweep.errors import SpecError
from sweep.resolve import loads

AXES = {
    "hidden_size": ["512", "768", "1000", "1024", "2048", "4096"],
    "num_layers": ["1", "7", "12", "24", "32"],
    "vocab_size": ["32_000", "50_257", "128_256"],
    "num_experts": ["1", "2", "8", "64"],
    "train_tokens": ["1e9", "2e10", "20_000_000_001.0", "3.3e11", "1e13"],
    "gpu": ['"h100_sxm"', '"b200_sxm"', '"t4"', '"v100_sxm2_32"', '"a30"', '"mi300x"', '"a100_sxm_80"'],
    "precision": ['"bf16"', '"fp8_e4m3"', '"int4_g128"', '"nvfp4"'],
    "train_precision": ['"bf16"', '"fp8_training"', '"fp4_training"'],
    "kv_precision": ['"kv_bf16"', '"kv_fp8_e4m3"', '"kv_q4_0"'],
    "law": ['"besiroglu_2024"', '"kumar_base"', '"hoffmann_a2"', '"kaplan_L_N"'],
    "num_gpus": ["1", "8", "1000", "1024"],
    "inference_tokens": ["0.0", "1e9", "1e12"],
    "context_tokens": ["1", "2048", "32_768"],
    "batch_size": ["1", "3", "64"],
    "gpu_usd_per_hour": ["0.0", "1.0", "1.0000000000000002", "2.5"],
}
METRICS = [
    *("loss_nats", "params_total", "params_active", "train_flops", "train_usd", "train_days", "train_gpu_hours"),
    *("weight_bytes", "serve_bytes", "min_gpus_to_serve", "decode_tokens_per_s", "lifetime_usd", "kv_cache_bytes"),
    *("serve_usd_per_million_tokens", "in_fitted_range", "times_outside_fitted_range", "decode_step_s", "prefill_s"),
]
INPUTS = ["hidden_size", "num_layers", "vocab_size", "num_experts", "train_tokens", "num_gpus", "inference_tokens",
          "context_tokens", "batch_size", "gpu_usd_per_hour"]  # fmt: skip
NUMBERS = ["0", "1", "2", "8", "0.5", "1e6", "1e9", "1e12", "2000", "-3"]
CONDITIONS = [
    *("hidden_size % 128 == 0", "hidden_size * num_layers <= 20000 or num_experts > 1", "min_gpus_to_serve <= 8"),
    *("loss_nats < 3.0 and lifetime_usd < 1e9", 'gpu != "t4" or precision == "bf16"', "train_days <= 100"),
    *("serve_bytes <= 80e9", "train_usd > 1000", "not train_usd > 1e7", "train_flops / num_gpus < 1e21"),
    *("lifetime_usd != lifetime_usd or lifetime_usd < 1e8", "decode_tokens_per_s >= 100", "num_layers != 7"),
    *("train_tokens >= 20 * params_total", "0 < kv_cache_bytes < 1e9", 'train_precision == "bf16" or loss_nats < 4'),
]


@st.composite
def numbers(draw: st.DrawFn, names: list[str], depth: int = 3) -> str:
    """The text of a formula over these names."""
    forms = ["binary", "binary", "binary", "same", "call", "extreme", "chosen", "minus"]
    form = draw(st.sampled_from(forms)) if depth and draw(st.integers(0, 5)) else "leaf"
    inner = numbers(names, depth - 1)
    if form == "leaf":
        return draw(st.sampled_from([*names, *names, *names, *NUMBERS]))
    if form == "binary":
        return f"({draw(inner)} {draw(st.sampled_from([*'+-*/+*', '//', '%', '**']))} {draw(inner)})"
    if form == "same":  # what cancels, all but for rounding
        name, other = draw(st.sampled_from(names)), draw(inner)
        forms = [f"({other} * {name} / {name})", f"(({other} + {name}) - {name})", f"({name} * {other} + {name} * 3)"]
        return draw(st.sampled_from([*forms, f"({name} - {name} / ({other}))"]))
    if form == "minus":
        return f"(-{draw(inner)})"
    if form == "call":
        return f"{draw(st.sampled_from(['ceil', 'floor', 'sqrt', 'log', 'log2', 'exp']))}({draw(inner)})"
    if form == "extreme":
        parts = draw(st.lists(inner, min_size=2, max_size=3))
        return f"{draw(st.sampled_from(['min', 'max']))}({', '.join(parts)})"
    return f"({draw(inner)} if {draw(comparisons(names, depth - 1))} else {draw(inner)})"


@st.composite
def comparisons(draw: st.DrawFn, names: list[str], depth: int = 2) -> str:
    """The text of a condition over these names."""
    form = draw(st.sampled_from(["plain", "plain", "plain", "not", "and", "or"])) if depth else "plain"
    if form == "plain":
        sign = draw(st.sampled_from(["<", "<=", ">", ">=", "==", "!="]))
        return f"({draw(numbers(names, depth))} {sign} {draw(numbers(names, depth))})"
    if form == "not":
        return f"(not {draw(comparisons(names, depth - 1))})"
    return f"({draw(comparisons(names, depth - 1))} {form} {draw(comparisons(names, depth - 1))})"


@st.composite
def spec_texts(draw: st.DrawFn, most_designs: int = 120, most_metrics: int = 4) -> str:
    """A spec of two to five axes, one to four objectives and up to three conditions.

    most_metrics of our own are read, which take longer than those made here; then conditions read them too.
    """
    names = draw(st.lists(st.sampled_from(sorted(AXES)), min_size=2, max_size=5, unique=True))
    size, axes = 1, []
    for name in names:
        room = max(1, min(len(AXES[name]), most_designs // size))
        values = draw(st.lists(st.sampled_from(AXES[name]), min_size=min(2, room), max_size=room, unique=True))
        size *= len(values)
        axes.append(f"{name} = [{', '.join(values)}]")
    seen = [name for name in names if name in INPUTS]
    ours = draw(st.lists(st.sampled_from(METRICS), min_size=min(1, most_metrics), max_size=most_metrics, unique=True))
    known = [*seen, *seen, *ours] or ["num_layers"]
    own = draw(st.lists(numbers(known), min_size=0 if ours else 1, max_size=3))
    metrics = [f"own_{k} = '''{text}'''" for k, text in enumerate(own)]
    candidates = [*known, *(METRICS[:6] if ours else ()), *[f"own_{k}" for k in range(len(own))] * 3]
    objectives = draw(st.lists(st.sampled_from(candidates), min_size=1, max_size=4, unique=True))
    signs = draw(st.lists(st.booleans(), min_size=len(objectives), max_size=len(objectives)))
    minimize = [name for name, less in zip(objectives, signs, strict=True) if less]
    maximize = [name for name, less in zip(objectives, signs, strict=True) if not less]
    asked = st.sampled_from(CONDITIONS if ours else CONDITIONS[:1]) | comparisons(known)
    where = draw(st.lists(asked, max_size=3, unique=True))
    conditions = [f"c{k} = '''{text}'''" for k, text in enumerate(where)]
    asked_for = [f"minimize = {minimize}", f"maximize = {maximize}"]
    parts = [f"columns = {objectives}", "[axes]", *axes, "[metrics]", *metrics, "[where]", *conditions]
    parts += ["[frontier]", *asked_for]
    text = "\n".join(parts)
    assume(not _overflows(text))
    return text


def _overflows(text: str) -> bool:
    """Whether a whole number of a spec may be too large, which is refused: tests/test_spec.py has those."""
    try:
        loads(text)
    except SpecError as error:
        return "a whole number ends at" in str(error)
    return False
