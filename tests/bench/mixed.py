"""What a mixture of architectures costs: dense, MoE and MLA models in one space, beside dense models alone.

    python -m tests.bench.mixed

Both spaces have the same axes of the same lengths and the same columns, and are timed in one run. A space that mixes
architectures has more inputs that vary; it must keep at least half of the dense rate.
"""

import sys
from dataclasses import replace

import numpy as np

from sweep.columns import wanted
from sweep.execute import Evaluator, Worker, chunks, rows
from sweep.parts import designs_before
from sweep.plan import Plan
from sweep.resolve import load, loads
from sweep.space import Space
from tests.bench.measure import rate

LEAST = 0.5
DENSE = ("llama-3.1-8b", "llama-3.1-70b", "llama-3.1-405b", "qwen3-32b", "gemma-2-9b", "mistral-7b-v0.1", "olmo-2-13b",
         "phi-4")  # fmt: skip
MIXED = ("llama-3.1-8b", "llama-3.1-70b", "mixtral-8x7b", "deepseek-v3", "qwen3-30b-a3b", "deepseek-v2-lite",
         "qwen3-next-80b-a3b", "gpt-oss-120b")  # fmt: skip


def by_record(models: tuple[str, ...]) -> Space:
    """Released models, formats, token budgets, GPUs and batches: 20 million designs."""
    names = ", ".join(f'"{name}"' for name in models)
    text = f"""
        [axes]
        model = [{names}]
        precision = ["bf16", "fp8_e4m3", "int8", "int4_g128"]
        train_tokens = {{ log10 = [10, 13.5], points = 525 }}
        gpu = ["a100_sxm_80", "h100_sxm", "h200_sxm", "b200_sxm", "b300_sxm", "mi300x"]
        batch_size = {{ start = 1, stop = 200, step = 1 }}
    """
    return with_usual_columns(loads(text, "models"))


def by_shape(mixed: bool) -> Space:
    """Widths, depths and experts instead of released models; attention of both kinds where they are mixed."""
    kinds = 'attention_kind = ["gqa", "mla"]\nnum_experts = [1, 8, 64]'
    dense = "ffn_size = [8192, 11_008, 13_824, 14_336, 22_016, 28_672]"
    text = f"""
        [axes]
        hidden_size = {{ start = 1024, stop = 8192, step = 128 }}
        num_layers = {{ start = 8, stop = 80, step = 4 }}
        {kinds if mixed else dense}
        precision = ["bf16", "fp8_e4m3", "int4_g128"]
        train_tokens = {{ log10 = [10, 13.5], points = 171 }}
        gpu = ["a100_sxm_80", "h100_sxm", "h200_sxm", "b200_sxm", "b300_sxm", "mi300x"]

        [fixed]
        q_lora_rank = 1536
        kv_lora_rank = 512
        qk_nope_head_dim = 128
        qk_rope_head_dim = 64
        v_head_dim = 128
    """
    return with_usual_columns(loads(text, "shapes"))


def with_usual_columns(space: Space) -> Space:
    return replace(space, columns=load("first-look").columns)


def rates(space: Space) -> dict[str, float]:
    """Million designs a second: all blocks visited, and every column of every row of some of them gathered."""
    columns = list(wanted(space))
    plan = Plan(space, columns, patience=0.0)
    worker = Worker(Evaluator(plan))
    runs = list(chunks(plan))
    some = runs[:: max(1, len(runs) // 40)]
    few = sum(designs_before(plan, run.stop) - designs_before(plan, run.start) for run in some)

    def visit() -> None:
        worker.count(range(plan.box.blocks))

    def gather() -> None:
        with np.errstate(all="ignore"):
            for run in some:
                rows(worker, run, columns)

    return {"evaluated": rate(plan.points, visit), "gathered": rate(few, gather)}


def compare(name: str, dense: Space, mixed: Space) -> list[float]:
    """Print the rates of both spaces and their ratios, which are returned."""
    alone, together = rates(dense), rates(mixed)
    ratios = []
    print(f"{name}: {dense.size:,} dense designs, {mixed.size:,} mixed ones")
    for what, rate_alone in alone.items():
        ratios.append(together[what] / rate_alone)
        print(
            f"  {what:<10} dense {rate_alone:8.1f}, mixed {together[what]:8.1f} M designs/s/core: "
            f"mixed is {ratios[-1]:.2f} of dense"
        )
    return ratios


def main() -> None:
    ratios = [
        *compare("models", by_record(DENSE), by_record(MIXED)),
        *compare("shapes", by_shape(mixed=False), by_shape(mixed=True)),
    ]
    if min(ratios) < LEAST:
        sys.exit(f"a mixed space runs at {min(ratios):.2f} of the dense rate; at least {LEAST} is expected")


if __name__ == "__main__":
    main()
