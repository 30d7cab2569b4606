"""Programs that evaluate one configuration a call, beside the engine: designs a second of processor time.

    python -m tests.bench.peer

Each is asked through its Python interface for what it says of serving a dense model, for as many shapes of first-look
as it does in a second or so: the objects that describe a design are made anew for each, since they are the design.
They answer other questions by other formulas, so nothing is compared but what an answer costs.
"""

from __future__ import annotations

import itertools
import logging
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from sweep.columns import wanted
from sweep.resolve import load
from tests.bench.everything import Engine
from tests.bench.measure import in_turns, installed, median, versions

PASSES = 3
SHAPES = 60


def shapes() -> Iterator[tuple[int, int]]:
    """Widths and depths of first-look, heads of 128."""
    return itertools.islice(itertools.product(range(1024, 10_241, 1024), range(8, 81, 4)), SHAPES)


def llm_analysis() -> tuple[Callable[[], int], int] | None:
    """llm-analysis: LLMAnalysis.inference, and how many numbers it gives. None where it is not installed."""
    analysis, config = installed("llm_analysis.analysis"), installed("llm_analysis.config")
    if analysis is None or config is None:
        return None
    logging.disable(logging.INFO)
    gpu = config.GPUConfig("h100", 80, 3350, 450, 8e-6, 989)

    def ask(width: int, depth: int) -> dict[str, Any]:
        model = config.ModelConfig("m", depth, width // 128, width, 32_000, 8192, 8, ffn_embed_dim=4 * width)
        asked = analysis.LLMAnalysis(model, gpu, flops_efficiency=0.5, hbm_memory_efficiency=0.8)
        return dict(asked.inference(batch_size_per_gpu=1, seq_len=4096, num_tokens_to_generate=1024))

    return (lambda: sum(bool(ask(*shape)) for shape in shapes())), len(ask(1024, 8))


def mlsysim() -> tuple[Callable[[], int], int] | None:
    """mlsysim: ServingModel.solve, and how many numbers it gives. None where it is not installed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        whole = installed("mlsysim")
        types, serving = installed("mlsysim.models.types"), installed("mlsysim.engine.solvers.serving")
    if whole is None or types is None or serving is None:
        return None
    gpu, solver = whole.Hardware.Cloud.H100, serving.ServingModel()

    def ask(width: int, depth: int) -> Any:
        params = whole.Q_(12 * width * width * depth, "param")
        model = types.TransformerWorkload(
            name="m", architecture="Transformer", parameters=params, layers=depth, hidden_dim=width,
            heads=width // 128, kv_heads=8,
        )  # fmt: skip
        return solver.solve(model, gpu, seq_len=8192, batch_size=16)

    return (lambda: sum(bool(ask(*shape)) for shape in shapes())), len(type(ask(1024, 8)).model_fields)


def table() -> list[str]:
    """A line a program."""
    space = replace(load("first-look"), conditions=())
    engine = Engine(space, list(wanted(space)))
    asked = {"llm-analysis": llm_analysis(), "mlsysim": mlsysim()}
    found = {name: peer for name, peer in asked.items() if peer is not None}
    works: dict[str, Callable[[], Any]] = {"engine": engine.gather, **{name: work for name, (work, _) in found.items()}}
    spent = in_turns(works, PASSES)
    ours = engine.few / median(spent["engine"]).cpu
    lines = [f"{'one configuration a call':32}{'numbers':>9}{'designs a second':>18}{'engine is':>14}"]
    lines.append(f"{'engine, every row stored':32}{len(engine.columns):>9}{ours:>18,.0f}{1:>12} x")
    for name, (_, numbers) in found.items():
        theirs = SHAPES / median(spent[name]).cpu
        lines.append(f"{name:32}{numbers:>9}{theirs:>18,.0f}{ours / theirs:>12,.0f} x")
    lines.append(versions(*asked))
    return lines


if __name__ == "__main__":
    print("\n".join(table()))
