"""What inputs must fulfil together: each may be right alone and the design still be none."""

from dataclasses import dataclass
from functools import cached_property

from kernels.language import Formula, from_text


@dataclass(frozen=True)
class Rule:
    """A condition on inputs without which a design contradicts itself, and what to say when it does not hold."""

    label: str
    text: str

    @cached_property
    def formula(self) -> Formula:
        """The condition, parsed."""
        return from_text("rule", self.text)


RULES = (
    Rule("a token cannot visit more experts than there are", "experts_per_token <= num_experts"),
    Rule("there cannot be more MoE layers than layers", "num_moe_layers <= num_layers"),
    Rule("experts need a MoE layer to stand in", "num_experts == 1 or num_moe_layers > 0"),
    Rule("there cannot be more leading dense layers than layers", "first_dense_layers <= num_layers"),
    Rule(
        "linear and sliding layers cannot be more than layers", "num_linear_layers + num_sliding_layers <= num_layers"
    ),
    Rule("sliding layers need a sliding_window", "num_sliding_layers == 0 or sliding_window > 0"),
    Rule(
        'linear layers belong to attention_kind = "hybrid", and to no other',
        '(num_linear_layers > 0) == (attention_kind == "hybrid")',
    ),
    Rule(
        "linear layers need a linear_attention_kind, and without them there is none",
        '(num_linear_layers > 0) == (linear_attention_kind != "none")',
    ),
    Rule(
        "gated delta attention needs heads, their widths and values in whole groups of keys",
        'linear_attention_kind != "gated_delta" or (linear_num_key_heads > 0 and linear_key_head_dim > 0'
        " and linear_value_head_dim > 0 and linear_num_value_heads % max(1, linear_num_key_heads) == 0)",
    ),
    Rule(
        "mla needs kv_lora_rank, v_head_dim and a query-key head",
        'attention_kind != "mla" or (kv_lora_rank > 0 and v_head_dim > 0 and qk_nope_head_dim + qk_rope_head_dim > 0)',
    ),
    Rule(
        "query heads share key-value heads in whole groups",
        'attention_kind == "mla" or num_heads % num_kv_heads == 0',
    ),
    Rule(
        "tensor, pipeline, context and data parallel ranks multiply to num_gpus",
        "data_parallel * (tensor_parallel * pipeline_parallel * context_parallel) == num_gpus",
    ),
    Rule(
        "tensor parallel ranks share the query heads evenly",
        "tensor_parallel == 1 or num_heads % tensor_parallel == 0",
    ),
    Rule(
        "pipeline stages, and the runs of layers they hold, have a layer each",
        "pipeline_parallel == 1 or pipeline_parallel * pipeline_interleave <= num_layers",
    ),
    Rule("interleaving needs more than one pipeline stage", "pipeline_interleave == 1 or pipeline_parallel > 1"),
    Rule(
        "context parallel ranks share the tokens of a sequence evenly",
        "context_parallel == 1 or sequence_length % context_parallel == 0",
    ),
    Rule(
        "expert parallel ranks share the experts evenly",
        "expert_parallel == 1 or num_experts % expert_parallel == 0",
    ),
    Rule(
        "expert parallel ranks lie within the data and context ranks",
        "expert_parallel == 1 or (data_parallel * context_parallel % expert_parallel == 0"
        " and optimizer_shard_ranks % expert_parallel == 0)",
    ),
    Rule(
        "sequence_parallel shares tokens between tensor ranks: it needs two",
        "not sequence_parallel or tensor_parallel > 1",
    ),
    Rule(
        "states are shared within the data and context ranks, in whole groups",
        "data_parallel * context_parallel % optimizer_shard_ranks == 0",
    ),
    Rule(
        "a global batch holds a micro batch of every replica",
        "global_batch_size >= data_parallel * micro_batch_size",
    ),
)
