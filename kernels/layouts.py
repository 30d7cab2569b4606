"""The fastest layout of a training run: every way to split it over its GPUs that fits is tried, for each design.

What is searched is written here; the loops themselves are ``layout_search``, written out from the metrics of a training
step and its memory by ``python -m tests.layout_search``. A layout is one number, of which an input each is a digit.
"""

import ast
import inspect
from collections.abc import Mapping

from kernels.consistency import RULES
from kernels.graph import Graph, Input, Metric, declared_input, default
from kernels.language import Formula, from_text
from kernels.layout_bounds import bounded, own
from kernels.layout_search import fastest_layout
from kernels.nested import Loop, Search

DIGITS = {  # of the code of a layout, from the right: all below 2**53, which a float64 holds
    "tensor_parallel": 1024,
    "context_parallel": 1024,
    "expert_parallel": 1024,
    "pipeline_parallel": 1024,
    "pipeline_interleave": 128,
    "micro_batch_place": 16,
    "zero_stage": 4,
}
SEARCHED = tuple(name if name != "micro_batch_place" else "micro_batch_size" for name in DIGITS)
FOLLOWING = ("data_parallel", "sequence_parallel", "optimizer_shard_ranks")  # what a layout decides besides

LOOPS = (  # what the times of a layer depend on stands further out than stages, which only count layers
    Loop("tensor_parallel", "range(1, most_tensor_parallel + 1)"),
    Loop("context_parallel", "range(1, most_context_parallel + 1)"),
    Loop("expert_parallel", divisors="num_experts, most_expert_parallel"),
    Loop("micro_batch_size", "range(int(log2(most_micro_batch_size)) + 1)", "1 << k"),
    Loop(
        "pipeline_parallel",
        divisors="num_gpus // (tensor_parallel * context_parallel), min(most_pipeline_parallel, num_layers)",
    ),
    Loop("zero_stage", "range(most_zero_stage + 1)"),
    Loop("pipeline_interleave", "range(1, (most_pipeline_interleave if pipeline_parallel > 1 else 1) + 1)"),
)

GOAL = "train_step_s"  # known before a layout's memory is, and soon not less than the best
CONDITIONS = (  # those that begin with "not" follow from the last, and are known before it
    "num_gpus % tensor_parallel == 0",
    "num_gpus % (tensor_parallel * context_parallel) == 0",
    "pipeline_interleave == 1 or num_layers % (pipeline_parallel * pipeline_interleave) == 0",
    "data_parallel * micro_batch_size <= batch_sequences",
    "not train_bytes_least > train_usable_bytes",
    "not stages_bytes_least > train_usable_bytes",
    "not sharded_bytes_least > train_usable_bytes",
    "train_fits",
)


def _changes(names: tuple[str, ...]) -> bool:
    return not {*SEARCHED, *FOLLOWING}.isdisjoint(names)


def _code() -> str:
    """The digits put together, the first one lowest."""
    text = "0"
    for name, base in reversed(DIGITS.items()):
        digit = "log2(micro_batch_size)" if name == "micro_batch_place" else name
        text = f"{digit} + {base} * ({text})" if text != "0" else digit
    return text


def search(graph: Graph) -> Search:
    """What the fastest layout is: every layout without contradiction that fits, and the step that takes least time."""
    rules = [rule.text for rule in RULES if _changes(rule.formula.parameters)]
    bounds = (
        "balanced_passes_s_least",
        "balanced_pipeline_s",
        "passes_s_least",
        "pipelined_s_least",
        "train_step_s_least",
        "pipelined_s",
        GOAL,
    )
    return Search("fastest_layout", LOOPS, [*CONDITIONS, *rules], GOAL, bounds, _code(), own(graph))


def _digit(name: str) -> str:
    """The formula of a digit of train_layout; 1, or the 0 of zero_stage, where no layout fits."""
    weight = 1
    for known, base in DIGITS.items():
        if known == name:
            break
        weight *= base
    least = 0 if name in ("zero_stage", "micro_batch_place") else 1
    digit = f"train_layout // {weight}.0 % {base}.0" if weight > 1 else f"train_layout % {base}.0"
    return f"({digit} if train_layout == train_layout else {least}.0)"


def chosen() -> Mapping[str, str]:
    """The formula of every input that a search decides, from the layout it found."""
    digits = {name: _digit(name) for name in DIGITS if name != "micro_batch_place"}
    return digits | {"micro_batch_size": f"2.0 ** {_digit('micro_batch_place')}"}


def _count(name: str, meaning: str, high: float) -> Input:
    return Input(name, "", "int", f"{meaning} that a search of layouts tries", 1, high)


MOST = (
    _count("most_tensor_parallel", "the highest degree of tensor parallelism", 1023),
    _count("most_expert_parallel", "the highest degree of expert parallelism", 64),
    _count("most_pipeline_parallel", "the most pipeline stages", 64),
    _count("most_pipeline_interleave", "the most runs of layers a stage", 127),
    _count("most_micro_batch_size", "the largest micro batch, a power of two,", 2**15),
    Input("most_zero_stage", "", "int", "the highest zero_stage that a search of layouts tries", 0, 3),
)


@default(
    low=1, high=1023, source="assumed: ranks with fewer than 4096 tokens of a sequence are not worth their traffic"
)
def most_context_parallel(sequence_length):
    """the highest degree of context parallelism that a search of layouts tries"""
    return max(1, min(1023, sequence_length // 4096))


@default(low=1, high=2**40, source="definition; what is given as global_batch_size takes its place")
def batch_sequences(train_batch_tokens, sequence_length):
    """sequences of one optimizer step, which a search of layouts deals out to replicas"""
    return train_batch_tokens // sequence_length if sequence_length <= train_batch_tokens <= 1e18 else 1


LAYOUT_INPUTS: tuple[Input, ...] = (*MOST, declared_input(most_context_parallel), declared_input(batch_sequences))


def searched_graph(graph: Graph) -> Graph:
    """The graph as a search sees it: replicas share a batch that does not grow with their number."""
    graph = graph.extended((), {"global_batch_size": from_text("global_batch_size", "batch_sequences")})
    return bounded(graph)


def layout_metric() -> Metric:
    """The code of the fastest layout, as a metric of all that the search takes."""
    takes = ("batch_sequences" if n == "global_batch_size" else n for n in inspect.signature(fastest_layout).parameters)
    names = tuple(takes)
    call = ast.Call(ast.Name("fastest_layout", ast.Load()), [ast.Name(n, ast.Load()) for n in names], [])
    names = tuple(dict.fromkeys(names))
    return Metric(
        "train_layout",
        "",
        "exhaustive search; the metrics of a training step, see train_step_s",
        "number of the fastest layout of training that fits, its degrees as digits; nan where none fits",
        Formula("train_layout", names, (), call),
    )
