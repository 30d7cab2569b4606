"""The slow, obvious version of training memory: every tensor of every layer, micro batch and pipeline stage, in a list.

A design is a mapping of input names to numbers and words. Nothing here leans on the metrics: it is what they are
compared with. What a GPU holds is written tensor by tensor, as a loop over stages, the layers of a stage and the micro
batches in flight, and the fullest GPU is the one with the largest sum.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

from tests import naive_model

Design = Mapping[str, Any]


@dataclass(frozen=True)
class Part:
    """So many bytes on one GPU, of one sort: weights, gradients, optimizer, activations, logits, layer or head.

    layer and head are held for a moment only, and not at the same moment; so are logits, with the head.
    """

    sort: str
    count: float


def stored_by_layer(design: Design, moe: bool, linear: bool, mode: str) -> Iterator[float]:
    """Bytes of each tensor that one layer stores of one micro batch on one GPU, under a mode of recomputation."""
    tokens = design["micro_batch_size"] * design["sequence_length"] / design["context_parallel"]
    split = design["tensor_parallel"]
    own = tokens / split if design["sequence_parallel"] else tokens  # tokens of a tensor that is not split
    two, width = design["activation_element_bytes"], design["hidden_size"]
    if mode == "full":
        yield two * own * width
        return
    if mode == "selective" and design["alternate_matmuls"]:
        yield from (two * size for size in every_other_product(design, moe, tokens, own))
        yield 4 * tokens * design["num_heads"] / split
        return
    for _ in range(design["norms_per_layer"]):
        yield two * own * width  # what a norm normalises
    yield two * own * width  # what attention takes in
    if not (design["parallel_block"] and design["norms_per_layer"] < 2):
        yield two * own * width  # what the MLP takes in
    if design["dropout"]:
        yield own * width  # mask behind attention
        yield own * width  # mask behind the MLP
    if design["attention_kind"] == "mla":
        for latent in (design["q_lora_rank"], design["kv_lora_rank"]):
            yield two * own * latent  # before its norm
            yield two * own * latent  # after it
    if linear:
        yield from (two * tokens * size / split for size in linear_tensors(design))
    else:
        yield from (two * tokens * size for size in head_tensors(design))
        if mode == "none":
            yield from core_tensors(design, tokens)
    inner = [design["ffn_size"]]
    if moe:
        copies = 2 if design["stored_expert_outputs"] else 1
        for _ in range(design["experts_per_token"] * copies):
            yield two * own * width
        yield 4 * own * design["num_experts"]  # router logits
        inner = [design["expert_ffn_size"]] * design["experts_per_token"]
        inner += [design["shared_expert_ffn_size"], design["dense_residual_ffn_size"]]
    for size in inner:
        if design["ffn_gated"]:
            yield two * tokens * size / split  # gate
            if design["unfused_activation"]:
                yield two * tokens * size / split  # gate, activated
        yield two * tokens * size / split  # up
        yield two * tokens * size / split  # what the last matrix takes in


def every_other_product(design: Design, moe: bool, tokens: float, own: float) -> Iterator[float]:
    """Numbers kept of a layer: its input, attention's output, and of seven products each odd one."""
    split = design["tensor_parallel"]
    value = design["v_head_dim"] if design["attention_kind"] == "mla" else design["head_dim"]
    yield own * design["hidden_size"]
    yield tokens * design["num_heads"] * value / split  # attention's output
    yield tokens * design["num_heads"] * design["head_dim"] / split  # queries
    yield tokens * ceil(design["num_kv_heads"] / split) * design["head_dim"]  # values
    inner = [design["ffn_size"]]
    if moe:
        inner = [design["expert_ffn_size"]] * design["experts_per_token"]
        inner += [design["shared_expert_ffn_size"], design["dense_residual_ffn_size"]]
    yield from (tokens * size / split for size in inner)  # gates
    yield own * design["hidden_size"]  # what the layer gives


def head_tensors(design: Design) -> Iterator[float]:
    """Widths on one GPU of queries, keys, values, outputs."""
    heads = design["num_heads"] / design["tensor_parallel"]
    outputs = 2 if design["context_output_copy"] and design["context_parallel"] > 1 else 1
    if design["attention_kind"] == "mla":
        key = design["qk_nope_head_dim"] + design["qk_rope_head_dim"]
        for _ in range(1 + int(design["attention_copies"])):
            yield from (heads * key, heads * key, heads * design["v_head_dim"])
        yield from [heads * design["v_head_dim"]] * outputs
        return
    query = heads * design["head_dim"]
    key = ceil(design["num_kv_heads"] / design["tensor_parallel"]) * design["head_dim"]
    for _ in range(1 + int(design["attention_copies"])):
        yield from (query, key, key)
    yield from [query] * outputs
    if design["qk_norm"] != "none":
        yield from (query, key)
    if design["attn_output_gate"]:
        yield from (query, query)


def core_tensors(design: Design, tokens: float) -> Iterator[float]:
    """Bytes of what lies between queries and outputs."""
    heads = design["num_heads"] / design["tensor_parallel"]
    if design["flash_attention"]:
        yield 4 * tokens * heads
        return
    scores = tokens * heads * design["sequence_length"]
    yield design["activation_element_bytes"] * scores
    if design["dropout"]:
        yield scores
        yield design["activation_element_bytes"] * scores


def linear_tensors(design: Design) -> Iterator[float]:
    """Widths of what a linear attention layer stores, over all tensor ranks."""
    if design["linear_attention_kind"] == "lightning":
        yield from [design["num_heads"] * design["head_dim"]] * 6
        return
    keys = design["linear_num_key_heads"] * design["linear_key_head_dim"]
    values = design["linear_num_value_heads"] * design["linear_value_head_dim"]
    convolved = 2 * keys + values
    yield from (convolved, convolved, values, values, values)
    yield from [design["linear_num_value_heads"]] * 2


def layer_params(design: Design, moe: bool, linear: bool) -> tuple[float, float]:
    """Parameters of a layer on one GPU, and those of its routed experts on one GPU.

    From the tensors of the module class: a matrix of the names below stands whole on every tensor rank, others are
    split, a key or value projection into whole heads.
    """
    split, width = design["tensor_parallel"], design["hidden_size"]
    whole = ("q_a_proj.weight", "kv_a_proj_with_mqa.weight", "router.weight", "shared_expert_gate.weight")
    kinds = {"gqa": naive_model.gqa, "hybrid": naive_model.gqa, "mla": naive_model.mla}
    attention = naive_model.LINEAR[design["linear_attention_kind"]] if linear else kinds[design["attention_kind"]]
    own = experts = 0.0
    tensors = list(attention(design))
    tensors += (
        naive_model.experts(design) if moe else naive_model.mlp(design, "mlp", design["ffn_size"], design["mlp_bias"])
    )
    for norm in range(design["norms_per_layer"]):
        tensors += naive_model.norm(design, f"norm{norm}")
    for tensor in tensors:
        parts = split if tensor.multiplied and tensor.name not in whole else 1
        if tensor.part == "routed":
            experts += tensor.size / parts / design["expert_parallel"]
        elif tensor.name in ("k_proj.weight", "v_proj.weight") and not linear:
            own += width * design["head_dim"] * ceil(design["num_kv_heads"] / split)
        else:
            own += tensor.size / parts
    return own + design["activation_params_per_layer"], experts


def states(design: Design, params: float, ranks: float, table: bool = False) -> Iterator[Part]:
    """Weights, gradients and optimizer states of so many parameters on one GPU, shared by so many ranks."""
    stage = design["zero_stage"]
    moments = design["table_state_bytes_per_param" if table else "state_bytes_per_param"]
    yield Part("weights", params * design["weight_bytes_per_param"] / (ranks if stage >= 3 else 1))
    yield Part("gradients", params * design["gradient_bytes_per_param"] / (ranks if stage >= 2 else 1))
    yield Part("optimizer", params * design["master_bytes_per_param"] / (ranks if stage >= 1 else 1))
    yield Part("optimizer", params * moments / (ranks if stage >= 1 else 1))


def table_params(design: Design) -> float:
    width = design["embedding_proj_dim"] or design["hidden_size"]
    return float(ceil(design["vocab_size"] / design["tensor_parallel"]) * width)


def norm_size(design: Design) -> int:
    return sum(tensor.size for tensor in naive_model.norm(design, "norm"))


def micro_batches(design: Design) -> int:
    at_once = int(design["data_parallel"] * design["micro_batch_size"])
    return max(1, ceil(int(design["global_batch_size"]) / at_once))


def in_flight(design: Design, stage: int) -> float:
    """Micro batches a stage stores at once: forward passes of its runs before its first backward pass, over its runs.

    Plain 1F1B: one for each stage still ahead, and its own. Interleaved (Narayanan et al. 2021, figure 4): the warm-up
    of Megatron's schedule, two for each stage ahead, one of every earlier run of all stages, and the one in work.
    """
    stages, runs = design["pipeline_parallel"], design["pipeline_interleave"]
    ahead = stages - 1 - stage
    passes = ahead + 1 if runs == 1 else 2 * ahead + (runs - 1) * stages + 1
    return float(min(micro_batches(design), passes / runs))


def stages(design: Design) -> list[list[bool]]:
    """Whether each layer of each stage has experts. Layers come in equal runs, dealt to the stages in turn."""
    count, runs = design["pipeline_parallel"], design["pipeline_interleave"]
    length = design["num_layers"] // (count * runs)
    held: list[list[bool]] = [[] for _ in range(count)]
    for layer in range(design["num_layers"]):
        held[layer // length % count].append(naive_model.is_moe(design, layer))
    return held


def parts(design: Design, stage: int, layers: list[bool]) -> list[Part]:
    """Everything on one GPU of a stage, tensor by tensor."""
    last = stage == design["pipeline_parallel"] - 1
    ranks = design["optimizer_shard_ranks"]
    linear = design["num_linear_layers"] > 0
    found: list[Part] = []
    for moe in layers:
        own, experts = layer_params(design, moe, linear)
        found += states(design, own, ranks)
        found += states(design, experts, ranks / design["expert_parallel"])
        for tensor in stored_by_layer(design, moe, linear, design["recompute"]):
            found.append(Part("activations", tensor * in_flight(design, stage)))
    projection = design["embedding_proj_dim"] * design["hidden_size"]
    if stage == 0:
        found += states(design, table_params(design), ranks, table=True)
        ends = design["learned_position_rows"] * design["hidden_size"] + projection
        found += states(design, ends + (norm_size(design) if design["embedding_norm"] else 0), ranks, table=True)
    if last:
        if stage > 0 or not design["tied_embeddings"]:
            found += states(design, table_params(design), ranks, table=True)
        ends = (design["vocab_size"] if design["lm_head_bias"] else 0) + projection
        found += states(design, ends + (norm_size(design) if design["final_norm"] else 0), ranks, table=True)
        found += at_the_head(design)
    return found + in_a_layer(design)


def at_the_head(design: Design) -> Iterator[Part]:
    """What stands while the head computes."""
    tokens = design["micro_batch_size"] * design["sequence_length"] / design["context_parallel"]
    own = tokens / design["tensor_parallel"] if design["sequence_parallel"] else tokens
    two = design["activation_element_bytes"]
    yield Part("logits", design["logit_bytes"] * tokens * ceil(design["vocab_size"] / design["tensor_parallel"]))
    yield Part("logits", two * own * design["hidden_size"])  # what the last norm takes in
    yield Part("logits", two * own * (design["embedding_proj_dim"] or design["hidden_size"]))  # what the head takes in
    yield Part("head", two * tokens * design["hidden_size"])  # the gradient of that
    if design["zero_stage"] == 3:
        yield Part("head", min(1, design["gathered_layers"]) * table_params(design) * design["weight_bytes_per_param"])
    if design["zero_stage"] >= 2:
        yield Part("head", table_params(design) * design["weight_bytes_per_param"])


def in_a_layer(design: Design) -> list[Part]:
    """What the backward pass of the heaviest layer needs for a moment; the heaviest of each is taken by itself."""
    linear = design["num_linear_layers"] > 0
    kinds = {naive_model.is_moe(design, layer) for layer in range(design["num_layers"])}
    tokens = design["micro_batch_size"] * design["sequence_length"] / design["context_parallel"]
    two = design["activation_element_bytes"]
    weights = max(sum(layer_params(design, moe, linear)) for moe in kinds) * design["weight_bytes_per_param"]
    found = [Part("layer", 2 * two * tokens * design["hidden_size"])]
    attention = two * tokens * sum(head_tensors(design))
    if not design["flash_attention"]:
        attention += sum(core_tensors(design, tokens))
    tensors = 2 + design["ffn_gated"] + (design["ffn_gated"] and design["unfused_activation"])
    overwritten = tensors if design["in_place_activation"] else 1
    found.append(Part("layer", max(attention, *(mlp_bytes(design, moe, linear) / overwritten for moe in kinds))))
    whole = max(sum(stored_by_layer(design, moe, linear, "none")) for moe in kinds)
    core = whole if design["alternate_matmuls"] else sum(core_tensors(design, tokens))
    found.append(Part("layer", {"none": 0.0, "selective": core, "full": whole}[design["recompute"]]))
    if design["zero_stage"] == 3:
        found.append(Part("layer", weights * design["gathered_layers"]))
    if design["zero_stage"] >= 2:
        found.append(Part("layer", weights))
    return found


def mlp_bytes(design: Design, moe: bool, linear: bool) -> float:
    """What a layer stores within its MLP: all of it, less what a layer without one would store."""
    none = {**design, "ffn_size": 0}
    return sum(stored_by_layer(design, moe, linear, "none")) - sum(stored_by_layer(none, False, linear, "none"))


def of(parts_of_a_gpu: list[Part], sort: str) -> float:
    return sum(part.count for part in parts_of_a_gpu if part.sort == sort)


def total(found: list[Part]) -> float:
    """What a GPU holds at its busiest moment: all that stays, and the larger of what the two moments add."""
    moments = (of(found, "logits") + of(found, "head"), of(found, "layer"))
    return sum(part.count for part in found if part.sort in STAYS) + max(moments)


STAYS = ("weights", "gradients", "optimizer", "activations")


def fullest(design: Design) -> list[Part]:
    """Everything on the GPU that holds most; of equals the earliest stage's."""
    every = [parts(design, stage, layers) for stage, layers in enumerate(stages(design))]
    return max(every, key=total)
