"""Weights, cache and peak memory of a serving measurement, in GiB of one rank where an engine says so."""

from __future__ import annotations

from dataclasses import replace

from sweep.measured import Ask, Design, Figure, Row
from sweep.replica import Replica, served, tokens

GIB = 2.0**30


def weights(row: Row, figure: Figure, _: str) -> Figure:
    """Weights of one rank in an engine's log; elsewhere, a file with all of them."""
    parts = Replica(row).ranks if row.text("scope") == "memory" else 1.0
    return replace(figure, asks=(Ask("weight_bytes", served(row)),), predicted=lambda whole: whole / parts / GIB)


def pool(row: Row, figure: Figure, _: str) -> Figure:
    """What the engine's share of a device leaves beside a rank's weights and what is set aside."""
    design, parts = _with_share(row), Replica(row).ranks
    return replace(
        figure,
        asks=(Ask("gpu_usable_bytes", design), Ask("weight_bytes", design)),
        predicted=lambda usable, whole: (usable - whole / parts) / GIB,
    )


def pool_tokens(row: Row, figure: Figure, _: str) -> Figure:
    """Tokens in a pool of the size the row says, so that this is the bytes of a token and not the pool again."""
    row.known("kv_precision")
    replica, held = Replica(row), row.amount("kv_pool_gib") * GIB
    heads = row.number_of("num_kv_heads") or 1.0
    # ranks past the number of heads hold copies; all ranks hold the latents of mla
    parts = replica.stages * (1.0 if row.text("attention_kind") == "mla" else min(replica.tensor, heads))
    asks = (Ask("kv_cache_bytes_per_token", served(row)),)
    return replace(figure, asks=asks, predicted=lambda each: held / (each / parts))


def peak(row: Row, figure: Figure, _: str) -> Figure:
    """Weights and cache of one GPU and what is set aside on it."""
    replica = Replica(row)
    design = served(row) | {"context_tokens": tokens(row), "batch_size": replica.batch(row)}
    return replace(
        figure,
        asks=(Ask("serve_bytes", design), Ask("gpu_reserved_bytes", design)),
        predicted=lambda held, reserved: (held / replica.gpus + reserved) / GIB,
    )


def _with_share(row: Row) -> Design:
    """The device as the engine sees it, and the share of it that the engine may take."""
    design = served(row)
    if row.text("gpu_memory_total_gib"):
        design["gpu_memory_bytes"] = row.amount("gpu_memory_total_gib") * GIB
    if row.text("gpu_memory_utilization"):
        design["gpu_usable_memory_share"] = row.amount("gpu_memory_utilization")
    return design
