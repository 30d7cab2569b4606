"""The fitted columns of data/engines.csv and data/precisions.csv, from published measurements of serving.

    python -m tests.fit_serve [FILE ...] [--leave-out] [--write]

FILE is a table of measurements beside the shipped one, a row of both taken once. What each engine is fitted in, and
where the search starts, is FREE and the table START below; every other column stays what the data say. The loss is the
mean over figures of the absolute logarithm of ours over the measured time, cut off at 1.2 so that no outlier steers,
steps of decoding counted twice and throughput half. ``--leave-out`` refits an engine without one model, one GPU, or
every other row at a time and scores what was left out. ``--write`` puts the constants into the data files, to three
digits.
"""

from __future__ import annotations

import csv
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from sweep import catalogue, measured_serve
from sweep.asked import Answers
from sweep.measured import Ask, Figure, read
from sweep.resources import resource_dir
from sweep.saturated import with_batches
from tests import serve_model

QUANTITIES = {"decode_step_s": 2.0, "prefill_s": 1.0, "request_s": 1.0, "output_token_s": 0.5}  # and their weights
CUT, PULL = 1.2, 0.003  # of the loss: where an error stops counting, and the pull towards the start
HOST = ("engine_prefill_layer_s", "engine_prefill_s", "engine_queue_share")
BUSY = ("engine_decode_layer_s", "engine_decode_sequence_s", "engine_collective_factor", "engine_compute_factor")
LLAMA = ("engine_cache_share", "engine_decode_layer_s", "engine_compute_factor", "engine_attention_share")
FREE: dict[str, tuple[str, ...]] = {
    "vllm": (*BUSY, *HOST, "engine_expert_compute_factor"),
    "vllm_rocm": BUSY,
    "sglang": (*BUSY, *HOST),
    "sglang_rocm": (*BUSY, *HOST),
    "sglang_jax": (*BUSY, HOST[0]),
    "tensorrt_llm": (*BUSY, *HOST, "engine_expert_compute_factor"),
    "tensorrt_llm_0": (*BUSY, "engine_prefill_layer_s"),
    "fastertransformer": (*BUSY, "engine_prefill_layer_s"),
    "neuronx": (*BUSY, "engine_bandwidth_factor", "engine_cache_share", "engine_attention_share", HOST[0]),
    "llama_cpp": ("engine_decode_layer_s",),
    "llama_cpp_metal": LLAMA,
    "llama_cpp_2024": LLAMA,
    "llama_cpp_2024_pro": LLAMA[1:],
    "gpt_fast": ("engine_decode_layer_s", "engine_collective_factor"),
    "tinychat": ("engine_decode_layer_s",),
    "optimum_habana": BUSY,
    "transformers": ("engine_decode_layer_s",),
}
TOGETHER = {"vllm_0_16": "vllm"}  # too few rows of its own: times are those of the other
TOGETHER_WITHOUT = ("engine_logit_bytes",)  # what it does not take over
COPIED: dict[tuple[str, str], str] = {  # columns that an engine without rows for them takes over
    (to, column): of
    for to, of, columns in (
        ("llama_cpp", "llama_cpp_2024", (LLAMA[0], *LLAMA[2:])),
        ("llama_cpp_2024_pro", "llama_cpp_2024", LLAMA[:1]),
    )
    for column in columns
}
FORMATS = ("mxfp4_w4a16", "int4_g32", "int8_w8a16")
LIKE = {  # formats that take over what another was fitted to
    "nvfp4_w4a16": "mxfp4_w4a16",
    **dict.fromkeys(("int4", "int4_g128", "int4_g128_z4", "int4_g128_z16", "int4_g64", "nf4_dq"), "int4_g32"),
}
START = {
    "engine_decode_layer_s": 2.5e-5,
    "engine_decode_sequence_s": 5e-6,
    "engine_collective_factor": 1.0,
    "engine_compute_factor": 0.85,
    "engine_prefill_layer_s": 1e-3,
    "engine_prefill_s": 5e-3,
    "engine_queue_share": 0.3,
    "engine_cache_share": 0.3,
    "engine_attention_share": 0.1,
    "engine_bandwidth_factor": 0.9,
    "engine_expert_compute_factor": 0.7,
}
OWN_START = {
    ("neuronx", "engine_decode_layer_s"): 1e-4,
    ("neuronx", "engine_prefill_layer_s"): 5e-4,
    ("neuronx", "engine_compute_factor"): 0.4,
    ("neuronx", "engine_attention_share"): 0.03,
    **{(name, "engine_decode_layer_s"): 1e-4 for name in FREE if name.startswith("llama_cpp_")},
    **{(name, "engine_prefill_layer_s"): 1e-4 for name in ("fastertransformer", "tensorrt_llm_0")},
}
BOUNDS = {
    "engine_cache_share": (0.03, 0.95),
    "engine_compute_factor": (0.05, 1.2),
    "engine_expert_compute_factor": (0.05, 1.2),
    "engine_attention_share": (0.005, 0.9),
    "engine_queue_share": (0.02, 1.0),
    "engine_bandwidth_factor": (0.3, 1.2),
    "engine_prefill_s": (1e-4, 0.2),
    "engine_decode_sequence_s": (1e-7, 1e-3),
    "format": (0.3, 1.0),
}
# rows that predict but do not teach: of devices whose share of the bandwidth is not calibrated, but of engines that are
ASIDE = (
    *("qwen3-h20", "vllm-mi355x", "llama-cpp-gb10", "llama-cpp-7900xtx", "ollama-machines-2"),
    *("mlc-3090ti", "tinychat-a6000"),
    *("sglang-jax-v6e-vllm", "tpu-recipes-v6e-serve"),  # vLLM on TPUs, told apart by a factor of two
    "tensorrt-llm-v0.15",  # cards on PCIe, whose collectives differ from one machine to another
)
Key = tuple[str, str]  # an engine and a column, or "format" and a format


@dataclass
class Rows:
    """Figures as arrays: which asks each combines, with which weights, and what was measured."""

    measured: Any
    quantity: Any
    engine: Any
    model: Any
    gpu: Any
    half: Any  # of the rows of the file: every other one
    first: Any
    second: Any
    weight: Any  # of the second ask; nan where the queue share of the engine is
    scale: Any
    taught: Any  # whether it is fitted on: not aside, and of an engine that has a record


class Fit:
    """Figures of some files, the constants as they are searched, and their predictions."""

    def __init__(self, *paths: Path) -> None:
        frame = pl.concat([pl.read_csv(path, infer_schema=False) for path in paths], how="diagonal")
        frame = frame.unique("id", keep="first", maintain_order=True)
        rows = with_batches(read(frame, " and ".join(path.name for path in paths), measured_serve.NEEDED))
        chosen = [
            (row, figure)
            for row in rows
            if not row.set_aside
            for figure in measured_serve.figures(row)
            if figure.asks and figure.quantity in QUANTITIES
        ]
        names = (*serve_model.COUNTS, *serve_model.HARDWARE, *_columns(), "served_bandwidth_factor")
        timed = [ask for _, figure in chosen for ask in figure.asks if ask.metric in ("decode_step_s", "prefill_s")]
        answers = Answers([Ask(name, a.design, a.gpus) for a in timed for name in names] + _others(chosen))
        self.values = {
            name: np.array([answers(Ask(name, a.design, a.gpus))[0] for a in timed], dtype=float) for name in names
        }
        self.step = np.array([ask.metric == "decode_step_s" for ask in timed])
        self.asked_engine = np.array([str(ask.design["engine"]) for ask in timed])
        self.asked_format = np.array([str(ask.design["precision"]) for ask in timed])
        self.rows = _rows(chosen, timed, answers)
        self.constants: dict[Key, float] = {
            (engine, column): OWN_START.get((engine, column), START[column])
            for engine, columns in FREE.items()
            for column in columns
        } | {("format", name): 0.8 for name in FORMATS}
        self.start = dict(self.constants)
        for key in self.constants:
            self.put(key, self.constants[key])

    def put(self, key: Key, value: float) -> None:
        """Set a constant, and what takes it over."""
        of, column = key
        self.constants[key] = value
        if of == "format":
            alike = (column, *(name for name, other in LIKE.items() if other == column))
            self.values["served_bandwidth_factor"][np.isin(self.asked_format, alike)] = value
            return
        alike = (of, *(engine for engine, other in TOGETHER.items() if other == of))
        alike += tuple(engine for (engine, copied), other in COPIED.items() if (other, copied) == key)
        self.values[column][np.isin(self.asked_engine, alike)] = value

    def predicted(self) -> Any:
        """Ours for every figure, in its unit."""
        rows = self.rows
        times = np.where(self.step, serve_model.decode_step_s(self.values), serve_model.prefill_s(self.values))
        queue = self.values["engine_queue_share"][rows.first]
        one, other = times[rows.first], times[rows.second]
        share = np.where(np.isnan(rows.weight), queue, rows.weight)
        return np.where(np.isnan(rows.weight), one + share * (other - one), rows.scale * (one + share * other))

    def errors(self) -> Any:
        """Logarithms of ours over what was measured."""
        return np.log(self.predicted() / self.rows.measured)

    def search(self, keys: list[Key], counted: Any, rounds: int = 30) -> float:
        """Move one constant at a time for as long as the loss falls; the loss."""
        weights = counted * self.rows.taught * np.array([QUANTITIES[name] for name in self.rows.quantity])

        def loss() -> float:
            found = np.minimum(np.abs(self.errors()), CUT)
            pulled = sum(np.log(self.constants[key] / self.start[key]) ** 2 for key in keys)
            return float(np.sum(weights * np.where(np.isfinite(found), found, 0.0)) / np.sum(weights)) + (
                PULL * float(pulled) / len(keys)
            )

        best, steps = loss(), dict.fromkeys(keys, 0.4)
        for _ in range(rounds):
            before = best
            for key in keys:
                held = self.constants[key]
                low, high = BOUNDS["format" if key[0] == "format" else key[1]] if _bounded(key) else (1e-9, 20.0)
                for sign in (1.0, -1.0):
                    self.put(key, float(np.clip(held * np.exp(sign * steps[key]), low, high)))
                    found = loss()
                    if found < best - 1e-8:
                        best, steps[key] = found, steps[key] * 1.4
                        break
                else:
                    self.put(key, held)
                    steps[key] *= 0.5
            if before - best < 1e-6 and max(steps.values()) < 0.02:
                break
        return best


def _bounded(key: Key) -> bool:
    return key[0] == "format" or key[1] in BOUNDS


def _recorded(engine: str) -> bool:
    """Whether an engine has a record of its own; others are taken for the default, which they say nothing of."""
    return any(engine in record.facts["measured_as"].split("; ") for record in catalogue.records("engine").values())


def _columns() -> tuple[str, ...]:
    return catalogue.KINDS["engine"].sets


def _others(chosen: list[tuple[Any, Figure]]) -> list[Ask]:
    return [ask for _, figure in chosen for ask in figure.asks]


def _rows(chosen: list[tuple[Any, Figure]], timed: list[Ask], answers: Answers) -> Rows:
    """Each figure as first + weight times second, times a scale: told from what it makes of chosen times."""
    place = {id(ask): number for number, ask in enumerate(timed)}
    found: dict[str, list[Any]] = {name: [] for name in Rows.__dataclass_fields__}
    for row, figure in chosen:
        times = [ask for ask in figure.asks if id(ask) in place]
        fixed = [answers(ask)[0] for ask in figure.asks if id(ask) not in place]
        queued = len(times) == 2 and bool(fixed)
        scale = figure.predicted(1.0, *[0.0] * (len(times) - 1), *fixed) if not queued else 1.0
        second = figure.predicted(0.0, 1.0, *fixed) / scale if len(times) == 2 and not queued else 0.0
        found["measured"].append(figure.measured)
        found["quantity"].append(figure.quantity)
        found["engine"].append(str(times[0].design["engine"]))
        found["model"].append(row.text("model"))
        found["gpu"].append(row.text("gpu"))
        found["half"].append(row.number % 2)
        found["first"].append(place[id(times[0])])
        found["second"].append(place[id(times[-1])])
        found["weight"].append(float("nan") if queued else second)
        found["scale"].append(scale)
        found["taught"].append(row.text("source_group") not in ASIDE and _recorded(row.text("engine")))
    return Rows(**{name: np.array(values) for name, values in found.items()})


def report(fit: Fit, errors: Any, title: str) -> None:
    """A line a quantity and engine, of the figures that teach."""
    print(title)
    for quantity in QUANTITIES:
        for engine in [*dict.fromkeys(fit.rows.engine), "total"]:
            chosen = (fit.rows.quantity == quantity) & ((fit.rows.engine == engine) | (engine == "total"))
            found = 100.0 * np.expm1(errors[chosen & fit.rows.taught & np.isfinite(errors)])
            if len(found):
                middle, high = np.median(np.abs(found)), np.quantile(np.abs(found), 0.9)
                print(
                    f"  {quantity:15} {engine:20} {len(found):4} figures  median {middle:5.1f} %  90th {high:6.1f} %"
                    f"  bias {np.median(found):+6.1f} %"
                )


def leave_out(fit: Fit) -> None:
    """Errors on what an engine was not fitted on: one model at a time, then one GPU, then every other row."""
    held = dict(fit.constants)
    for by in ("model", "gpu", "half"):
        left = np.full(len(fit.rows.measured), np.nan)
        groups = getattr(fit.rows, by)
        for engine, columns in FREE.items():
            mine = (fit.rows.engine == engine) & fit.rows.taught
            keys = [(engine, column) for column in columns]
            for group in dict.fromkeys(groups[mine]) if len(set(groups[mine])) > 1 else ():
                for key in keys:
                    fit.put(key, fit.start[key])
                fit.search(keys, mine & (groups != group))
                left = np.where(mine & (groups == group), fit.errors(), left)
                for key in keys:
                    fit.put(key, held[key])
        report(fit, left, f"left out, one {by} of an engine at a time")


def write(fit: Fit) -> None:
    """The constants into the data files."""
    folder = resource_dir("data")
    engines = {key: value for key, value in fit.constants.items() if key[0] != "format"}
    for (to, column), of in COPIED.items():
        engines[to, column] = engines[of, column]
    for to, of in TOGETHER.items():
        engines |= {(to, column): value for (engine, column), value in engines.items() if engine == of}
    formats = {(name, "served_bandwidth_factor"): fit.constants["format", name] for name in FORMATS}
    formats |= {(name, "served_bandwidth_factor"): fit.constants["format", of] for name, of in LIKE.items()}
    for file, cells in (("engines.csv", engines), ("precisions.csv", formats)):
        with (folder / file).open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
        for row in rows:
            row |= {column: f"{value:.3g}" for (identity, column), value in cells.items() if identity == row["id"]}
        with (folder / file).open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


def main(arguments: list[str]) -> None:
    """Fit, say how well, and what was asked for besides."""
    files = [argument for argument in arguments if not argument.startswith("--")]
    fit = Fit(*map(Path, files), resource_dir("data") / "measurements_serve.csv")
    present = Counter(fit.asked_engine)
    keys = [key for key in fit.constants if key[0] == "format" or present[key[0]]]
    loss = fit.search(keys, np.ones(len(fit.rows.measured)))
    print(f"{len(fit.rows.measured)} figures, {len(keys)} constants, loss {loss:.4f}")
    for engine in FREE:
        mine = {column: f"{fit.constants[engine, column]:.3g}" for column in FREE[engine] if present[engine]}
        if mine:
            print(f"  {engine:20}", ", ".join(f"{c.removeprefix('engine_')} {value}" for c, value in mine.items()))
    print(f"  {'formats':20}", ", ".join(f"{name} {fit.constants['format', name]:.3g}" for name in FORMATS))
    report(fit, fit.errors(), "fitted")
    if "--leave-out" in arguments:
        leave_out(fit)
    if "--write" in arguments:
        write(fit)


if __name__ == "__main__":
    main(sys.argv[1:])
