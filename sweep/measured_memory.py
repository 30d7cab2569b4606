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
    """What the engine's share of a device leaves beside a rank's weights, activations and what the engine takes."""
    design, replica = _with_share(row), Replica(row)
    metrics = ("gpu_memory_bytes", "gpu_usable_memory_share", "weight_bytes")
    return replace(
        figure,
        asks=(*(Ask(metric, design) for metric in metrics), *_taken(row)),
        predicted=lambda memory, share, whole, activation, overhead: (
            (memory * share - whole / replica.ranks - activation - overhead) / GIB
        ),
    )


def activations(row: Row, figure: Figure, _: str) -> Figure:
    """What a rank sets aside for its widest pass."""
    return replace(figure, asks=_taken(row)[:1], predicted=lambda held: held / GIB)


def overhead(row: Row, figure: Figure, _: str) -> Figure:
    """What the engine takes on a GPU beside; stages of a pipeline share no layer, so their buffers are small."""
    return replace(figure, asks=_taken(row)[1:], predicted=lambda held: held / GIB)


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
    """Weights and cache of one GPU, and what is set aside on it."""
    replica = Replica(row)
    design = served(row) | {"context_tokens": tokens(row), "batch_size": replica.batch(row)}
    return replace(
        figure,
        asks=(Ask("serve_bytes", design), *_taken(row, design)),
        predicted=lambda held, activation, overhead: (held / replica.gpus + activation + overhead) / GIB,
    )


def _taken(row: Row, design: Design | None = None) -> tuple[Ask, Ask]:
    """Activations, and what the engine takes beside, on one GPU of those that share a layer."""
    of = served(row) if design is None else design
    shared = max(1, round(Replica(row).tensor))
    return Ask("serve_activation_bytes", of, shared), Ask("engine_overhead_bytes", of, shared)


def _with_share(row: Row) -> Design:
    """The device as the engine sees it, and the share of it that the engine may take."""
    design = served(row)
    if row.text("gpu_memory_total_gib"):
        design["gpu_memory_bytes"] = row.amount("gpu_memory_total_gib") * GIB
    if row.text("gpu_memory_utilization"):
        design["gpu_usable_memory_share"] = row.amount("gpu_memory_utilization")
    return design
