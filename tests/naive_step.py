"""The slow, obvious version of a training step's time: kernel by kernel, hop by hop, stage by stage, in loops.

A design is a mapping of input names to numbers and words, words as they are written. Nothing here leans on the metrics.
What a layer does is a list of kernels with their FLOPs or bytes; a ring is walked from GPU to GPU; a pipeline is played
through, one pass after the other, as its schedule orders them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise, product
from math import ceil
from typing import Any

Design = Mapping[str, Any]


@dataclass(frozen=True)
class Matmul:
    """FLOPs of a product; fast where it is done in the training format, routed where experts share it out."""

    flops: float
    fast: bool = True
    routed: bool = False


@dataclass(frozen=True)
class Traffic:
    """Bytes of one tensor read or written once."""

    count: float


@dataclass(frozen=True)
class Start:
    """What one matmul takes beyond its FLOPs and bytes."""


Kernel = Matmul | Traffic | Start


def tokens(d: Design) -> float:
    return float(d["micro_batch_size"] * d["sequence_length"] / d["context_parallel"])


def own_tokens(d: Design) -> float:
    """Tokens of what tensor ranks do alike."""
    return tokens(d) / float(d["tensor_parallel"]) if d["sequence_parallel"] else tokens(d)


def kv_heads(d: Design) -> int:
    heads: int = ceil(d["num_kv_heads"] / d["tensor_parallel"])
    return heads


def attention_kernels(d: Design) -> Iterator[Kernel]:
    """Of the plain kind: no gate, no norms on queries and keys."""
    t, own, e, width = tokens(d), own_tokens(d), d["activation_element_bytes"], d["hidden_size"]
    query = d["num_heads"] // d["tensor_parallel"] * d["head_dim"]
    key = kv_heads(d) * d["head_dim"]
    yield Start()
    for out in (query, key, key):
        yield Matmul(2 * t * width * out)
    yield Start()
    yield Matmul(2 * t * query * width)
    for _ in range(d["norms_per_layer"]):
        yield from (Traffic(e * own * width), Traffic(e * own * width))
    for _ in range(2):  # x, what was before, their sum
        yield from (Traffic(e * own * width), Traffic(e * own * width), Traffic(e * own * width))
        if d["dropout"]:
            yield Traffic(0.5 * e * own * width)
    for size in (query, key, key, query):  # arranged, rotated: read and written
        yield from (Traffic(e * t * size), Traffic(e * t * size))
    for size in (width, query):  # rounded before a matmul
        yield Traffic(d["train_cast_bytes"] * t * size)
    for size in (width, query, key, key, query, width):  # what matmuls read and write, as far as it is not hidden
        yield Traffic(d["matmul_traffic_factor"] * e * t * size)


def ffn_kernels(d: Design) -> Iterator[Kernel]:
    t, e, width = tokens(d), d["activation_element_bytes"], d["hidden_size"]
    inner = d["ffn_size"] / d["tensor_parallel"]
    matrices = 3 if d["ffn_gated"] else 2
    yield from (Start(), Start())
    for _ in range(matrices):
        yield Matmul(2 * t * width * inner)
        yield Traffic(e * t * inner)
        yield Traffic(d["matmul_traffic_factor"] * e * t * inner)
    for size in (width, width):
        yield Traffic(d["matmul_traffic_factor"] * e * t * size)
    for size in (width, inner):
        yield Traffic(d["train_cast_bytes"] * t * size)


def moe_kernels(d: Design) -> Iterator[Kernel]:
    """Each of a token's experts is visited by a copy of it."""
    t, own, e, width = tokens(d), own_tokens(d), d["activation_element_bytes"], d["hidden_size"]
    matrices = 3 if d["ffn_gated"] else 2
    yield from (Start(), Start())
    yield Matmul(2 * t * width * d["num_experts"])
    inners = [(d["expert_ffn_size"], True)] * d["experts_per_token"]
    inners += [(size, False) for size in (d["shared_expert_ffn_size"], d["dense_residual_ffn_size"]) if size]
    for size, routed in inners:
        inner = size / d["tensor_parallel"]
        for _ in range(matrices):
            yield Matmul(2 * t * width * inner, routed=routed)
            yield Traffic(e * t * inner)
            yield Traffic(d["matmul_traffic_factor"] * e * t * inner)
        yield Traffic(d["train_cast_bytes"] * t * inner)
    for _ in range(d["experts_per_token"]):
        for _ in range(2):  # taken in and given out by the matmuls of an expert
            yield Traffic(d["matmul_traffic_factor"] * e * t * width)
        yield Traffic(d["train_cast_bytes"] * t * width)
        for _ in range(6):  # copied out, sorted by expert, sorted back, read to be summed
            yield Traffic(e * own * width)
    yield from (Traffic(e * own * width), Traffic(e * own * width))


def core_s(d: Design, backward: bool) -> float:
    """Attention between queries and outputs, on the ranks' own heads."""
    t, heads, s, e = (
        tokens(d),
        d["num_heads"] // d["tensor_parallel"],
        d["sequence_length"],
        d["activation_element_bytes"],
    )
    rate = wide_rate(d)
    if d["flash_attention"]:
        rate *= d["flash_attention_factor"] * s / (s + d["flash_half_tokens"])
        rate *= d["gpu_earlier_attention_factor"] if d["flash_attention_factor"] < 1 else 1.0
    if d["head_dim"] % 8:
        rate *= d["misaligned_factor"]
    attended = s / 2 if d["flash_attention"] else s
    one = 2 * t * heads * d["head_dim"] * attended
    products = (5 if d["flash_attention"] else 4) if backward else 2
    moved = 0.0
    if not d["flash_attention"]:
        passes = [e, e, e, e] + ([1, e, e] if d["dropout"] else [])  # scores, softmax, mask, dropped: in and out
        moved = sum(t * heads * s * size for size in passes) * (1.5 if backward else 1.0)
    return float(products * one / rate + moved / bandwidth(d))


def bandwidth(d: Design) -> float:
    return float(d["gpu_memory_byte_per_s"] * d["gpu_bandwidth_share_16bit"])


def wide_rate(d: Design) -> float:
    low = d["train_compute_format"] in ("fp8", "fp4", "int8")
    peak = d["gpu_bf16_flop_per_s"] if low else d[f"gpu_{d['train_compute_format']}_flop_per_s"]
    return float(peak * d["gpu_compute_share_16bit"] * d["gpu_matmul_factor"])


def fast_width(d: Design) -> str:
    return {"fp8": "8bit", "int8": "8bit", "fp4": "4bit"}.get(d["train_compute_format"], "16bit")


def fast_rate(d: Design) -> float:
    width = fast_width(d)
    peak = d[f"gpu_{d['train_compute_format']}_flop_per_s"]
    return float(peak * d[f"gpu_compute_share_{width}"] * d["gpu_matmul_factor"] * d["train_matmul_factor"])


def seconds(d: Design, kernels: Iterator[Kernel], matmuls: float = 1.0, traffic: float = 1.0) -> float:
    total = 0.0
    for kernel in kernels:
        if isinstance(kernel, Traffic):
            total += traffic * kernel.count / bandwidth(d)
        elif isinstance(kernel, Start):
            total += matmuls * d[f"gpu_gemm_overhead_s_{fast_width(d)}"]
        else:
            rate = fast_rate(d) if kernel.fast else wide_rate(d)
            total += matmuls * kernel.flops / (rate * (grouped_share(d) if kernel.routed else 1.0))
    return total


def grouped_share(d: Design) -> float:
    """Of an expert's matmul over a dense one's: FLOPs of a row over them and what a row in and out costs."""
    hidden, width = d["hidden_size"], d["expert_ffn_size"] / d["tensor_parallel"]
    return float(hidden * width / (hidden * width + d["grouped_half_width"] * (hidden + width)))


def ring(d: Design, ranks: int, apart: int, whole: float, rails: float = float("inf")) -> float:
    """An all-gather or a reduce-scatter of so many bytes over ranks that many GPUs apart, walked from GPU to GPU."""
    if ranks == 1:
        return 0.0
    domain = d["gpu_scaleup_domain"]
    places = [rank * apart // domain for rank in range(ranks)]
    crossings = sum(a != b for a, b in pairwise(places))
    inside = d["gpu_scaleup_byte_per_s"] * d["scaleup_share"]
    out = d["gpu_scaleout_bit_per_s"] / 8 * d["scaleout_share"]
    speed = min(inside, min(places.count(places[0]), rails) * out) if crossings else inside
    time = d["collective_launch_s"]
    for step in range(ranks - 1):
        hop = d["scaleout_hop_s"] if places[step] != places[step + 1] else d["scaleup_hop_s"]
        time += whole / ranks / speed + hop
    return float(time)


def tensor_s(d: Design, backward: bool) -> float:
    """All-reduces of one pass of one layer, each a reduce-scatter and an all-gather."""
    whole = tokens(d) * d["hidden_size"] * d["activation_element_bytes"]
    once = ring(d, d["tensor_parallel"], 1, whole)
    if not backward:
        return float(4 * once * (1 - d["tensor_kernel_overlap_share"]))
    hidden = max(d["tensor_overlap_share"], d["tensor_kernel_overlap_share"])
    return float((6 if d["sequence_parallel"] else 4) * once * (1 - hidden))


def context_s(d: Design) -> float:
    """Keys and values of one layer passed on from rank to rank."""
    ranks, t = d["context_parallel"], tokens(d)
    crossing = ranks * d["tensor_parallel"] > d["gpu_scaleup_domain"]
    out = d["gpu_scaleout_bit_per_s"] / 8 * d["scaleout_share"]
    speed = out if crossing else d["gpu_scaleup_byte_per_s"] * d["scaleup_share"]
    time = 0.0
    for _ in range(ranks - 1):
        sent = 2 * t * kv_heads(d) * d["head_dim"] * d["activation_element_bytes"]
        time += sent / speed + d["collective_launch_s"]
    return float(time * (1 - d["context_overlap_share"]))


def expert_s(d: Design) -> float:
    """Tokens to their experts and back: inside a domain a copy for each expert, beyond one for each other domain."""
    ranks, k = d["expert_parallel"], d["experts_per_token"]
    if ranks == 1:
        return 0.0
    near = int(min(ranks, max(1, d["gpu_scaleup_domain"] // d["tensor_parallel"])))
    domains = ranks // near
    ways = [len(set(choice)) for choice in product(range(domains), repeat=k)]
    met = sum(ways) / len(ways)
    each = own_tokens(d) * d["hidden_size"] * d["activation_element_bytes"]
    inside = k * each * (near - 1) / near / (d["gpu_scaleup_byte_per_s"] * d["scaleup_share"])
    out = d["gpu_scaleout_bit_per_s"] / 8 * d["scaleout_share"]
    beyond = met * each * (domains - 1) / domains / out if domains > 1 else 0.0
    return float(2 * (inside + beyond + d["collective_launch_s"]) * (1 - d["expert_overlap_share"]))


def layer_params(d: Design, moe: bool) -> tuple[float, float]:
    """Parameters of one layer on one GPU: what all data ranks hold alike, and its routed experts."""
    width, split = d["hidden_size"], d["tensor_parallel"]
    query = d["num_heads"] // split * d["head_dim"]
    params = 2.0 * width * query + 2.0 * width * kv_heads(d) * d["head_dim"] + d["norms_per_layer"] * width
    matrices = 3 if d["ffn_gated"] else 2
    if not moe:
        return params + matrices * width * d["ffn_size"] / split, 0.0
    shared = matrices * width * (d["shared_expert_ffn_size"] + d["dense_residual_ffn_size"]) / split
    experts = d["num_experts"] / d["expert_parallel"] * matrices * width * d["expert_ffn_size"] / split
    return params + shared + width * d["num_experts"], experts


def layer_passes(d: Design, moe: bool) -> tuple[float, float]:
    """The forward and the backward pass of one layer of one micro batch."""

    def kernels() -> Iterator[Kernel]:
        yield from attention_kernels(d)
        yield from moe_kernels(d) if moe else ffn_kernels(d)

    more = 1 + d["framework_overhead_share"]
    launch = d["layer_launch_s"] * (d["moe_launch_factor"] if moe else 1.0)
    sent = context_s(d)
    exchanged = expert_s(d) if moe else 0.0
    work = more * seconds(d, kernels())
    forward = max(launch, work + core_s(d, False) + tensor_s(d, False) + sent + exchanged)
    held = sum(layer_params(d, moe))
    moved = held * (2 * d["weight_bytes_per_param"] + 2 * d["gradient_bytes_per_param"]) / bandwidth(d)
    back = more * seconds(d, kernels(), 2.0, 1.5) + core_s(d, True) + moved
    back = max(2 * launch, back + tensor_s(d, True) + 2 * sent + exchanged)
    unneeded = 0.0
    if d["recompute_stops_early"] and not moe:
        inner = d["ffn_size"] / d["tensor_parallel"]
        last: list[Kernel] = [Start(), Matmul(2 * tokens(d) * d["hidden_size"] * inner)]
        last += [
            Traffic(d["matmul_traffic_factor"] * d["activation_element_bytes"] * tokens(d) * size)
            for size in (inner, d["hidden_size"])
        ]
        unneeded = more * seconds(d, iter(last)) + 0.5 * tensor_s(d, False)
    again = {"none": 0.0, "full": forward - unneeded}.get(d["recompute"])
    if again is None:
        again = 0.5 * work if d["alternate_matmuls"] else core_s(d, False)
    return forward, again + back


def head_passes(d: Design) -> float:
    rows = ceil(d["vocab_size"] / d["tensor_parallel"])
    product_s = 2 * tokens(d) * rows * d["hidden_size"] / wide_rate(d)
    moved = tokens(d) * (2 * d["logit_bytes"] + 4) * d["vocab_size"] / d["tensor_parallel"]
    return float(3 * product_s + moved / bandwidth(d))


def played(batches: int, forward: list[float], backward: list[float]) -> float:
    """1F1B played through: each stage's passes in its order, each pass once what it needs is there."""
    orders, stages = [], len(forward)
    for stage in range(stages):
        warm = min(batches, stages - 1 - stage)
        order = [("f", k) for k in range(warm)]
        for k in range(batches - warm):
            order += [("f", warm + k), ("b", k)]
        order += [("b", k) for k in range(batches - warm, batches)]
        orders.append(order)
    done: dict[tuple[int, str, int], float] = {}
    clock, place = [0.0] * stages, [0] * stages
    while any(place[s] < len(orders[s]) for s in range(stages)):
        for s in range(stages):
            while place[s] < len(orders[s]):
                what, k = orders[s][place[s]]
                before = (s - 1, "f", k) if what == "f" else (s + 1, "b", k)
                needed = 0 <= before[0] < stages
                if needed and before not in done:
                    break
                start = max(clock[s], done[before] if needed else 0.0)
                clock[s] = start + (forward[s] if what == "f" else backward[s])
                done[s, what, k] = clock[s]
                place[s] += 1
    return max(clock)


def moe_layers(d: Design) -> list[bool]:
    """Of each layer, whether it has experts: after the first dense ones, every so manyth."""
    routed = [False] * d["num_layers"]
    if d["num_experts"] > 1:
        for layer in range(d["num_layers"] - d["first_dense_layers"]):
            if layer % d["moe_layer_period"] == d["moe_layer_period"] - 1:
                routed[d["first_dense_layers"] + layer] = True
    return routed


def stage_passes(d: Design) -> list[float]:
    """Both passes of one micro batch on each stage, layers dealt out evenly, the head on the last."""
    p, routed = d["pipeline_parallel"], moe_layers(d)
    each = {moe: sum(layer_passes(d, moe)) for moe in set(routed)}
    per = d["num_layers"] // p
    times = [sum(each[moe] for moe in routed[s * per : (s + 1) * per]) for s in range(p)]
    times[-1] += head_passes(d)
    return times


def transfers_s(d: Design) -> float:
    """What a micro batch's results and gradients take between two stages, that no pass hides."""
    p, runs = d["pipeline_parallel"], d["pipeline_interleave"]
    if p == 1:
        return 0.0
    sent = tokens(d) * d["hidden_size"] * d["activation_element_bytes"] / d["tensor_parallel"]
    if d["num_gpus"] > d["gpu_scaleup_domain"]:
        once = sent / (d["gpu_scaleout_bit_per_s"] / 8 * d["scaleout_share"]) + d["scaleout_hop_s"]
    else:
        once = sent / (d["gpu_scaleup_byte_per_s"] * d["scaleup_share"]) + d["collective_launch_s"]
    each = sum(once for _ in range(runs) for _ in ("results", "gradients"))
    return float(each * (1 - d["pipeline_overlap_share"]))


def held(d: Design) -> tuple[float, float]:
    """Parameters of the first stage on one GPU, and its routed experts, taken as those of the busiest later stage."""
    p, routed = d["pipeline_parallel"], moe_layers(d)
    per = d["num_layers"] // p
    alike = sum(layer_params(d, moe)[0] for moe in routed[:per])
    busiest = max(sum(routed[s * per : (s + 1) * per]) for s in range(p))
    table = ceil(d["vocab_size"] / d["tensor_parallel"]) * d["hidden_size"]
    ends = table + (table + d["hidden_size"] if p == 1 and not d["tied_embeddings"] else 0.0)
    ends += d["hidden_size"] if p == 1 and d["tied_embeddings"] else 0.0
    return alike + ends, busiest * layer_params(d, True)[1]


def exchange_s(d: Design, batches: int) -> float:
    """All collectives of data ranks in a step."""
    ranks, apart = d["data_parallel"] * d["context_parallel"], d["tensor_parallel"]
    alike, experts = held(d)
    rails = d["collective_rails"]

    def bytes_of(group: int, size: float) -> float:
        part = max(0.0, 1 - d["expert_parallel"] / group)
        return size * (alike + experts * part / ((group - 1) / group) if group > 1 else 0.0)

    if d["zero_stage"] < 3:
        back = d["gradient_bytes_per_param"] if d["zero_stage"] == 0 else d["weight_bytes_per_param"]
        time = ring(d, ranks, apart, bytes_of(ranks, back), rails)
        for _ in range(batches if d["zero_stage"] == 2 else 1):
            time += ring(d, ranks, apart, bytes_of(ranks, d["gradient_bytes_per_param"]), rails)
        return time
    shards = min(d["optimizer_shard_ranks"], ranks)
    per = d["num_layers"] // d["pipeline_parallel"]
    time = 0.0
    for _ in range(batches):
        for _ in range(3 * per):  # weights forward, weights backward, gradients, layer by layer
            time += ring(d, shards, apart, bytes_of(shards, d["weight_bytes_per_param"]) / per, rails)
    return time


def copies_s(d: Design) -> float:
    """Gradients of sharded weights summed over copies."""
    ranks = d["data_parallel"] * d["context_parallel"]
    shards = min(d["optimizer_shard_ranks"], ranks)
    copies = ranks // shards
    if d["zero_stage"] < 3 or copies == 1:
        return 0.0
    whole = sum(held(d)) / shards * d["weight_bytes_per_param"]
    out = d["gpu_scaleout_bit_per_s"] / 8 * d["scaleout_share"]
    return float(2 * whole * (copies - 1) / copies / out)


def optimizer_s(d: Design) -> float:
    """Tensor by tensor, once for each time that one is read or written."""
    alike, experts = held(d)
    whole = alike + experts
    if d["zero_stage"] > 0:
        alike /= d["optimizer_shard_ranks"]
        experts /= max(1, d["optimizer_shard_ranks"] // d["expert_parallel"])
    own = alike + experts
    gradient, master = d["gradient_bytes_per_param"], d["master_bytes_per_param"]
    moved = (own if d["zero_stage"] > 1 else whole) * gradient  # cleared
    moved += own * gradient  # read for their norm
    moved += own * (gradient + gradient)  # scaled
    moved += own * (gradient + 2 * master + 2 * d["state_bytes_per_param"])  # stepped
    moved += own * (master + d["weight_bytes_per_param"])  # cast
    return float(moved / bandwidth(d) + own * d["host_bytes_per_param"] / d["host_byte_per_s"])


def last_round(d: Design) -> float:
    """From the first run of layers that is done with its last micro batch to the end, in micro batches of a stage.

    Interleaved, a stage has each run of layers once for every stage before it goes on to the next, and what it has
    summed by the end of a run goes on beside those that follow, its own last pass included.
    """
    runs, stages = d["pipeline_interleave"], d["pipeline_parallel"]
    passes = [run for run in range(runs) for _ in range(stages)]
    after = len(passes) - (passes.index(0) + stages - 1)  # its last pass and all of the other runs
    return float(after / runs)


def step_s(d: Design) -> float:
    """One optimizer step of a design whose layers divide evenly over its stages."""
    batches = max(1, ceil(d["global_batch_size"] / (d["data_parallel"] * d["micro_batch_size"])))
    stages = stage_passes(d)
    slowest = max(stages)
    others = (sum(stages) - slowest) / d["pipeline_interleave"]
    filling = (len(stages) - 1) / d["pipeline_interleave"]
    exchange = exchange_s(d, batches)
    share = max(d["data_overlap_share"], d["exchange_overlap_share"])
    hiding = slowest * (batches if d["zero_stage"] > 1 else min(batches, last_round(d)))
    wait = max(exchange * (1 - share), exchange - share * hiding)
    summed, beside = copies_s(d), max(share, d["copies_overlap_share"])
    wait += max(summed * (1 - beside), summed - beside * slowest)
    passes = batches * slowest + others + (batches + filling) * transfers_s(d)
    return float(passes + wait + optimizer_s(d))
