"""Prefills, steps, requests and throughput of a serving measurement, from prefill_s and decode_step_s."""

from __future__ import annotations

from dataclasses import replace

from sweep.measured import Ask, Design, Figure, NotEvaluated, Row
from sweep.replica import Replica, served, whole

WITHOUT_LENGTHS = 256  # assumed: tokens of a short prompt and its answer, where one request's decoding prints no length
SMALLEST_KV = "kv_fp8_e4m3"  # what a cache of unknown format takes at least, where a bound is wanted


def decode(row: Row, figure: Figure, field: str) -> Figure:
    """A step of the batch; in a closed loop, a share of the prefills of the others, which come between its steps."""
    replica = Replica(row)
    batch = replica.batch(row)
    asks = [Ask("decode_step_s", _step(row, batch), replica.stage_gpus)]
    share = 0.0
    if row.text("scope") == "serving" and batch > 1:
        asks.append(_prompt(row, row.amount("input_tokens"), batch, replica.stage_gpus))
        share = (1.0 - 1.0 / batch) / row.amount("output_tokens")  # as time_per_output_token_s has it
    return replace(
        figure,
        measured=figure.measured / 1e3 if field == "tpot_ms" else 1.0 / figure.measured,
        asks=tuple(asks),
        predicted=lambda step, prefill=0.0: step + share * prefill,
        floor_asks=_floor(row, batch, replica),
        floor=lambda *found: _floor_s(replica, *found),
    )


def prefill(row: Row, figure: Figure, field: str) -> Figure:
    """The prompts of the batch that starts together.

    In a closed loop a request waits for a share of the others' prompts, as the engine schedules them.
    """
    replica = Replica(row)
    if field == "ttft_ms":
        length, seconds, batch = row.amount("input_tokens"), figure.measured / 1e3, replica.batch(row)
    else:
        length, batch = row.first("prefill_tokens", "input_tokens"), 1
        seconds = length / figure.measured
    first = _prompt(row, length, batch, replica.stage_gpus)
    if row.text("scope") == "serving":
        asks = (_prompt(row, length, 1, replica.stage_gpus), first, Ask("engine_queue_share", first.design))
        return replace(
            figure, measured=seconds, asks=asks, predicted=lambda one, all_, share: one + share * (all_ - one)
        )
    asks = (first, Ask("engine_chunk_tokens", first.design), Ask("engine_pipeline_overlap", first.design))
    return replace(
        figure,
        measured=seconds,
        asks=asks,
        predicted=lambda whole_, chunk, overlap: whole_ * _overlapped(replica.stages, batch * length, chunk, overlap),
    )


def _overlapped(stages: float, tokens: float, chunk: float, overlap: float) -> float:
    """Share of a prefill's time that is left where stages work on its chunks one behind the other."""
    chunks = max(1.0, -(-tokens // chunk))
    return 1.0 - overlap * (1.0 - (chunks + stages - 1.0) / (chunks * stages))


def request(row: Row, figure: Figure, _: str) -> Figure:
    """A prefill, then a step for every further token."""
    replica = Replica(row)
    batch, steps = replica.batch(row), _steps(row)
    first = _prompt(row, row.amount("input_tokens"), batch, replica.stage_gpus)
    return replace(
        figure,
        asks=(first, Ask("decode_step_s", _step(row, batch), replica.stage_gpus)),
        predicted=lambda prefill, step: prefill + steps * step,
        floor_asks=_floor(row, batch, replica),
        floor=lambda *found: steps * _floor_s(replica, *found),
    )


def throughput(row: Row, figure: Figure, field: str) -> Figure:
    """Seconds a token of the whole system: every replica reads and decodes a batch, then the next.

    The stages of a pipeline all work at once, each on its share of the batch.
    """
    replica = Replica(row)
    batch, steps = replica.batch(row), _steps(row)
    share = max(1, round(batch / replica.stages))
    every = replica.count * batch * row.amount("output_tokens")
    rate = figure.measured * (row.amount("num_gpus") if field.endswith("per_gpu") else 1.0)
    first = _prompt(row, row.amount("input_tokens"), share, replica.stage_gpus)
    return replace(
        figure,
        measured=1.0 / rate,
        asks=(first, Ask("decode_step_s", _step(row, share), replica.stage_gpus)),
        predicted=lambda prefill, step: (prefill + steps * step) / every,
        floor_asks=_floor(row, batch, replica),
        floor=lambda weights, cache, rate: steps * (weights + cache) / (replica.gpus * rate * every),
    )


def without_lengths(row: Row) -> bool:
    """Whether a row of decoding says nothing of how long its sequences are."""
    return not any(row.text(name) for name in ("context_tokens", "input_tokens", "output_tokens"))


def _prompt(row: Row, length: float, batch: int, gpus: int) -> Ask:
    """A batch of prompts to be read, nothing generated yet."""
    shape: Design = {"context_tokens": max(1, round(length)), "output_token_share": 0.0, "batch_size": batch}
    return Ask("prefill_s", served(row) | shape, gpus)


def _step(row: Row, batch: int) -> Design:
    """A batch that decodes, every sequence at the context it has on average while its answer grows."""
    if row.text("context_tokens"):
        context = row.amount("context_tokens")
    elif row.text("scope") == "decode" and without_lengths(row):
        context = WITHOUT_LENGTHS
    else:
        start = row.number_of("input_tokens")
        if start is None:
            raise NotEvaluated("input_tokens is not known")
        context = start + (row.number_of("output_tokens") or 0.0) / 2.0
    return served(row) | {"context_tokens": whole(max(1.0, round(context)), "input_tokens"), "batch_size": batch}


def _steps(row: Row) -> float:
    """Steps of a request: its first token comes from the prefill."""
    return row.amount("output_tokens") - 1.0


def _floor(row: Row, batch: int, replica: Replica) -> tuple[Ask, ...]:
    """What bounds a step from below: bytes at the full bandwidth of all GPUs that hold them."""
    design = _step(row, batch)
    if not row.text("kv_precision"):
        design["kv_precision"] = SMALLEST_KV
    metrics = ("decode_weight_bytes", "decode_cache_bytes", "gpu_memory_byte_per_s")
    return tuple(Ask(metric, design, replica.gpus) for metric in metrics)


def _floor_s(replica: Replica, weights: float, cache: float, byte_per_s: float) -> float:
    """One batch meets the weights of one stage after another; its cache may be read by all stages at once."""
    return weights / (replica.stage_gpus * byte_per_s) + cache / (replica.gpus * byte_per_s)
