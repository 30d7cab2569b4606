"""The slow, obvious version of the counts: every tensor of a model, layer by layer, as its module class holds them.

A design is a mapping of input names to numbers and words. Nothing here leans on the metrics: it is what they are
compared with.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

Design = Mapping[str, Any]


@dataclass(frozen=True)
class Tensor:
    """One tensor: where it stands, its shape, and whether a token is multiplied with it or visits it.

    part is trunk, routed, embedding or head. A token that does not visit an expert leaves it unused.
    """

    name: str
    shape: tuple[int, ...]
    part: str = "trunk"
    multiplied: bool = False
    visited: bool = True

    @property
    def size(self) -> int:
        return prod(self.shape)


def is_linear(design: Design, layer: int) -> bool:
    """Linear layers come first here; counts do not depend on the order."""
    return layer < int(design["num_linear_layers"])


def is_sliding(design: Design, layer: int) -> bool:
    """Softmax layers with a window come right after the linear ones."""
    first = int(design["num_linear_layers"])
    return first <= layer < first + int(design["num_sliding_layers"])


def is_moe(design: Design, layer: int) -> bool:
    """Whether a layer has routed experts: every period-th one after the leading dense layers."""
    after = layer - int(design["first_dense_layers"])
    return design["num_experts"] > 1 and after >= 0 and (after + 1) % int(design["moe_layer_period"]) == 0


def norm(design: Design, name: str) -> Iterator[Tensor]:
    """A norm over hidden_size."""
    if design["norm_kind"] != "nonparametric":
        yield Tensor(f"{name}.weight", (design["hidden_size"],))
    if design["norm_kind"] == "layernorm":
        yield Tensor(f"{name}.bias", (design["hidden_size"],))


def matrix(name: str, rows: int, columns: int, bias: Any = 0, **where: Any) -> Iterator[Tensor]:
    """What a token is multiplied with, and the bias added to the product."""
    yield Tensor(f"{name}.weight", (rows, columns), multiplied=True, **where)
    if bias:
        yield Tensor(f"{name}.bias", (columns,), **where)


def gqa(design: Design) -> Iterator[Tensor]:
    width, head = design["hidden_size"], design["head_dim"]
    queries, keys = design["num_heads"] * head, design["num_kv_heads"] * head
    bias = design["qkv_bias"]
    yield from matrix("q_proj", width, queries, bias)
    if design["attn_output_gate"]:
        yield from matrix("gate_proj", width, queries, bias)
    yield from matrix("k_proj", width, keys, bias)
    yield from matrix("v_proj", width, keys, bias)
    yield from matrix("o_proj", queries, width, design["attn_out_bias"])
    if design["qk_norm"] == "head":
        yield Tensor("q_norm", (head,))
        yield Tensor("k_norm", (head,))
    if design["qk_norm"] == "full":
        yield Tensor("q_norm", (queries,))
        yield Tensor("k_norm", (keys,))
    if design["attn_sinks"]:
        yield Tensor("sinks", (design["num_heads"],))


def mla(design: Design) -> Iterator[Tensor]:
    width, heads, bias = design["hidden_size"], design["num_heads"], design["qkv_bias"]
    nope, rope, value = design["qk_nope_head_dim"], design["qk_rope_head_dim"], design["v_head_dim"]
    queries, latent = design["q_lora_rank"], design["kv_lora_rank"]
    if queries:
        yield from matrix("q_a_proj", width, queries, bias)
        yield Tensor("q_a_layernorm", (queries,))
        yield from matrix("q_b_proj", queries, heads * (nope + rope))
    else:
        yield from matrix("q_proj", width, heads * (nope + rope))
    yield from matrix("kv_a_proj_with_mqa", width, latent + rope, bias)
    yield Tensor("kv_a_layernorm", (latent,))
    yield from matrix("kv_b_proj", latent, heads * (nope + value))
    yield from matrix("o_proj", heads * value, width, design["attn_out_bias"])


def lightning(design: Design) -> Iterator[Tensor]:
    width, inner = design["hidden_size"], design["num_heads"] * design["head_dim"]
    for name in ("q_proj", "k_proj", "v_proj", "output_gate"):
        yield from matrix(name, width, inner)
    yield from matrix("out_proj", inner, width)
    yield Tensor("norm", (inner,))


def gated_delta(design: Design) -> Iterator[Tensor]:
    width, heads = design["hidden_size"], design["linear_num_value_heads"]
    keys = design["linear_num_key_heads"] * design["linear_key_head_dim"]
    values = heads * design["linear_value_head_dim"]
    for name, columns in (("q", keys), ("k", keys), ("v", values), ("z", values), ("b", heads), ("a", heads)):
        yield from matrix(f"in_proj_{name}", width, columns)
    for name, channels in (("q", keys), ("k", keys), ("v", values)):
        yield Tensor(f"conv1d_{name}", (channels, design["linear_conv_kernel"]))
    yield Tensor("dt_bias", (heads,))
    yield Tensor("A_log", (heads,))
    yield Tensor("norm", (design["linear_value_head_dim"],))
    yield from matrix("out_proj", values, width)


LINEAR = {"lightning": lightning, "gated_delta": gated_delta}


def mlp(design: Design, name: str, inner: int, bias: Any = 0, **where: Any) -> Iterator[Tensor]:
    width = design["hidden_size"]
    if design["ffn_gated"]:
        yield from matrix(f"{name}.gate_proj", width, inner, bias, **where)
    yield from matrix(f"{name}.up_proj", width, inner, bias, **where)
    yield from matrix(f"{name}.down_proj", inner, width, bias, **where)


def experts(design: Design) -> Iterator[Tensor]:
    """Router, routed experts of which a token visits the first few, and what stands beside them."""
    yield from matrix("router", design["hidden_size"], design["num_experts"], design["router_bias"])
    for expert in range(design["num_experts"]):
        visited = expert < design["experts_per_token"]
        size = design["expert_ffn_size"]
        yield from mlp(design, f"experts.{expert}", size, design["expert_bias"], part="routed", visited=visited)
    if design["shared_expert_ffn_size"]:
        yield from mlp(design, "shared_expert", design["shared_expert_ffn_size"])
    if design["shared_expert_gate"]:
        yield from matrix("shared_expert_gate", design["hidden_size"], 1)
    if design["dense_residual_ffn_size"]:
        yield from mlp(design, "residual_mlp", design["dense_residual_ffn_size"])


def layer(design: Design, number: int) -> Iterator[Tensor]:
    if is_linear(design, number):
        yield from LINEAR[design["linear_attention_kind"]](design)
    elif design["attention_kind"] == "mla":
        yield from mla(design)
    else:
        yield from gqa(design)
    if is_moe(design, number):
        yield from experts(design)
    else:
        yield from mlp(design, "mlp", design["ffn_size"], design["mlp_bias"])
    for k in range(design["norms_per_layer"]):
        yield from norm(design, f"norm_{k}")
    if design["activation_params_per_layer"]:
        yield Tensor("activation", (design["activation_params_per_layer"],))


def tensors(design: Design) -> Iterator[Tensor]:
    """Every tensor of the model but those of multi-token-prediction layers; a tied head is not there twice."""
    width, rows = design["hidden_size"], design["vocab_size"]
    table = design["embedding_proj_dim"] or width
    yield Tensor("embed_tokens", (rows, table), part="embedding")
    if design["learned_position_rows"]:
        yield Tensor("embed_positions", (design["learned_position_rows"], width), part="embedding")
    if design["embedding_proj_dim"]:
        yield from matrix("project_in", table, width)
    if design["embedding_norm"]:
        yield from norm(design, "embedding_norm")
    for number in range(design["num_layers"]):
        yield from layer(design, number)
    if design["final_norm"]:
        yield from norm(design, "final_norm")
    if design["embedding_proj_dim"]:
        yield from matrix("project_out", width, table)
    if not design["tied_embeddings"]:
        yield from matrix("lm_head", table, rows, part="head")
    if design["lm_head_bias"]:
        yield Tensor("lm_head.bias", (rows,), part="head")


def counts(design: Design) -> dict[str, int]:
    """Parameters by the part they belong to, all of them, those a token passes through, and those multiplied with."""
    found = dict.fromkeys(("trunk", "routed", "embedding", "head", "total", "active", "multiplied"), 0)
    for tensor in tensors(design):
        found[tensor.part] += tensor.size
        found["total"] += tensor.size
        found["active"] += tensor.size * tensor.visited
        found["multiplied"] += tensor.size * (tensor.multiplied and tensor.visited)
    if design["tied_embeddings"]:  # the logits are a product with the table that the embedding only looks up
        found["multiplied"] += design["vocab_size"] * (design["embedding_proj_dim"] or design["hidden_size"])
    return found


def score_flops(design: Design) -> float:
    """Full attention of one token in a forward pass, head by head: its scores and the values they weigh."""
    flops = 0.0
    for number in range(design["num_layers"]):
        if is_linear(design, number):
            continue
        for _ in range(design["num_heads"]):
            if design["attention_kind"] == "mla":
                query, value = design["qk_nope_head_dim"] + design["qk_rope_head_dim"], design["v_head_dim"]
            else:
                query = value = design["head_dim"]
            flops += 2 * query * design["sequence_length"]
            flops += 2 * value * design["sequence_length"]
    return flops


def state_shapes(design: Design) -> Iterator[tuple[int, int]]:
    """The matrix that each head of each linear layer carries from token to token."""
    for number in range(design["num_layers"]):
        if not is_linear(design, number):
            continue
        if design["linear_attention_kind"] == "lightning":
            for _ in range(design["num_heads"]):
                yield design["head_dim"], design["head_dim"]
        else:
            for _ in range(design["linear_num_value_heads"]):
                yield design["linear_key_head_dim"], design["linear_value_head_dim"]


def state_flops(design: Design) -> float:
    """One token in all linear layers: an outer product added and a read, and for gated delta a read before."""
    passes = 2 if design["linear_attention_kind"] == "lightning" else 3
    return sum(passes * 2.0 * rows * columns for rows, columns in state_shapes(design))


def state_elements(design: Design) -> int:
    """What linear layers remember of one sequence: states, and the convolution's last inputs."""
    elements = sum(rows * columns for rows, columns in state_shapes(design))
    if design["linear_attention_kind"] == "gated_delta":
        keys = design["linear_num_key_heads"] * design["linear_key_head_dim"]
        values = design["linear_num_value_heads"] * design["linear_value_head_dim"]
        for number in range(design["num_layers"]):
            if is_linear(design, number):
                elements += max(0, design["linear_conv_kernel"] - 1) * (keys + keys + values)
    return elements


def cached_elements(design: Design, windows: bool) -> int:
    """Elements cached for one sequence, layer by layer: windows says whether a sliding layer forgets."""
    elements = 0
    for number in range(design["num_layers"]):
        if is_linear(design, number):
            continue
        tokens = design["context_tokens"]
        if windows and is_sliding(design, number) and design["sliding_window"]:
            tokens = min(tokens, design["sliding_window"])
        if design["attention_kind"] == "mla":
            elements += tokens * design["kv_lora_rank"]
            elements += tokens * design["qk_rope_head_dim"]
        else:
            for _ in range(design["num_kv_heads"]):
                elements += tokens * design["head_dim"]  # a key
                elements += tokens * design["head_dim"]  # a value
    return elements
