"""Loops of the search that kernels/layouts.py describes; written by ``python -m tests.layout_search``."""

import math

from kernels.divisors import divisors
from kernels.scalar import ceil, exp, floor, log, log2, maximum, minimum, power, sqrt  # noqa: F401


def fastest_layout(
    hidden_size, num_layers, vocab_size, head_dim, attention_kind, q_lora_rank, kv_lora_rank, qk_nope_head_dim,
    qk_rope_head_dim, v_head_dim, qk_norm, attn_output_gate, activation_params_per_layer, norms_per_layer,
    final_norm, embedding_norm, embedding_proj_dim, tied_embeddings, lm_head_bias, num_experts,
    shared_expert_ffn_size, shared_expert_gate, router_bias, first_dense_layers, moe_layer_period,
    dense_residual_ffn_size, linear_attention_kind, num_linear_layers, linear_num_value_heads, parallel_block,
    mtp_layers, sequence_length, recompute, num_gpus, num_heads, num_kv_heads, ffn_size, experts_per_token,
    expert_ffn_size, num_moe_layers, flash_attention, dropout, activation_element_bytes, weight_bytes_per_param,
    gradient_bytes_per_param, master_bytes_per_param, state_bytes_per_param, table_state_bytes_per_param,
    host_bytes_per_param, logit_bytes, in_place_activation, attention_copies, context_output_copy,
    alternate_matmuls, stored_expert_outputs, stand_in_gradients, gathered_layers, framework_buffer_bytes,
    batch_sequences, global_batch_size, train_cast_bytes, framework_overhead_share, tensor_kernel_overlap_share,
    copies_overlap_share, collective_rails, collective_launch_s, scaleup_hop_s, scaleout_hop_s,
    grouped_matmul_factor, matmul_traffic_factor, layer_launch_s, moe_launch_factor, tensor_overlap_share,
    context_overlap_share, expert_overlap_share, pipeline_overlap_share, data_overlap_share, host_byte_per_s,
    gpu_scaleup_domain, num_softmax_layers, linear_key_width, linear_value_width, linear_attention_matrix_params,
    attention_vector_params_total, ffn_matrices, dense_ffn_matrix_params, dense_ffn_vector_params,
    moe_always_on_params, norm_params, expert_matrix_params, expert_vector_params, embedding_width,
    params_positions, gpu_usable_bytes, most_tensor_parallel, most_expert_parallel, most_pipeline_parallel,
    most_pipeline_interleave, most_micro_batch_size, most_zero_stage, most_context_parallel,
    attention_score_flops_per_layer, ffn_tensors, wide_matmul_flop_per_s, train_matmul_flop_per_s,
    elementwise_byte_per_s, scaleup_byte_per_s, scaleout_byte_per_s, attended_tokens, core_flop_per_s,
):
    """The code of what makes train_step_s least; nan where nothing will do."""
    found = math.nan
    least = math.inf
    expert_parallel__ways = divisors(num_experts, most_expert_parallel)
    for k in range(1, most_tensor_parallel + 1):
        tensor_parallel = k
        if not ((num_gpus % tensor_parallel) == 0):
            continue
        if not ((tensor_parallel == 1) or ((num_heads % tensor_parallel) == 0)):
            continue
        sequence_parallel = int((tensor_parallel > 1))
        if not ((not sequence_parallel) or (tensor_parallel > 1)):
            continue
        kv_width_per_gpu = int(((((num_kv_heads + tensor_parallel) - 1) // tensor_parallel) * head_dim))
        attention_core_bytes_per_token__heads = (num_heads / tensor_parallel)
        attention_core_bytes_per_token__copies = (activation_element_bytes + (dropout * (1.0 + activation_element_bytes)))
        attention_core_bytes_per_token = float(((attention_core_bytes_per_token__heads * 4.0) if flash_attention else ((attention_core_bytes_per_token__heads * sequence_length) * attention_core_bytes_per_token__copies)))
        linear_attention_bytes_per_token__lightning = ((6.0 * num_heads) * head_dim)
        linear_attention_bytes_per_token__delta = (((4.0 * linear_key_width) + (5.0 * linear_value_width)) + (2.0 * linear_num_value_heads))
        linear_attention_bytes_per_token__width = (linear_attention_bytes_per_token__lightning if (linear_attention_kind == 1) else (linear_attention_bytes_per_token__delta if (linear_attention_kind == 2) else 0.0))
        linear_attention_bytes_per_token = float(((activation_element_bytes * linear_attention_bytes_per_token__width) / tensor_parallel))
        attention_core_mean_bytes_per_token = float(((num_softmax_layers * attention_core_bytes_per_token) / num_layers))
        whole_share = float(((1.0 / tensor_parallel) if sequence_parallel else 1.0))
        layer_whole_bytes_per_token__inputs = (1 if (parallel_block and (norms_per_layer < 2)) else 2)
        layer_whole_bytes_per_token__latents = ((2 * (q_lora_rank + kv_lora_rank)) if (attention_kind == 1) else 0)
        layer_whole_bytes_per_token__stored = (activation_element_bytes * (((norms_per_layer + layer_whole_bytes_per_token__inputs) * hidden_size) + layer_whole_bytes_per_token__latents))
        layer_whole_bytes_per_token = float((whole_share * (layer_whole_bytes_per_token__stored + ((dropout * 2.0) * hidden_size))))
        dense_ffn_bytes_per_token = float((((activation_element_bytes * ffn_tensors) * ffn_size) / tensor_parallel))
        moe_inner_bytes_per_token__inner = (((experts_per_token * expert_ffn_size) + shared_expert_ffn_size) + dense_residual_ffn_size)
        moe_inner_bytes_per_token = float(((activation_element_bytes * moe_inner_bytes_per_token__inner) / tensor_parallel))
        moe_ffn_bytes_per_token__copies = ((experts_per_token * hidden_size) * (2 if stored_expert_outputs else 1))
        moe_ffn_bytes_per_token__routed = (whole_share * ((activation_element_bytes * moe_ffn_bytes_per_token__copies) + (4.0 * num_experts)))
        moe_ffn_bytes_per_token = float((moe_ffn_bytes_per_token__routed + (ffn_tensors * moe_inner_bytes_per_token)))
        layer_input_bytes_per_token = float(((activation_element_bytes * hidden_size) * whole_share))
        alternate_matmul_bytes_per_token__heads = (num_heads / tensor_parallel)
        alternate_matmul_bytes_per_token__output = (alternate_matmul_bytes_per_token__heads * (v_head_dim if (attention_kind == 1) else head_dim))
        alternate_matmul_bytes_per_token__kept = (((alternate_matmul_bytes_per_token__heads * head_dim) + kv_width_per_gpu) + alternate_matmul_bytes_per_token__output)
        alternate_matmul_bytes_per_token = float((((2.0 * layer_input_bytes_per_token) + (activation_element_bytes * alternate_matmul_bytes_per_token__kept)) + (4.0 * alternate_matmul_bytes_per_token__heads)))
        attention_params_per_gpu__query = ((num_heads * head_dim) / tensor_parallel)
        attention_params_per_gpu__gqa = (hidden_size * ((attention_params_per_gpu__query * (3 if attn_output_gate else 2)) + (2.0 * kv_width_per_gpu)))
        attention_params_per_gpu__head = (qk_nope_head_dim + qk_rope_head_dim)
        attention_params_per_gpu__heads = (num_heads / tensor_parallel)
        attention_params_per_gpu__down = (hidden_size * ((q_lora_rank + kv_lora_rank) + qk_rope_head_dim))
        attention_params_per_gpu__queries = ((attention_params_per_gpu__heads * attention_params_per_gpu__head) * (q_lora_rank if (q_lora_rank > 0) else hidden_size))
        attention_params_per_gpu__mla = ((attention_params_per_gpu__down + attention_params_per_gpu__queries) + (attention_params_per_gpu__heads * ((kv_lora_rank * (qk_nope_head_dim + v_head_dim)) + (v_head_dim * hidden_size))))
        attention_params_per_gpu = float((attention_params_per_gpu__mla if (attention_kind == 1) else attention_params_per_gpu__gqa))
        layer_params_per_gpu__linear = ((num_linear_layers * linear_attention_matrix_params) / tensor_parallel)
        layer_params_per_gpu__attention = (((num_softmax_layers * attention_params_per_gpu) + layer_params_per_gpu__linear) + attention_vector_params_total)
        layer_params_per_gpu = float((((layer_params_per_gpu__attention / num_layers) + (norms_per_layer * norm_params)) + activation_params_per_layer))
        dense_layer_params_per_gpu = float(((layer_params_per_gpu + (dense_ffn_matrix_params / tensor_parallel)) + dense_ffn_vector_params))
        moe_layer_params_per_gpu__whole = ((num_experts + shared_expert_gate) * hidden_size)
        moe_layer_params_per_gpu = float((((layer_params_per_gpu + moe_layer_params_per_gpu__whole) + (router_bias * num_experts)) + ((moe_always_on_params - moe_layer_params_per_gpu__whole) / tensor_parallel)))
        table_params_per_gpu = int(((((vocab_size + tensor_parallel) - 1) // tensor_parallel) * embedding_width))
        embedding_params_per_gpu = int((((table_params_per_gpu + params_positions) + (embedding_norm * norm_params)) + (embedding_proj_dim * hidden_size)))
        stand_in_bytes__dense = (dense_ffn_matrix_params if (num_moe_layers < num_layers) else 0)
        stand_in_bytes__shared = ((ffn_matrices * hidden_size) * shared_expert_ffn_size)
        stand_in_bytes__experts = ((expert_matrix_params + stand_in_bytes__shared) if (num_moe_layers > 0) else 0)
        stand_in_bytes__shapes = (attention_params_per_gpu + ((stand_in_bytes__dense + stand_in_bytes__experts) / tensor_parallel))
        stand_in_bytes = float(((stand_in_gradients * activation_element_bytes) * stand_in_bytes__shapes))
        tensor_domain_ranks = float(minimum((1.0 * tensor_parallel), gpu_scaleup_domain))
        tensor_byte_per_s__beyond = minimum(scaleup_byte_per_s, (tensor_domain_ranks * scaleout_byte_per_s))
        tensor_byte_per_s = float((tensor_byte_per_s__beyond if (tensor_parallel > tensor_domain_ranks) else scaleup_byte_per_s))
        tensor_ring_s__domains = (tensor_parallel / tensor_domain_ranks)
        tensor_ring_s = float(((collective_launch_s + (((tensor_domain_ranks - 1.0) * tensor_ring_s__domains) * scaleup_hop_s)) + ((tensor_ring_s__domains - 1.0) * scaleout_hop_s)))
        layer_matmul_flops_per_token__linear = ((num_linear_layers * linear_attention_matrix_params) / tensor_parallel)
        layer_matmul_flops_per_token = float(((2.0 * ((num_softmax_layers * attention_params_per_gpu) + layer_matmul_flops_per_token__linear)) / num_layers))
        dense_ffn_flops_per_token = float(((2.0 * dense_ffn_matrix_params) / tensor_parallel))
        moe_shared_flops_per_token__shared = ((ffn_matrices * hidden_size) * (shared_expert_ffn_size + dense_residual_ffn_size))
        moe_shared_flops_per_token = float((2.0 * ((hidden_size * num_experts) + (moe_shared_flops_per_token__shared / tensor_parallel))))
        routed_flops_per_token = float((((2.0 * experts_per_token) * expert_matrix_params) / tensor_parallel))
        core_flops_per_token = float(((((attention_score_flops_per_layer * attended_tokens) / tensor_parallel) * num_softmax_layers) / num_layers))
        whole_traffic_bytes_per_token__tensors = (((2 * norms_per_layer) + 6) + dropout)
        whole_traffic_bytes_per_token = float((((whole_share * activation_element_bytes) * hidden_size) * whole_traffic_bytes_per_token__tensors))
        core_traffic_bytes_per_token__passes = ((4.0 * activation_element_bytes) + (dropout * ((2.0 * activation_element_bytes) + 1.0)))
        core_traffic_bytes_per_token__scores = ((((num_heads / tensor_parallel) * sequence_length) * num_softmax_layers) / num_layers)
        core_traffic_bytes_per_token = float((0.0 if flash_attention else (core_traffic_bytes_per_token__scores * core_traffic_bytes_per_token__passes)))
        dense_ffn_traffic_bytes_per_token = float((((activation_element_bytes * ffn_matrices) * ffn_size) / tensor_parallel))
        moe_ffn_traffic_bytes_per_token__copies = (((6.0 * experts_per_token) + 2.0) * hidden_size)
        moe_ffn_traffic_bytes_per_token = float(((ffn_matrices * moe_inner_bytes_per_token) + ((whole_share * activation_element_bytes) * moe_ffn_traffic_bytes_per_token__copies)))
        cast_bytes_per_token = float((train_cast_bytes * (hidden_size + ((num_heads * head_dim) / tensor_parallel))))
        dense_cast_bytes_per_token = float((train_cast_bytes * (hidden_size + (ffn_size / tensor_parallel))))
        moe_cast_bytes_per_token = float((train_cast_bytes * ((experts_per_token * hidden_size) + (moe_inner_bytes_per_token / activation_element_bytes))))
        dense_operand_bytes_per_token__numbers = ((2.0 * hidden_size) + ((ffn_matrices * ffn_size) / tensor_parallel))
        dense_operand_bytes_per_token = float(((matmul_traffic_factor * activation_element_bytes) * dense_operand_bytes_per_token__numbers))
        moe_operand_bytes_per_token__outer = (((2.0 * experts_per_token) * hidden_size) * activation_element_bytes)
        moe_operand_bytes_per_token = float((matmul_traffic_factor * (moe_operand_bytes_per_token__outer + (ffn_matrices * moe_inner_bytes_per_token))))
        dense_weight_traffic_s__each = ((2.0 * weight_bytes_per_param) + (2.0 * gradient_bytes_per_param))
        dense_weight_traffic_s = float(((dense_layer_params_per_gpu * dense_weight_traffic_s__each) / elementwise_byte_per_s))
        context_bytes_per_token__expanded = ((num_heads / tensor_parallel) * ((qk_nope_head_dim + qk_rope_head_dim) + v_head_dim))
        context_bytes_per_token = float((activation_element_bytes * (context_bytes_per_token__expanded if (attention_kind == 1) else (2.0 * kv_width_per_gpu))))
        for k in range(1, most_context_parallel + 1):
            context_parallel = k
            if not ((num_gpus % (tensor_parallel * context_parallel)) == 0):
                continue
            if not ((context_parallel == 1) or ((sequence_length % context_parallel) == 0)):
                continue
            attention_head_bytes_per_token__query = ((num_heads * head_dim) / tensor_parallel)
            attention_head_bytes_per_token__normed = ((attention_head_bytes_per_token__query + kv_width_per_gpu) if (qk_norm != 0) else 0.0)
            attention_head_bytes_per_token__taken = ((1.0 + attention_copies) * (attention_head_bytes_per_token__query + (2.0 * kv_width_per_gpu)))
            attention_head_bytes_per_token__gqa = ((attention_head_bytes_per_token__taken + attention_head_bytes_per_token__normed) + ((2.0 * attention_head_bytes_per_token__query) if attn_output_gate else 0.0))
            attention_head_bytes_per_token__values = ((num_heads * v_head_dim) / tensor_parallel)
            attention_head_bytes_per_token__keys = ((num_heads * (qk_nope_head_dim + qk_rope_head_dim)) / tensor_parallel)
            attention_head_bytes_per_token__mla = ((1.0 + attention_copies) * ((2.0 * attention_head_bytes_per_token__keys) + attention_head_bytes_per_token__values))
            attention_head_bytes_per_token__output = (attention_head_bytes_per_token__values if (attention_kind == 1) else attention_head_bytes_per_token__query)
            attention_head_bytes_per_token__copies = (2.0 if (context_output_copy and (context_parallel > 1)) else 1.0)
            attention_head_bytes_per_token = float((activation_element_bytes * ((attention_head_bytes_per_token__mla if (attention_kind == 1) else attention_head_bytes_per_token__gqa) + (attention_head_bytes_per_token__copies * attention_head_bytes_per_token__output))))
            attention_kept_bytes_per_token__every = ((num_softmax_layers * attention_head_bytes_per_token) + (num_linear_layers * linear_attention_bytes_per_token))
            attention_kept_bytes_per_token = float((attention_kept_bytes_per_token__every / num_layers))
            dense_layer_activation_bytes_per_token__kept = ((layer_whole_bytes_per_token + attention_kept_bytes_per_token) + dense_ffn_bytes_per_token)
            dense_layer_activation_bytes_per_token__every = (dense_layer_activation_bytes_per_token__kept + attention_core_mean_bytes_per_token)
            dense_layer_activation_bytes_per_token__selective = ((alternate_matmul_bytes_per_token + (dense_ffn_bytes_per_token / ffn_tensors)) if alternate_matmuls else dense_layer_activation_bytes_per_token__kept)
            dense_layer_activation_bytes_per_token = float((layer_input_bytes_per_token if (recompute == 2) else (dense_layer_activation_bytes_per_token__selective if (recompute == 1) else dense_layer_activation_bytes_per_token__every)))
            moe_layer_activation_bytes_per_token__kept = ((layer_whole_bytes_per_token + attention_kept_bytes_per_token) + moe_ffn_bytes_per_token)
            moe_layer_activation_bytes_per_token__every = (moe_layer_activation_bytes_per_token__kept + attention_core_mean_bytes_per_token)
            moe_layer_activation_bytes_per_token__selective = ((alternate_matmul_bytes_per_token + moe_inner_bytes_per_token) if alternate_matmuls else moe_layer_activation_bytes_per_token__kept)
            moe_layer_activation_bytes_per_token = float((layer_input_bytes_per_token if (recompute == 2) else (moe_layer_activation_bytes_per_token__selective if (recompute == 1) else moe_layer_activation_bytes_per_token__every)))
            backward_bytes_per_token__attention = (attention_head_bytes_per_token + (0.0 if flash_attention else attention_core_bytes_per_token))
            backward_bytes_per_token__dense = (dense_ffn_bytes_per_token if (num_moe_layers < num_layers) else 0.0)
            backward_bytes_per_token__ffn = (maximum(backward_bytes_per_token__dense, (moe_ffn_bytes_per_token if (num_moe_layers > 0) else 0.0)) / (ffn_tensors if in_place_activation else 1))
            backward_bytes_per_token = float((((2.0 * activation_element_bytes) * hidden_size) + maximum(backward_bytes_per_token__attention, backward_bytes_per_token__ffn)))
            recomputed_bytes_per_token__dense = (dense_ffn_bytes_per_token if (num_moe_layers < num_layers) else 0.0)
            recomputed_bytes_per_token__ffn = maximum(recomputed_bytes_per_token__dense, (moe_ffn_bytes_per_token if (num_moe_layers > 0) else 0.0))
            recomputed_bytes_per_token__layer = (((layer_whole_bytes_per_token + attention_kept_bytes_per_token) + recomputed_bytes_per_token__ffn) + attention_core_mean_bytes_per_token)
            recomputed_bytes_per_token__core = (recomputed_bytes_per_token__layer if alternate_matmuls else attention_core_mean_bytes_per_token)
            recomputed_bytes_per_token = float((recomputed_bytes_per_token__layer if (recompute == 2) else (recomputed_bytes_per_token__core if (recompute == 1) else 0.0)))
            context_domain_ranks = float(minimum((1.0 * context_parallel), maximum(1.0, (gpu_scaleup_domain / tensor_parallel))))
            context_byte_per_s = float((scaleout_byte_per_s if (context_parallel > context_domain_ranks) else scaleup_byte_per_s))
            head_traffic_bytes_per_token = float((2.0 * attention_head_bytes_per_token))
            attention_operand_bytes_per_token = float((matmul_traffic_factor * (((2.0 * activation_element_bytes) * hidden_size) + attention_head_bytes_per_token)))
            pipeline_parallel__ways = divisors(num_gpus // (tensor_parallel * context_parallel), min(most_pipeline_parallel, num_layers))
            expert_parallel__rest = expert_parallel__ways
            expert_parallel__next = 1
            while expert_parallel__next > 0:
                expert_parallel = expert_parallel__next
                expert_parallel__next = int(log2(float(expert_parallel__rest & -expert_parallel__rest))) + 2 if expert_parallel__rest != 0 else 0
                expert_parallel__rest &= expert_parallel__rest - 1
                if not ((expert_parallel == 1) or ((num_experts % expert_parallel) == 0)):
                    continue
                expert_params_per_gpu = float(((num_experts / expert_parallel) * ((expert_matrix_params / tensor_parallel) + expert_vector_params)))
                expert_domain_ranks = float(minimum((1.0 * expert_parallel), maximum(1.0, (gpu_scaleup_domain / tensor_parallel))))
                moe_weight_traffic_s__each = ((2.0 * weight_bytes_per_param) + (2.0 * gradient_bytes_per_param))
                moe_weight_traffic_s__held = (moe_layer_params_per_gpu + expert_params_per_gpu)
                moe_weight_traffic_s = float(((moe_weight_traffic_s__held * moe_weight_traffic_s__each) / elementwise_byte_per_s))
                for k in range(int(log2(most_micro_batch_size)) + 1):
                    micro_batch_size = 1 << k
                    activation_tokens = float((micro_batch_size * (sequence_length / context_parallel)))
                    head_bytes__logits = (logit_bytes * (((vocab_size + tensor_parallel) - 1) // tensor_parallel))
                    head_bytes = float((activation_tokens * (head_bytes__logits + ((whole_share * activation_element_bytes) * (hidden_size + embedding_width)))))
                    core_forward_s = float(((activation_tokens * core_flops_per_token) / core_flop_per_s))
                    core_backward_s = float((core_forward_s * (2.5 if flash_attention else 2.0)))
                    attention_matmul_s = float(((activation_tokens * layer_matmul_flops_per_token) / train_matmul_flop_per_s))
                    dense_ffn_matmul_s = float(((activation_tokens * dense_ffn_flops_per_token) / train_matmul_flop_per_s))
                    moe_ffn_matmul_s__every = (moe_shared_flops_per_token + (routed_flops_per_token / grouped_matmul_factor))
                    moe_ffn_matmul_s = float(((activation_tokens * moe_ffn_matmul_s__every) / train_matmul_flop_per_s))
                    head_matmul_s = float((((activation_tokens * 2.0) * table_params_per_gpu) / wide_matmul_flop_per_s))
                    attention_traffic_s__every = ((whole_traffic_bytes_per_token + head_traffic_bytes_per_token) + cast_bytes_per_token)
                    attention_traffic_s = float(((activation_tokens * (attention_traffic_s__every + attention_operand_bytes_per_token)) / elementwise_byte_per_s))
                    core_traffic_s = float(((activation_tokens * core_traffic_bytes_per_token) / elementwise_byte_per_s))
                    dense_ffn_traffic_s__every = ((dense_ffn_traffic_bytes_per_token + dense_cast_bytes_per_token) + dense_operand_bytes_per_token)
                    dense_ffn_traffic_s = float(((activation_tokens * dense_ffn_traffic_s__every) / elementwise_byte_per_s))
                    moe_ffn_traffic_s__every = ((moe_ffn_traffic_bytes_per_token + moe_cast_bytes_per_token) + moe_operand_bytes_per_token)
                    moe_ffn_traffic_s = float(((activation_tokens * moe_ffn_traffic_s__every) / elementwise_byte_per_s))
                    head_traffic_s = float(((((activation_tokens * ((2.0 * logit_bytes) + 4.0)) * vocab_size) / tensor_parallel) / elementwise_byte_per_s))
                    tensor_exchange_s__share = ((2.0 * (tensor_parallel - 1.0)) / tensor_parallel)
                    tensor_exchange_s__bytes_each = (((activation_tokens * hidden_size) * activation_element_bytes) * tensor_exchange_s__share)
                    tensor_exchange_s = float(((2.0 * ((tensor_exchange_s__bytes_each / tensor_byte_per_s) + (2.0 * tensor_ring_s))) if (tensor_parallel > 1) else 0.0))
                    tensor_forward_s = float((tensor_exchange_s * (1.0 - tensor_kernel_overlap_share)))
                    tensor_backward_s__hidden = maximum(tensor_overlap_share, tensor_kernel_overlap_share)
                    tensor_backward_s = float(((tensor_exchange_s * (1.5 if sequence_parallel else 1.0)) * (1.0 - tensor_backward_s__hidden)))
                    context_forward_s__rounds = (context_parallel - 1.0)
                    context_forward_s__passed = (context_forward_s__rounds * (((activation_tokens * context_bytes_per_token) / context_byte_per_s) + collective_launch_s))
                    context_forward_s = float(((context_forward_s__passed * (1.0 - context_overlap_share)) if (context_parallel > 1) else 0.0))
                    expert_forward_s__each = ((((2.0 * activation_tokens) * whole_share) * hidden_size) * activation_element_bytes)
                    expert_forward_s__domains = (expert_parallel / expert_domain_ranks)
                    expert_forward_s__met = (expert_forward_s__domains * (1.0 - power((1.0 - (1.0 / expert_forward_s__domains)), experts_per_token)))
                    expert_forward_s__inside = (((experts_per_token * (expert_domain_ranks - 1.0)) / expert_domain_ranks) / scaleup_byte_per_s)
                    expert_forward_s__beyond = ((((expert_forward_s__met * (expert_forward_s__domains - 1.0)) / expert_forward_s__domains) / scaleout_byte_per_s) if (expert_forward_s__domains > 1.0) else 0.0)
                    expert_forward_s__every = ((expert_forward_s__each * (expert_forward_s__inside + expert_forward_s__beyond)) + (2.0 * collective_launch_s))
                    expert_forward_s = float(((expert_forward_s__every * (1.0 - expert_overlap_share)) if (expert_parallel > 1) else 0.0))
                    dense_matmul_s = float(((1.0 + framework_overhead_share) * (attention_matmul_s + dense_ffn_matmul_s)))
                    dense_traffic_s = float(((1.0 + framework_overhead_share) * (attention_traffic_s + dense_ffn_traffic_s)))
                    dense_layer_work_s = float((dense_matmul_s + dense_traffic_s))
                    moe_matmul_s = float(((1.0 + framework_overhead_share) * (attention_matmul_s + moe_ffn_matmul_s)))
                    moe_traffic_s = float(((1.0 + framework_overhead_share) * (attention_traffic_s + moe_ffn_traffic_s)))
                    moe_layer_work_s = float((moe_matmul_s + moe_traffic_s))
                    core_work_s = float((core_forward_s + core_traffic_s))
                    dense_layer_forward_s = float(maximum(layer_launch_s, (((dense_layer_work_s + core_work_s) + tensor_forward_s) + context_forward_s)))
                    moe_layer_forward_s__work = ((((moe_layer_work_s + core_work_s) + tensor_forward_s) + context_forward_s) + expert_forward_s)
                    moe_layer_forward_s = float(maximum((layer_launch_s * moe_launch_factor), moe_layer_forward_s__work))
                    dense_recompute_s__selective = ((0.5 * dense_layer_work_s) if alternate_matmuls else core_work_s)
                    dense_recompute_s = float((dense_layer_forward_s if (recompute == 2) else (dense_recompute_s__selective if (recompute == 1) else 0.0)))
                    moe_recompute_s__selective = ((0.5 * moe_layer_work_s) if alternate_matmuls else core_work_s)
                    moe_recompute_s = float((moe_layer_forward_s if (recompute == 2) else (moe_recompute_s__selective if (recompute == 1) else 0.0)))
                    dense_layer_backward_s__work = ((((2.0 * dense_matmul_s) + (1.5 * (dense_traffic_s + core_traffic_s))) + core_backward_s) + dense_weight_traffic_s)
                    dense_layer_backward_s = float((dense_recompute_s + maximum((2.0 * layer_launch_s), ((dense_layer_backward_s__work + tensor_backward_s) + (2.0 * context_forward_s)))))
                    moe_layer_backward_s__work = ((((2.0 * moe_matmul_s) + (1.5 * (moe_traffic_s + core_traffic_s))) + core_backward_s) + moe_weight_traffic_s)
                    moe_layer_backward_s__every = (((moe_layer_backward_s__work + tensor_backward_s) + (2.0 * context_forward_s)) + expert_forward_s)
                    moe_layer_backward_s = float((moe_recompute_s + maximum(((2.0 * layer_launch_s) * moe_launch_factor), moe_layer_backward_s__every)))
                    dense_layer_s = float((dense_layer_forward_s + dense_layer_backward_s))
                    moe_layer_s = float((moe_layer_forward_s + moe_layer_backward_s))
                    layer_s__routed = ((num_moe_layers * moe_layer_s) if (num_moe_layers > 0) else 0.0)
                    layer_s__dense = (((num_layers - num_moe_layers) * dense_layer_s) if (num_moe_layers < num_layers) else 0.0)
                    layer_s = float(((layer_s__routed + layer_s__dense) / num_layers))
                    head_s = float((((1.0 + mtp_layers) * ((3.0 * head_matmul_s) + head_traffic_s)) + (mtp_layers * layer_s)))
                    pipeline_parallel__rest = pipeline_parallel__ways
                    pipeline_parallel__next = 1
                    while pipeline_parallel__next > 0:
                        pipeline_parallel = pipeline_parallel__next
                        pipeline_parallel__next = int(log2(float(pipeline_parallel__rest & -pipeline_parallel__rest))) + 2 if pipeline_parallel__rest != 0 else 0
                        pipeline_parallel__rest &= pipeline_parallel__rest - 1
                        data_parallel = int(maximum(1, (num_gpus // ((tensor_parallel * pipeline_parallel) * context_parallel))))
                        if not ((data_parallel * micro_batch_size) <= batch_sequences):
                            continue
                        if not ((data_parallel * ((tensor_parallel * pipeline_parallel) * context_parallel)) == num_gpus):
                            continue
                        if not (global_batch_size >= (data_parallel * micro_batch_size)):
                            continue
                        optimizer_shard_ranks = int((data_parallel * context_parallel))
                        if not ((expert_parallel == 1) or ((((data_parallel * context_parallel) % expert_parallel) == 0) and ((optimizer_shard_ranks % expert_parallel) == 0))):
                            continue
                        if not (((data_parallel * context_parallel) % optimizer_shard_ranks) == 0):
                            continue
                        micro_batches = float(maximum(1.0, ceil((global_batch_size / (data_parallel * micro_batch_size)))))
                        mean_stage_s = float((((num_layers * layer_s) + head_s) / pipeline_parallel))
                        balanced_passes_s = float((micro_batches * mean_stage_s))
                        if not balanced_passes_s < least:
                            continue
                        head_params_per_gpu__shared = (tied_embeddings and (pipeline_parallel == 1))
                        head_params_per_gpu__ends = (((lm_head_bias * vocab_size) + (final_norm * norm_params)) + (embedding_proj_dim * hidden_size))
                        head_params_per_gpu = int(((0 if head_params_per_gpu__shared else table_params_per_gpu) + head_params_per_gpu__ends))
                        first_stage_table_params = int((embedding_params_per_gpu + (head_params_per_gpu if (pipeline_parallel == 1) else 0)))
                        data_ranks = int((data_parallel * context_parallel))
                        data_domain_ranks = float(minimum((1.0 * data_ranks), maximum(1.0, (gpu_scaleup_domain / tensor_parallel))))
                        data_byte_per_s__beyond = minimum(scaleup_byte_per_s, (minimum(data_domain_ranks, collective_rails) * scaleout_byte_per_s))
                        data_byte_per_s = float((data_byte_per_s__beyond if (data_ranks > data_domain_ranks) else scaleup_byte_per_s))
                        data_ring_s__domains = (data_ranks / data_domain_ranks)
                        data_ring_s__hops = ((((data_domain_ranks - 1.0) * data_ring_s__domains) * scaleup_hop_s) + ((data_ring_s__domains - 1.0) * scaleout_hop_s))
                        data_ring_s = float(((collective_launch_s + data_ring_s__hops) if (data_ranks > 1) else 0.0))
                        shard_ranks = int(minimum(optimizer_shard_ranks, data_ranks))
                        shard_domain_ranks = float(minimum((1.0 * shard_ranks), maximum(1.0, (gpu_scaleup_domain / tensor_parallel))))
                        shard_byte_per_s__beyond = minimum(scaleup_byte_per_s, (minimum(shard_domain_ranks, collective_rails) * scaleout_byte_per_s))
                        shard_byte_per_s = float((shard_byte_per_s__beyond if (shard_ranks > shard_domain_ranks) else scaleup_byte_per_s))
                        shard_ring_s__domains = (shard_ranks / shard_domain_ranks)
                        shard_ring_s__hops = ((((shard_domain_ranks - 1.0) * shard_ring_s__domains) * scaleup_hop_s) + ((shard_ring_s__domains - 1.0) * scaleout_hop_s))
                        shard_ring_s = float(((collective_launch_s + shard_ring_s__hops) if (shard_ranks > 1) else 0.0))
                        for k in range(1, (most_pipeline_interleave if pipeline_parallel > 1 else 1) + 1):
                            pipeline_interleave = k
                            if not ((pipeline_interleave == 1) or ((num_layers % (pipeline_parallel * pipeline_interleave)) == 0)):
                                continue
                            if not ((pipeline_parallel == 1) or ((pipeline_parallel * pipeline_interleave) <= num_layers)):
                                continue
                            if not ((pipeline_interleave == 1) or (pipeline_parallel > 1)):
                                continue
                            stage_layers__runs = (pipeline_parallel * pipeline_interleave)
                            stage_layers = int(((((num_layers + stage_layers__runs) - 1) // stage_layers__runs) * pipeline_interleave))
                            later_stage_moe_layers__counted = minimum(num_moe_layers, (((stage_layers + moe_layer_period) - 1) // moe_layer_period))
                            later_stage_moe_layers = int((num_moe_layers if (pipeline_parallel == 1) else later_stage_moe_layers__counted))
                            slowest_stage_s__routed = ((later_stage_moe_layers * moe_layer_s) if (later_stage_moe_layers > 0) else 0.0)
                            slowest_stage_s__dense = (((stage_layers - later_stage_moe_layers) * dense_layer_s) if (later_stage_moe_layers < stage_layers) else 0.0)
                            slowest_stage_s__even = ((num_layers % (pipeline_parallel * pipeline_interleave)) == 0)
                            slowest_stage_s__last = ((slowest_stage_s__dense + slowest_stage_s__routed) + (head_s if slowest_stage_s__even else 0.0))
                            slowest_stage_s = float((mean_stage_s if (pipeline_parallel == 1) else maximum(slowest_stage_s__last, mean_stage_s)))
                            passes_s = float((micro_batches * slowest_stage_s))
                            if not passes_s < least:
                                continue
                            pipeline_bubble_s = float((((pipeline_parallel - 1.0) / pipeline_interleave) * mean_stage_s))
                            pipeline_transfer_s__sent = (((activation_tokens * hidden_size) * activation_element_bytes) / tensor_parallel)
                            pipeline_transfer_s__inside = ((pipeline_transfer_s__sent / scaleup_byte_per_s) + collective_launch_s)
                            pipeline_transfer_s__beyond = ((pipeline_transfer_s__sent / scaleout_byte_per_s) + scaleout_hop_s)
                            pipeline_transfer_s__each = (pipeline_transfer_s__beyond if (num_gpus > gpu_scaleup_domain) else pipeline_transfer_s__inside)
                            pipeline_transfer_s = float(((((2.0 * pipeline_interleave) * pipeline_transfer_s__each) * (1.0 - pipeline_overlap_share)) if (pipeline_parallel > 1) else 0.0))
                            pipeline_wait_s = float((pipeline_transfer_s * (micro_batches + ((pipeline_parallel - 1.0) / pipeline_interleave))))
                            pipelined_s = float(((passes_s + pipeline_bubble_s) + pipeline_wait_s))
                            if not pipelined_s < least:
                                continue
                            first_stage_moe_layers__dense = minimum(first_dense_layers, (stage_layers // pipeline_interleave))
                            first_stage_moe_layers__counted = minimum(num_moe_layers, ((stage_layers - first_stage_moe_layers__dense) // moe_layer_period))
                            first_stage_moe_layers = int((num_moe_layers if (pipeline_parallel == 1) else first_stage_moe_layers__counted))
                            first_stage_in_flight__plain = (1.0 * pipeline_parallel)
                            first_stage_in_flight__interleaved = (first_stage_in_flight__plain + ((pipeline_parallel - 1) / pipeline_interleave))
                            first_stage_in_flight = float(minimum(micro_batches, (first_stage_in_flight__plain if (pipeline_interleave == 1) else first_stage_in_flight__interleaved)))
                            second_stage_in_flight__plain = maximum(1.0, (pipeline_parallel - 1.0))
                            second_stage_in_flight__interleaved = maximum(1.0, (pipeline_parallel + ((pipeline_parallel - 3) / pipeline_interleave)))
                            second_stage_in_flight = float(minimum(micro_batches, (second_stage_in_flight__plain if (pipeline_interleave == 1) else second_stage_in_flight__interleaved)))
                            last_stage_in_flight__interleaved = (pipeline_parallel - ((pipeline_parallel - 1) / pipeline_interleave))
                            last_stage_in_flight = float(minimum(micro_batches, (1.0 if (pipeline_interleave == 1) else last_stage_in_flight__interleaved)))
                            first_stage_activation_bytes__dense = ((stage_layers - first_stage_moe_layers) * dense_layer_activation_bytes_per_token)
                            first_stage_activation_bytes = float(((activation_tokens * first_stage_in_flight) * (first_stage_activation_bytes__dense + (first_stage_moe_layers * moe_layer_activation_bytes_per_token))))
                            later_stage_activation_bytes__dense = ((stage_layers - later_stage_moe_layers) * dense_layer_activation_bytes_per_token)
                            later_stage_activation_bytes = float((activation_tokens * (later_stage_activation_bytes__dense + (later_stage_moe_layers * moe_layer_activation_bytes_per_token))))
                            first_stage_params__dense = ((stage_layers - first_stage_moe_layers) * dense_layer_params_per_gpu)
                            first_stage_params = float((first_stage_params__dense + (first_stage_moe_layers * moe_layer_params_per_gpu)))
                            later_stage_params__dense = ((stage_layers - later_stage_moe_layers) * dense_layer_params_per_gpu)
                            later_stage_params = float((later_stage_params__dense + (later_stage_moe_layers * moe_layer_params_per_gpu)))
                            stepped_params_per_gpu = float((first_stage_params + first_stage_table_params))
                            stepped_expert_params_per_gpu = float((later_stage_moe_layers * expert_params_per_gpu))
                            gather_exchange_bytes__others = ((shard_ranks - 1.0) / shard_ranks)
                            gather_exchange_bytes__expert_others = maximum(0.0, (1.0 - (expert_parallel / shard_ranks)))
                            gather_exchange_bytes__every = ((stepped_params_per_gpu * gather_exchange_bytes__others) + (stepped_expert_params_per_gpu * gather_exchange_bytes__expert_others))
                            gather_exchange_bytes = float(((gather_exchange_bytes__every * 3.0) * weight_bytes_per_param))
                            copies_exchange_bytes__copies = (data_ranks / shard_ranks)
                            copies_exchange_bytes__held = ((stepped_params_per_gpu + stepped_expert_params_per_gpu) / shard_ranks)
                            copies_exchange_bytes = float(((((2.0 * (copies_exchange_bytes__copies - 1.0)) / copies_exchange_bytes__copies) * copies_exchange_bytes__held) * weight_bytes_per_param))
                            for k in range(most_zero_stage + 1):
                                zero_stage = k
                                whole_bytes_per_param__weight = (weight_bytes_per_param if (zero_stage < 3) else 0.0)
                                whole_bytes_per_param__gradient = (gradient_bytes_per_param if (zero_stage < 2) else 0.0)
                                whole_bytes_per_param = float(((whole_bytes_per_param__weight + whole_bytes_per_param__gradient) + ((master_bytes_per_param + state_bytes_per_param) if (zero_stage < 1) else 0.0)))
                                table_whole_bytes_per_param__more = (table_state_bytes_per_param - state_bytes_per_param)
                                table_whole_bytes_per_param = float((whole_bytes_per_param + (table_whole_bytes_per_param__more if (zero_stage < 1) else 0.0)))
                                gathered_bytes_per_param__weights = ((gathered_layers * weight_bytes_per_param) if (zero_stage == 3) else 0.0)
                                gathered_bytes_per_param = float((gathered_bytes_per_param__weights + (weight_bytes_per_param if (zero_stage > 1) else 0.0)))
                                layer_working_bytes__dense = (dense_layer_params_per_gpu if (num_moe_layers < num_layers) else 0.0)
                                layer_working_bytes__routed = ((moe_layer_params_per_gpu + expert_params_per_gpu) if (num_moe_layers > 0) else 0.0)
                                layer_working_bytes = float(((activation_tokens * (backward_bytes_per_token + recomputed_bytes_per_token)) + (gathered_bytes_per_param * maximum(layer_working_bytes__dense, layer_working_bytes__routed))))
                                head_working_bytes__weights = ((minimum(1, gathered_layers) * weight_bytes_per_param) if (zero_stage == 3) else 0.0)
                                head_working_bytes__whole = (head_working_bytes__weights + (weight_bytes_per_param if (zero_stage > 1) else 0.0))
                                head_working_bytes__stand_in = (stand_in_gradients * activation_element_bytes)
                                head_working_bytes = float((((activation_tokens * activation_element_bytes) * hidden_size) + (table_params_per_gpu * (head_working_bytes__whole + head_working_bytes__stand_in))))
                                head_stage_working_bytes = float(((framework_buffer_bytes + stand_in_bytes) + maximum(layer_working_bytes, (head_bytes + head_working_bytes))))
                                body_stage_working_bytes = float(((framework_buffer_bytes + stand_in_bytes) + layer_working_bytes))
                                first_stage_whole_bytes__layers = (whole_bytes_per_param * (first_stage_params + (first_stage_moe_layers * expert_params_per_gpu)))
                                first_stage_whole_bytes__working = (head_stage_working_bytes if (pipeline_parallel == 1) else body_stage_working_bytes)
                                first_stage_whole_bytes = float((((first_stage_whole_bytes__layers + (table_whole_bytes_per_param * first_stage_table_params)) + first_stage_activation_bytes) + first_stage_whole_bytes__working))
                                shared_bytes_per_param__every = (((weight_bytes_per_param + gradient_bytes_per_param) + master_bytes_per_param) + state_bytes_per_param)
                                shared_bytes_per_param = float((shared_bytes_per_param__every - whole_bytes_per_param))
                                table_shared_bytes_per_param__more = (table_state_bytes_per_param - state_bytes_per_param)
                                table_shared_bytes_per_param = float((shared_bytes_per_param + (0.0 if (zero_stage < 1) else table_shared_bytes_per_param__more)))
                                first_stage_shared_bytes__experts = ((first_stage_moe_layers * expert_params_per_gpu) * expert_parallel)
                                first_stage_shared_bytes = float(((shared_bytes_per_param * (first_stage_params + first_stage_shared_bytes__experts)) + (table_shared_bytes_per_param * first_stage_table_params)))
                                second_stage_whole_bytes__layers = (whole_bytes_per_param * (later_stage_params + (later_stage_moe_layers * expert_params_per_gpu)))
                                second_stage_whole_bytes__held = ((second_stage_whole_bytes__layers + (later_stage_activation_bytes * second_stage_in_flight)) + body_stage_working_bytes)
                                second_stage_whole_bytes = float((second_stage_whole_bytes__held if (pipeline_parallel > 2) else 0.0))
                                later_stage_shared_bytes__experts = ((later_stage_moe_layers * expert_params_per_gpu) * expert_parallel)
                                later_stage_shared_bytes = float(((shared_bytes_per_param * (later_stage_params + later_stage_shared_bytes__experts)) if (pipeline_parallel > 1) else 0.0))
                                last_stage_whole_bytes__layers = (whole_bytes_per_param * (later_stage_params + (later_stage_moe_layers * expert_params_per_gpu)))
                                last_stage_whole_bytes__activations = (later_stage_activation_bytes * last_stage_in_flight)
                                last_stage_whole_bytes__held = (((last_stage_whole_bytes__layers + (table_whole_bytes_per_param * head_params_per_gpu)) + last_stage_whole_bytes__activations) + head_stage_working_bytes)
                                last_stage_whole_bytes = float((last_stage_whole_bytes__held if (pipeline_parallel > 1) else 0.0))
                                last_stage_shared_bytes__head = (table_shared_bytes_per_param * head_params_per_gpu)
                                last_stage_shared_bytes = float((later_stage_shared_bytes + (last_stage_shared_bytes__head if (pipeline_parallel > 1) else 0.0)))
                                train_largest_stage__first = (first_stage_whole_bytes + (first_stage_shared_bytes / optimizer_shard_ranks))
                                train_largest_stage__second = (second_stage_whole_bytes + (later_stage_shared_bytes / optimizer_shard_ranks))
                                train_largest_stage__last = (last_stage_whole_bytes + (last_stage_shared_bytes / optimizer_shard_ranks))
                                train_largest_stage__inner = (train_largest_stage__second if (pipeline_parallel > 2) else 0.0)
                                train_largest_stage__most = maximum(maximum(train_largest_stage__first, train_largest_stage__inner), train_largest_stage__last)
                                train_largest_stage = float(((1.0 if (train_largest_stage__first == train_largest_stage__most) else (2.0 if (train_largest_stage__inner == train_largest_stage__most) else 3.0)) + (0.0 * train_largest_stage__most)))
                                largest_stage_params__chosen = (first_stage_params if (train_largest_stage == 1) else later_stage_params)
                                largest_stage_params = float((largest_stage_params__chosen + (0.0 * train_largest_stage)))
                                largest_stage_expert_params__layers = (first_stage_moe_layers if (train_largest_stage == 1) else later_stage_moe_layers)
                                largest_stage_expert_params = float(((largest_stage_expert_params__layers * expert_params_per_gpu) + (0.0 * train_largest_stage)))
                                largest_stage_table_params__last = (head_params_per_gpu if (train_largest_stage == 3) else 0)
                                largest_stage_table_params = float(((first_stage_table_params if (train_largest_stage == 1) else largest_stage_table_params__last) + (0.0 * train_largest_stage)))
                                held_params_per_gpu = float(((largest_stage_params + largest_stage_expert_params) + largest_stage_table_params))
                                train_weight_bytes__shared = (held_params_per_gpu + ((expert_parallel - 1) * largest_stage_expert_params))
                                train_weight_bytes = float((weight_bytes_per_param * ((train_weight_bytes__shared / optimizer_shard_ranks) if (zero_stage == 3) else held_params_per_gpu)))
                                gradient_bytes__shared = (held_params_per_gpu + ((expert_parallel - 1) * largest_stage_expert_params))
                                gradient_bytes = float((gradient_bytes_per_param * ((gradient_bytes__shared / optimizer_shard_ranks) if (zero_stage > 1) else held_params_per_gpu)))
                                optimizer_bytes__tables = ((table_state_bytes_per_param - state_bytes_per_param) * largest_stage_table_params)
                                optimizer_bytes__shared = (held_params_per_gpu + ((expert_parallel - 1) * largest_stage_expert_params))
                                optimizer_bytes__every = (master_bytes_per_param + state_bytes_per_param)
                                optimizer_bytes = float(((((optimizer_bytes__every * optimizer_bytes__shared) + optimizer_bytes__tables) / optimizer_shard_ranks) if (zero_stage > 0) else ((optimizer_bytes__every * held_params_per_gpu) + optimizer_bytes__tables)))
                                activation_bytes__in_flight = (second_stage_in_flight if (train_largest_stage == 2) else last_stage_in_flight)
                                activation_bytes__later = (later_stage_activation_bytes * activation_bytes__in_flight)
                                activation_bytes = float(((first_stage_activation_bytes if (train_largest_stage == 1) else activation_bytes__later) + (0.0 * train_largest_stage)))
                                train_logits_bytes__ends = ((pipeline_parallel == 1) or (train_largest_stage == 3))
                                train_logits_bytes = float(((head_bytes if train_logits_bytes__ends else 0.0) + (0.0 * train_largest_stage)))
                                train_workspace_bytes__ends = ((pipeline_parallel == 1) or (train_largest_stage == 3))
                                train_workspace_bytes__beyond = maximum(0.0, (head_stage_working_bytes - head_bytes))
                                train_workspace_bytes = float(((train_workspace_bytes__beyond if train_workspace_bytes__ends else body_stage_working_bytes) + (0.0 * train_largest_stage)))
                                train_bytes_per_gpu__states = ((train_weight_bytes + gradient_bytes) + optimizer_bytes)
                                train_bytes_per_gpu = float((((train_bytes_per_gpu__states + activation_bytes) + train_logits_bytes) + train_workspace_bytes))
                                train_fits = int((train_bytes_per_gpu <= gpu_usable_bytes))
                                if not train_fits:
                                    continue
                                gradient_rounds = float((micro_batches if (zero_stage == 2) else 1.0))
                                gradient_exchange_bytes__others = ((data_ranks - 1.0) / data_ranks)
                                gradient_exchange_bytes__expert_others = maximum(0.0, (1.0 - (expert_parallel / data_ranks)))
                                gradient_exchange_bytes__every = ((stepped_params_per_gpu * gradient_exchange_bytes__others) + (stepped_expert_params_per_gpu * gradient_exchange_bytes__expert_others))
                                gradient_exchange_bytes__back = (gradient_bytes_per_param if (zero_stage == 0) else weight_bytes_per_param)
                                gradient_exchange_bytes = float((gradient_exchange_bytes__every * ((gradient_rounds * gradient_bytes_per_param) + gradient_exchange_bytes__back)))
                                data_exchange_s__once = ((gradient_exchange_bytes / data_byte_per_s) + ((gradient_rounds + 1.0) * data_ring_s))
                                data_exchange_s__each = ((gather_exchange_bytes / shard_byte_per_s) + ((3.0 * stage_layers) * shard_ring_s))
                                data_exchange_s__every = ((micro_batches * data_exchange_s__each) if (zero_stage == 3) else data_exchange_s__once)
                                data_exchange_s = float((data_exchange_s__every if (data_ranks > 1) else 0.0))
                                data_wait_s__passes = (slowest_stage_s * (micro_batches if (zero_stage > 1) else 1.0))
                                data_wait_s = float(maximum((data_exchange_s * (1.0 - data_overlap_share)), (data_exchange_s - (data_overlap_share * data_wait_s__passes))))
                                copies_exchange_s__each = ((copies_exchange_bytes / scaleout_byte_per_s) if (copies_exchange_bytes > 0.0) else 0.0)
                                copies_exchange_s = float((copies_exchange_s__each if (zero_stage == 3) else 0.0))
                                copies_wait_s__share = maximum(data_overlap_share, copies_overlap_share)
                                copies_wait_s = float(maximum((copies_exchange_s * (1.0 - copies_wait_s__share)), (copies_exchange_s - (copies_wait_s__share * slowest_stage_s))))
                                own_params_per_gpu__ranks = (optimizer_shard_ranks if (zero_stage > 0) else 1)
                                own_params_per_gpu__expert_ranks = (maximum(1.0, (optimizer_shard_ranks / expert_parallel)) if (zero_stage > 0) else 1.0)
                                own_params_per_gpu = float(((stepped_params_per_gpu / own_params_per_gpu__ranks) + (stepped_expert_params_per_gpu / own_params_per_gpu__expert_ranks)))
                                host_step_s = float(((own_params_per_gpu * host_bytes_per_param) / host_byte_per_s))
                                optimizer_step_s__cleared = (own_params_per_gpu if (zero_stage > 1) else (stepped_params_per_gpu + stepped_expert_params_per_gpu))
                                optimizer_step_s__states = (((3.0 * master_bytes_per_param) + (2.0 * state_bytes_per_param)) + weight_bytes_per_param)
                                optimizer_step_s__moved = ((own_params_per_gpu * ((4.0 * gradient_bytes_per_param) + optimizer_step_s__states)) + (optimizer_step_s__cleared * gradient_bytes_per_param))
                                optimizer_step_s = float((optimizer_step_s__moved / elementwise_byte_per_s))
                                train_step_s = float(((((pipelined_s + data_wait_s) + copies_wait_s) + optimizer_step_s) + host_step_s))
                                if train_step_s < least:
                                    least = train_step_s
                                    found = float((tensor_parallel + (1024 * (context_parallel + (1024 * (expert_parallel + (1024 * (pipeline_parallel + (1024 * (pipeline_interleave + (128 * (log2(micro_batch_size) + (16 * zero_stage)))))))))))))
    return found
