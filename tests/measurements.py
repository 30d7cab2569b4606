"""Measurements for the tests that meet them: a row of each kind, what is shipped, and what we say of it."""

from collections.abc import Mapping
from functools import cache

import polars as pl
from click.testing import CliRunner, Result

from sweep.cli import cli
from sweep.resources import resource_dir
from sweep.validate_measured import Comparison, validate_measured

# meta-llama/Llama-2-7b-hf and Meta-Llama-3.1-8B: parameters of the released checkpoints; 32 layers of both
LLAMA_2_7B = 6_738_415_616
LLAMA_31_8B = 8_030_261_248
SHAPE = {
    "hidden_size": 4096, "num_layers": 32, "num_heads": 32, "num_kv_heads": 32, "head_dim": 128, "ffn_size": 11008,
    "attention_kind": "gqa", "ffn_gated": 1, "vocab_size": 32000, "tied_embeddings": 0,
}  # fmt: skip
NAMED = {"id": "mine", "source_group": "me", "model": "some-model", **SHAPE, "gpu": "a100_sxm_80"}
DECODE = NAMED | {
    "scope": "decode", "num_gpus": 1, "weight_precision": "bf16", "kv_precision": "kv_bf16", "tensor_parallel": 1,
    "batch_size": 1, "context_tokens": 105, "tpot_ms": 10, "printed": "tpot_ms",
}  # fmt: skip
TRAIN = NAMED | {
    "scope": "iteration", "num_gpus": 8, "train_precision": "bf16", "sequence_length": 4096, "global_batch_size": 16,
    "iteration_s": 10, "printed": "iteration_s",
}  # fmt: skip


def table(*rows: Mapping[str, object]) -> pl.DataFrame:
    """Rows as a CSV is read: text, an empty cell where a row says nothing."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = {name: [None if row.get(name) is None else str(row[name]) for row in rows] for name in names}
    return pl.DataFrame(cells, schema=dict.fromkeys(names, pl.String))


def shipped(kind: str) -> pl.DataFrame:
    """The measurements that are handed on."""
    return pl.read_csv(resource_dir("data") / f"measurements_{kind}.csv", infer_schema=False)


def validate(*arguments: str) -> Result:
    """What the command says."""
    return CliRunner().invoke(cli, ["validate", *arguments], catch_exceptions=False, standalone_mode=False)


@cache
def compared(kind: str) -> Comparison:
    """The shipped measurements beside what predicts them."""
    return validate_measured(shipped(kind), kind)
