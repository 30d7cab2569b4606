"""How far training memory is from published measurements: every row that prints one, group by group.

`python -m tests.training_errors MEASUREMENTS.csv MODELS.csv [MODELS.csv ...] [--rows]` prints rows, rows covered, and
the median, 90th percentile and bias of the error in percent. A row names its model, whose shape stands in one of the
files; its layout is in the columns of the inputs. What a group's framework keeps is a row of data/train_frameworks.csv,
what its optimizer holds one of data/optimizers.csv; which of three figures is compared follows from memory_kind: what
tensors hold, what the allocator reserves, what the driver shows.
"""

import argparse
import csv
import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kernels.evaluate import evaluate
from kernels.model import GRAPH
from sweep.catalogue import MODEL_SETS
from sweep.errors import SpecError
from sweep.resolve import single

GIB = 2.0**30
Row = Mapping[str, str]
LAYOUT = (
    *("tensor_parallel", "pipeline_parallel", "pipeline_interleave", "data_parallel", "context_parallel"),
    *("expert_parallel", "zero_stage", "optimizer_shard_ranks", "sequence_parallel", "recompute"),
    *("micro_batch_size", "global_batch_size", "sequence_length", "num_gpus"),
)
NEEDED = ("tensor_parallel", "pipeline_parallel", "micro_batch_size", "num_gpus", "recompute")


@dataclass(frozen=True)
class Setup:
    """What the runs of a group have in common: records, further inputs, and the figure their memory is."""

    framework: str
    optimizer: str
    metric: str
    more: Mapping[str, str | float] = field(default_factory=dict)


TENSORS, RESERVED, DEVICE = "train_bytes_per_gpu", "train_reserved_bytes_per_gpu", "train_device_bytes_per_gpu"
GPT = {"dropout": 1, "flash_attention": 0}
SETUPS = {
    "simumax-b200": Setup("megatron_te", "adam_18", TENSORS),
    "torchtitan": Setup("torchtitan", "adam_fp32", RESERVED),
    "nanotron": Setup("nanotron", "adam_20_whole", RESERVED),
    "bigscience-a100": Setup("deepspeed", "adam_20", DEVICE, GPT),
    "bigscience-v100": Setup("deepspeed", "adam_20", DEVICE, GPT),
    "internevo-memory": Setup("tensors_only", "adam_32_step", RESERVED),
    "stas-upgrade": Setup("deepspeed_liger", "adam_20", RESERVED),
    "korthikanti-fig1-formula": Setup("tensors_only", "adam_18", "activation_bytes", GPT),
    "primus-mi355x": Setup("megatron_te", "adam_18", DEVICE),
}
# what single rows of a group do otherwise, by words in their precision and notes
OTHERWISE = {
    "bigscience-a100": {"bf16": {"optimizer": "adam_20_whole"}},
    "torchtitan": {
        "eager": {"train_framework": "torchtitan_eager"},
        "from the 8B config file": {"train_framework": "torchtitan_compiled_loss"},
    },
    "stas-upgrade": {"CPU optimizer offload": {"optimizer": "adam_offloaded"}},
}


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def printed(row: Row) -> float:
    """GiB that the row prints, nan when it prints none."""
    cell = row["peak_memory_gib"] or row["activation_memory_gib"]
    return float(cell) if cell else math.nan


def design(row: Row, shape: Row, setup: Setup) -> dict[str, str]:
    """The row as inputs: shape, layout, records; an empty cell is left to its default."""
    found = {name: shape[name] for name in MODEL_SETS if shape.get(name)}
    found |= {name: row[name] for name in LAYOUT if row.get(name)}
    if found.get("sequence_parallel") == "1" and found.get("tensor_parallel", "1") == "1":
        found["sequence_parallel"] = "0"
    found |= {"optimizer": setup.optimizer, "train_framework": setup.framework}
    for said, records in OTHERWISE.get(row["source_group"], {}).items():
        if said in f"{row['train_precision']}; {row['notes']}":
            found |= records
    return found | {name: str(value) for name, value in dict(setup.more).items()}


def predicted(row: Row, shape: Row, setup: Setup) -> float:
    """GiB as we have it, nan where the row does not say enough."""
    if not all(row.get(name) for name in NEEDED):
        return math.nan
    try:
        space = single(design(row, shape, setup))
    except SpecError as problem:
        print(f"# {row['id']}: {problem}")
        return math.nan
    return float(evaluate(GRAPH, [setup.metric], space.fixed)[setup.metric]) / GIB


def shown(group: str, rows: int, errors: list[float]) -> str:
    if not errors:
        return f"{group:28} {rows:5} {0:8}"
    spread = sorted(abs(e) for e in errors)
    late = spread[min(len(spread) - 1, math.ceil(0.9 * len(spread)) - 1)]
    figures = (statistics.median(spread), late, statistics.mean(errors))
    return f"{group:28} {rows:5} {len(errors):8} {figures[0]:8.2f} {figures[1]:8.2f} {figures[2]:+8.2f}"


def report(rows: Iterable[Row], shapes: Mapping[str, Row], every: bool) -> dict[str, list[float]]:
    """Percent errors of the rows covered, by group; prints the table, and every row when asked."""
    errors: dict[str, list[float]] = defaultdict(list)
    counted: dict[str, int] = defaultdict(int)
    for row in rows:
        target = printed(row)
        if math.isnan(target):
            continue
        group = row["source_group"]
        counted[group] += 1
        ours = predicted(row, shapes[row["model"]], SETUPS[group]) if group in SETUPS else math.nan
        if not math.isnan(ours):
            errors[group].append(100.0 * (ours / target - 1.0))
            if every:
                layout = " ".join(f"{name[:1]}{row[name]}" for name in LAYOUT[:7] if row[name])
                step = f"s{row['sequence_length']} b{row['micro_batch_size']} {row['recompute']}"
                figures = f"{target:8.2f} {ours:8.2f} {errors[group][-1]:+7.2f} %"
                print(f"  {row['id']:28} {row['model']:24} {layout:24} {step:20} {figures}")
    print(f"{'group':28} {'rows':>5} {'covered':>8} {'median':>8} {'p90':>8} {'bias':>8}")
    for group, count in counted.items():
        print(shown(group, count, errors[group]))
    measured = [e for group, found in errors.items() if "formula" not in group for e in found]
    print(shown("all measured", sum(n for g, n in counted.items() if "formula" not in g), measured))
    return errors


def main() -> None:
    """Compare, and say how far ours are."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("measurements", type=Path)
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("--rows", action="store_true", help="print every row")
    given = parser.parse_args()
    shapes = {row["model"]: row for path in given.models for row in read(path)}
    report(read(given.measurements), shapes, given.rows)


if __name__ == "__main__":
    main()
