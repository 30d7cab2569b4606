"""What a training measurement says of its run beyond columns that are inputs: framework, kernels, network, overlap.

Each follows from words of the row; where runs of one source have something in common that no column says, the source
stands here.
"""

from __future__ import annotations

import math
import re
from dataclasses import replace

from sweep import catalogue
from sweep.measured import Design, Row

# Records of data/train_frameworks.csv by words of the column framework; the first that fits.
FRAMEWORKS = {
    "DeepSpeed ZeRO-3": "deepspeed",
    "Liger": "deepspeed_liger",
    "composer": "composer_fsdp",
    "torchtitan": "torchtitan",
    "nanotron": "nanotron",
    "InternEvo": "internevo",
    "PyTorch FSDP": "fsdp_compiled",
    "nanoGPT": "fsdp_compiled",
    "MaxText": "maxtext",
    "TE 2": "megatron_te",
    "Bridge": "megatron_te",
    "NeMo Megatron": "",  # before Transformer Engine
    "NeMo": "megatron_te",
    "Megatron-Core": "megatron_te",
    "Primus": "megatron_te",
}
# NVIDIA/Megatron-LM, README.md: FP8 through Transformer Engine; there is no other way to it.
TRANSFORMER_ENGINE = ("fp8_training", "mxfp8", "mxfp4", "nvfp4")
DEEPSPEED_PIPELINES = ("bigscience-a100", "bigscience-v100", "mt-nlg")  # Megatron's model in DeepSpeed's own schedule
MEGATRON = ("Megatron", "NeMo", "Primus")
# Records of data/optimizers.csv by words of the column framework, where memory is compared; the first that fits.
OPTIMIZERS = {
    "DeepSpeed": "adam_20",
    "torchtitan": "adam_fp32",
    "nanotron": "adam_20_whole",
    "InternEvo": "adam_32_step",
}
METERS = {  # what a figure of memory shows, by words of memory_kind
    "max allocated": "train_bytes_per_gpu",
    "nvidia-smi": "train_device_bytes_per_gpu",
    "device total": "train_device_bytes_per_gpu",
}
OLDER = {"a100_sxm_40": "A100-40 rows older"}  # than PyTorch 2.1 and its early stop, by words of framework
MICRO_BATCHES = (1, 2, 4, 8)  # of which one is the fastest where a row does not say
RECIPES = re.compile(r"configs of that commit: batch (\d+), (\w+) recompute, ([^)]*)")  # of sizes, in notes
RECIPE = re.compile(r"([\d.]+)B TP(\d+) PP(\d+)(?: x(\d+))? MBS (\d+)")
# NVIDIA/NeMo-Framework-Launcher, conf/training/gpt3/5b.yaml: distributed_fused_adam. Its table of throughput stands
# there since 2022-09 (3579cdb), a year before Transformer Engine's fused attention does (transformer_engine: False).
LAUNCHER = "NeMo Megatron 22"
HOST = "optimizer to CPU"  # in the column offload: the host steps
OVERLAPS = ("tensor", "tensor_kernel", "context", "expert", "pipeline", "data", "exchange")


def run(row: Row) -> Design:
    """Inputs of the row's run that are in none of its columns of the same name."""
    found: Design = {"mtp_layers": row.text("mtp_layers_trained") or "0"}  # released with them is not trained with them
    if _split(row):
        found["parallelism"] = "given"
    if row.text("attention_kernel").startswith("unfused") and not kernel_unknown(row):
        found |= {"flash_attention": "0", "dropout": "1"}
    if row.text("internode_gbit_s_per_gpu"):
        found["gpu_scaleout_bit_per_s"] = row.amount("internode_gbit_s_per_gpu") * 1e9
    if "overlap switched off" in row.text("notes"):
        found |= {f"{what}_overlap_share": "0" for what in OVERLAPS}
    return found | _framework(row) | _copies(row) | _runs_of_layers(row) | _offloaded(row)


def completed(row: Row) -> Row:
    """A row that prints no layout, with that of the recipe its notes name for a model of its size; else as it is."""
    recipes, size = RECIPES.search(row.text("notes")), re.search(r"([\d.]+)b$", row.text("model"))
    if _split(row) or not (recipes and size and row.text("num_gpus")):
        return row
    found = next((entry for entry in RECIPE.findall(recipes[3]) if float(entry[0]) == float(size[1])), None)
    if not found:
        return row
    _, tensor, pipeline, runs, micro_batch = found
    cells = {
        "global_batch_size": recipes[1],
        "recompute": recipes[2],
        "tensor_parallel": tensor,
        "pipeline_parallel": pipeline,
        "pipeline_interleave": runs or "1",
        "micro_batch_size": micro_batch,
        "data_parallel": f"{row.amount('num_gpus') / (int(tensor) * int(pipeline)):.0f}",
    }
    if LAUNCHER in row.text("framework"):
        cells |= {"zero_stage": "1", "attention_kernel": "unfused"}
    return replace(row, cells={**row.cells, **{name: cell for name, cell in cells.items() if not row.text(name)}})


def kernel_unknown(row: Row) -> bool:
    """Whether a row leaves open which of two kernels its attention is; one that is fused is taken to be used."""
    return "not said" in row.text("attention_kernel")


def _split(row: Row) -> bool:
    """Whether the row says how the model is split."""
    return bool(row.text("tensor_parallel") and row.text("pipeline_parallel"))


def meter(row: Row) -> str:
    """The metric that a row's peak memory shows: what tensors hold, a driver says, or an allocator reserves."""
    kind = row.text("memory_kind") or "max allocated"
    return next((metric for words, metric in METERS.items() if words in kind), "train_reserved_bytes_per_gpu")


def held(row: Row) -> Design:
    """Inputs of a row's memory beyond those of its time: what its optimizer keeps, a loss compiled or not."""
    name = row.text("framework")
    found: Design = {}
    if optimizer := next((record for words, record in OPTIMIZERS.items() if words in name), ""):
        found["optimizer"] = optimizer
    if "DeepSpeed" in name and "Megatron" in name and row.text("train_precision") == "bf16":
        found["optimizer"] = "adam_20_whole"
    if "torchtitan" in name and "from the 8B config file" in row.text("notes"):
        found["train_framework"] = "torchtitan_compiled_loss"
    return found | _offloaded(row)


def _offloaded(row: Row) -> Design:
    """The optimizer of a run that steps on its host."""
    return {"optimizer": "adam_offloaded"} if row.text("offload") == HOST else {}


def _framework(row: Row) -> Design:
    name = row.text("framework")
    found: Design = {"optimizer": "adam_18"} if any(words in name for words in MEGATRON) else {}
    record = next((record for words, record in FRAMEWORKS.items() if words in name), "")
    if "Megatron" in name and not record and row.text("train_precision") in TRANSFORMER_ENGINE:
        record = "megatron_te"
    if row.text("source_group") in DEEPSPEED_PIPELINES and "DeepSpeed" in name:
        record = "deepspeed"
    if record == "torchtitan" and "eager" in row.text("notes"):
        record = "torchtitan_eager"
    if any(row.text("gpu") == gpu and words in name for gpu, words in OLDER.items()):
        found["recompute_stops_early"] = "0"
    return found | ({"train_framework": record} if record else {})


def _copies(row: Row) -> Design:
    """How many ranks share weights where a row says that they do so within a slice or a node, with copies beyond."""
    replicas = row.number_of("data_parallel") or 1.0
    known = catalogue.records("gpu")[row.text("gpu")].values
    network = row.text("internode_gbit_s_per_gpu") or not math.isnan(float(known["gpu_scaleout_bit_per_s"]))
    slices = re.search(r"(\d+) slices\b", row.text("notes"))
    if slices and network and replicas % int(slices[1]) == 0:
        return {"optimizer_shard_ranks": str(int(replicas) // int(slices[1]))}
    if row.text("fsdp") == "hybrid_shard" or "FSDP inside the node" in row.text("notes"):
        return {"optimizer_shard_ranks": f"{min(float(known['gpu_scaleup_domain']), replicas):.0f}"}
    return {}


def _runs_of_layers(row: Row) -> Design:
    """At most as many runs of layers as there are layers: some hold a table or the head alone."""
    stages, runs = row.number_of("pipeline_parallel"), row.number_of("pipeline_interleave")
    layers = row.number_of("num_layers")
    if stages and runs and layers and stages * runs > layers:
        fewer = (k for k in range(int(runs), 0, -1) if runs % k == 0 and stages * k <= layers)
        return {"pipeline_interleave": str(next(fewer, 1))}
    return {}


def layouts(row: Row) -> list[Design]:
    """What a layout leaves open, filled as its authors may have; nothing where it says all or a batch is not known.

    Micro batches of 1, 2, 4 and 8 sequences. Where Megatron-Core does not say its schedule, runs of layers a stage, as
    NeMo 24.07 prints them for the models that NeMo 24.05 leaves them out of: any number that divides the layers, with
    micro batches that the stages divide (Megatron-Core, pipeline_parallel/schedules.py).
    """
    batch, replicas = row.number_of("global_batch_size"), row.number_of("data_parallel")
    if not (batch and replicas and _split(row)):
        return [{}]
    printed = row.number_of("micro_batch_size")
    sizes = [printed] if printed else [size for size in MICRO_BATCHES if batch % (replicas * size) == 0]
    found: list[Design] = []
    for size in sizes:
        design: Design = {} if printed else {"micro_batch_size": str(size)}
        runs = _interleaves(row, batch / (replicas * size))
        found += [design | {"pipeline_interleave": str(count)} for count in runs] or [design]
    return found or [{}]


def _interleaves(row: Row, micro_batches: float) -> list[int]:
    """Runs of layers a stage that a row leaves open; none where it does not."""
    stages, layers = row.number_of("pipeline_parallel"), row.number_of("num_layers")
    told = row.text("pipeline_interleave") or row.text("pipeline_schedule") or row.text("pipeline_uneven")
    if told or not (stages and layers and stages > 1) or _framework(row).get("train_framework") != "megatron_te":
        return []
    most = int(layers // stages) if micro_batches % stages == 0 else 1
    return [1, *(count for count in range(2, most + 1) if layers % (stages * count) == 0)]
